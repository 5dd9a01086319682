# SPDX-License-Identifier: Apache-2.0
"""This is where a docking is broken off: pulled out, killed, without network or room; what comes after is whole."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from devices.agent.spool import PIECE_BYTES
from devices.agent.states import Phase
from devices.simulator.dock_device import DockDevice
from tests.support.chaos import seeded, times
from tests.support.dock_station import TAKEN, TAKEN_AND_ERASED, KindServer, card, content, files_of, station
from tests.support.footage import missing
from tests.support.killing import ROOT
from tests.support.pulled_card import docked

pytestmark = pytest.mark.timeout(1800)

BIG = "DCIM/video/2026-06-19/DSJ_36NCC009910_000001_20260619_100324.mp4"
SMALL = "DCIM/video/2026-06-19/DSJ_36NCC009910_000001_20260619_101530.mp4"
_BIG_BYTES = (2 << 23) + 4321


def need_fuse() -> None:
    need_root()
    if not Path("/dev/fuse").exists():
        missing("/dev/fuse", remedy="modprobe fuse")


def need_root() -> None:
    if os.geteuid() != 0:
        pytest.skip("only root mounts file systems")


def test_a_card_pulled_at_any_offset_goes_on_where_it_was_and_comes_whole(tmp_path: Path) -> None:
    need_fuse()
    chance = seeded("test_a_card_pulled_at_any_offset")
    root = card(tmp_path / "card", {BIG: _BIG_BYTES, SMALL: 100_000})
    before = sorted(files_of(root).values())
    for number in range(times(8, 100)):
        folder = tmp_path / f"s{number}"
        (folder / "ports").mkdir(parents=True)
        pull_at = chance.randrange(_BIG_BYTES)
        with station(folder, look_s=0.2) as running:
            port, tally = running.ports / "p1", running.ports / "p1.tally"
            with docked(root, port, pull_at=pull_at, dies=number % 3 == 2):
                state = running.wait(Phase.INTERRUPTED)
                late_s = state.since.timestamp() - tally.stat().st_mtime
            assert late_s < 2, "a person is told within two seconds"
            assert running.server.outcomes()[-1:] in ([], ["interrupted"])
            running.until(lambda seen=running: seen.station._ports == {})  # type: ignore[misc]
            with docked(root, port) as again:
                running.wait(Phase.REMOVABLE)
                kept = pull_at // PIECE_BYTES * PIECE_BYTES
                # What was kept is not read again, but for its last piece, which shows that it is the same file.
                assert again.given_bytes <= _BIG_BYTES + 100_000 - max(0, kept - 2 * PIECE_BYTES) + (1 << 20)
            assert sorted(running.server.stored.values()) == before, pull_at
            assert running.server.outcomes()[-1] == "finished"
        shutil.rmtree(folder)


def test_a_card_that_was_gone_on_with_is_read_again_before_it_is_erased(tmp_path: Path) -> None:
    need_fuse()
    root = card(tmp_path / "card", {BIG: _BIG_BYTES})
    with station(tmp_path / "s", KindServer(TAKEN_AND_ERASED)) as running:
        with docked(root, running.ports / "p1", pull_at=2 * PIECE_BYTES + 5):
            running.wait(Phase.INTERRUPTED)
        running.until(lambda: running.station._ports == {})
        (running.ports / "p1").rmdir()
        device = DockDevice(root)
        device.plug(running.ports, "p1")
        running.wait(Phase.REMOVABLE)
        device.unplug()
    assert files_of(root) == {}
    assert list(running.server.stored.values()) == [content(BIG, _BIG_BYTES)]
    assert Phase.VERIFYING in {state.phase for state in running.states}


def test_what_was_kept_counts_only_when_its_last_piece_is_the_same_on_the_device(tmp_path: Path) -> None:
    need_fuse()
    root = card(tmp_path / "card", {BIG: _BIG_BYTES})
    with station(tmp_path / "s") as running:
        with docked(root, running.ports / "p1", pull_at=PIECE_BYTES + 5):
            running.wait(Phase.INTERRUPTED)
        running.until(lambda: running.station._ports == {})
        other = bytes(byte ^ 1 for byte in content(BIG, 64)) + content(BIG, _BIG_BYTES)[64:]
        card(root, {BIG: other})
        with docked(root, running.ports / "p1"):
            running.wait(Phase.REMOVABLE)
        assert list(running.server.stored.values()) == [other]


def test_after_a_power_cut_only_what_was_made_durable_is_believed(tmp_path: Path) -> None:
    need_fuse()
    root = card(tmp_path / "card", {BIG: _BIG_BYTES})
    with station(tmp_path / "s") as running:
        with docked(root, running.ports / "p1", pull_at=2 * PIECE_BYTES + 5):
            running.wait(Phase.INTERRUPTED)
        (told,) = running.spool.waiting()
        assert running.spool.kept_bytes(told) == told.kept_bytes == 2 * PIECE_BYTES
        running.spool.set_kept(told.offer, PIECE_BYTES)
        running.spool.journal.write("UPDATE files SET boot = 'before the power cut'")
        assert running.spool.kept_bytes(running.spool.file(told.offer)) == PIECE_BYTES


def test_a_device_taken_out_while_its_files_are_uploaded_has_lost_nothing(tmp_path: Path) -> None:
    device = DockDevice(card(tmp_path / "card", {SMALL: 100_000}))
    server = KindServer(TAKEN_AND_ERASED, takes_files=False)
    with station(tmp_path / "s", server) as running:
        device.plug(running.ports, "p1")
        running.wait(Phase.UPLOADING)
        assert running.state().is_removable
        device.unplug()
        running.wait(Phase.IDLE)
        server.takes_files = True
        running.until(lambda: running.spool.count_waiting() == 0)
        running.until(lambda: bool(server.endings))
    assert list(server.stored.values()) == [content(SMALL, 100_000)]
    assert server.outcomes() == ["finished"]
    assert list(files_of(device.card)) == [SMALL]


def test_a_killed_agent_goes_on_and_every_file_comes_once_and_whole(tmp_path: Path) -> None:
    chance = seeded("test_a_killed_agent_goes_on")
    names = [f"DCIM/100MEDIA/FILE{number:04}.MP4" for number in range(12)]
    root = card(tmp_path / "card", {name: 3 * PIECE_BYTES // (1 + number) for number, name in enumerate(names)})
    before = files_of(root)
    folder = tmp_path / "s"
    (folder / "ports").mkdir(parents=True)
    device = DockDevice(root, serial="CAM001")
    device.plug(folder / "ports", "p1")
    for _ in range(times(3, 40)):
        process = subprocess.Popen([sys.executable, "-m", "tests.support.dock_station", str(folder)], cwd=ROOT)
        time.sleep(0.4 + chance.random() * 0.6)
        process.kill()
        assert process.wait() == -9
        server = KindServer(folder=folder / "server")
        left = files_of(folder / "ports" / "p1")
        for name, data in before.items():
            assert left.get(name) == data or data in server.stored.values(), "lost between the camera and us"
    with station(folder, KindServer(TAKEN_AND_ERASED, folder=folder / "server"), backup=folder / "backup") as running:
        running.wait(Phase.REMOVABLE)
        device.unplug()
        running.until(lambda: running.spool.unbacked() == [])
        assert sorted(running.server.stored.values()) == sorted(before.values())
    assert files_of(root) == {}
    kept = {data for path, data in files_of(folder / "backup").items() if path != "ledger" and ".draft" not in path}
    assert kept == set(before.values())


def test_a_spool_that_is_full_waits_tells_and_goes_on_by_itself(tmp_path: Path) -> None:
    names: dict[str, bytes | int] = {f"DCIM/100MEDIA/FILE{number:04}.MP4": 6 << 20 for number in range(6)}
    device = DockDevice(card(tmp_path / "card", names), serial="CAM001")
    before = files_of(device.card)
    for folder, settings in (("low", {"keep_free_bytes": 6 << 20}), ("full", {"keep_free_bytes": -(1 << 30)})):
        server = KindServer(TAKEN, takes_files=False)
        with tmpfs(tmp_path / folder, mib=22), station(tmp_path / folder, server, **settings) as running:
            # The folder of ports is on this small disk, too: a device is a mount there, as it is in life.
            port = running.ports / "p1"
            port.mkdir()
            with bound(device.card, port):
                state = running.wait(Phase.WAITING_ROOM)
                assert (state.code, state.is_removable) == ("disk-low", False)
                assert shutil.disk_usage(tmp_path / folder).free >= settings["keep_free_bytes"]
                time.sleep(0.3)
                assert server.codes() == ["spool-full"], "told once"
                server.takes_files = True
                running.wait(Phase.REMOVABLE)
            assert sorted(server.stored.values()) == sorted(before.values())
            assert server.erasures == []


def test_without_a_network_a_device_that_was_taken_before_is_copied_and_told_of_later(tmp_path: Path) -> None:
    device = DockDevice(card(tmp_path / "card", {SMALL: 1000}))
    server = KindServer(TAKEN_AND_ERASED)
    with station(tmp_path / "s", server) as running:
        device.plug(running.ports, "p1")
        running.wait(Phase.REMOVABLE)
        device.unplug()
        running.wait(Phase.IDLE)
        card(device.card, {BIG: 5000})
        server.is_down = True
        running.station.set_online(False)
        device.plug(running.ports, "p1")
        state = running.wait(Phase.WAITING_NETWORK)
        assert (state.copied_files, state.is_removable) == (1, True)
        assert [docking.device for docking in server.later] == ["36NCC009910"]
        assert list(files_of(running.ports / "p1")) == [BIG]
        server.is_down = False
        running.station.set_online(True)
        running.wait(Phase.REMOVABLE)
        device.unplug()
    assert files_of(device.card) == {}
    assert server.announced[-1].id == server.later[0].id


def test_without_a_network_a_device_that_nobody_vouched_for_is_not_copied(tmp_path: Path) -> None:
    device = DockDevice(card(tmp_path / "card", {SMALL: 1000}))
    server = KindServer(TAKEN, is_down=True)
    with station(tmp_path / "s", server) as running:
        device.plug(running.ports, "p1")
        running.wait(Phase.WAITING_NETWORK)
        assert running.spool.waiting() == []
        device.unplug()
        running.until(lambda: bool(server.endings))
    assert [docking.device for docking in server.later] == ["36NCC009910"], "that it was here is told later"
    assert server.outcomes() == ["interrupted"]


def test_an_agent_that_is_stopped_and_started_takes_the_device_that_is_still_there(tmp_path: Path) -> None:
    device = DockDevice(card(tmp_path / "card", {SMALL: 1000}))
    server = KindServer(TAKEN_AND_ERASED, takes_files=False)
    with station(tmp_path / "s", server) as running:
        device.plug(running.ports, "p1")
        running.wait(Phase.UPLOADING)
    assert server.outcomes() == ["finished"]
    server.takes_files = True
    with station(tmp_path / "s", server) as running:
        running.wait(Phase.REMOVABLE)
        device.unplug()
    assert files_of(device.card) == {}


def test_a_card_mounted_for_reading_is_erased_through_the_stations_own_program(tmp_path: Path) -> None:
    need_root()
    root = card(tmp_path / "card", {SMALL: 1000})
    program = tmp_path / "remount"
    ports, asked = tmp_path / "s" / "ports", tmp_path / "asked"
    how = '[ "$1" = open ] && how=rw || how=ro'
    program.write_text(f'#!/bin/sh\necho "$1 $2" >> {asked}\n{how}\nexec mount -o "remount,bind,$how" "{ports}/$2"\n')
    program.chmod(0o755)
    with station(tmp_path / "s", KindServer(TAKEN_AND_ERASED), remount=program) as running:
        port = running.ports / "p1"
        port.mkdir()
        with bound(root, port, "ro"):
            running.wait(Phase.REMOVABLE)
    assert asked.read_text() == "open p1\nclose p1\n"
    assert files_of(root) == {}


def test_a_card_mounted_for_reading_without_such_a_program_says_so_and_is_not_cleared(tmp_path: Path) -> None:
    need_root()
    root = card(tmp_path / "card", {SMALL: 1000})
    with station(tmp_path / "s", KindServer(TAKEN_AND_ERASED)) as running:
        port = running.ports / "p1"
        port.mkdir()
        with bound(root, port, "ro"):
            state = running.wait(Phase.FAULT)
    assert "Read-only" in state.why
    assert list(files_of(root)) == [SMALL]


def test_every_file_rests_on_the_second_disk_and_its_loss_blocks_nothing(tmp_path: Path) -> None:
    device = DockDevice(card(tmp_path / "card", {SMALL: 70_000, BIG: 9 << 20}))
    with station(tmp_path / "s", backup=tmp_path / "backup") as running:
        device.plug(running.ports, "p1")
        running.wait(Phase.REMOVABLE)
        device.unplug()
        running.wait(Phase.IDLE)
        kept = files_of(tmp_path / "backup")
        ledger = kept.pop("ledger").decode().splitlines()
        assert sorted(kept.values()) == sorted(files_of(device.card).values())
        assert sorted(line.split("\t")[2] for line in ledger) == sorted(kept)
        shutil.rmtree(tmp_path / "backup")
        (tmp_path / "backup").write_text("not a disk any more")
        card(device.card, {"DCIM/video/2026-06-19/DSJ_36NCC009910_000001_20260619_111111.mp4": 1000})
        device.plug(running.ports, "p1")
        running.wait(Phase.REMOVABLE)
        device.unplug()
        assert running.server.codes() == ["backup-lost"]
        running.until(lambda: [told for told in running.spool.unbacked() if told.is_resting] == [])


@contextmanager
def bound(folder: Path, port: Path, how: str = "rw") -> Iterator[None]:
    """The folder mounted at a port."""
    need_root()
    subprocess.run(["mount", "--bind", str(folder), str(port)], check=True)  # noqa: S607
    try:
        if how == "ro":
            subprocess.run(["mount", "-o", "remount,bind,ro", str(port)], check=True)  # noqa: S607
        yield
    finally:
        subprocess.run(["umount", "-l", str(port)], check=True)  # noqa: S607


@contextmanager
def tmpfs(folder: Path, *, mib: int) -> Iterator[None]:
    """A small disk."""
    need_root()
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={mib}m", "dock-test", str(folder)], check=True)  # noqa: S607
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)  # noqa: S607
