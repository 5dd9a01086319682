# SPDX-License-Identifier: Apache-2.0
"""This is where tests share small real things: footage, cameras, stores, moments in time."""
