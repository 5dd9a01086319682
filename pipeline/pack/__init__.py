# SPDX-License-Identifier: Apache-2.0
"""This is where a pack is made that an outsider can check alone, and where one is checked.

A pack is a bag (BagIt 1.0, RFC 8493) of files whose names are ours. `docs/formats.md` has it byte for byte.
"""
