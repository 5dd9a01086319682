# SPDX-License-Identifier: Apache-2.0
"""This is where the claim is attacked that nothing is lost between a camera and us, one way for each test."""

import shutil
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path

import pytest

from devices.agent.copying import copy_file
from devices.agent.journal import Journal
from devices.agent.measuring import Measuring
from devices.agent.nameless import count_aside, put_aside
from devices.agent.server_outbox import Outbox
from devices.agent.server_port import ErasureFile
from devices.agent.spool import PIECE_BYTES, Origin, Spool
from devices.agent.spool_rows import FileState
from devices.agent.states import Phase
from devices.simulator.dock_device import DockDevice
from evidence.claims import Claims
from evidence.errors import RecordMalformed, StillChanging
from evidence.offer import Offer
from tests.support.dock_station import TAKEN_AND_ERASED, KindServer, card, content, files_of, station

NAMES = [f"DCIM/video/2026-06-19/DSJ_36NCC009910_00000{number}_20260619_10032{number}.mp4" for number in range(1, 4)]
FILES: dict[str, bytes | int] = dict.fromkeys(NAMES, 70000)


def test_a_dock_whose_power_is_cut_while_a_device_may_be_taken_out_knows_all_of_its_files(tmp_path: Path) -> None:
    device = DockDevice(card(tmp_path / "card", FILES))
    with station(tmp_path / "s", KindServer(takes_files=False)) as running:
        device.plug(running.ports, "p1")
        assert running.wait(Phase.UPLOADING).is_removable
        device.unplug()
        # A power cut may take all that was not synced: of the journal, the file beside it.
        (tmp_path / "after").mkdir()
        shutil.copyfile(running.spool.folder / "journal.sqlite", tmp_path / "after" / "journal.sqlite")
    after = Spool(tmp_path / "after")
    assert [told.state for told in after.waiting()] == [FileState.COPIED] * 3
    after.close()


@pytest.mark.parametrize("pieces", [1, 2])
def test_a_file_of_whole_pieces_is_not_uploaded_whole_before_it_is_known_to_be_what_was_listed(
    pieces: int, tmp_path: Path
) -> None:
    spool, size = Spool(tmp_path / "spool"), pieces * PIECE_BYTES
    offer = Offer("dock-1", "CAM1/A.MP4", "A.MP4", size, 0)
    spool.begin(offer, Origin("dkg-a", "p1", "CAM1"), Claims())
    (tmp_path / "A.MP4").write_bytes(bytes(size) + b"a byte more: it is still being recorded")
    with (tmp_path / "A.MP4").open("rb", buffering=0) as source, Measuring() as measuring, pytest.raises(StillChanging):
        copy_file(
            source,
            spool,
            offer.id,
            size,
            at=0,
            whole=sha256(),
            measuring=measuring,
            beside=None,
            spend=lambda size_bytes: None,
        )
    assert spool.ready_bytes(offer.id) == (pieces - 1) * PIECE_BYTES
    spool.close()


def test_what_a_server_lost_after_it_gave_its_receipts_is_taken_from_the_device_once_more(tmp_path: Path) -> None:
    device = DockDevice(card(tmp_path / "card", FILES))
    server = KindServer(TAKEN_AND_ERASED)
    server.erasure_refused = True
    with station(tmp_path / "s", server) as running:
        device.plug(running.ports, "p1")
        running.wait(Phase.FAULT)
        device.unplug()
        running.wait(Phase.IDLE)
        running.until(lambda: not list(running.spool.folder.glob("*.bytes")))
        kept = dict(list(server.stored.items())[:1])
        server.stored, server.erasure_refused = dict(kept), False  # put back to an earlier day
        device.plug(running.ports, "p1")
        running.wait(Phase.REMOVABLE)
        device.unplug()
    assert sorted(server.stored.values()) == sorted(content(name, 70_000) for name in NAMES)
    assert files_of(device.card) == {}
    assert server.codes().count("server-forgot") == 1
    assert len(server.order) == 5, "what the server still has is not sent again"


