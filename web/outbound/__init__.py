# SPDX-License-Identifier: Apache-2.0
"""This is where whatever goes out of the server goes through one door."""
