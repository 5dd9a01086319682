# SPDX-License-Identifier: Apache-2.0
"""This is where speed is measured, always beside a known tool on the same bytes in the same run.

A ratio survives a slow or busy machine; a bare number does not. Results are a table for people and JSON for
whoever compares runs.
"""
