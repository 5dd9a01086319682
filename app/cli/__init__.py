# SPDX-License-Identifier: Apache-2.0
"""This is where the commands are, one family a file, each a thin door to a function that tests can call."""
