# SPDX-License-Identifier: Apache-2.0
"""This is where the Merkle tree is held against its definition, public vectors, and every small forgery."""

import json
from base64 import b64decode
from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path

import pytest

from evidence.errors import BadInput, ProofInvalid
from evidence.merkle import (
    EMPTY_ROOT,
    MAX_SIZE,
    CompactRange,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    node_hash,
    range_proof,
    reader_over,
    root_of,
    root_of_joined,
    verify_consistency,
    verify_inclusion,
    verify_range,
)

LEAVES = [leaf_hash(b"%d" % number) for number in range(100)]
READ = reader_over(b"".join(LEAVES))
OTHER = leaf_hash(b"of another tree")
# A row of transparency-dev's data whose equal roots are 12 bytes, which no SHA-256 tree has: refused here.
NOT_OURS = "consistency/additional/sizes-are-equal-one-and-proof-is-empty"
VECTORS = json.loads((Path(__file__).parent / "vectors" / "transparency-dev-merkle.json").read_text())


def defined_root(leaves: Sequence[bytes]) -> bytes:
    """The root as RFC 9162 §2.1.1 defines it, as slow as its text."""
    if len(leaves) < 2:
        return leaves[0] if leaves else sha256(b"").digest()
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return node_hash(defined_root(leaves[:split]), defined_root(leaves[split:]))


ROOTS = [defined_root(LEAVES[:size]) for size in range(len(LEAVES) + 1)]


def holds(check: Callable[..., None], *arguments: object) -> bool:
    try:
        check(*arguments)
    except ProofInvalid:
        return False
    return True


# --- Hashing --------------------------------------------------------------------------------


def test_a_leaf_and_a_node_over_the_same_bytes_differ() -> None:
    left, right = LEAVES[0], LEAVES[1]
    assert leaf_hash(left + right) != node_hash(left, right)
    assert leaf_hash(b"abc") == sha256(b"\x00abc").digest()
    assert node_hash(left, right) == sha256(b"\x01" + left + right).digest()


def test_every_root_is_the_defined_one_whichever_way_it_is_made() -> None:
    growing = CompactRange()
    for size, root in enumerate(ROOTS):
        assert root_of(LEAVES[:size]) == root
        assert growing.root() == root
        assert growing.size == size
        assert CompactRange(growing.size, growing.edge).root() == root
        if size < len(LEAVES):
            growing.append(LEAVES[size])
    assert ROOTS[0] == EMPTY_ROOT


def test_a_range_goes_on_from_the_edge_of_another() -> None:
    for size in range(len(LEAVES)):
        first = CompactRange()
        for leaf in LEAVES[:size]:
            first.append(leaf)
        second = CompactRange(first.size, first.edge)
        second.append(LEAVES[size])
        assert second.root() == ROOTS[size + 1]
        assert first.root() == ROOTS[size]


@pytest.mark.parametrize(
    ("size", "edge"),
    [(1, []), (0, [OTHER]), (3, [OTHER]), (-1, []), (1, [b"short"]), (MAX_SIZE + 1, [OTHER])],
)
def test_an_edge_that_does_not_fit_its_size_is_refused(size: int, edge: list[bytes]) -> None:
    with pytest.raises(BadInput):
        CompactRange(size, edge)


def test_joined_hashes_of_an_odd_length_are_refused() -> None:
    with pytest.raises(BadInput):
        root_of_joined(b"x" * 33)
    with pytest.raises(BadInput):
        reader_over(b"x" * 33)


@pytest.mark.parametrize(("level", "index"), [(0, 100), (1, 50), (7, 0), (70, 0), (0, -1), (-1, 0)])
def test_a_reader_refuses_a_subtree_that_is_not_complete(level: int, index: int) -> None:
    with pytest.raises(BadInput):
        READ(level, index)


# --- Inclusion ------------------------------------------------------------------------------


