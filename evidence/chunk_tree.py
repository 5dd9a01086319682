# SPDX-License-Identifier: Apache-2.0
"""This is where the bytes of a file are committed to in chunks of 64 KiB, so that a change can be placed.

Leaf number k of the RFC 6962 tree is the k-th 65,536 bytes of the file; the last one may be shorter. The leaf
list costs 0.05 % of the file.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import sha256

from evidence.errors import RecordMalformed
from evidence.merkle import HASH_SIZE, root_of_joined

CHUNK_SIZE = 65_536


@dataclass(frozen=True, slots=True)
class ChunkTree:
    """Root, size and leaf hashes of a file. `leaves`: `count` raw RFC 6962 leaf hashes joined end to end.

    An empty file has no chunk, and the root of the empty tree.
    """

    root: bytes
    size_bytes: int
    count: int
    leaves: bytes = field(repr=False)


class ChunkHasher:
    """Hashes a file that comes in blocks of any sizes, in one pass and without copying.

    Memory is the leaf list: 32 bytes a chunk. Blocks of a multiple of 64 KiB are the fastest.
    """

    __slots__ = ("_filled", "_leaves", "_open")

    def __init__(self) -> None:
        self._leaves = bytearray()
        self._open = sha256(b"\x00")  # the leaf being filled; RFC 6962's prefix first
        self._filled = 0

    def update(self, data: bytes | bytearray | memoryview) -> None:
        """Take the next bytes of the file."""
        with memoryview(data) as view, view.cast("B") as rest:
            at, size = 0, len(rest)
            while at < size:
                step = min(CHUNK_SIZE - self._filled, size - at)
                self._open.update(rest[at : at + step])
                self._filled += step
                at += step
                if self._filled == CHUNK_SIZE:
                    self._close_leaf()

    def finish(self) -> ChunkTree:
        """The tree over all bytes taken. May be asked again, also after more bytes."""
        leaves, size = bytes(self._leaves), len(self._leaves) // HASH_SIZE * CHUNK_SIZE + self._filled
        if self._filled:
            leaves += self._open.digest()
        return ChunkTree(root_of_joined(leaves), size, len(leaves) // HASH_SIZE, leaves)

    def _close_leaf(self) -> None:
        self._leaves += self._open.digest()
        self._open, self._filled = sha256(b"\x00"), 0


def chunk_tree_of(blocks: Iterable[bytes | bytearray | memoryview]) -> ChunkTree:
    """The tree of the file that `blocks` make up in order."""
    hasher = ChunkHasher()
    for block in blocks:
        hasher.update(block)
    return hasher.finish()


def differences(expected_leaves: bytes, actual_leaves: bytes) -> list[int]:
    """Numbers of the chunks that differ, ascending; a chunk only one of the two has differs.

    Raises:
        RecordMalformed: one of the lists is not whole hashes.
    """
    longest = max(_count(expected_leaves), _count(actual_leaves)) * HASH_SIZE
    if expected_leaves == actual_leaves:
        return []
    return [
        at // HASH_SIZE
        for at in range(0, longest, HASH_SIZE)
        if expected_leaves[at : at + HASH_SIZE] != actual_leaves[at : at + HASH_SIZE]
    ]


def first_difference(expected_leaves: bytes, actual_leaves: bytes) -> int | None:
    """Number of the first chunk that differs, or None when the lists are equal.

    Raises:
        RecordMalformed: one of the lists is not whole hashes.
    """
    found = differences(expected_leaves, actual_leaves)
    return found[0] if found else None


def _count(leaves: bytes) -> int:
    if len(leaves) % HASH_SIZE:
        raise RecordMalformed(f"a leaf list of {len(leaves)} bytes is not whole hashes")
    return len(leaves) // HASH_SIZE
