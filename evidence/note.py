# SPDX-License-Identifier: Apache-2.0
"""This is where a text carries signatures: C2SP signed notes, with the cryptography passed in.

A note is ignored unless a key that the reader already trusts signed it. Keys come from the reader's own
policy, never from beside the note.
"""

import base64
import binascii
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import TypeVar

from evidence.errors import BadInput, RecordMalformed, SignatureInvalid

MAX_SIGNATURES = 100
MAX_NOTE_BYTES = 1 << 20
ED25519 = 0x01
_DASH = "\N{EM DASH} "
_ED25519_KEY_SIZE = 32
_MAX_KEY_HASH = 2**32 - 1
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f]")


@dataclass(frozen=True, slots=True)
class Signer:
    """A key that signs: `sign(message)` gives the signature bytes. `key_hash` is C2SP's 32-bit key ID."""

    name: str
    key_hash: int
    sign: Callable[[bytes], bytes]


@dataclass(frozen=True, slots=True)
class Verifier:
    """A key that is trusted: `verify(message, signature)` is True only for a signature this key made."""

    name: str
    key_hash: int
    verify: Callable[[bytes, bytes], bool]


Key = TypeVar("Key", Signer, Verifier)


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature line: who says to have signed, and the signature without its key ID."""

    name: str
    key_hash: int
    signature: bytes

    def to_line(self) -> str:
        """The line as it stands in a note, newline included."""
        packed = self.key_hash.to_bytes(4, "big") + self.signature
        return f"{_DASH}{self.name} {base64.b64encode(packed).decode()}\n"


@dataclass(frozen=True, slots=True)
class OpenedNote:
    """A text (final newline included) that at least one trusted key signed.

    `verified` signatures were checked and hold; of the `unverified` ones nothing is known.
    """

    text: str
    verified: tuple[Signature, ...]
    unverified: tuple[Signature, ...]

    def is_signed_by(self, key: Verifier) -> bool:
        """True when this very key's signature was among those verified."""
        return any((one.name, one.key_hash) == (key.name, key.key_hash) for one in self.verified)


def sign_note(text: str, signers: Sequence[Signer]) -> str:
    """The note of `text`, which must end in a newline, signed by each of `signers` in order.

    Raises:
        RecordMalformed: the text cannot be a note, or the note would be over its limits.
        BadInput: no signer, a signer twice, or a signer whose name or key ID no note can carry.

    Source: C2SP signed-note, Format.
    """
    if not _checked_text(text).endswith("\n"):
        raise RecordMalformed("the text of a note must end in a newline")
    _check_keys(signers)
    if not 0 < len(signers) <= MAX_SIGNATURES:
        raise BadInput(f"a note takes 1 to {MAX_SIGNATURES} signatures, not {len(signers)}")
    message = text.encode()
    lines = [Signature(key.name, key.key_hash, key.sign(message)).to_line() for key in signers]
    return _checked_text(f"{text}\n{''.join(lines)}")


def open_note(text: str | bytes, verifiers: Iterable[Verifier]) -> OpenedNote:
    """The text of a note, once a signature by one of `verifiers` was found and all such signatures hold.

    Raises:
        RecordMalformed: not a signed note, or over 100 signatures or 1 MiB.
        SignatureInvalid: no known key signed, or a signature by a known key is wrong.
        BadInput: two of `verifiers` have the same name and key ID, or a name no note can carry.

    Source: C2SP signed-note, Format and Signatures.
    """
    known = _check_keys(verifiers)
    body, signatures = split_note(text)
    message = body.encode()
    verified, unverified = [], []
    for signature in signatures:
        key = known.get((signature.name, signature.key_hash))
        if key is None:
            unverified.append(signature)
        else:
            _check_signature(key, message, signature)
            verified.append(signature)
    if not verified:
        names = ", ".join(f"{one.name}+{one.key_hash:08x}" for one in unverified)
        raise SignatureInvalid(f"no trusted key signed this note; it names {names}")
    return OpenedNote(body, tuple(verified), tuple(unverified))


def split_note(text: str | bytes) -> tuple[str, tuple[Signature, ...]]:
    """Text and signatures of a note, repeated lines dropped. NOTHING IS VERIFIED: to believe it, `open_note`.

    Raises:
        RecordMalformed: not a signed note, or over 100 signatures or 1 MiB.
    """
    note = _checked_text(text)
    split = note.rfind("\n\n")
    if split < 0 or not note.endswith("\n"):
        raise RecordMalformed("a note is a text, an empty line and signature lines")
    lines = note[split + 2 :].removesuffix("\n").split("\n")
    if not 0 < len(lines) <= MAX_SIGNATURES:
        raise RecordMalformed(f"a note carries 1 to {MAX_SIGNATURES} signatures, not {len(lines)}")
    return note[: split + 1], tuple(dict.fromkeys(map(_signature, lines)))


