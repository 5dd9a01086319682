# SPDX-License-Identifier: Apache-2.0
"""This is where an envelope has its bytes: a header, then the plaintext in chunks that each open alone.

    header   20  `evidock/envelope/v1` and a newline
              8  size of the plaintext, big endian
             32  seed
    chunks       AES-256-GCM of each 64 KiB of plaintext (the last one shorter), each 16 bytes longer

The chunks are a STREAM: a chunk's nonce holds its number and whether it is the last, so that none can be dropped,
repeated, moved or cut off unnoticed. What is authenticated with each is the header and the key under which the
object rests, so that no envelope passes for another.

The seed is no random number but a keyed digest of the plaintext, and the key of the chunks follows from it: equal bytes
under one data key give equal envelopes. So a repeat meets its own earlier bytes, writers that race write
the same, and no nonce ever meets two plaintexts.

Source: Hoang, Reyhanitabar, Rogaway, Vizár: Online Authenticated-Encryption and its Nonce-Reuse
Misuse-Resistance (2015), §7 (STREAM); RFC 5869 (HKDF); NIST SP 800-38D (GCM).
"""

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from evidence.digest import Digest
from evidence.errors import BadInput, FixityMismatch

KEY_SIZE = 32
CHUNK_SIZE = 1 << 16
TAG_SIZE = 16
SEALED_CHUNK_SIZE = CHUNK_SIZE + TAG_SIZE

_MAGIC = b"evidock/envelope/v1\n"
_HEADER = struct.Struct(">20sQ32s")
HEADER_SIZE = _HEADER.size
_NONCE = struct.Struct(">7sIB")
_SEED_INFO = b"evidock/envelope/v1 seed"
_CHUNKS_INFO = b"evidock/envelope/v1 chunks"
_MOST_CHUNKS = 1 << 32
_PREFIX_SIZE = 7


def pieces_of(blocks: Iterable[bytes | memoryview], size: int) -> Iterator[bytes]:
    """The same bytes in pieces of exactly `size`, the last one shorter but not empty."""
    rest = bytearray()
    for block in blocks:
        rest += block
        whole = len(rest) // size * size
        for at in range(0, whole, size):
            yield bytes(rest[at : at + size])
        del rest[:whole]
    if rest:
        yield bytes(rest)


@dataclass(frozen=True, slots=True)
class Envelope:
    """The envelope of one object: how it is sealed and opened, chunk by chunk. Its text form shows no key."""

    key: str
    size_bytes: int
    header: bytes
    _aead: AESGCM = field(repr=False)
    _prefix: bytes = field(repr=False)

    @classmethod
    def of(cls, key: str, plain: Digest, *, data_key: bytes) -> Self:
        """The envelope for the bytes `plain` under `key`. Equal arguments give equal envelopes.

        Nobody may seal other bytes with it than those: the seed stands for them.

        Raises:
            BadInput: more than 256 TiB.

        """
        if chunks_of(plain.size_bytes) > _MOST_CHUNKS:
            raise BadInput(f"{key} is too large for an envelope: {plain.size_bytes} bytes", key=key)
        told = _SEED_INFO + plain.size_bytes.to_bytes(8, "big") + key.encode()
        seed = _derived(data_key, salt=plain.sha256, info=told, length=32)
        return cls._from(key, plain.size_bytes, seed, data_key)

    @classmethod
    def read(cls, key: str, header: bytes, *, data_key: bytes) -> Self:
        """The envelope that begins with `header`. Whether the header is true, the first chunk that opens says.

        Raises:
            FixityMismatch: no envelope begins so.

        """
        if len(header) != HEADER_SIZE or not header.startswith(_MAGIC):
            raise FixityMismatch(f"{key} has a data key, and is no envelope: it was altered at rest", key=key)
        _, size_bytes, seed = _HEADER.unpack(header)
        if chunks_of(size_bytes) > _MOST_CHUNKS:
            raise FixityMismatch(f"{key} says that it has {size_bytes} bytes: it was altered at rest", key=key)
        return cls._from(key, size_bytes, seed, data_key)

    @classmethod
    def _from(cls, key: str, size_bytes: int, seed: bytes, data_key: bytes) -> Self:
        made = _derived(data_key, salt=seed, info=_CHUNKS_INFO, length=KEY_SIZE + _PREFIX_SIZE)
        header = _HEADER.pack(_MAGIC, size_bytes, seed)
        return cls(key, size_bytes, header, AESGCM(made[:KEY_SIZE]), made[KEY_SIZE:])

    @property
    def chunks(self) -> int:
        """Number of chunks; an empty object has an empty one."""
        return chunks_of(self.size_bytes)

    @property
    def sealed_size(self) -> int:
        """Number of bytes of the whole envelope."""
        return HEADER_SIZE + self.size_bytes + TAG_SIZE * self.chunks

    def sealed(self, blocks: Iterable[bytes | memoryview]) -> Iterator[bytes]:
        """The envelope of these bytes, which must be as many as its plaintext has, piece by piece.

        Raises:
            FixityMismatch: they are more or fewer. That they are the bytes it was made for is the caller's to compare.

        """
        yield self.header
        done = 0
        for index, piece in enumerate(pieces_of(blocks, CHUNK_SIZE)):
            done += len(piece)
            # Asked before it is sealed: no wrong piece takes the number of another.
            if done > self.size_bytes or (len(piece) < CHUNK_SIZE and done < self.size_bytes):
                break
            yield self._aead.encrypt(self._nonce(index), piece, self._authentic())
        if done != self.size_bytes:
            raise FixityMismatch(f"not the {self.size_bytes} bytes that were measured for {self.key}", key=self.key)
        if done == 0:
            yield self._aead.encrypt(self._nonce(0), b"", self._authentic())

    def opened(self, index: int, sealed: bytes) -> bytes:
        """The plaintext of chunk `index`.

        Raises:
            FixityMismatch: these are not its bytes.

        """
        try:
            plain = self._aead.decrypt(self._nonce(index), sealed, self._authentic())
        except InvalidTag as error:
            start = index * CHUNK_SIZE
            end = min(start + CHUNK_SIZE, self.size_bytes)
            raise FixityMismatch(
                f"64 KiB chunk {index} (bytes {start} to {end - 1}) of {self.key} does not open: it was altered at "
                "rest, or belongs elsewhere",
                key=self.key,
                chunk=index,
            ) from error
        return plain

    def place(self, index: int) -> tuple[int, int]:
        """Where chunk `index` rests in the envelope, and how many bytes it has there."""
        plain = min(CHUNK_SIZE, self.size_bytes - index * CHUNK_SIZE)
        return HEADER_SIZE + index * SEALED_CHUNK_SIZE, plain + TAG_SIZE

    def _nonce(self, index: int) -> bytes:
        return _NONCE.pack(self._prefix, index, index == self.chunks - 1)

    def _authentic(self) -> bytes:
        return self.header + self.key.encode()


def chunks_of(size_bytes: int) -> int:
    """How many chunks a plaintext of this size has."""
    return max(1, -(-size_bytes // CHUNK_SIZE))


def _derived(data_key: bytes, *, salt: bytes, info: bytes, length: int) -> bytes:
    return HKDF(algorithm=SHA256(), length=length, salt=salt, info=info).derive(data_key)
