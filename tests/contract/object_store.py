# SPDX-License-Identifier: Apache-2.0
"""This is where every object store is held to its promises: an engine joins by giving two fixtures.

class TestMyStore(ObjectStoreContract):
    @pytest.fixture
    def store(self, …) -> ObjectStore: …        # empty
    @pytest.fixture
    def same_store(self, …) -> ObjectStore: …   # another handle on it, as another process has
"""

import hashlib
import os
import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from evidence.digest import Digest
from evidence.errors import (
    BadInput,
    Conflict,
    EvidockError,
    FixityMismatch,
    NotFound,
    RecordMalformed,
    SourceUnavailable,
)
from storage.layout import CHECKPOINT_KEY
from storage.objects import NO_PROTECTION, ObjectStore, Protection

KEY = "originals/ab/cd/abcd"
OTHER = "originals/ab/cd/abce"

ODD_KEYS = [
    "",
    "/",
    "/etc/passwd",
    "../up",
    "a/../b",
    "a/./b",
    "a//b",
    "a/",
    ".hidden",
    "a/.hidden",
    "a/b.",
    "a/b./c",
    "A",
    "a b",
    "a\\b",
    "c:/x",
    "a\0b",
    "a\nb",
    "a\n",
    "~root",
    "ä",
    "案件",
    "a\u202eb",
    "１",
    "a" * 201,
]


def digest_of(data: bytes) -> Digest:
    return Digest(hashlib.sha256(data).digest(), len(data))


def some_bytes(count: int, *, seed: int = 1) -> bytes:
    return random.Random(seed).randbytes(count)


def soon(seconds: int) -> datetime:
    """A moment that the store's own clock will see go by."""
    return datetime.now(UTC) + timedelta(seconds=seconds)


def put(store: ObjectStore, key: str, data: bytes, folder: Path, *, give: bool = False) -> Path:
    source = folder / f"source-{os.urandom(4).hex()}"
    source.write_bytes(data)
    store.put_once(key, source, digest=digest_of(data), give=give)
    return source


