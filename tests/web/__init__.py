# SPDX-License-Identifier: Apache-2.0
"""The server as its clients see it: third-party uploaders, docks, terminals, strangers."""
