# SPDX-License-Identifier: Apache-2.0
"""This is where files come in over HTTP: tus 1.0 with creation, checksum, termination and expiration."""
