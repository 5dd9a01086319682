# SPDX-License-Identifier: Apache-2.0
"""This is where things happen to a recording: one verb a file, and `flow` the only place of their order.

A step is a plain function. It reads through its ports, lays down objects under the digest of their
bytes, and returns the custody events it wants recorded; `flow` records them, closes the job and
opens the next ones in one transaction. So a step killed anywhere leaves nothing half said.
"""
