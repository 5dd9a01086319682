# SPDX-License-Identifier: Apache-2.0
"""This is where each act that two people agree on has its file: what may be asked for, and what agreeing on it does."""
