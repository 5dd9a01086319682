# SPDX-License-Identifier: Apache-2.0
"""This is where the files of `deploy/` are linted, rendered and tried with the ordinary tools."""
