# SPDX-License-Identifier: Apache-2.0
"""This is where keeping is measured: a sweep over a million recordings."""
