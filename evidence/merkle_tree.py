# SPDX-License-Identifier: Apache-2.0
"""This is where the Merkle tree of RFC 6962 is hashed: leaves, nodes, roots, and trees that grow.

Every tree of ours is this one: the custody log, the chunks of a file, the packets of a stream. A node is
named (level, index): it covers leaves `[index << level, (index + 1) << level)`, cut off at the tree's size.
"""

from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256

from evidence.errors import BadInput

HASH_SIZE = 32
MAX_SIZE = 2**63 - 1
EMPTY_ROOT = sha256(b"").digest()

SubtreeReader = Callable[[int, int], bytes]
"""`read(level, index)`: hash of the complete subtree of `2**level` leaves, number `index` at its level."""


def leaf_hash(data: bytes | bytearray | memoryview) -> bytes:
    """Hash of a leaf that holds `data`. Source: RFC 9162 §2.1.1."""
    leaf = sha256(b"\x00")
    leaf.update(data)
    return leaf.digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash of the node over two children. Source: RFC 9162 §2.1.1."""
    return sha256(b"\x01" + left + right).digest()


def root_of(leaf_hashes: Iterable[bytes]) -> bytes:
    """Root of the tree over `leaf_hashes` in order; `EMPTY_ROOT` for none. Source: RFC 9162 §2.1.1."""
    return root_of_joined(b"".join(leaf_hashes))


def root_of_joined(leaves: bytes | bytearray) -> bytes:
    """Root of the tree over leaf hashes joined end to end, 32 bytes each.

    Raises:
        BadInput: the length is no multiple of 32.
    """
    level = _joined(leaves)
    while len(level) > HASH_SIZE:
        level = _parents(level) + level[len(level) // 64 * 64 :]  # an odd last node moves up as it is
    return level or EMPTY_ROOT


def reader_over(leaves: bytes | bytearray) -> SubtreeReader:
    """A reader of complete subtrees over leaf hashes joined end to end; it holds twice their bytes.

    Raises:
        BadInput: the length is no multiple of 32; later, a subtree asked for is not complete.
    """
    levels = [_joined(leaves)]
    while len(levels[-1]) > HASH_SIZE:
        levels.append(_parents(levels[-1]))

    def read(level: int, index: int) -> bytes:
        row = levels[level] if 0 <= level < len(levels) else b""
        if not 0 <= index < len(row) // HASH_SIZE:
            raise BadInput(f"no complete subtree {index} at level {level} of this tree")
        return row[index * HASH_SIZE : (index + 1) * HASH_SIZE]

    return read


def _joined(leaves: bytes | bytearray) -> bytes:
    if len(leaves) % HASH_SIZE:
        raise BadInput(f"{len(leaves)} bytes are not hashes of {HASH_SIZE}")
    return bytes(leaves)


def _parents(level: bytes) -> bytes:
    """The complete nodes one level up."""
    whole = len(level) // 64 * 64
    return b"".join([sha256(b"\x01" + level[at : at + 64]).digest() for at in range(0, whole, 64)])


class CompactRange:
    """A growing tree in O(log n) memory: it knows its size and its root, and no leaf."""

    __slots__ = ("_edge", "_size")

    def __init__(self, size: int = 0, edge: Sequence[bytes] = ()) -> None:
        """Start empty, or go on from the `edge` another range had at `size`.

        Raises:
            BadInput: `edge` is not one hash for each complete subtree of a tree of `size` leaves.
        """
        if not 0 <= size <= MAX_SIZE or len(edge) != size.bit_count() or not all(map(is_hash, edge)):
            raise BadInput(f"{len(edge)} hashes are not the edge of a tree of {size} leaves")
        self._size = size
        self._edge = list(edge)

    @property
    def size(self) -> int:
        """Number of leaves."""
        return self._size

    @property
    def edge(self) -> tuple[bytes, ...]:
        """Hashes of the complete subtrees that make up the tree, the largest (leftmost) first."""
        return tuple(self._edge)

    def append(self, leaf_hash: bytes) -> None:
        """Add one leaf on the right."""
        node, size = leaf_hash, self._size
        while size & 1:
            node, size = node_hash(self._edge.pop(), node), size >> 1
        self._edge.append(node)
        self._size += 1

    def root(self) -> bytes:
        """Root of the tree as it stands."""
        return fold(self._edge)


def fold(edge: Sequence[bytes]) -> bytes:
    """Root over complete subtrees that stand side by side, the largest first."""
    if not edge:
        return EMPTY_ROOT
    root = edge[-1]
    for left in reversed(edge[:-1]):
        root = node_hash(left, root)
    return root


def is_hash(value: object) -> bool:
    """True for 32 bytes, the only form of a hash here."""
    return isinstance(value, bytes) and len(value) == HASH_SIZE
