# SPDX-License-Identifier: Apache-2.0
"""This is where the nouns, rules and proofs live: standard library only, no I/O, no clock, no chance."""
