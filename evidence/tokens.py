# SPDX-License-Identifier: Apache-2.0
"""This is where a secret that somebody carries has its text form, and the digest that alone is kept of it.

Secrets of 256 bits need no slow hash: nobody tries them all.
"""

import base64
from hashlib import sha256

TOKEN_BYTES = 32
_LONGEST = 200


def token_of(chance: bytes) -> str:
    """Text of secret bytes that cookies, links and headers may hold."""
    return base64.urlsafe_b64encode(chance).decode().rstrip("=")


def token_sha256(token: str) -> str:
    """What is kept of a token. Of text that is longer than any of ours only its beginning counts: it is none."""
    return sha256(token[:_LONGEST].encode("utf-8", "replace")).hexdigest()
