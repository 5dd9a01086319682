# SPDX-License-Identifier: Apache-2.0
"""This is where the machine around the program is described: setting it up, later running it."""
