# SPDX-License-Identifier: Apache-2.0
"""This is where the engines that need a server of their own are started and joined to the contracts."""
