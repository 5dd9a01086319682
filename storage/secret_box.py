# SPDX-License-Identifier: Apache-2.0
"""This is where small secrets rest in the register that must be read again: sealed under a key of the installation.

    keys/secrets.key    two lines: `evidock/secrets-key/v1` and 64 hexadecimal digits (0600, made when first needed)

A sealed secret is base64 of 12 bytes of chance and the AES-256-GCM of the secret; what it is for is authenticated
with it, so that one that was moved to another row does not open. Whoever copies the register has none of them.

Source: NIST SP 800-38D §8.2.2 (random nonces of 96 bits).
"""

import base64
import binascii
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from evidence.errors import BadInput, StoreUnavailable
from storage.private_file import create_private, read_private

FILE = "secrets.key"
_FORM = "evidock/secrets-key/v1"
_FILE = re.compile(rb"evidock/secrets-key/v1\n([0-9a-f]{64})\n")
_KEY_SIZE, _NONCE_SIZE = 32, 12

Chance = Callable[[int], bytes]


@dataclass(frozen=True, slots=True)
class SecretBox:
    """Seals and opens small secrets; its text form shows no key. Threads may share it."""

    _aead: AESGCM = field(repr=False)
    _chance: Chance = field(repr=False)

    @classmethod
    def create_or_load(cls, folder: Path, *, chance: Chance) -> Self:
        """The box of the installation whose keys are in `folder`; its key is made, durably, when it is not there.

        Raises:
            BadInput: others can use the key's file, or it holds none. StoreUnavailable: it cannot be made or read.
        """
        path = folder / FILE
        if not path.exists():
            create_private(path, f"{_FORM}\n{chance(_KEY_SIZE).hex()}\n".encode())
        match = _FILE.fullmatch(read_private(path))
        if match is None:
            raise BadInput(f"{path} holds no key for secrets", path=str(path))
        return cls(AESGCM(bytes.fromhex(match.group(1).decode())), chance)

    def seal(self, secret: bytes, purpose: str) -> str:
        """The secret as it may rest, for `purpose` and nothing else."""
        nonce = self._chance(_NONCE_SIZE)
        return base64.b64encode(nonce + self._aead.encrypt(nonce, secret, purpose.encode())).decode()

    def open(self, sealed: str, purpose: str) -> bytes:
        """The secret again.

        Raises:
            StoreUnavailable: it was sealed under another key, for another purpose, or altered.
        """
        try:
            told = base64.b64decode(sealed, validate=True)
            return self._aead.decrypt(told[:_NONCE_SIZE], told[_NONCE_SIZE:], purpose.encode())
        except (InvalidTag, binascii.Error, ValueError) as error:
            raise StoreUnavailable(
                f"a secret does not open: is keys/{FILE} the one that it was sealed under?"
            ) from error
