# SPDX-License-Identifier: Apache-2.0
"""Every port gets its share of the wire, piece by piece; a cut costs nobody his share."""

import hashlib
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from devices.agent.spool import PIECE_BYTES
from devices.agent.uploading_queue import Queue
from evidence.errors import Refused, Unavailable
from tests.support.dock_sender import Sender, enrolled_at, noise, receipt_server, sender
from tests.support.dock_wire import wire_to
from tests.support.home import open_home
from tests.support.servers import until

MIB = 1 << 20


@pytest.fixture
def dock(tmp_path: Path) -> Iterator[Sender]:
    """One that sends nothing."""
    with open_home(tmp_path / "home") as home, receipt_server(home) as server:
        enrolled_at(home, tmp_path / "dock", f"http://127.0.0.1:{server.port}")
        with sender(tmp_path / "dock") as made:
            yield made


def test_every_port_gets_its_share_of_the_wire_whatever_the_size_of_its_files(dock: Sender) -> None:
    for number in range(3):
        dock.begin(f"36NCC000001/big-{number}.mp4", 40 * PIECE_BYTES, port="big")
        dock.begin(f"36NCC000002/even-{number}.mp4", 20 * PIECE_BYTES, port="even")
    for number in range(400):
        dock.begin(f"36NCC000003/small-{number:03d}.jpg", MIB, port="small")
    dock.spool.journal.write("UPDATE files SET sha256 = ?", ("0" * 64,))
    queue = Queue(dock.spool, monotonic=time.monotonic)
    given = {"big": 0, "even": 0, "small": 0}

    while sum(given.values()) < 60 * PIECE_BYTES:
        taken = queue.take()
        if taken is None:
            continue
        if taken.path is None:
            taken.path = "/v1/uploads/x"
            dock.spool.set_upload(taken.file.offer, taken.path)
        else:
            given[taken.file.port] += taken.end - (taken.offset or 0)
            taken.offset = taken.end
            dock.spool.set_uploaded(taken.file.offer, taken.end)
        queue.give_back(taken)
        time.sleep(0.002)

    assert max(given.values()) - min(given.values()) <= 0.2 * max(given.values()), given


def test_a_port_of_priority_goes_first(dock: Sender) -> None:
    for number in range(4):
        dock.put(f"36NCC000001/a{number}.mp4", noise(MIB), port="p1")
    dock.put("36NCC000002/z.mp4", noise(MIB), port="p2", is_priority=True)

    first = Queue(dock.spool, monotonic=time.monotonic).take()

    assert first is not None
    assert first.file.port == "p2"


def test_pieces_shrink_while_the_wire_is_cut_and_grow_again(dock: Sender) -> None:
    data = noise(2 * PIECE_BYTES)
    dock.put("36NCC000001/a.mp4", data)
    queue = Queue(dock.spool, monotonic=time.monotonic)

    def size() -> int:
        taken = queue.take()
        assert taken is not None
        taken.path = "/v1/uploads/x"
        dock.spool.set_upload(taken.file.offer, taken.path)
        queue.give_back(taken)
        return taken.end

    assert size() == PIECE_BYTES
    for _ in range(20):
        queue.broke_off()
    assert size() == 256 << 10
    for _ in range(100):
        queue.landed()
    assert size() == PIECE_BYTES


def test_a_server_whose_disk_is_full_is_waited_for_and_nothing_leaves_the_dock_meanwhile(tmp_path: Path) -> None:
    data, place = noise(3 * PIECE_BYTES), tmp_path / "home"
    with (
        tmpfs(place, mib=64),
        open_home(place) as home,
        receipt_server(home, retry_s=1) as server,
        wire_to(server.port) as wire,
    ):
        enrolled_at(home, tmp_path / "dock", f"http://127.0.0.1:{wire.port}")
        wire.bytes_a_second = 32 * MIB
        with sender(tmp_path / "dock") as dock:
            offer = dock.put("36NCC000001/a.mp4", data)
            dock.start()
            until(lambda: dock.file(offer).uploaded_bytes >= PIECE_BYTES, "a piece is there", pause_s=0.005)
            ballast = fill(place)
            until(lambda: not dock.gate.is_open, "the dock knows that the server cannot")
            assert dock.gate.why
            time.sleep(1.0)
            assert not dock.is_uploaded(offer)
            assert dock.spool.release(needs_backup=False) == 0
            with pytest.raises((Unavailable, Refused)):
                dock.server.ask_erasure("dkg-aaaaaaaaaaaaaaaa", [])

            ballast.unlink()
            until(lambda: dock.is_uploaded(offer), "the file is uploaded")
            home.drain(home.recordings()[0]["id"])
            until(lambda: dock.file(offer).is_receipted, "the receipt came")
            assert home.holds(data, hashlib.sha256(data).hexdigest())
            assert dock.online[-1]


@contextmanager
def tmpfs(folder: Path, *, mib: int) -> Iterator[None]:
    if os.geteuid() != 0:
        pytest.skip("only root mounts a disk")
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={mib}m", "dock-test", str(folder)], check=True)  # noqa: S607
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)  # noqa: S607


def fill(folder: Path) -> Path:
    """A file that takes all the room there is."""
    path = folder / "ballast"
    with suppress(OSError), path.open("wb", buffering=0) as out:
        while out.write(b"\0" * (1 << 16)):
            pass
    return path
