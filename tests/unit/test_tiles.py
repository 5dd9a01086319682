# SPDX-License-Identifier: Apache-2.0
"""This is where the tiles of the custody log are held to C2SP tlog-tiles and to one another."""

import hashlib
import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from evidence.errors import BadInput, LogInconsistent, StoreUnavailable
from evidence.merkle import leaf_hash, verify_consistency, verify_inclusion
from storage.layout import entries_key, tile_key
from storage.objects_file import DirectoryStore
from storage.tiles import LARGEST_ENTRY, TiledLog, pack_bundle, split_bundle, tile_width
from tests.support.custody_log import at_rest, entries, put_back, remove


class DyingStore(DirectoryStore):
    """The directory engine on a disk that takes so many objects and no more."""

    def __init__(self, root: Path, *, writes: int) -> None:
        super().__init__(root)
        self.order: list[str] = []
        self._writes = writes

    def put_bytes_once(self, key: str, data: bytes) -> None:
        if len(self.order) == self._writes:
            raise StoreUnavailable("the disk has died")
        super().put_bytes_once(key, data)
        self.order.append(key)


@pytest.fixture
def store(tmp_path: Path) -> DirectoryStore:
    return DirectoryStore(tmp_path / "store")


def reference_root(leaves: Sequence[bytes]) -> bytes:
    """RFC 6962 §2.1 word for word, sharing no code with the tree under test."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    split = 1 << ((len(leaves) - 1).bit_length() - 1)
    return hashlib.sha256(b"\x01" + reference_root(leaves[:split]) + reference_root(leaves[split:])).digest()


def batches(total: int, sizes: Iterator[int]) -> Iterator[tuple[int, int]]:
    at = 0
    while at < total:
        size = min(next(sizes), total - at)
        yield at, size
        at += size


def test_the_widths_are_those_of_the_specification_example() -> None:
    size = 70_000
    assert [tile_width(size, 0, number) for number in (0, 272, 273, 274)] == [256, 256, 112, 0]
    assert [tile_width(size, 1, number) for number in (0, 1, 2)] == [256, 17, 0]
    assert [tile_width(size, 2, number) for number in (0, 1)] == [1, 0]
    assert tile_width(size, 3, 0) == 0


def test_a_log_of_600_entries_is_exactly_seven_objects(store: DirectoryStore) -> None:
    TiledLog(store).append(entries(600), at=0)
    assert sorted(store.keys()) == [
        "log/tile/0/000",
        "log/tile/0/001",
        "log/tile/0/002.p/88",
        "log/tile/1/000.p/2",
        "log/tile/entries/000",
        "log/tile/entries/001",
        "log/tile/entries/002.p/88",
    ]


def test_a_bundle_is_length_prefixed_entries_and_a_tile_is_their_hashes(store: DirectoryStore) -> None:
    TiledLog(store).append([b"", b"ab", b"c" * 300], at=0)
    bundle = store.read("log/tile/entries/000.p/3", limit=1 << 20)
    assert bundle == b"\x00\x00" + b"\x00\x02ab" + b"\x01\x2c" + b"c" * 300
    leaves = [hashlib.sha256(b"\x00" + entry).digest() for entry in (b"", b"ab", b"c" * 300)]
    assert store.read("log/tile/0/000.p/3", limit=1 << 20) == b"".join(leaves)


def test_a_tile_of_level_one_holds_the_roots_of_full_tiles_below(store: DirectoryStore) -> None:
    TiledLog(store).append(entries(513), at=0)
    roots = reference_root(entries(256)) + reference_root(entries(256, start=256))
    assert store.read("log/tile/1/000.p/2", limit=1 << 20) == roots


def test_the_root_is_that_of_rfc_6962_at_every_edge(store: DirectoryStore) -> None:
    log, at = TiledLog(store), 0
    for size in (1, 2, 3, 255, 256, 257, 511, 512, 513, 700):
        assert log.append(entries(size - at, start=at), at=at) == reference_root(entries(size))
        at = size
    assert log.root(0) == reference_root([])
    assert all(log.root(size) == reference_root(entries(size)) for size in (1, 3, 100, 256, 300, 512, 699))


def test_a_log_beyond_65536_entries_has_a_third_level(store: DirectoryStore) -> None:
    log = TiledLog(store)
    root = log.append(entries(65_537), at=0)
    assert store.read(tile_key(2, 0, width=1), limit=1 << 20) == log.root(65_536)
    assert store.read("log/tile/1/000", limit=1 << 20)[:32] == log.root(256)
    verify_inclusion(leaf_hash(b"entry 65535"), 65_535, 65_537, log.inclusion(65_535, 65_537), root)


def test_batches_leave_the_same_log_as_one_call(tmp_path: Path) -> None:
    whole, parts = DirectoryStore(tmp_path / "whole"), DirectoryStore(tmp_path / "parts")
    root = TiledLog(whole).append(entries(1000), at=0)
    log = TiledLog(parts)
    for at, size in batches(1000, itertools.cycle([1, 254, 3, 300, 7])):
        last = log.append(entries(size, start=at), at=at)
    assert last == root
    assert at_rest(whole).items() <= at_rest(parts).items()


def test_appending_one_entry_to_a_large_log_writes_two_objects(store: DirectoryStore) -> None:
    log = TiledLog(store)
    log.append(entries(5000), at=0)
    before = set(store.keys())
    log.append([b"one more"], at=5000)
    assert set(store.keys()) - before == {entries_key(19, width=137), tile_key(0, 19, width=137)}


def test_the_same_append_again_writes_nothing(store: DirectoryStore, tmp_path: Path) -> None:
    log = TiledLog(store)
    log.append(entries(200), at=0)
    root = log.append(entries(400, start=200), at=200)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}
    assert log.append(entries(400, start=200), at=200) == root
    after = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}
    assert after == before


def test_a_death_at_any_write_is_made_good_by_the_same_call(tmp_path: Path) -> None:
    sound = DirectoryStore(tmp_path / "sound")
    TiledLog(sound).append(entries(250), at=0)
    root = TiledLog(sound).append(entries(300, start=250), at=250)
    for writes in range(8):
        store = DyingStore(tmp_path / str(writes), writes=2 + writes)
        TiledLog(store).append(entries(250), at=0)
        if writes < 7:
            with pytest.raises(StoreUnavailable):
                TiledLog(store).append(entries(300, start=250), at=250)
        again = DirectoryStore(tmp_path / str(writes))
        assert TiledLog(again).append(entries(300, start=250), at=250) == root
        assert at_rest(again) == at_rest(sound)


def test_entries_rest_before_their_hashes_and_lower_tiles_before_higher(tmp_path: Path) -> None:
    store = DyingStore(tmp_path, writes=1000)
    TiledLog(store).append(entries(600), at=0)
    kinds = [key.split("/")[2] for key in store.order]
    assert kinds == ["entries"] * 3 + ["0"] * 3 + ["1"]


def test_a_larger_batch_after_a_death_keeps_what_had_rested(tmp_path: Path) -> None:
    dying = DyingStore(tmp_path, writes=1)
    with pytest.raises(StoreUnavailable):
        TiledLog(dying).append(entries(5), at=0)
    assert dying.order == ["log/tile/entries/000.p/5"]
    store = DirectoryStore(tmp_path)
    assert TiledLog(store).append(entries(300), at=0) == reference_root(entries(300))


def test_another_entry_in_a_full_bundle_is_refused(store: DirectoryStore) -> None:
    log = TiledLog(store)
    log.append(entries(300), at=0)
    before = at_rest(store)
    with pytest.raises(LogInconsistent, match=r"log/tile/entries/000 holds other entries"):
        log.append([*entries(10), b"another", *entries(289, start=11)], at=0)
    assert at_rest(store) == before


def test_another_entry_in_an_open_bundle_is_refused_even_under_another_width(store: DirectoryStore) -> None:
    log = TiledLog(store)
    log.append(entries(5), at=0)
    for count in (3, 5, 7, 300):
        with pytest.raises(LogInconsistent, match=r"000\.p/5 holds other entries"):
            log.append([b"another", *entries(count - 1, start=1)], at=0)
    assert set(store.keys()) == {"log/tile/entries/000.p/5", "log/tile/0/000.p/5"}


def test_an_entry_of_65535_bytes_fits_and_one_more_is_refused_untouched(store: DirectoryStore) -> None:
    log = TiledLog(store)
    with pytest.raises(BadInput, match="entry 1 is 65536 bytes"):
        log.append([b"", bytes(LARGEST_ENTRY + 1)], at=0)
    assert list(store.keys()) == []
    log.append([bytes(LARGEST_ENTRY)], at=0)
    assert list(log.entries(0, 1)) == [bytes(LARGEST_ENTRY)]


def test_entries_come_back_in_order_from_any_range(store: DirectoryStore) -> None:
    log = TiledLog(store)
    log.append(entries(600), at=0)
    for start, end in [(0, 600), (0, 0), (255, 257), (300, 301), (511, 600), (599, 600)]:
        assert list(log.entries(start, end)) == entries(end - start, start=start)


def test_every_proof_of_a_grown_log_verifies(store: DirectoryStore) -> None:
    log = TiledLog(store)
    log.append(entries(100), at=0)
    root = log.append(entries(500, start=100), at=100)
    for index in (0, 99, 100, 255, 256, 511, 512, 599):
        verify_inclusion(leaf_hash(b"entry %d" % index), index, 600, log.inclusion(index, 600), root)
    for old in (1, 100, 255, 256, 257, 512, 599, 600):
        proof = log.consistency(old, 600)
        verify_consistency(old, 600, reference_root(entries(old)), root, proof)


def test_a_partial_object_that_was_taken_away_is_read_from_a_wider_one(store: DirectoryStore) -> None:
    log = TiledLog(store)
    log.append(entries(100), at=0)
    log.append(entries(20, start=100), at=100)
    remove(store, "log/tile/0/000.p/100")
    remove(store, "log/tile/entries/000.p/100")
    assert log.root(100) == reference_root(entries(100))
    assert list(log.entries(0, 100)) == entries(100)
    log.append(entries(180, start=120), at=120)
    assert log.root(100) == reference_root(entries(100))


def test_a_narrower_partial_object_never_stands_for_a_missing_wider_one(store: DirectoryStore) -> None:
    log = TiledLog(store)
    log.append(entries(50), at=0)
    log.append(entries(50, start=50), at=50)
    remove(store, "log/tile/0/000.p/100")
    remove(store, "log/tile/entries/000.p/100")
    with pytest.raises(LogInconsistent, match=r"log/tile/0/000\.p/100 is missing"):
        log.root(100)
    with pytest.raises(LogInconsistent, match=r"log/tile/entries/000\.p/100 is missing"):
        list(log.entries(0, 100))


def test_a_missing_tile_or_bundle_is_named(store: DirectoryStore) -> None:
    log = TiledLog(store)
    log.append(entries(600), at=0)
    remove(store, "log/tile/0/001")
    remove(store, "log/tile/entries/002.p/88")
    with pytest.raises(LogInconsistent, match="log/tile/0/001 is missing"):
        log.inclusion(300, 600)
    with pytest.raises(LogInconsistent, match=r"log/tile/entries/002\.p/88 is missing"):
        list(log.entries(0, 600))


def test_a_tile_of_the_wrong_length_is_refused(store: DirectoryStore) -> None:
    log = TiledLog(store)
    log.append(entries(5), at=0)
    put_back(store, "log/tile/0/000.p/5", bytes(5 * 32 + 1))
    with pytest.raises(LogInconsistent, match="161 bytes, not 5 hashes"):
        log.root(5)


def test_an_open_bundle_changed_at_rest_does_not_spread_into_the_next(store: DirectoryStore) -> None:
    log = TiledLog(store)
    log.append(entries(5), at=0)
    put_back(store, "log/tile/entries/000.p/5", pack_bundle([b"forged!", *entries(4, start=1)]))
    with pytest.raises(LogInconsistent, match="does not hash to"):
        log.append([b"next"], at=5)
    assert not store.exists("log/tile/entries/000.p/6")


def test_a_bundle_that_ends_early_or_late_is_refused() -> None:
    bundle = pack_bundle([b"one", b"two"])
    assert split_bundle(bundle, 2) == [b"one", b"two"]
    for bad in (bundle[:-1], bundle[:6], bundle[:5], b"", bundle + b"x", b"\xff" + bundle[1:]):
        with pytest.raises(LogInconsistent):
            split_bundle(bad, 2)


def test_a_subtree_outside_the_log_is_refused(store: DirectoryStore) -> None:
    log = TiledLog(store)
    log.append(entries(5), at=0)
    read = log.subtree(5)
    assert read(2, 0) == reference_root(entries(4))
    for level, index in [(0, 5), (2, 1), (3, 0), (0, -1), (-1, 0)]:
        with pytest.raises(BadInput):
            read(level, index)
