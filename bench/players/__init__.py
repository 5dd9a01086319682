# SPDX-License-Identifier: Apache-2.0
"""This is where many players watch at once while docks bring files, and it is seen who waits and what it costs."""