def test_a_device_whose_receipts_the_server_lost_waits_for_the_server_before_it_is_said_to_be_done(
    tmp_path: Path,
) -> None:
    device = DockDevice(card(tmp_path / "card", FILES))
    with station(tmp_path / "s") as running:
        device.plug(running.ports, "p1")
        running.wait(Phase.REMOVABLE)
        device.unplug()
        running.wait(Phase.IDLE)
        running.server.is_down = True
        device.plug(running.ports, "p1")
        running.wait(Phase.WAITING_NETWORK)
        running.server.stored.clear()
        running.server.is_down = False
        running.wait(Phase.REMOVABLE)
        device.unplug()
    assert len(running.server.stored) == 3


def test_what_was_erased_before_a_file_stood_in_the_way_is_on_record(tmp_path: Path) -> None:
    device = DockDevice(card(tmp_path / "card", FILES))

    class SlowServer(KindServer):
        """Somebody writes to the device while it thinks about leave to erase it."""

        def ask_erasure(self, docking: str, files: Iterable[ErasureFile]) -> None:
            super().ask_erasure(docking, files)
            (tmp_path / "s" / "ports" / "p1" / NAMES[1]).write_bytes(b"new")

    with station(tmp_path / "s", SlowServer(TAKEN_AND_ERASED)) as running:
        device.plug(running.ports, "p1")
        running.wait(Phase.FAULT)
        device.unplug()
    assert sorted(files_of(device.card)) == NAMES[1:]
    assert [(ending.outcome, ending.erased) for ending in running.server.endings] == [("failed", 1)]


def test_a_word_to_the_server_that_was_damaged_on_disk_is_said_to_be_so(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path)
    outbox.put("POST", "/v1/alarms", {})
    (tmp_path / "000000000001.json").write_bytes(b"\0" * 40)
    with pytest.raises(RecordMalformed):
        outbox.first()
    with pytest.raises(RecordMalformed):
        outbox.numbers_of(lambda entry: True)


def test_bytes_whose_journal_was_lost_are_put_aside_and_told_and_nothing_is_deleted_or_erased(tmp_path: Path) -> None:
    device = DockDevice(card(tmp_path / "card", FILES))
    with station(tmp_path / "s", KindServer(takes_files=False)) as running:
        device.plug(running.ports, "p1")
        running.wait(Phase.UPLOADING)
        device.unplug()
    spool = tmp_path / "s" / "dock" / "spool"
    for lost in spool.glob("journal.sqlite*"):
        lost.unlink()
    left = sorted(path.read_bytes() for path in spool.glob("*.bytes"))
    assert len(left) == 3
    with station(tmp_path / "s", KindServer(TAKEN_AND_ERASED, takes_files=False)) as running:
        running.until(lambda: running.server.codes() == ["spool-nameless"])
        device.plug(running.ports, "p1")  # the same files are copied anew, over nothing
        running.wait(Phase.UPLOADING)
        device.unplug()
    assert sorted(path.read_bytes() for path in (spool / "nameless").iterdir()) == left
    assert sorted(files_of(device.card)) == NAMES
    with station(tmp_path / "s", KindServer(takes_files=False)) as running:
        running.until(lambda: running.station.board.waiting == 3)
        assert running.server.codes() == [], "told once"


def test_a_journal_that_is_lost_twice_overwrites_nothing(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.sqlite")
    for content_ in (b"first", b"second"):
        (tmp_path / "ofr-1.bytes").write_bytes(content_)
        assert put_aside(tmp_path, journal) == 1
    assert sorted(path.read_bytes() for path in (tmp_path / "nameless").iterdir()) == [b"first", b"second"]
    assert (put_aside(tmp_path, journal), count_aside(tmp_path)) == (0, 2)
    journal.close()


def test_an_empty_file_is_listed_stays_on_the_device_and_keeps_nothing_else_from_being_cleared(tmp_path: Path) -> None:
    device = DockDevice(card(tmp_path / "card", {**FILES, "DCIM/video/empty.mp4": b""}))
    with station(tmp_path / "s", KindServer(TAKEN_AND_ERASED)) as running:
        device.plug(running.ports, "p1")
        assert running.wait(Phase.REMOVABLE, Phase.FAULT).erased_files == 3
        device.unplug()
    (manifest,) = running.server.manifests.values()
    assert [line.split(b"\t")[:3] for line in manifest.splitlines() if b"empty.mp4" in line] == [
        [b"file", b"empty", b"0"]
    ]
    assert sorted(files_of(device.card)) == ["DCIM/video/empty.mp4"]
    assert len(running.server.stored) == 3
