# SPDX-License-Identifier: Apache-2.0
"""This is where files on their way in meet kills, torn ledgers and disks that forget."""

import hashlib
import os
from pathlib import Path

import pytest

from evidence.errors import ChecksumMismatch, InUse, NotFound, OffsetConflict, StoreUnavailable, TooLarge
from pipeline.received import ReceivedFiles
from pipeline.received_told import Told
from tests.support.mounts import disk, need_disks
from web.tus.sink import Sink

TOLD = Told("dck-a", "DCIM/A.MP4", "A.MP4", 0, 12)


@pytest.fixture
def files(tmp_path: Path) -> ReceivedFiles:
    return ReceivedFiles(tmp_path / "received")


@pytest.fixture
def upload(files: ReceivedFiles) -> str:
    return files.create(TOLD, chance=bytes(10))


def add(files: ReceivedFiles, upload: str, at: int, data: bytes) -> None:
    with files.appending(upload, at=at, limit=12) as piece:
        piece.write(data)
        piece.commit()


def content(files: ReceivedFiles, upload: str) -> bytes:
    return files.path(upload).read_bytes()[: files.offset(upload)]


def test_pieces_follow_one_another_and_are_told(files: ReceivedFiles, upload: str) -> None:
    add(files, upload, 0, b"1234")
    add(files, upload, 4, b"5678")
    assert files.pieces(upload) == [
        (4, hashlib.sha256(b"1234").hexdigest()),
        (8, hashlib.sha256(b"5678").hexdigest()),
    ]
    assert content(files, upload) == b"12345678"


def test_a_piece_that_was_not_committed_is_written_over(files: ReceivedFiles, upload: str) -> None:
    add(files, upload, 0, b"1234")
    with files.appending(upload, at=4) as piece:
        piece.write(b"xxxxxxxx")
    assert files.offset(upload) == 4
    add(files, upload, 4, b"56")
    assert content(files, upload) == files.path(upload).read_bytes() == b"123456"


def test_what_settled_lasts_whatever_becomes_of_the_rest(files: ReceivedFiles, upload: str) -> None:
    with files.appending(upload, at=0) as piece:
        piece.write(b"1234")
        piece.settle()
        assert files.offset(upload) == 4
        piece.write(b"5678")
        with pytest.raises(ChecksumMismatch):
            piece.commit(bytes(32))
    assert content(files, upload) == b"1234"
    add(files, upload, 4, b"5678")
    assert [digest for _, digest in files.pieces(upload)] == [
        hashlib.sha256(part).hexdigest() for part in (b"1234", b"5678")
    ]


@pytest.mark.parametrize("torn", [b"8", b"8 abc", b"8 " + b"0" * 64, b"\xff\n", b"x\n", b"4 " + b"0" * 64 + b"\n"])
def test_a_line_of_the_ledger_that_is_torn_is_written_over(files: ReceivedFiles, upload: str, torn: bytes) -> None:
    add(files, upload, 0, b"1234")
    ledger = files.folder / upload / "ledger"
    with ledger.open("ab") as file:
        file.write(torn)
    assert files.offset(upload) == 4
    add(files, upload, 4, b"5678")
    add(files, upload, 8, b"9")
    assert content(files, upload) == b"123456789"


def test_a_disk_that_forgot_bytes_is_asked_for_them_again(files: ReceivedFiles, upload: str) -> None:
    add(files, upload, 0, b"1234")
    add(files, upload, 4, b"5678")
    with files.path(upload).open("r+b") as file:
        file.truncate(6)
    assert files.offset(upload) == 4
    add(files, upload, 4, b"abcd")
    assert content(files, upload) == b"1234abcd"
    assert len(files.pieces(upload)) == 2


def test_another_offset_than_the_next_is_refused_and_told(files: ReceivedFiles, upload: str) -> None:
    add(files, upload, 0, b"1234")
    with pytest.raises(OffsetConflict) as told, files.appending(upload, at=3):
        raise AssertionError
    assert told.value.values["offset"] == 4


def test_a_whole_file_takes_nothing_more_and_is_not_even_opened(files: ReceivedFiles, upload: str) -> None:
    add(files, upload, 0, b"123456789012")
    before = files.path(upload).stat().st_mtime_ns
    with pytest.raises(TooLarge), files.appending(upload, at=12, limit=12) as piece:
        piece.write(b"3")
    with files.appending(upload, at=12, limit=12) as piece:
        piece.commit()
    assert files.path(upload).stat().st_mtime_ns == before


def test_a_file_is_forgotten_by_nobody_while_it_grows(files: ReceivedFiles, upload: str) -> None:
    with files.appending(upload, at=0), pytest.raises(InUse):
        files.remove(upload)
    files.remove(upload)
    files.remove(upload)
    assert not list(files.folder.iterdir())
    with pytest.raises(NotFound):
        files.offset(upload)


def test_what_a_kill_left_half_made_or_half_gone_is_no_file_and_is_cleared(files: ReceivedFiles, upload: str) -> None:
    for name in (".upl-aaaaaaaaaaaaaaa2", ".upl-aaaaaaaaaaaaaaa3"):
        (files.folder / name).mkdir()
        (files.folder / name / "bytes").touch()
    assert files.ids() == [upload]
    files.clear()
    assert [path.name for path in files.folder.iterdir()] == [upload]


@pytest.mark.parametrize(
    "name", ["..", "../x", "upl-", "upl-AAAAAAAAAAAAAAAA", ".upl-aaaaaaaaaaaaaaaa", "upl-aaaaaaaaaaaaaaaa\n"]
)
def test_no_name_leads_out_of_the_folder(files: ReceivedFiles, name: str) -> None:
    with pytest.raises(NotFound):
        files.path(name)


def test_acknowledged_bytes_survive_a_power_cut(tmp_path: Path) -> None:
    need_disks()
    with disk(tmp_path, "xfs") as made:
        files = ReceivedFiles(made.root / "received")
        upload = files.create(TOLD, chance=bytes(10))
        add(files, upload, 0, b"1234")
        with files.appending(upload, at=4) as piece:
            piece.write(b"5678")
            piece.settle()
            piece.write(b"lost")
            made.cut()
        made.power_cycle()
        assert files.told(upload) == TOLD
        assert files.offset(upload) >= 8
        assert content(files, upload)[:8] == b"12345678"


def test_a_file_that_comes_whole_while_it_is_given_up_is_kept(files: ReceivedFiles, upload: str) -> None:
    add(files, upload, 0, b"123456789012")
    with pytest.raises(InUse):
        files.remove(upload, unless_at=12)
    assert content(files, upload) == b"123456789012"


def test_a_request_that_was_given_up_writes_into_no_file_that_was_opened_since(
    files: ReceivedFiles, upload: str, tmp_path: Path
) -> None:
    sink = Sink(files, upload, at=0, limit=12, checksum=None, settle_bytes=1 << 20)
    sink.open()
    sink.abandon()
    # The system gives the next file the number that the abandoned one had.
    others = [os.open(tmp_path / f"other-{number}", os.O_CREAT | os.O_WRONLY) for number in range(4)]
    with pytest.raises(StoreUnavailable):
        sink.write(b"bytes of another")
    for other in others:
        assert os.fstat(other).st_size == 0
        os.close(other)


def test_a_request_that_ended_before_it_began_holds_no_file(files: ReceivedFiles, upload: str) -> None:
    late = Sink(files, upload, at=0, limit=12, checksum=None, settle_bytes=1 << 20)
    late.close(is_whole=False)
    with pytest.raises(StoreUnavailable):
        late.open()
    add(files, upload, 0, b"1234")
