# SPDX-License-Identifier: Apache-2.0
"""This is where the command line is: one command family a file, `main` puts them together."""
