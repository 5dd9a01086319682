# SPDX-License-Identifier: Apache-2.0
"""This is where the chunk tree is held against its definition, at every awkward size and block size."""

import random
from hashlib import sha256

import pytest

from evidence.chunk_tree import (
    CHUNK_SIZE,
    ChunkHasher,
    ChunkTree,
    chunk_tree_of,
    differences,
    first_difference,
)
from evidence.errors import RecordMalformed
from evidence.merkle import EMPTY_ROOT, leaf_hash, root_of

SIZES = [1, CHUNK_SIZE - 1, CHUNK_SIZE, CHUNK_SIZE + 1, 3 * CHUNK_SIZE, 3 * CHUNK_SIZE + 17]
DATA = random.Random(1).randbytes(max(SIZES))


def defined(data: bytes) -> ChunkTree:
    leaves = [leaf_hash(data[at : at + CHUNK_SIZE]) for at in range(0, len(data), CHUNK_SIZE)]
    return ChunkTree(root_of(leaves), len(data), len(leaves), b"".join(leaves))


def blocks(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("block", [1000, 65_535, CHUNK_SIZE, 65_537, 2 * CHUNK_SIZE, 1 << 20])
def test_the_tree_does_not_depend_on_how_the_file_was_read(size: int, block: int) -> None:
    assert chunk_tree_of(blocks(DATA[:size], block)) == defined(DATA[:size])


def test_a_file_read_byte_by_byte_has_the_same_tree() -> None:
    assert chunk_tree_of(blocks(DATA[:2000], 1)) == defined(DATA[:2000])


def test_an_empty_file_has_no_chunk_and_the_root_of_nothing() -> None:
    assert chunk_tree_of([]) == chunk_tree_of([b"", b""]) == ChunkTree(EMPTY_ROOT, 0, 0, b"")
    assert sha256(b"").digest() == EMPTY_ROOT


def test_a_short_last_chunk_is_not_padded() -> None:
    assert chunk_tree_of([b"a"]).root != chunk_tree_of([b"a\x00"]).root
    assert chunk_tree_of([b"a"]).root == leaf_hash(b"a")


def test_blocks_may_be_any_bytes_like_object() -> None:
    expected = defined(DATA[:CHUNK_SIZE])
    for block in (
        bytearray(DATA[:CHUNK_SIZE]),
        memoryview(DATA[:CHUNK_SIZE]),
        memoryview(DATA[:CHUNK_SIZE]).cast("I"),
    ):
        assert chunk_tree_of([block]) == expected


def test_a_buffer_may_be_filled_again_after_it_was_taken() -> None:
    buffer, hasher = bytearray(CHUNK_SIZE // 2), ChunkHasher()
    for at in range(0, 2 * CHUNK_SIZE, len(buffer)):
        buffer[:] = DATA[at : at + len(buffer)]
        hasher.update(memoryview(buffer))
    buffer += b"a resize fails while a view of it is still held"
    assert hasher.finish() == defined(DATA[: 2 * CHUNK_SIZE])


def test_finishing_early_disturbs_nothing() -> None:
    hasher = ChunkHasher()
    hasher.update(DATA[:100])
    assert hasher.finish() == hasher.finish() == defined(DATA[:100])
    hasher.update(DATA[100 : CHUNK_SIZE + 5])
    assert hasher.finish() == defined(DATA[: CHUNK_SIZE + 5])


def test_one_flipped_bit_anywhere_names_exactly_its_chunk() -> None:
    data = bytearray(DATA)
    whole = defined(DATA).leaves
    for at in (0, 1, CHUNK_SIZE - 1, CHUNK_SIZE, 2 * CHUNK_SIZE + 7, len(data) - 1):
        data[at] ^= 0x10
        changed = chunk_tree_of([data])
        data[at] ^= 0x10
        assert differences(whole, changed.leaves) == [at // CHUNK_SIZE]
        assert first_difference(whole, changed.leaves) == at // CHUNK_SIZE
        assert changed.root != defined(DATA).root


def test_a_byte_inserted_changes_every_chunk_from_there_on() -> None:
    at = CHUNK_SIZE + 5
    changed = chunk_tree_of([DATA[:at], b"x", DATA[at:]])
    assert differences(defined(DATA).leaves, changed.leaves) == [1, 2, 3]


def test_a_cut_or_grown_file_differs_in_the_chunks_only_one_has() -> None:
    whole, cut = defined(DATA).leaves, defined(DATA[: 2 * CHUNK_SIZE]).leaves
    assert differences(whole, cut) == differences(cut, whole) == [2, 3]
    assert differences(whole, b"") == [0, 1, 2, 3]


def test_equal_files_differ_nowhere() -> None:
    leaves = defined(DATA).leaves
    assert differences(leaves, leaves) == []
    assert first_difference(leaves, leaves) is None


def test_two_chunks_swapped_are_both_named() -> None:
    leaves = defined(DATA).leaves
    swapped = leaves[32:64] + leaves[:32] + leaves[64:]
    assert differences(leaves, swapped) == [0, 1]


def test_a_leaf_list_cut_within_a_hash_is_refused() -> None:
    with pytest.raises(RecordMalformed):
        differences(b"x" * 32, b"x" * 31)
    with pytest.raises(RecordMalformed):
        differences(b"x" * 31, b"x" * 31)
