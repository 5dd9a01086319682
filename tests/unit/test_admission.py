# SPDX-License-Identifier: Apache-2.0
"""Whether another file may be taken in: reserves as settings say them, room on each disk, the backlog."""

import shutil
from collections import namedtuple
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import pytest

from app.admission import Admission, places, room_of
from app.reserve import Reserve
from app.settings import load_settings
from devices.dock_folder import offer_of
from devices.settle import Snapshot
from evidence.errors import BadInput, DiskLow, Overloaded
from evidence.offer import Offer
from storage.register import tallies
from tests.support.servers import Installation, installation, write_tracks

GIB = 1 << 30
Usage = namedtuple("Usage", "total used free")  # as shutil's own


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Installation]:
    with installation(tmp_path / "home", spool_free="1 GiB", backlog="10") as fresh:
        yield fresh


def offer(folder: Path, *, size: int) -> Offer:
    folder.mkdir(exist_ok=True)
    file = folder / f"{size}.nmea"
    with file.open("wb") as out:
        out.truncate(size)
    return offer_of("dock", file.name, Snapshot.of(file.lstat()))


def disk_has(monkeypatch: pytest.MonkeyPatch, free: int) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(100 * GIB, 100 * GIB - free, free))


# --- reserves ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "reserve"),
    [
        ("2 GiB", Reserve(2 * GIB)),
        ("512MiB", Reserve(GIB // 2)),
        ("1.5 KiB", Reserve(1536)),
        ("1048576", Reserve(1 << 20)),
        ("0", Reserve(0)),
        ("5 %", Reserve(None, Fraction(1, 20))),
        ("2 GiB or 5 %", Reserve(2 * GIB, Fraction(1, 20))),
    ],
)
def test_a_reserve_is_read_as_it_is_written(text: str, reserve: Reserve) -> None:
    assert Reserve.of_text(text) == reserve


@pytest.mark.parametrize("text", ["", "much", "-1", "5 parsec", "100 %", "1e9", "2 GiB and 5 %", "1 GiB or", "٣ GiB"])
def test_a_reserve_that_makes_no_sense_is_refused(text: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="EVIDOCK_SPOOL_FREE"):
        load_settings({"EVIDOCK_HOME": str(tmp_path), "EVIDOCK_SPOOL_FREE": text})


def test_of_bytes_and_a_share_the_smaller_stays_free() -> None:
    both = Reserve.of_text("2 GiB or 5 %")
    assert both.of(20 * GIB) == GIB
    assert both.of(4000 * GIB) == 2 * GIB


@pytest.mark.parametrize("text", ["9300", "localhost", ":9300", "host:port", "host:99999", "host:-1"])
def test_an_address_to_answer_at_that_makes_no_sense_is_refused(text: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="EVIDOCK_OPERATE"):
        load_settings({"EVIDOCK_HOME": str(tmp_path), "EVIDOCK_OPERATE": text})


def test_an_address_to_answer_at_is_read(tmp_path: Path) -> None:
    home = {"EVIDOCK_HOME": str(tmp_path)}
    assert load_settings(home).operate is None
    assert load_settings(home | {"EVIDOCK_OPERATE": "127.0.0.1:9300"}).operate == ("127.0.0.1", 9300)
    assert load_settings(home | {"EVIDOCK_OPERATE": "[::1]:0"}).operate == ("::1", 0)


# --- room -------------------------------------------------------------------------------------


def test_only_what_lies_on_this_machine_has_a_disk_here(tmp_path: Path) -> None:
    near = load_settings({"EVIDOCK_HOME": str(tmp_path)})
    assert places(near) == {"spool": tmp_path / "spool", "objects": tmp_path / "objects", "register": tmp_path}
    far = load_settings({"EVIDOCK_HOME": str(tmp_path), "EVIDOCK_OBJECTS_URL": "s3://bucket/x"})
    assert places(far) == {"spool": tmp_path / "spool", "register": tmp_path}


def test_a_file_that_leaves_the_reserve_is_taken_and_one_byte_more_is_not(
    made: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    guard = Admission(made.settings, made.ports)
    disk_has(monkeypatch, GIB + 1000)
    guard.check(offer(tmp_path / "dock", size=1000))
    with pytest.raises(DiskLow, match="EVIDOCK_SPOOL_FREE"):
        guard.check(offer(tmp_path / "dock", size=1001))


def test_what_was_taken_down_and_is_still_to_be_copied_counts(
    made: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    guard = Admission(made.settings, made.ports)
    offer(tmp_path / "card", size=600)
    made.take_in(tmp_path / "card")
    disk_has(monkeypatch, GIB + 1000)
    guard.check(offer(tmp_path / "dock", size=400))
    with pytest.raises(DiskLow):
        guard.check(offer(tmp_path / "dock", size=401))


def test_a_file_that_was_taken_before_brings_no_bytes(
    made: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_tracks(tmp_path / "card", 1)
    made.take_in(tmp_path / "card")
    disk_has(monkeypatch, 0)
    [file] = (tmp_path / "card").iterdir()
    known = offer_of(f"folder:{tmp_path / 'card'}", file.name, Snapshot.of(file.lstat()))
    Admission(made.settings, made.ports).check(known)


def test_a_disk_that_cannot_be_asked_takes_nothing(
    made: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: Path) -> Usage:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(shutil, "disk_usage", broken)
    with pytest.raises(DiskLow, match="Input/output error"):
        Admission(made.settings, made.ports).check(offer(tmp_path / "dock", size=1))


# --- backlog ----------------------------------------------------------------------------------


def test_a_full_backlog_takes_nothing_until_it_has_gone_down_to_nine_tenths(
    made: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting = [10]
    monkeypatch.setattr(tallies, "open_jobs", lambda _: waiting[0])
    disk_has(monkeypatch, 50 * GIB)
    guard, wanted = Admission(made.settings, made.ports), offer(tmp_path / "dock", size=1)
    guard.check(wanted)
    for waiting[0] in (11, 10):
        with pytest.raises(Overloaded, match="EVIDOCK_BACKLOG"):
            guard.check(wanted)
    for waiting[0] in (9, 10):
        guard.check(wanted)


def test_a_disk_that_cannot_say_what_is_there_has_no_room(tmp_path: Path) -> None:
    """Python asks for a name that is too long as for any other, and the disk's refusal is an error, not a "no"."""
    with pytest.raises(DiskLow, match="cannot be asked"):
        room_of(tmp_path / ("x" * 300), Reserve(1))
