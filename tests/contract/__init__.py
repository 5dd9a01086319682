# SPDX-License-Identifier: Apache-2.0
"""This is where the obligations of a port are written once, for every engine to join in a few lines."""
