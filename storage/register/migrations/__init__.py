# SPDX-License-Identifier: Apache-2.0
"""This is where the way from each revision of the tables to the next is written."""
