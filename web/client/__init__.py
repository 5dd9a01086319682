# SPDX-License-Identifier: Apache-2.0
"""This is where programs of ours, and of others, ask a server over its HTTP API; what goes wrong is our errors."""
