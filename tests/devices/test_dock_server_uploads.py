# SPDX-License-Identifier: Apache-2.0
"""Files leave the spool through a wire that is cut, a server that dies, a disk that is full: once each, whole."""

import hashlib
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from devices.agent.spool import PIECE_BYTES
from pipeline.received import ReceivedFiles
from tests.support.dock_sender import Sender, noise, sender
from tests.support.dock_wire import Wire
from tests.support.home import Home, open_home
from tests.support.servers import until
from tests.support.web_server import WebServer

MIB = 1 << 20


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    with open_home(tmp_path / "home") as made:
        yield made


def bytes_at(home: Home, dock: Sender, path: str) -> bytes:
    """What the server received under a path."""
    files = ReceivedFiles(home.ports.received)
    found = [
        one for one in files.ids() if files.told(one).path == path and files.told(one).sender == dock.enrolment.dock
    ]
    assert len(found) == 1, found
    return files.path(found[0]).read_bytes()


def _has_carried(wire: Wire, size: int) -> bool:
    return wire.bytes_out > size


def recordings(home: Home) -> int:
    return len(home.recordings())


def test_a_file_arrives_whole_and_the_dock_gets_its_receipt(home: Home, dock: Sender) -> None:
    data = noise(9 * MIB + 5)
    offer = dock.put("36NCC000001/a.mp4", data)
    dock.start()

    until(lambda: dock.is_uploaded(offer), "the file is uploaded")
    home.drain(home.recordings()[0]["id"])
    until(lambda: dock.file(offer).is_receipted, "the receipt came")

    assert home.holds(data, hashlib.sha256(data).hexdigest())
    assert dock.sent.bytes == dock.sent.acknowledged == len(data)
    assert dock.troubles == []


def test_an_empty_file_and_names_that_are_no_text_arrive(home: Home, dock: Sender) -> None:
    empty = dock.put("36NCC000001/empty.nmea", b"")
    odd = dock.put("36NCC000001/\udcff,中文 .mp4", b"x")
    dock.start()

    until(lambda: dock.is_uploaded(empty) and dock.is_uploaded(odd), "both are uploaded")
    assert recordings(home) == 2
    assert bytes_at(home, dock, "36NCC000001/\udcff,中文 .mp4") == b"x"
    assert dock.troubles == []


def test_a_cut_in_the_middle_of_a_piece_costs_that_piece_and_no_other(home: Home, dock: Sender, wire: Wire) -> None:
    data = noise(4 * PIECE_BYTES)
    wire.bytes_a_second = 32 * MIB
    offer = dock.put("36NCC000001/a.mp4", data)
    dock.start()

    for at in (0.3, 1.4, 2.6):
        mark = int(at * PIECE_BYTES)
        until(partial(_has_carried, wire, mark), "some of it is on its way", pause_s=0.005)
        wire.cut()
    wire.bytes_a_second = 0
    until(lambda: dock.is_uploaded(offer), "the file is uploaded")

    assert dock.sent.cuts == 3
    assert 0 < dock.sent.bytes - dock.sent.acknowledged <= 3 * PIECE_BYTES
    assert dock.sent.acknowledged == len(data)
    assert bytes_at(home, dock, "36NCC000001/a.mp4") == data
    assert recordings(home) == 1


def test_a_piece_that_came_to_count_though_its_answer_was_lost_is_not_sent_again(
    home: Home, dock: Sender, wire: Wire
) -> None:
    data = noise(3 * PIECE_BYTES)
    wire.answers_to_lose = 1
    offer = dock.put("36NCC000001/a.mp4", data)
    dock.start()

    until(lambda: dock.is_uploaded(offer), "the file is uploaded")

    assert wire.answers_to_lose == 0
    assert dock.sent.cuts == 1
    assert dock.sent.bytes == dock.sent.acknowledged == len(data)
    assert bytes_at(home, dock, "36NCC000001/a.mp4") == data


def test_a_file_that_is_still_being_copied_is_sent_as_far_as_its_pieces_last(dock: Sender) -> None:
    data = noise(2 * PIECE_BYTES + 7)
    offer = dock.begin("36NCC000001/a.mp4", len(data))
    dock.grow(offer, data[:PIECE_BYTES])
    dock.start()

    until(lambda: dock.file(offer).uploaded_bytes == PIECE_BYTES, "the first piece is there")
    dock.grow(offer, data[PIECE_BYTES : 2 * PIECE_BYTES])
    until(lambda: dock.file(offer).uploaded_bytes == 2 * PIECE_BYTES, "and the second")
    assert dock.file(offer).sha256 is None
    dock.grow(offer, data[2 * PIECE_BYTES :])
    dock.whole(offer, data)
    until(lambda: dock.is_uploaded(offer), "all of it")


