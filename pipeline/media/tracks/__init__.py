# SPDX-License-Identifier: Apache-2.0
"""This is where the way that a camera took is read from what it wrote beside the picture, in one form for all."""
