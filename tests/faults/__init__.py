# SPDX-License-Identifier: Apache-2.0
"""This is where processes are killed, brokers emptied, disks filled; an independent check looks after."""
