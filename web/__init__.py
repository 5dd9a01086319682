# SPDX-License-Identifier: Apache-2.0
"""This is where evidock is reached over the network: docks, terminals and their uploads now, people later."""
