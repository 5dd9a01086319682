# SPDX-License-Identifier: Apache-2.0
"""This is where copying to the spool is tried: every block in its place, in the digest and in the copy."""

import errno
import hashlib
import os
import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from evidence.chunk_tree import chunk_tree_of
from evidence.digest import Digest
from evidence.errors import StillChanging, StoreUnavailable
from pipeline import spool
from pipeline.spool import copy_measured, measure_chunks, spooled
from storage.durable import kept_durably
from tests.support.home import open_home, track

BLOCK = 1 << 16


@pytest.fixture
def _small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks so small that hashing is never at the one that is copied."""
    monkeypatch.setattr(spool, "_BLOCK_BYTES", BLOCK)


def copied(source: Path, target: Path, *, size_bytes: int | None = None) -> Digest:
    with source.open("rb", buffering=0) as file:
        return copy_measured(file, target, size_bytes=source.stat().st_size if size_bytes is None else size_bytes)


@pytest.mark.usefixtures("_small_blocks")
def test_blocks_go_into_the_digest_in_the_order_they_were_read(tmp_path: Path) -> None:
    data = os.urandom(100 * BLOCK + 1)
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(data)
    for _ in range(5):
        assert copied(source, target).hex == hashlib.sha256(data).hexdigest()
        assert target.read_bytes() == data


@pytest.mark.parametrize("size_bytes", [0, 1, BLOCK, 3 * BLOCK + 1])
@pytest.mark.usefixtures("_small_blocks")
def test_the_chunk_tree_is_that_of_the_copy_and_its_leaves_lie_beside_it(tmp_path: Path, size_bytes: int) -> None:
    data = os.urandom(size_bytes)
    files = spooled(tmp_path, "rec-1")
    files.original.write_bytes(data)
    tree = measure_chunks(files)
    assert tree == chunk_tree_of([data])
    assert files.chunks.read_bytes() == tree.leaves


def test_a_copy_that_is_gone_has_no_chunk_tree(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match="cannot be read"):
        measure_chunks(spooled(tmp_path, "rec-1"))


def test_a_file_without_bytes_is_copied_and_measured(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.touch()
    assert copied(source, target).hex == hashlib.sha256(b"").hexdigest()
    assert target.read_bytes() == b""


@pytest.mark.parametrize("offered", [9, 11])
def test_another_size_than_was_offered_leaves_nothing_behind(tmp_path: Path, offered: int) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"0123456789")
    with pytest.raises(StillChanging, match="10 read"):
        copied(source, tmp_path / "target", size_bytes=offered)
    assert [path.name for path in tmp_path.iterdir()] == ["source"]


def test_a_write_that_stops_half_way_is_never_taken_for_a_whole_one(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(os.urandom(BLOCK))
    with files_of_at_most(BLOCK // 2), pytest.raises(StoreUnavailable, match="too large"):
        copied(source, tmp_path / "target")
    assert [path.name for path in tmp_path.iterdir()] == ["source"]


def test_what_is_recorded_as_measured_would_survive_a_power_cut(tmp_path: Path, made_durable: list[int]) -> None:
    with open_home(tmp_path / "home") as home:
        recording = home.offer(track(tmp_path / "dock"))
        home.run("fixity", recording)
        original = spool.spooled(home.ports.spool, recording).original
        assert home.story(recording) == ["arrived", "measured"]
        assert original.stat().st_ino in made_durable


def test_a_disk_that_refuses_is_no_rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: int) -> None:
        raise OSError(errno.EIO, "broken")

    path = tmp_path / "file"
    path.touch()
    monkeypatch.setattr(os, "fsync", broken)
    with pytest.raises(StoreUnavailable, match="input/output"), kept_durably(path):
        pass


@pytest.fixture
def made_durable(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Numbers of the files that the system was asked to make durable."""
    asked: list[int] = []
    real = os.fsync

    def noting(descriptor: int) -> None:
        real(descriptor)
        asked.append(os.fstat(descriptor).st_ino)

    monkeypatch.setattr(os, "fsync", noting)
    return asked


@contextmanager
def files_of_at_most(size_bytes: int) -> Iterator[None]:
    """The system takes the first `size_bytes` of a longer write, says so, and refuses the rest."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


def test_a_worker_that_wakes_up_late_writes_into_its_own_draft_and_never_into_its_successors(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    old.write_bytes(b"o" * 100_000)
    new.write_bytes(b"n" * 100_000)
    target = tmp_path / "spool.original"

    with old.open("rb") as first, spool.placed(target) as frozen:
        frozen.write_bytes(first.read(50_000))
        with new.open("rb") as second:
            copy_measured(second, target, size_bytes=100_000)
        inode = target.stat().st_ino
        with frozen.open("ab") as awake:
            awake.write(first.read())
        assert (target.read_bytes(), target.stat().st_ino) == (b"n" * 100_000, inode)


def test_a_draft_that_fails_leaves_neither_itself_nor_the_name(tmp_path: Path) -> None:
    def half() -> None:
        with spool.placed(tmp_path / "x") as draft:
            draft.write_bytes(b"half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        half()

    assert list(tmp_path.iterdir()) == []
