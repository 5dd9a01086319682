# SPDX-License-Identifier: Apache-2.0
"""This is where the figures of the server that are policy rest, as data."""