def test_every_leaf_of_every_small_tree_is_proven_at_its_place_and_nowhere_else() -> None:
    for size in range(1, 40):
        for index in range(size):
            proof = inclusion_proof(index, size, READ)
            verify_inclusion(LEAVES[index], index, size, proof, ROOTS[size])
            for wrong in range(-1, size + 1):
                if wrong != index:
                    assert not holds(verify_inclusion, LEAVES[index], wrong, size, proof, ROOTS[size])


def test_a_small_inclusion_proof_fails_with_a_hash_missing_added_or_changed() -> None:
    for size in range(1, 34):
        for index in range(size):
            proof = inclusion_proof(index, size, READ)
            for forged in forgeries(proof):
                assert not holds(verify_inclusion, LEAVES[index], index, size, forged, ROOTS[size])
            assert not holds(verify_inclusion, OTHER, index, size, proof, ROOTS[size])
            assert not holds(verify_inclusion, LEAVES[index], index, size, proof, OTHER)


def test_a_proof_longer_or_shorter_than_its_size_allows_is_refused_though_it_leads_to_the_root() -> None:
    # A root does not hold its size: the length of the path is what ties the two together.
    for size in range(1, 34):
        for index in range(size):
            proof = inclusion_proof(index, size, READ)
            for wrong in range(index + 1, 34):
                if len(inclusion_proof(index, wrong, READ)) != len(proof):
                    assert not holds(verify_inclusion, LEAVES[index], index, wrong, proof, ROOTS[size])


def test_the_last_leaf_of_a_tree_passed_off_as_the_only_one_is_refused() -> None:
    for size in (2, 4, 8, 32):
        proof = inclusion_proof(size - 1, size, READ)
        assert not holds(verify_inclusion, LEAVES[size - 1], 0, 1, proof, ROOTS[size])
        assert not holds(verify_range, [LEAVES[size - 1]], 0, 1, proof, [], ROOTS[size])


def test_a_consistency_proof_into_a_tree_of_another_depth_is_refused() -> None:
    for new in range(2, 34):
        for old in range(1, new):
            proof = consistency_proof(old, new, READ)
            for wrong in range(old + 1, 34):
                if len(consistency_proof(old, wrong, READ)) != len(proof):
                    roots = ROOTS[old], ROOTS[new]
                    assert not holds(verify_consistency, old, wrong, *roots, proof)


def test_a_tree_of_more_leaves_than_63_bits_count_is_refused_though_its_proof_leads_to_the_root() -> None:
    for depth, is_held in ((62, True), (64, False)):
        root = LEAVES[0]
        for _ in range(depth):
            root = node_hash(root, OTHER)
        assert holds(verify_inclusion, LEAVES[0], 0, 1 << depth, [OTHER] * depth, root) is is_held


def forgeries(proof: Sequence[bytes]) -> list[list[bytes]]:
    """`proof` with each hash missing, changed, or one too many at each place."""
    whole = list(proof)
    return [
        *([*whole[:at], *whole[at + 1 :]] for at in range(len(whole))),
        *([*whole[:at], OTHER, *whole[at + 1 :]] for at in range(len(whole))),
        *([*whole[:at], OTHER, *whole[at:]] for at in range(len(whole) + 1)),
    ]


# --- Consistency ----------------------------------------------------------------------------


def test_every_small_tree_is_shown_to_begin_every_larger_one() -> None:
    for new in range(len(LEAVES) + 1):
        for old in range(new + 1):
            verify_consistency(old, new, ROOTS[old], ROOTS[new], consistency_proof(old, new, READ))


def test_a_small_consistency_proof_fails_when_anything_in_it_is_changed() -> None:
    for new in range(1, 34):
        for old in range(1, new):
            proof = consistency_proof(old, new, READ)
            for forged in forgeries(proof):
                assert not holds(verify_consistency, old, new, ROOTS[old], ROOTS[new], forged)
            assert not holds(verify_consistency, old, new, OTHER, ROOTS[new], proof)
            assert not holds(verify_consistency, old, new, ROOTS[old], OTHER, proof)


