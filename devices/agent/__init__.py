# SPDX-License-Identifier: Apache-2.0
"""This is where a dock station runs: one process, a task for each device that is plugged in.

The order is the safety argument: list everything, copy while hashing, upload, get the receipt, verify it; only then
may anything be erased, if the agency's switch is on.
"""
