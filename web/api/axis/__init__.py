# SPDX-License-Identifier: Apache-2.0
"""This is where body worn systems of Axis send what they record: their content destination API, a subset of Swift."""