def test_a_log_that_forgot_its_end_is_not_consistent() -> None:
    proof = consistency_proof(5, 9, READ)
    assert not holds(verify_consistency, 9, 5, ROOTS[9], ROOTS[5], proof)
    assert not holds(verify_consistency, 9, 5, ROOTS[9], ROOTS[5], [])


def test_two_roots_of_one_size_are_not_consistent() -> None:
    assert not holds(verify_consistency, 7, 7, ROOTS[7], OTHER, [])
    assert not holds(verify_consistency, 7, 7, ROOTS[7], ROOTS[7], [OTHER])


def test_an_empty_tree_has_the_empty_root_and_an_empty_proof() -> None:
    verify_consistency(0, 3, EMPTY_ROOT, ROOTS[3], [])
    assert not holds(verify_consistency, 0, 3, OTHER, ROOTS[3], [])
    assert not holds(verify_consistency, 0, 3, EMPTY_ROOT, ROOTS[3], [OTHER])
    assert not holds(verify_consistency, 0, 0, OTHER, OTHER, [])
    assert not holds(verify_consistency, 0, 0, EMPTY_ROOT, OTHER, [])


# --- Ranges ---------------------------------------------------------------------------------


def test_every_range_of_every_tree_to_a_hundred_leaves_is_proven() -> None:
    for size in [*range(1, 34), 63, 64, 65, 99, 100]:
        limit = 2 * (size - 1).bit_length()
        for start in range(size):
            for end in range(start + 1, size + 1):
                left, right = range_proof(start, end, size, READ)
                assert len(left) + len(right) <= limit
                verify_range(LEAVES[start:end], start, size, left, right, ROOTS[size])


@pytest.mark.parametrize("size", [*range(1, 14), 31, 100])
def test_the_proof_of_one_range_proves_no_other(size: int) -> None:
    step = 1 if size < 14 else 7
    ranges = [(a, b) for a in range(0, size, step) for b in range(a + 1, size + 1, step)]
    for start, end in ranges:
        left, right = range_proof(start, end, size, READ)
        for other, other_end in ranges:
            if (other, other_end) != (start, end):
                leaves = LEAVES[other:other_end]
                assert not holds(verify_range, leaves, other, size, left, right, ROOTS[size])
                assert not holds(verify_range, leaves, start, size, left, right, ROOTS[size])
        for moved in (start - 1, start + 1, size, -1):
            assert not holds(verify_range, LEAVES[start:end], moved, size, left, right, ROOTS[size])


@pytest.mark.parametrize("size", [1, 2, 3, 5, 8, 13, 21, 100])
def test_a_range_proof_fails_with_a_hash_missing_added_changed_or_on_the_other_side(size: int) -> None:
    step = 1 if size < 14 else 9
    for start in range(0, size, step):
        for end in range(start + 1, size + 1, step):
            leaves = LEAVES[start:end]
            left, right = range_proof(start, end, size, READ)
            for forged in forgeries(left):
                assert not holds(verify_range, leaves, start, size, forged, right, ROOTS[size])
            for forged in forgeries(right):
                assert not holds(verify_range, leaves, start, size, left, forged, ROOTS[size])
            if left != right:
                assert not holds(verify_range, leaves, start, size, right, left, ROOTS[size])


def test_two_leaves_swapped_a_leaf_doubled_or_a_leaf_lost_in_a_range_are_refused() -> None:
    size, start, end = 100, 20, 37
    left, right = range_proof(start, end, size, READ)
    run = LEAVES[start:end]
    for at in range(len(run) - 1):
        swapped = [*run[:at], run[at + 1], run[at], *run[at + 2 :]]
        doubled = [*run[: at + 1], *run[at:]]
        lost = [*run[:at], *run[at + 1 :]]
        for forged in (swapped, doubled, lost):
            assert not holds(verify_range, forged, start, size, left, right, ROOTS[size])


