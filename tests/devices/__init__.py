# SPDX-License-Identifier: Apache-2.0
"""Docks, cards, clocks and terminals, with the shipped simulator."""