def _checked_text(text: str | bytes) -> str:
    """`text` as a str, within the limits, valid UTF-8 and without control characters."""
    try:
        # A str makes the round trip too: it could hold lone surrogates, which no signature can cover.
        data = text.encode() if isinstance(text, str) else bytes(text)
        decoded = data.decode()
    except UnicodeError as error:
        raise RecordMalformed("a note must be UTF-8") from error
    if len(data) > MAX_NOTE_BYTES:
        raise RecordMalformed(f"a note of over {MAX_NOTE_BYTES} bytes")
    if _CONTROL.search(decoded):
        raise RecordMalformed("a note must not hold control characters")
    return decoded


def _signature(line: str) -> Signature:
    name, _, encoded = line.removeprefix(_DASH).partition(" ")
    packed = _unbase64(encoded)
    signature = Signature(name, int.from_bytes(packed[:4], "big"), packed[4:])
    # Written again it must be the same line: one spelling a signature, so that bytes can be compared.
    if not _is_name(name) or len(packed) < 5 or signature.to_line() != f"{line}\n":
        raise RecordMalformed(f"not a signature line: {line[:80]!r}")
    return signature


def _check_signature(key: Verifier, message: bytes, signature: Signature) -> None:
    try:
        holds = key.verify(message, signature.signature) is True
    except Exception as error:  # whatever a crypto library raises at hostile bytes means: not verified
        raise SignatureInvalid(f"signature of {key.name}+{key.key_hash:08x} cannot be verified") from error
    if not holds:
        raise SignatureInvalid(f"signature of {key.name}+{key.key_hash:08x} is wrong")


def _check_keys(keys: Iterable[Key]) -> dict[tuple[str, int], Key]:
    known: dict[tuple[str, int], Key] = {}
    for key in keys:
        if not _is_name(key.name) or not 0 <= key.key_hash <= _MAX_KEY_HASH:
            raise BadInput(f"no note can carry a key named {key.name!r} with ID {key.key_hash}")
        if known.setdefault((key.name, key.key_hash), key) is not key:
            raise BadInput(f"two keys are {key.name}+{key.key_hash:08x}: signatures would be ambiguous")
    return known


def _is_name(name: str) -> bool:
    return bool(name) and "+" not in name and not any(character.isspace() for character in name)


# --- Keys as text ---------------------------------------------------------------------------


def ed25519_key_hash(name: str, public_key: bytes) -> int:
    """The 32-bit key ID of an Ed25519 key under `name`. Source: C2SP signed-note, Ed25519 signatures."""
    packed = name.encode() + b"\n" + bytes([ED25519]) + public_key
    return int.from_bytes(sha256(packed).digest()[:4], "big")


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A public Ed25519 key under a name: what an auditor keeps. Text form `name+hash+base64(type || key)`."""

    name: str
    public_key: bytes

    def __post_init__(self) -> None:
        if not _is_name(self.name) or len(self.public_key) != _ED25519_KEY_SIZE:
            raise RecordMalformed(f"not an Ed25519 verifier key: {self.name[:80]!r}")

    @property
    def key_hash(self) -> int:
        """The 32-bit key ID."""
        return ed25519_key_hash(self.name, self.public_key)

    def to_text(self) -> str:
        """The vkey text. Source: C2SP signed-note, Verifier keys."""
        packed = base64.b64encode(bytes([ED25519]) + self.public_key).decode()
        return f"{self.name}+{self.key_hash:08x}+{packed}"

    def verifier(self, verify: Callable[[bytes, bytes], bool]) -> Verifier:
        """This key as one that is trusted, with the function that does its arithmetic."""
        return Verifier(self.name, self.key_hash, verify)


def parse_vkey(text: str) -> VerifierKey:
    """The key whose `to_text` is exactly `text`.

    Raises:
        RecordMalformed: another form, another key type than Ed25519, or a key ID that is not this key's.
    """
    name, _, rest = text.partition("+")
    packed = _unbase64(rest.partition("+")[2])
    if packed[:1] != bytes([ED25519]):
        raise RecordMalformed(f"not an Ed25519 verifier key: {text[:80]!r}")
    key = VerifierKey(name, packed[1:])
    if key.to_text() != text:
        raise RecordMalformed(f"a verifier key whose parts do not agree: {text[:80]!r}")
    return key


def _unbase64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise RecordMalformed(f"not base64: {text[:80]!r}") from error
