# SPDX-License-Identifier: Apache-2.0
"""This is where what a tus client writes into its headers is read, and refused when it is not of the form.

Source: tus resumable upload protocol 1.0.0, "Headers" and the creation and checksum extensions.
"""

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass

from evidence.errors import BadInput, TooLarge

VERSION = "1.0.0"
EXTENSIONS = "creation,creation-with-upload,checksum,termination,expiration"
BYTES_TYPE = "application/offset+octet-stream"
# The first is what our own docks use.
ALGORITHMS = {"sha256": 32, "sha1": 20, "md5": 16}

_NUMBER = re.compile(r"[0-9]{1,19}", re.ASCII)
_KEY = re.compile(r"[\x21-\x2b\x2d-\x7e]{1,100}")
_LONGEST_METADATA = 32_768


@dataclass(frozen=True, slots=True)
class Checksum:
    """What the bytes of one request must have."""

    algorithm: str
    digest: bytes

    def fresh(self) -> "hashlib._Hash":
        """A hash of its algorithm, to be fed with the bytes that come."""
        return hashlib.new(self.algorithm, usedforsecurity=False)


def number(text: str | None, name: str) -> int:
    """A count of bytes.

    Raises:
        BadInput: it is missing, or no number.
    """
    if text is None or not _NUMBER.fullmatch(text):
        raise BadInput(f"{name} must be a number of bytes, not {(text or 'nothing')[:40]!r}")
    return int(text)


def length(text: str | None, *, largest: int) -> int:
    """How long an upload will be.

    Raises:
        BadInput: it is missing, or no number. TooLarge: longer than we take.
    """
    told = number(text, "Upload-Length")
    if told > largest:
        raise TooLarge(f"the largest upload is {largest} bytes, not {told}", limit=largest)
    return told


def checksum(text: str | None) -> Checksum | None:
    """The checksum that a request announces; None when it announces none.

    Raises:
        BadInput: an algorithm that we do not know, or no digest of it.
    """
    if text is None:
        return None
    algorithm, _, encoded = text.partition(" ")
    if algorithm not in ALGORITHMS:
        raise BadInput(f"Upload-Checksum knows {', '.join(ALGORITHMS)}, not {algorithm[:40]!r}")
    digest = _decoded(encoded.strip(), "Upload-Checksum")
    if len(digest) != ALGORITHMS[algorithm]:
        raise BadInput(f"Upload-Checksum holds no {algorithm}")
    return Checksum(algorithm, digest)


def metadata(text: str | None) -> dict[str, bytes]:
    """What an upload says of itself, by key.

    Raises:
        BadInput: it is too long, a key comes twice or cannot be one, a value is no base64.
    """
    if not text:
        return {}
    if len(text) > _LONGEST_METADATA:
        raise BadInput(f"Upload-Metadata is longer than {_LONGEST_METADATA} characters")
    found: dict[str, bytes] = {}
    for pair in text.split(","):
        key, _, encoded = pair.strip().partition(" ")
        if not _KEY.fullmatch(key) or key in found:
            raise BadInput(f"Upload-Metadata cannot hold the key {key[:40]!r} here")
        found[key] = _decoded(encoded.strip(), f"Upload-Metadata {key}")
    return found


def _decoded(text: str, name: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadInput(f"{name} is not base64") from error
