# SPDX-License-Identifier: Apache-2.0
"""This is where somebody tries to deceive us: one named test for each attack."""
