# SPDX-License-Identifier: Apache-2.0
"""This is where the compose file has what it needs beside it; `make_bucket` runs in a container of it."""
