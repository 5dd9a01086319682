# SPDX-License-Identifier: Apache-2.0
"""This is where we sign: Ed25519 keys at rest, and the arithmetic that `evidence.note` is given.

A key file is a PKCS#8 PEM that the openssl program reads. It is as private as its file: mode 0600, one
owner. Hardware joins later by keeping the promises of `Signing`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, Self

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from evidence.errors import BadInput, NotFound, RecordMalformed
from evidence.note import Signer, Verifier, VerifierKey
from storage.private_file import create_private, read_private

# Keys whose point has order 1, 2, 4 or 8 (sign bit cleared): one signature by such a key fits many
# messages, so that nothing it signed is proven. RFC 8032 leaves refusing them to the verifier.
_LOW_ORDER = frozenset(
    bytes.fromhex(text)
    for text in (
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    )
)


class Signing(Protocol):
    """A key of ours that signs notes, wherever the key rests."""

    @property
    def verifier_key(self) -> VerifierKey:
        """The public half under the key's name: what an auditor is given."""
        ...

    def signer(self) -> Signer:
        """The key as `evidence.note.sign_note` takes it. Equal messages give equal signatures."""
        ...

    def verifier(self) -> Verifier:
        """The public half as `evidence.note.open_note` takes it."""
        ...


@dataclass(frozen=True, slots=True)
class KeyFile:
    """An Ed25519 key in a file of ours; its text form never shows the private half."""

    name: str
    _private: Ed25519PrivateKey

    @classmethod
    def create_or_load(cls, path: Path, name: str) -> Self:
        """The key at `path`, made durably (mode 0600) when there is none yet, under the signer name `name`.

        Safe to race: of several first callers one makes the key and all get it. The name is no part of
        the file; it is part of the key's identity in notes.

        Raises:
            BadInput: the file is readable by others, is not ours, or holds no Ed25519 key.
            StoreUnavailable: the file cannot be read or written now.

        """
        try:
            return cls.load(path, name)
        except NotFound:
            create_private(path, _new_pem())
        return cls.load(path, name)

    @classmethod
    def load(cls, path: Path, name: str) -> Self:
        """The key at `path`, which must be there already.

        Raises:
            NotFound: there is none.
            BadInput: the file is readable by others, is not ours, or holds no Ed25519 key.
            StoreUnavailable: the file cannot be read now.

        """
        private = _parsed(read_private(path), path)
        key = cls(name, private)
        _ = key.verifier_key  # a name that no note can carry is refused now, not at the first signature
        return key

    @property
    def verifier_key(self) -> VerifierKey:
        """The public half under this key's name."""
        return VerifierKey(self.name, self._private.public_key().public_bytes_raw())

    def signer(self) -> Signer:
        """See `Signing`. Source: RFC 8032 §5.1 (deterministic)."""
        return Signer(self.name, self.verifier_key.key_hash, self._private.sign)

    def verifier(self) -> Verifier:
        """See `Signing`."""
        return verifier_of(self.verifier_key)


def verifier_of(key: VerifierKey) -> Verifier:
    """`key` as `evidence.note.open_note` takes it, with the arithmetic of RFC 8032 behind it.

    Raises:
        RecordMalformed: no point of the curve, or one of low order, under which anybody can sign.

    """
    return key.verifier(_verification_by(key.public_key))


def public_pem(key: VerifierKey) -> bytes:
    """The key as `openssl pkeyutl -verify -rawin -pubin -inkey` reads it (RFC 8410).

    Raises:
        RecordMalformed: as `verifier_of`.

    """
    return _point(key.public_key).public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def _verification_by(public_key: bytes) -> Callable[[bytes, bytes], bool]:
    point = _point(public_key)

    def verify(message: bytes, signature: bytes) -> bool:
        try:
            point.verify(signature, message)
        except InvalidSignature:
            return False
        return True

    return verify


def _point(public_key: bytes) -> Ed25519PublicKey:
    if len(public_key) != 32 or public_key[:31] + bytes([public_key[31] & 0x7F]) in _LOW_ORDER:
        raise RecordMalformed(f"not an Ed25519 key that anyone may trust: {public_key.hex()}")
    try:
        return Ed25519PublicKey.from_public_bytes(public_key)
    except ValueError as error:
        raise RecordMalformed(f"not an Ed25519 key: {public_key.hex()}") from error


def _new_pem() -> bytes:
    return Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _parsed(pem: bytes, path: Path) -> Ed25519PrivateKey:
    try:
        key = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise BadInput(f"the key {path} is not an unencrypted PEM private key", path=str(path)) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise BadInput(f"the key {path} is not an Ed25519 key", path=str(path))
    return key
