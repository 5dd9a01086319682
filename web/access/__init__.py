# SPDX-License-Identifier: Apache-2.0
"""This is where a request is allowed or refused, what it may see is bounded, and that it saw it is put on record."""