class ObjectStoreContract:
    """The promises of `storage/objects.py`, one test each."""

    def test_what_was_put_is_what_is_read_by_every_reader(
        self, store: ObjectStore, same_store: ObjectStore, tmp_path: Path
    ) -> None:
        data = some_bytes(3_000_001)
        put(store, KEY, data, tmp_path)
        for reader in (store, same_store):
            assert reader.exists(KEY)
            assert reader.size(KEY) == len(data)
            assert reader.read(KEY, limit=len(data)) == data
            assert b"".join(reader.blocks(KEY)) == data
            assert reader.measure(KEY) == digest_of(data)
            assert list(reader.keys()) == [KEY]
            with reader.local_file(KEY) as path:
                assert path.read_bytes() == data

    def test_a_given_file_becomes_the_object(self, store: ObjectStore, tmp_path: Path) -> None:
        data = some_bytes(100_000)
        source = put(store, KEY, data, tmp_path, give=True)
        source.unlink()
        assert store.measure(KEY) == digest_of(data)

    @pytest.mark.parametrize("give", [False, True])
    def test_putting_twice_is_putting_once(self, store: ObjectStore, tmp_path: Path, give: bool) -> None:
        source = put(store, KEY, b"twice", tmp_path, give=give)
        store.put_once(KEY, source, digest=digest_of(b"twice"), give=give)
        put(store, KEY, b"twice", tmp_path, give=give)
        assert store.read(KEY, limit=100) == b"twice"
        assert list(store.keys()) == [KEY]

    def test_a_repeat_does_not_need_the_source_any_more(self, store: ObjectStore, tmp_path: Path) -> None:
        for give in (True, False):
            source = put(store, KEY, b"gone", tmp_path, give=give)
            source.unlink()
            store.put_once(KEY, source, digest=digest_of(b"gone"), give=give)
        assert store.read(KEY, limit=100) == b"gone"

    @pytest.mark.parametrize("give", [False, True])
    def test_other_bytes_under_a_taken_key_are_refused_and_the_first_stay(
        self, store: ObjectStore, tmp_path: Path, give: bool
    ) -> None:
        put(store, KEY, b"first", tmp_path)
        with pytest.raises(Conflict):
            put(store, KEY, b"other", tmp_path, give=give)
        assert store.read(KEY, limit=100) == b"first"

    def test_bytes_that_are_not_the_digest_are_not_published(self, store: ObjectStore, tmp_path: Path) -> None:
        source = tmp_path / "source"
        source.write_bytes(b"one flipped bit")
        with pytest.raises(FixityMismatch):
            store.put_once(KEY, source, digest=digest_of(b"one flipped biu"))
        assert not store.exists(KEY)
        assert list(store.keys()) == []

    @pytest.mark.parametrize("give", [False, True])
    def test_a_source_of_another_length_is_not_published(self, store: ObjectStore, tmp_path: Path, give: bool) -> None:
        source = tmp_path / "source"
        source.write_bytes(b"still growing")
        with pytest.raises(FixityMismatch):
            store.put_once(KEY, source, digest=digest_of(b"still growin"), give=give)
        assert not store.exists(KEY)

    @pytest.mark.parametrize("give", [False, True])
    def test_a_missing_source_publishes_nothing(self, store: ObjectStore, tmp_path: Path, give: bool) -> None:
        with pytest.raises(SourceUnavailable):
            store.put_once(KEY, tmp_path / "no such", digest=digest_of(b""), give=give)
        assert not store.exists(KEY)

    @pytest.mark.parametrize("give", [False, True])
    def test_a_source_that_is_a_link_or_a_pipe_is_refused(self, store: ObjectStore, tmp_path: Path, give: bool) -> None:
        (tmp_path / "real").write_bytes(b"real")
        (tmp_path / "link").symlink_to("real")
        os.mkfifo(tmp_path / "pipe")
        for name in ("link", "pipe"):
            with pytest.raises(SourceUnavailable):
                store.put_once(KEY, tmp_path / name, digest=digest_of(b"real"), give=give)
        assert not store.exists(KEY)

    def test_a_given_file_with_a_second_name_elsewhere_does_not_become_the_object(
        self, store: ObjectStore, tmp_path: Path
    ) -> None:
        source = tmp_path / "source"
        source.write_bytes(b"as given")
        (tmp_path / "second").hardlink_to(source)
        store.put_once(KEY, source, digest=digest_of(b"as given"), give=True)
        (tmp_path / "second").write_bytes(b"rewritten")
        assert store.read(KEY, limit=100) == b"as given"

    def test_bytes_put_once_stay_and_other_bytes_are_refused(self, store: ObjectStore) -> None:
        store.put_bytes_once(KEY, b"first")
        store.put_bytes_once(KEY, b"first")
        for other in (b"other", b"first and more", b"", b"firs"):
            with pytest.raises(Conflict):
                store.put_bytes_once(KEY, other)
        assert store.read(KEY, limit=100) == b"first"

    def test_an_empty_object_is_an_object(self, store: ObjectStore, tmp_path: Path) -> None:
        put(store, KEY, b"", tmp_path)
        put(store, OTHER, b"", tmp_path, give=True)
        store.put_bytes_once("log/empty", b"")
        for key in (KEY, OTHER, "log/empty"):
            assert store.exists(key)
            assert store.size(key) == 0
            assert store.read(key, limit=0) == b""
            assert store.read_range(key, 0, 10) == b""
            assert list(store.blocks(key)) == []
            assert store.measure(key) == digest_of(b"")

    def test_a_pointer_is_replaced_whole(self, store: ObjectStore, same_store: ObjectStore) -> None:
        for text in (b"first", b"second, and longer", b"3"):
            store.replace(CHECKPOINT_KEY, text)
            assert same_store.read(CHECKPOINT_KEY, limit=100) == text

    def test_what_is_no_pointer_is_never_replaced(self, store: ObjectStore) -> None:
        store.put_bytes_once(KEY, b"first")
        for key in (KEY, OTHER, "log/checkpoints/001"):
            with pytest.raises(Conflict):
                store.replace(key, b"second")
        assert store.read(KEY, limit=100) == b"first"
        assert not store.exists(OTHER)

    def test_readers_of_a_pointer_see_old_or_new_and_nothing_else(self, store: ObjectStore) -> None:
        versions = [bytes([65 + n]) * 5_000 for n in range(4)]
        store.replace(CHECKPOINT_KEY, versions[0])

        def write(n: int) -> None:
            store.replace(CHECKPOINT_KEY, versions[n % 4])

        def read(_: int) -> bytes:
            return store.read(CHECKPOINT_KEY, limit=10_000)

        with ThreadPoolExecutor(4) as pool:
            writes = [pool.submit(write, n) for n in range(20)]
            seen = [pool.submit(read, n) for n in range(60)]
        assert [w.result() for w in writes] == [None] * 20
        assert {r.result() for r in seen} <= set(versions)

    @pytest.mark.parametrize("give", [False, True])
    def test_of_eight_writers_of_one_key_all_succeed_and_one_whole_object_rests(
        self, store: ObjectStore, same_store: ObjectStore, tmp_path: Path, give: bool
    ) -> None:
        data = some_bytes(300_000)

        def write(n: int) -> None:
            put((store, same_store)[n % 2], KEY, data, tmp_path, give=give)

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(write, range(8)))
        assert store.measure(KEY) == digest_of(data)
        assert list(store.keys()) == [KEY]

    def test_of_eight_writers_with_different_bytes_one_wins_and_seven_are_told(
        self, store: ObjectStore, same_store: ObjectStore
    ) -> None:
        def write(n: int) -> int:
            try:
                (store, same_store)[n % 2].put_bytes_once(KEY, bytes([n]) * 10_000)
            except Conflict:
                return -1
            return n

        with ThreadPoolExecutor(8) as pool:
            told = list(pool.map(write, range(8)))
        winners = [n for n in told if n >= 0]
        assert len(winners) == 1
        assert store.read(KEY, limit=10_000) == bytes(winners) * 10_000

    def test_a_range_is_short_only_at_the_end(self, store: ObjectStore) -> None:
        data = some_bytes(1_000)
        store.put_bytes_once(KEY, data)
        for start in (0, 1, 499, 999, 1_000, 1_001, 10**9):
            for length in (0, 1, 2, 500, 999, 1_000, 1_001, 10**9):
                assert store.read_range(KEY, start, length) == data[start : start + length]

    def test_a_range_or_block_that_cannot_be_is_refused(self, store: ObjectStore) -> None:
        store.put_bytes_once(KEY, b"x")
        for start, length in ((-1, 1), (0, -1)):
            with pytest.raises(BadInput):
                store.read_range(KEY, start, length)
        with pytest.raises(BadInput):
            list(store.blocks(KEY, 0))

    def test_blocks_are_whole_but_for_the_last(self, store: ObjectStore) -> None:
        data = some_bytes(1_000)
        store.put_bytes_once(KEY, data)
        for size in (1, 7, 250, 999, 1_000, 1_001):
            blocks = list(store.blocks(KEY, size))
            assert b"".join(blocks) == data
            assert {len(block) for block in blocks[:-1]} <= {size}
            assert 0 < len(blocks[-1]) <= size

    def test_an_object_larger_than_the_limit_is_not_read(self, store: ObjectStore) -> None:
        store.put_bytes_once(KEY, b"12345")
        assert store.read(KEY, limit=5) == b"12345"
        with pytest.raises(RecordMalformed):
            store.read(KEY, limit=4)

    def test_what_is_not_there_is_not_found(self, store: ObjectStore) -> None:
        store.put_bytes_once(KEY, b"x")
        for key in (OTHER, "originals/ab/cd", "originals", "elsewhere/a", "b"):
            assert not store.exists(key)
            with pytest.raises(NotFound):
                store.read(key, limit=1)
            with pytest.raises(NotFound):
                store.read_range(key, 0, 1)
            with pytest.raises(NotFound):
                next(store.blocks(key))
            with pytest.raises(NotFound):
                store.measure(key)
            with pytest.raises(NotFound):
                store.size(key)
            with pytest.raises(NotFound), store.local_file(key):
                pass

    @pytest.mark.parametrize("key", ODD_KEYS, ids=ascii)
    def test_an_odd_key_is_refused_by_every_method(self, store: ObjectStore, tmp_path: Path, key: str) -> None:
        source = tmp_path / "source"
        source.write_bytes(b"x")
        for call in (
            lambda: store.put_once(key, source, digest=digest_of(b"x")),
            lambda: store.put_once(key, source, digest=digest_of(b"x"), give=True),
            lambda: store.put_bytes_once(key, b"x"),
            lambda: store.replace(key, b"x"),
            lambda: store.read(key, limit=1),
            lambda: store.read_range(key, 0, 1),
            lambda: next(store.blocks(key)),
            lambda: store.measure(key),
            lambda: store.size(key),
            lambda: store.exists(key),
            lambda: store.local_file(key).__enter__(),
            lambda: store.protect(key, until=soon(60)),
            lambda: store.hold(key, is_held=True),
            lambda: store.protection(key),
        ):
            with pytest.raises(BadInput):
                call()
        assert list(store.keys()) == []

    def test_a_thousand_keys_are_listed_once_each(self, store: ObjectStore) -> None:
        put_keys = [f"originals/{n % 7:02x}/{n:04d}" for n in range(1_000)]
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda key: store.put_bytes_once(key, b""), put_keys))
        assert sorted(store.keys()) == sorted(put_keys)
        assert sorted(store.keys("originals/03/")) == sorted(k for k in put_keys if "/03/" in k)

    def test_a_prefix_is_text_not_a_folder(self, store: ObjectStore) -> None:
        for key in ("log/tile/0/001", "log/tile/0/002", "log/tiles", "logs/x", "other"):
            store.put_bytes_once(key, b"")
        assert sorted(store.keys("log/tile/0/00")) == ["log/tile/0/001", "log/tile/0/002"]
        assert sorted(store.keys("log/tile")) == ["log/tile/0/001", "log/tile/0/002", "log/tiles"]
        assert len(list(store.keys("log"))) == 4
        assert list(store.keys("nothing")) == []
        assert list(store.keys("log/tile/0/001/")) == []
        for prefix in ("/", "../", "Log", ".tmp"):
            with pytest.raises(BadInput):
                list(store.keys(prefix))

    def test_every_failure_is_an_error_of_ours_with_a_code(self, store: ObjectStore) -> None:
        with pytest.raises(EvidockError) as caught:
            store.read(KEY, limit=1)
        assert caught.value.code == "not-found"
        assert KEY in str(caught.value)

    # --- locks: an engine keeps all of this or says NO_PROTECTION ------------------------------

    def test_protection_lasts_at_least_as_long_as_was_asked(self, store: ObjectStore, same_store: ObjectStore) -> None:
        store.put_bytes_once(KEY, b"kept")
        until = soon(5)
        told = store.protect(KEY, until=until)
        assert told == store.protection(KEY) == same_store.protection(KEY)
        assert told == NO_PROTECTION or (told.mode is not None and told.until is not None and told.until >= until)
        assert store.read(KEY, limit=10) == b"kept"

    def test_protection_is_never_shortened(self, store: ObjectStore) -> None:
        store.put_bytes_once(KEY, b"kept")
        first = store.protect(KEY, until=soon(6))
        assert store.protect(KEY, until=soon(2)) == first
        longer = store.protect(KEY, until=soon(9))
        assert longer == NO_PROTECTION or (longer.until is not None and first.until is not None)
        assert longer == NO_PROTECTION or longer.until > first.until  # type: ignore[operator]

    def test_a_hold_is_placed_and_lifted_and_leaves_the_date_alone(self, store: ObjectStore) -> None:
        store.put_bytes_once(KEY, b"held")
        before = store.protect(KEY, until=soon(5))
        held = store.hold(KEY, is_held=True)
        assert held in (NO_PROTECTION, Protection(before.mode, before.until, is_held=True))
        assert store.hold(KEY, is_held=True) == store.protection(KEY) == held
        assert store.hold(KEY, is_held=False) == before

    def test_what_is_not_there_cannot_be_protected(self, store: ObjectStore) -> None:
        calls: list[Callable[[], Protection]] = [
            lambda: store.protect(KEY, until=soon(5)),
            lambda: store.hold(KEY, is_held=True),
            lambda: store.hold(KEY, is_held=False),
            lambda: store.protection(KEY),
        ]
        for call in calls:
            with pytest.raises(NotFound):
                call()

    def test_sweeping_touches_no_object_and_can_be_repeated(self, store: ObjectStore, tmp_path: Path) -> None:
        data = some_bytes(100_000)
        put(store, KEY, data, tmp_path)
        store.replace(CHECKPOINT_KEY, b"pointer")
        assert [store.sweep(now=soon(0)), store.sweep(now=soon(365 * 24 * 3600))] == [0, 0]
        assert store.measure(KEY) == digest_of(data)
        assert store.read(CHECKPOINT_KEY, limit=10) == b"pointer"
