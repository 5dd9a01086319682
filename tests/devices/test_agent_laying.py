# SPDX-License-Identifier: Apache-2.0
"""This is where files on their way to rest in a dock's spool are cut off, refused and killed at each step."""

import errno
import hashlib
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from devices.agent.measuring import TAIL_BYTES, FileSha256, Measuring
from devices.agent.spool import Spool
from devices.agent.states import Phase
from devices.simulator.dock_device import DockDevice
from evidence.errors import StoreUnavailable
from tests.support.dock_station import TAKEN_AND_ERASED, KindServer, card, content, files_of, station

NAMES = [f"DCIM/100MEDIA/FILE{number:04}.MP4" for number in range(20)]
FILES: dict[str, bytes | int] = dict.fromkeys(NAMES, 90_000)


def test_a_row_says_copied_only_after_the_bytes_and_the_name_of_its_file_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps, spool_sync, all_copied = list[tuple[str, str]](), Spool.sync, Spool.all_copied

    def fsync(descriptor: int) -> None:
        steps.append(("bytes", _name(descriptor).removesuffix(".bytes")))
        _FSYNC(descriptor)

    def sync(spool: Spool) -> None:
        spool_sync(spool)
        steps.append(("names", ""))

    def written(spool: Spool, files: list[tuple[str, str, str | None, str]]) -> None:
        steps.extend(("row", offer) for *_, offer in files)
        all_copied(spool, files)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(Spool, "sync", sync)
    monkeypatch.setattr(Spool, "all_copied", written)
    device = DockDevice(card(tmp_path / "card", FILES))
    with station(tmp_path / "s", KindServer(takes_files=False)) as running:
        device.plug(running.ports, "p1")
        running.wait(Phase.UPLOADING)
    rows = [offer for what, offer in steps if what == "row"]
    assert len(set(rows)) == len(rows) == len(NAMES)
    for offer in rows:
        at_bytes, at_row = steps.index(("bytes", offer)), steps.index(("row", offer))
        assert ("names", "") in steps[at_bytes:at_row]


def _name(descriptor: int) -> str:
    return Path(f"/proc/self/fd/{descriptor}").readlink().name


def _refusing_once() -> Callable[[int], None]:
    """An `fsync` that fails at the first file in the spool."""
    refused = list[str]()

    def fsync(descriptor: int) -> None:
        if not refused and _name(descriptor).endswith(".bytes"):
            refused.append(_name(descriptor))
            raise OSError(errno.EIO, "Input/output error")
        _FSYNC(descriptor)

    return fsync


_FSYNC = os.fsync


@pytest.mark.parametrize("what", ["bytes", "names", "rows"])
def test_what_the_disk_refuses_to_make_last_is_copied_again_and_comes_whole(
    what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = list[str]()

    def once(then: Callable[..., None]) -> Callable[..., None]:
        def tried(*given: object) -> None:
            if not refused:
                refused.append(what)
                raise StoreUnavailable("the disk is full")
            then(*given)

        return tried

    if what == "bytes":
        monkeypatch.setattr(os, "fsync", _refusing_once())
    elif what == "names":
        monkeypatch.setattr(Spool, "sync", once(Spool.sync))
    else:
        monkeypatch.setattr(Spool, "all_copied", once(Spool.all_copied))
    device = DockDevice(card(tmp_path / "card", FILES))
    before = files_of(device.card)
    server = KindServer(TAKEN_AND_ERASED)
    with station(tmp_path / "s", server) as running:
        device.plug(running.ports, "p1")
        running.wait(Phase.REMOVABLE)
    assert server.codes() == ["spool-full"]
    assert sorted(server.stored.values()) == sorted(before.values())
    assert files_of(device.card) == {}


def test_a_file_whose_bytes_the_disk_refused_is_read_from_the_device_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What the disk refused may still stand in memory: nothing of it is believed.
    discarded = list[str]()
    discard = Spool.discard

    def seen(spool: Spool, offer: str) -> None:
        discarded.append(offer)
        discard(spool, offer)

    monkeypatch.setattr(os, "fsync", _refusing_once())
    monkeypatch.setattr(Spool, "discard", seen)
    device = DockDevice(card(tmp_path / "card", {NAMES[0]: 90_000}))
    with station(tmp_path / "s", KindServer()) as running:
        device.plug(running.ports, "p1")
        running.wait(Phase.REMOVABLE)
        assert list(running.server.stored) == discarded


def test_a_journal_that_fails_in_the_middle_of_a_batch_keeps_nothing_of_it(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool")
    spool.journal.write("CREATE TABLE wanted (n INTEGER NOT NULL)")
    with pytest.raises(StoreUnavailable):
        spool.journal.write_many("INSERT INTO wanted VALUES (?)", [(1,), (None,), (2,)])
    assert spool.journal.rows("SELECT * FROM wanted") == []
    spool.journal.write_many("INSERT INTO wanted VALUES (?)", [(1,), (2,)])
    spool.close()
    with sqlite3.connect(tmp_path / "spool" / "journal.sqlite") as base:
        assert base.execute("SELECT n FROM wanted ORDER BY n").fetchall() == [(1,), (2,)]
    base.close()


@pytest.mark.parametrize("size", [0, 1, TAIL_BYTES, TAIL_BYTES + 1, 2 * TAIL_BYTES + 77_777])
def test_a_file_and_its_last_bytes_are_measured_in_one_reading(size: int) -> None:
    data, measured = content("any", size), FileSha256(size)
    with Measuring(measured) as measuring:
        for at in range(0, size, 300_000):
            block = data[at : at + 300_000]
            buffer = measuring.room()[: len(block)]
            buffer[:] = block
            measuring.update(buffer)
    assert measured.hexdigest() == hashlib.sha256(data).hexdigest()
    assert measured.tail == hashlib.sha256(data[-TAIL_BYTES:]).hexdigest()


def test_files_measured_one_after_another_do_not_mix() -> None:
    ours = [FileSha256(100_000) for _ in range(9)]
    with Measuring() as measuring:
        for number, one in enumerate(ours):
            measuring.begin(one)
            measuring.room()  # asked for and not used, as by a file that breaks off
            buffer = measuring.room()[:100_000]
            buffer[:] = bytes([number]) * 100_000
            measuring.update(buffer)
            mark = measuring.mark()
        assert mark.wait(10)
    assert [one.digest() for one in ours] == [hashlib.sha256(bytes([n]) * 100_000).digest() for n in range(9)]
