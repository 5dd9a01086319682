# SPDX-License-Identifier: Apache-2.0
"""This is where a running process can be seen from outside: health, readiness, figures, and lines of a log."""
