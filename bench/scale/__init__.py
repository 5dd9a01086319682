# SPDX-License-Identifier: Apache-2.0
"""This is where growth is measured: a large register, many docks, more workers, and a year that is simulated."""
