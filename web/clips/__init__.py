# SPDX-License-Identifier: Apache-2.0
"""This is where clips wait that were cut over HTTP, until whoever asked for them has fetched them."""
