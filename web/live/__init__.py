# SPDX-License-Identifier: Apache-2.0
"""This is where what goes on is told while it happens."""
