# SPDX-License-Identifier: Apache-2.0
"""This is where a month of an agency is made up, and where it is counted how many of its links the rules find.

`noise` says how wrong things are, `world` what really happened, `told` what the register hears of it, `measure` counts.
"""
