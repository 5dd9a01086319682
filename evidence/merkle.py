# SPDX-License-Identifier: Apache-2.0
"""This is where the Merkle tree of RFC 6962 is proven and checked; how it is hashed is in merkle_tree.

One door for callers: the names of merkle_tree are here too. Proofs walk upwards: at each level a node has a
sibling on its left, one on its right, or (the last one of an odd level) none, and then it moves up as it is.
"""

from collections.abc import Sequence

from evidence.errors import BadInput, ProofInvalid
from evidence.merkle_tree import (
    EMPTY_ROOT,
    HASH_SIZE,
    MAX_SIZE,
    CompactRange,
    SubtreeReader,
    fold,
    is_hash,
    leaf_hash,
    node_hash,
    reader_over,
    root_of,
    root_of_joined,
)

__all__ = [
    "EMPTY_ROOT",
    "HASH_SIZE",
    "MAX_SIZE",
    "CompactRange",
    "SubtreeReader",
    "consistency_proof",
    "inclusion_proof",
    "leaf_hash",
    "node_hash",
    "range_proof",
    "reader_over",
    "root_of",
    "root_of_joined",
    "verify_consistency",
    "verify_inclusion",
    "verify_range",
]

# --- Proving --------------------------------------------------------------------------------


def _node(level: int, index: int, size: int, subtree: SubtreeReader) -> bytes:
    """Hash of a node of the tree of `size` leaves, complete or cut off at the right edge."""
    start, end = index << level, min((index + 1) << level, size)
    edge = []
    while start < end:
        step = (end - start).bit_length() - 1
        edge.append(subtree(step, start >> step))
        start += 1 << step
    return fold(edge)


def inclusion_proof(index: int, size: int, subtree: SubtreeReader) -> list[bytes]:
    """Hashes, lowest first, that lead from leaf `index` to the root of the first `size` leaves.

    Raises:
        BadInput: there is no such leaf.

    Source: RFC 9162 §2.1.3.1.
    """
    _ask(0 <= index < size <= MAX_SIZE, f"leaf {index} of {size}")
    proof, level = [], 0
    while size > 1 << level:
        sibling = (index >> level) ^ 1
        if sibling << level < size:
            proof.append(_node(level, sibling, size, subtree))
        level += 1
    return proof


def consistency_proof(old: int, new: int, subtree: SubtreeReader) -> list[bytes]:
    """Hashes that show the first `old` leaves unchanged in the tree of `new`; none for 0 or for equal sizes.

    Raises:
        BadInput: `old` is not within `new`.

    Source: RFC 9162 §2.1.4.1.
    """
    _ask(0 <= old <= new <= MAX_SIZE, f"the tree of {old} within the tree of {new}")
    if old in (0, new):
        return []
    # The walk starts at the last complete subtree of the old tree; a lone one is the old root, known anyway.
    level = (old & -old).bit_length() - 1
    proof = [] if old == 1 << level else [subtree(level, (old - 1) >> level)]
    while new > 1 << level:
        sibling = ((old - 1) >> level) ^ 1
        if sibling << level < new:
            proof.append(_node(level, sibling, new, subtree))
        level += 1
    return proof


def range_proof(start: int, end: int, size: int, subtree: SubtreeReader) -> tuple[list[bytes], list[bytes]]:
    """Hashes left and right of leaves `[start, end)`, each lowest first, that lead to the root of `size`.

    For one leaf the two lists together are its inclusion proof. At most `2 * ceil(log2(size))` hashes.

    Raises:
        BadInput: the range is empty or not within the tree.
    """
    _ask(0 <= start < end <= size <= MAX_SIZE, f"leaves {start} to {end} of {size}")
    left, right, level = [], [], 0
    while size > 1 << level:
        first, last = start >> level, (end - 1) >> level
        if first & 1:
            left.append(subtree(level, first - 1))
        if not last & 1 and (last + 1) << level < size:
            right.append(_node(level, last + 1, size, subtree))
        level += 1
    return left, right


def _ask(is_there: bool, what: str) -> None:
    if not is_there:
        raise BadInput(f"there is no {what}")


# --- Checking: every argument is hostile ------------------------------------------------------


