# SPDX-License-Identifier: Apache-2.0
"""This is where bytes and facts rest: the object store, the register, the custody log, the keys that sign.

A port is a Protocol whose docstrings are obligations; every engine passes the same suite in `tests/contract`.
The truth is in the object store and the log. The register is an index that can be made again from them.
"""
