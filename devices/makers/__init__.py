# SPDX-License-Identifier: Apache-2.0
"""This is where each maker's way of naming and laying out files is known, one profile a file.

A profile turns a path into claims and never refuses: a name it cannot read simply claims nothing.
"""