def verify_inclusion(leaf_hash: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> None:
    """Return only when `leaf_hash` is leaf `index` of the tree of `size` leaves with this `root`.

    Raises:
        ProofInvalid: anything else.

    Source: RFC 9162 §2.1.3.2.
    """
    _check_shape(index, size, hashes=[leaf_hash, root, *proof])
    if index == size:
        raise ProofInvalid(f"there is no leaf {index} of {size}")
    node, at, last = leaf_hash, index, size - 1
    for sibling in proof:
        if last == 0:
            raise ProofInvalid(f"the inclusion proof of leaf {index} of {size} is too long")
        if at & 1 or at == last:
            node = node_hash(sibling, node)
            while at and not at & 1:  # levels where the last node stands alone and moves up as it is
                at, last = at >> 1, last >> 1
        else:
            node = node_hash(node, sibling)
        at, last = at >> 1, last >> 1
    _arrive(node if last == 0 else b"", root, f"leaf {index} of {size}")


def verify_consistency(old_size: int, new_size: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]) -> None:
    """Return only when the tree of `old_size` is the beginning of the tree of `new_size`.

    Of an empty old tree nothing can be said of the new root: only that the old root is `EMPTY_ROOT`.

    Raises:
        ProofInvalid: anything else.

    Source: RFC 9162 §2.1.4.2.
    """
    _check_shape(old_size, new_size, hashes=[old_root, new_root, *proof])
    what = f"the tree of {old_size} within the tree of {new_size}"
    if old_size in (0, new_size):
        _arrive(old_root, new_root if old_size else EMPTY_ROOT, what)
        if new_size == 0:
            _arrive(new_root, EMPTY_ROOT, what)
        if proof:
            raise ProofInvalid(f"the proof of {what} must be empty")
        return
    _check_consistency(old_size, new_size, old_root, new_root, proof)


def _check_consistency(old_size: int, new_size: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]) -> None:
    what = f"the tree of {old_size} within the tree of {new_size}"
    level = (old_size & -old_size).bit_length() - 1
    at, last = (old_size - 1) >> level, (new_size - 1) >> level
    hashes = iter(proof if at else [old_root, *proof])
    old = new = next(hashes, b"")
    for sibling in hashes:
        if last == 0:
            raise ProofInvalid(f"the proof of {what} is too long")
        if at & 1 or at == last:
            old, new = node_hash(sibling, old), node_hash(sibling, new)
            while at and not at & 1:
                at, last = at >> 1, last >> 1
        else:
            new = node_hash(new, sibling)
        at, last = at >> 1, last >> 1
    _arrive(old, old_root, what)
    _arrive(new if last == 0 else b"", new_root, what)


def verify_range(
    leaf_hashes: Sequence[bytes],
    start: int,
    size: int,
    left: Sequence[bytes],
    right: Sequence[bytes],
    root: bytes,
) -> None:
    """Return only when `leaf_hashes` are leaves `start`, `start + 1`, … of the tree of `size` under `root`.

    Raises:
        ProofInvalid: anything else; an empty range proves nothing and is refused.
    """
    _check_shape(start, size, hashes=[root, *leaf_hashes, *left, *right])
    end = start + len(leaf_hashes)
    if not start < end <= size:
        raise ProofInvalid(f"there are no leaves {start} to {end} of {size}")
    nodes, lefts, rights = list(leaf_hashes), iter(left), iter(right)
    first, last, width = start, end - 1, size
    while width > 1:
        if first & 1:
            nodes.insert(0, next(lefts, b""))
        if not last & 1 and last + 1 < width:
            nodes.append(next(rights, b""))
        pairs = zip(nodes[::2], nodes[1::2], strict=False)
        alone = nodes[-1:] if len(nodes) & 1 else []  # only the last node of a level can stand alone
        nodes = [node_hash(one, other) for one, other in pairs] + alone
        first, last, width = first >> 1, last >> 1, (width + 1) >> 1
    if [*lefts, *rights]:
        raise ProofInvalid(f"the proof of leaves {start} to {end} of {size} is too long")
    _arrive(nodes[0], root, f"leaves {start} to {end} of {size}")


def _check_shape(number: int, size: int, *, hashes: Sequence[bytes]) -> None:
    """Refuse numbers and hashes that no honest proof holds, before any of them steers a loop."""
    if not _are_ints(number, size) or not 0 <= number <= size <= MAX_SIZE:
        raise ProofInvalid("the numbers of the proof are those of no tree")
    if not all(map(is_hash, hashes)):
        raise ProofInvalid("the proof holds a hash that is not 32 bytes")


def _are_ints(*values: object) -> bool:
    return all(isinstance(value, int) for value in values)


def _arrive(found: bytes, root: bytes, what: str) -> None:
    if found != root:
        raise ProofInvalid(f"the proof of {what} does not lead to root {root.hex()}")