def test_an_agent_that_starts_anew_goes_on_where_the_server_stands(
    home: Home, dock: Sender, wire: Wire, tmp_path: Path
) -> None:
    data = noise(3 * PIECE_BYTES)
    wire.bytes_a_second = 48 * MIB
    offer = dock.put("36NCC000001/a.mp4", data)
    dock.start()
    until(lambda: dock.file(offer).uploaded_bytes >= PIECE_BYTES, "a piece is there", pause_s=0.005)
    dock.stop.set()
    wire.cut()
    dock.uploads.join(5)
    reached = dock.file(offer).uploaded_bytes
    wire.bytes_a_second = 0

    with sender(tmp_path / "dock") as again:
        again.start()
        until(lambda: again.is_uploaded(offer), "the rest is uploaded")
        assert again.sent.bytes == len(data) - reached < len(data)
    assert bytes_at(home, dock, "36NCC000001/a.mp4") == data


def test_an_upload_that_the_server_forgot_is_begun_anew(server: WebServer, home: Home, dock: Sender) -> None:
    data = noise(2 * PIECE_BYTES)
    offer = dock.begin("36NCC000001/a.mp4", len(data))
    dock.grow(offer, data[:PIECE_BYTES])
    dock.start()
    until(lambda: dock.file(offer).uploaded_bytes == PIECE_BYTES, "a piece is there")
    upload = server.files.ids()[0]
    server.files.remove(upload)
    server.intake.announced.discard(upload)

    dock.grow(offer, data[PIECE_BYTES:])
    dock.whole(offer, data)

    until(lambda: dock.is_uploaded(offer), "the file is uploaded")
    assert bytes_at(home, dock, "36NCC000001/a.mp4") == data
    assert dock.sent.acknowledged == 3 * PIECE_BYTES  # the first piece twice, for its first copy is gone


def test_a_file_that_was_received_whole_while_the_answer_was_lost_is_not_sent_again(
    server: WebServer, home: Home, dock: Sender, tmp_path: Path
) -> None:
    data = noise(PIECE_BYTES)
    offer = dock.put("36NCC000001/a.mp4", data)
    dock.start()
    until(lambda: dock.is_uploaded(offer), "the file is uploaded")
    dock.stop.set()
    dock.uploads.join(5)
    dock.teller.join(5)
    home.drain(home.recordings()[0]["id"])
    assert not dock.file(offer).is_receipted
    server.files.remove(server.files.ids()[0])  # as the sweep does with what is sealed
    dock.spool.set_uploaded(offer.id, 0)  # as if no answer had come

    with sender(tmp_path / "dock") as again:
        again.start()
        until(lambda: again.file(offer).is_receipted, "the receipt came")
        assert again.sent.bytes == 0


def test_bytes_that_the_wire_changed_are_refused_and_sent_again(home: Home, dock: Sender, wire: Wire) -> None:
    data = noise(PIECE_BYTES)
    changed: list[int] = []

    def flip(block: bytes) -> bytes:
        if len(block) < 60_000 or changed or wire.bytes_out < MIB:
            return block
        changed.append(1)
        return block[:-1] + bytes([block[-1] ^ 1])

    wire.change = flip
    offer = dock.put("36NCC000001/a.mp4", data)
    dock.start()

    until(lambda: dock.is_uploaded(offer), "the file is uploaded")
    assert changed
    assert dock.sent.cuts == 1
    assert bytes_at(home, dock, "36NCC000001/a.mp4") == data
    assert dock.troubles == []


def test_a_small_file_that_the_docks_disk_changed_is_told_and_never_received(home: Home, dock: Sender) -> None:
    data = noise(PIECE_BYTES)
    offer = dock.put("36NCC000001/a.mp4", data)
    with dock.spool.bytes_path(offer.id).open("r+b") as rests:
        rests.seek(MIB)
        rests.write(bytes([data[MIB] ^ 1]))
    dock.start()

    until(lambda: dock.troubles, "it is told")
    assert dock.troubles[0] == (offer.id, "fixity-mismatch")
    assert recordings(home) == 0


def test_days_without_a_network_lose_nothing(home: Home, dock: Sender, wire: Wire) -> None:
    wire.shut()
    data = noise(MIB)
    offer = dock.put("36NCC000001/a.mp4", data)
    dock.start()
    until(lambda: dock.online and not dock.online[-1], "the dock knows that the server is gone")
    time.sleep(0.5)
    assert dock.file(offer).uploaded_bytes == 0

    wire.is_open = True
    until(lambda: dock.is_uploaded(offer), "the file is uploaded")
    until(lambda: dock.online[-1], "and the dock knows that the server is there")
    assert bytes_at(home, dock, "36NCC000001/a.mp4") == data