def test_an_interior_node_offered_as_a_leaf_is_refused() -> None:
    # Without the 0x00 and 0x01 prefixes this would hold: the tree of the 4 pairs has the root of all 8.
    pairs = [node_hash(LEAVES[at], LEAVES[at + 1]) for at in range(0, 8, 2)]
    offered = [leaf_hash(LEAVES[at] + LEAVES[at + 1]) for at in range(0, 8, 2)]
    assert root_of(pairs) == ROOTS[8]
    assert not holds(verify_range, offered, 0, 4, [], [], ROOTS[8])


def test_an_empty_range_proves_nothing_and_is_refused() -> None:
    assert not holds(verify_range, [], 3, 8, [], [], ROOTS[8])
    assert not holds(verify_range, [], 0, 0, [], [], EMPTY_ROOT)


# --- Hostile arguments ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("index", "size"),
    [(-1, 8), (8, 8), (9, 8), (0, 0), (0, -8), (2**70, 8), (0, 2**64), (2**70, 2**71), (0, 10**400)],
)
def test_numbers_no_tree_has_are_refused(index: int, size: int) -> None:
    proof = inclusion_proof(0, 8, READ)
    assert not holds(verify_inclusion, LEAVES[0], index, size, proof, ROOTS[8])
    assert not holds(verify_range, [LEAVES[0]], index, size, [], proof, ROOTS[8])
    assert not holds(verify_consistency, index, size, ROOTS[8], ROOTS[8], proof)


@pytest.mark.parametrize("bad", [b"", b"x" * 31, b"x" * 33, "x" * 32, None])
def test_a_hash_of_another_length_or_type_is_refused(bad: object) -> None:
    proof = inclusion_proof(0, 8, READ)
    assert not holds(verify_inclusion, bad, 0, 8, proof, ROOTS[8])
    assert not holds(verify_inclusion, LEAVES[0], 0, 8, [bad, *proof[1:]], ROOTS[8])
    assert not holds(verify_inclusion, LEAVES[0], 0, 8, proof, bad)
    assert not holds(verify_consistency, 1, 1, bad, bad, [])
    assert not holds(verify_range, [bad], 0, 1, [], [], bad)


@pytest.mark.parametrize("bad", [1.0, "1", None])
def test_a_number_of_another_type_is_refused(bad: object) -> None:
    assert not holds(verify_inclusion, LEAVES[0], bad, 2, [LEAVES[1]], ROOTS[2])
    assert not holds(verify_inclusion, LEAVES[0], 0, bad, [LEAVES[1]], ROOTS[2])
    assert not holds(verify_consistency, bad, 2, LEAVES[0], ROOTS[2], [LEAVES[1]])
    assert not holds(verify_range, [LEAVES[0]], bad, 2, [], [LEAVES[1]], ROOTS[2])


def test_a_proof_for_what_the_tree_does_not_have_cannot_be_asked_for() -> None:
    for ask in (
        lambda: inclusion_proof(8, 8, READ),
        lambda: inclusion_proof(-1, 8, READ),
        lambda: consistency_proof(9, 8, READ),
        lambda: range_proof(3, 3, 8, READ),
        lambda: range_proof(3, 9, 8, READ),
    ):
        with pytest.raises(BadInput):
            ask()


# --- Vectors nobody here wrote --------------------------------------------------------------


def test_every_public_inclusion_vector_is_judged_as_its_authors_judge_it() -> None:
    assert len(VECTORS["inclusion"]) == 98
    for name, index, size, root, leaf, proof, is_wrong in VECTORS["inclusion"]:
        hashes = [b64decode(sibling) for sibling in proof]
        held = holds(verify_inclusion, b64decode(leaf), index, size, hashes, b64decode(root))
        assert held is not is_wrong, name


def test_every_public_consistency_vector_is_judged_as_its_authors_judge_it() -> None:
    assert len(VECTORS["consistency"]) == 98
    for name, old, new, old_root, new_root, proof, is_wrong in VECTORS["consistency"]:
        hashes = [b64decode(sibling) for sibling in proof]
        held = holds(verify_consistency, old, new, b64decode(old_root), b64decode(new_root), hashes)
        assert held is not (is_wrong or name == NOT_OURS), name
