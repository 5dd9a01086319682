# SPDX-License-Identifier: Apache-2.0
"""This is where a digest is a value: what proves that bytes are the bytes that were measured."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Digest:
    """SHA-256 and length of a run of bytes (FIPS 180-4). A digest proves; a fingerprint only resembles."""

    sha256: bytes
    size_bytes: int

    @property
    def hex(self) -> str:
        """The SHA-256 as 64 lower-case hexadecimal digits."""
        return self.sha256.hex()

    def __str__(self) -> str:
        return f"sha256:{self.hex} ({self.size_bytes} bytes)"
