# SPDX-License-Identifier: Apache-2.0
"""This is where data keys are wrapped: under a key of the installation, which rests apart from the objects.

    keys/envelope.key      the key that wraps new data keys (0600, made when envelopes are first switched on)
    keys/envelope-*.key    older ones, which still open what they wrapped

A key file is two lines: `evidock/envelope-kek/v1` and 64 hexadecimal digits. A wrapped data key is

    23  `evidock/wrapped-key/v1` and a newline
     8  id of the key it is wrapped under: the beginning of SHA-256 over `evidock/envelope-kek/v1`, newline, key
    12  nonce, random
    48  AES-256-GCM of the data key; authenticated with it are the 31 bytes at the beginning and its key in the store

so that it opens nothing but the envelope it was made for.

Source: NIST SP 800-38D §8.2.2 and §8.3: random nonces of 96 bits do for 2^32 data keys under one key.
"""

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from evidence.errors import BadInput, FixityMismatch, RecordMalformed, StoreUnavailable
from storage.durable import store_errors
from storage.enveloped.form import KEY_SIZE, TAG_SIZE
from storage.private_file import create_private, read_private

Chance = Callable[[int], bytes]

NEWEST = "envelope.key"
_OLDER = "envelope-*.key"
_FORM = "evidock/envelope-kek/v1"
_FILE = re.compile(rb"evidock/envelope-kek/v1\n([0-9a-f]{64})\n")
_MAGIC = b"evidock/wrapped-key/v1\n"
_ID_SIZE = 8
_NONCE_SIZE = 12
_HEAD_SIZE = len(_MAGIC) + _ID_SIZE
WRAPPED_SIZE = _HEAD_SIZE + _NONCE_SIZE + KEY_SIZE + TAG_SIZE


@dataclass(frozen=True, slots=True)
class Keyring:
    """Every key of the installation that wraps data keys, by id; its text form shows none of them.

    `newest` is the id of the one that wraps; None where only older ones are there.
    """

    newest: bytes | None
    _keys: Mapping[bytes, AESGCM] = field(repr=False)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """The keys in `folder`; an empty ring when there are none.

        Raises:
            BadInput: a file can be read by others, is not ours, or holds no such key.
            StoreUnavailable: one cannot be read now.

        """
        with store_errors(f"cannot look for keys in {folder}"):
            newest = folder / NEWEST if (folder / NEWEST).exists() else None
            older = sorted(folder.glob(_OLDER))
        found = {path: _read(path) for path in (*older, *([newest] if newest else []))}
        return cls(_id_of(found[newest]) if newest else None, {_id_of(key): AESGCM(key) for key in found.values()})

    @classmethod
    def create_or_load(cls, folder: Path, *, chance: Chance) -> Self:
        """The keys in `folder`; the newest is made, durably, when it is not there. Safe to race.

        Raises:
            BadInput, StoreUnavailable: as `load`.

        """
        if not (folder / NEWEST).exists():
            create_private(folder / NEWEST, f"{_FORM}\n{chance(KEY_SIZE).hex()}\n".encode())
        return cls.load(folder)

    @property
    def names(self) -> tuple[str, ...]:
        """The ids of all keys as text."""
        return tuple(identity.hex() for identity in self._keys)

    def wrap(self, data_key: bytes, name: str, *, chance: Chance) -> bytes:
        """The data key as it may rest, under `name` and no other.

        Raises:
            StoreUnavailable: there is no key to wrap it under.

        """
        if self.newest is None:
            raise StoreUnavailable(f"there is no keys/{NEWEST}: nothing can be put into an envelope")
        head, nonce = _MAGIC + self.newest, chance(_NONCE_SIZE)
        return head + nonce + self._keys[self.newest].encrypt(nonce, data_key, head + name.encode())

    def unwrap(self, wrapped: bytes, name: str) -> bytes:
        """The data key that rests under `name`.

        Raises:
            StoreUnavailable: the key it is wrapped under is not here; nothing is lost while another place has it.
            RecordMalformed: this is no wrapped data key. FixityMismatch: it was altered, or rests under another name.

        """
        if len(wrapped) != WRAPPED_SIZE or not wrapped.startswith(_MAGIC):
            raise RecordMalformed(f"{name} is no wrapped data key", key=name)
        head, nonce, sealed = wrapped[:_HEAD_SIZE], wrapped[_HEAD_SIZE:][:_NONCE_SIZE], wrapped[-KEY_SIZE - TAG_SIZE :]
        identity = head[-_ID_SIZE:]
        if identity not in self._keys:
            raise StoreUnavailable(
                f"{name} is wrapped under the key {identity.hex()}, which is not among this installation's: "
                f"bring its file back as keys/{NEWEST}, or as keys/envelope-OLD.key beside a newer one",
                key=name,
            )
        try:
            return self._keys[identity].decrypt(nonce, sealed, head + name.encode())
        except InvalidTag as error:
            raise FixityMismatch(f"{name} was altered at rest, or belongs elsewhere", key=name) from error


def _read(path: Path) -> bytes:
    match = _FILE.fullmatch(read_private(path))
    if match is None:
        raise BadInput(f"{path} holds no key for envelopes", path=str(path))
    return bytes.fromhex(match[1].decode())


def _id_of(key: bytes) -> bytes:
    return hashlib.sha256(f"{_FORM}\n".encode() + key).digest()[:_ID_SIZE]
