# SPDX-License-Identifier: Apache-2.0
"""F5, a disk without room: taking in stops before it is full, a full one loses nothing, and all goes on by itself."""

import os
import random
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from evidence.errors import DiskLow
from evidence.verdict import Verdict
from pipeline.audit import verify_all
from storage.register import jobs, search
from storage.register.publisher import publish
from tests.support.chaos import seeded
from tests.support.command import evidock
from tests.support.footage import missing
from tests.support.servers import Installation, Process, assert_all_finished_once, installation, until

MIB = 1 << 20
ALERT_S, RECOVERY_S = 10.0, 60.0


class SmallDisk:
    """A file system in memory, of the size that a test gives it."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @property
    def free(self) -> int:
        facts = os.statvfs(self.root)
        return facts.f_bavail * facts.f_frsize

    def grow(self, mib: int) -> None:
        _run("mount", "-o", f"remount,size={mib}m", str(self.root))

    def fill(self) -> Path:
        """Leave not one block free; remove the file that is returned to make room again."""
        ballast = self.root / "ballast"
        with ballast.open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(4096))
            except OSError:
                pass
        return ballast


@contextmanager
def small_disk(root: Path, *, mib: int) -> Iterator[SmallDisk]:
    """A small disk mounted at `root`, gone at the end."""
    if os.geteuid() != 0:
        pytest.skip("only root mounts disks")
    root.mkdir(parents=True)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={mib}m", "tmpfs", str(root)],  # noqa: S607
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode:
        missing("leave to mount a disk", remedy=f"run as root, outside a container ({mounted.stderr.strip()})")
    try:
        yield SmallDisk(root)
    finally:
        _run("umount", "-l", str(root))


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)


def cards(folder: Path, count: int, *, mib: int, chance: random.Random) -> list[Path]:
    """Different side files of a GPS logger, large ones: nothing is decoded, all is kept."""
    folder.mkdir(parents=True)
    made = []
    for number in range(count):
        path = folder / f"track-{number}.nmea"
        line = f"$GPRMC,040100.00,A,3114.{number:05d},N,12128.00000,E,0.0,0.0,190626,,,A*00\r\n".encode()
        path.write_bytes(line + chance.randbytes(mib * MIB // 2).hex().encode())
        made.append(path)
    return made


@contextmanager
def processes(made: Installation, folder: Path, *docks: Path) -> Iterator[tuple[Path, Path]]:
    """A worker, and a watcher of these docks; yields what each says, in files that are not on the small disk."""
    logs = folder / "worker.log", folder / "watcher.log"
    started = [Process("tests.support.worker_process", environment=made.environment, log=logs[0])]
    if docks:
        words = [str(dock) for dock in docks]
        started.append(Process("tests.support.watcher_process", *words, environment=made.environment, log=logs[1]))
    try:
        yield logs
    finally:
        for one in started:
            one.end()


def recordings(made: Installation) -> list[str]:
    with made.ports.register.view() as connection:
        return [row["id"] for row in search.find_recordings(connection)]


def assert_proven(made: Installation) -> None:
    publish(made.ports.register, made.ports.log)
    report = verify_all(made.ports)
    assert report.verdict is Verdict.PROVEN, report.findings


def test_taking_in_stops_before_the_disk_is_full_and_goes_on_when_there_is_room(tmp_path: Path) -> None:
    card = cards(tmp_path / "dock", 8, mib=3, chance=seeded("disk_full"))
    with (
        small_disk(tmp_path / "home", mib=24) as disk,
        installation(disk.root, quiet_s="0.2", spool_free="6 MiB") as made,
        processes(made, tmp_path, tmp_path / "dock") as (_, said),
    ):
        began = time.monotonic()
        until(lambda: "(disk-low)" in said.read_text(), "it is told", timeout_s=ALERT_S)
        told_after = time.monotonic() - began
        until(lambda: not made.open_jobs(), "what was taken is done")
        time.sleep(0.5)  # whatever it might still wrongly take
        taken = recordings(made)
        assert 0 < len(taken) < len(card)
        # Its own books (register, log, chunk leaves) go on growing into the reserve: for that it is there.
        assert disk.free > 5 * MIB
        assert all(path.exists() for path in card)
        disk.grow(64)
        began = time.monotonic()
        until(lambda: len(recordings(made)) == len(card), "the rest is taken", timeout_s=RECOVERY_S)
        until(lambda: not made.open_jobs(), "all is done", timeout_s=RECOVERY_S)
        print(
            f"told after {told_after:.1f} s, {len(taken)} of {len(card)} taken, "
            f"all done {time.monotonic() - began:.1f} s after there was room"
        )
        assert said.read_text().count("(disk-low)") == 1
        assert "watcher: works again" in said.read_text()
        assert_all_finished_once(made, recordings(made))
        assert_proven(made)


@pytest.mark.parametrize("place", ["home", "objects", "register"])
def test_a_disk_that_fills_up_all_the_same_loses_nothing(tmp_path: Path, place: str) -> None:
    cards(tmp_path / "card", 4, mib=1, chance=seeded("disk_full"))
    with small_disk(tmp_path / "small", mib=20) as disk:
        home = disk.root if place == "home" else tmp_path / "home"
        where = {
            "home": {},
            "objects": {"objects_url": f"file://{disk.root}/objects"},
            "register": {"register_url": f"sqlite:///{disk.root}/register.db"},
        }[place]
        with installation(home, spool_free="0", **where) as made, processes(made, tmp_path) as (said, _):
            time.sleep(0.5)
            taken = made.take_in(tmp_path / "card")
            ballast = disk.fill()
            until(lambda: "trying on" in said.read_text() or failures(made), "it is met", timeout_s=ALERT_S)
            time.sleep(1.0)
            assert disk.free < MIB // 16
            assert all(path.exists() for path in (tmp_path / "card").iterdir())
            ballast.unlink()
            began = time.monotonic()
            until(lambda: not made.open_jobs(), "all is done once there is room", timeout_s=RECOVERY_S)
            print(f"{place}: all done {time.monotonic() - began:.1f} s after there was room")
            assert_all_finished_once(made, taken)
            assert_proven(made)


def failures(made: Installation) -> bool:
    """True when a job was put back because the disk was full."""
    with made.ports.register.view() as connection:
        return any(row.failures for row in jobs.open_jobs(connection))


def test_ingest_takes_what_fits_says_so_and_goes_on_when_called_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.cli.ingest._PATIENCE_S", 0.5)
    cards(tmp_path / "card", 6, mib=3, chance=seeded("disk_full"))
    with small_disk(tmp_path / "home", mib=20) as disk:
        first = evidock("ingest", tmp_path / "card", home=disk.root, EVIDOCK_SPOOL_FREE="5 MiB")
        assert first.status == DiskLow.exit_status
        assert "EVIDOCK_SPOOL_FREE" in first.err
        assert disk.free > 4 * MIB
        disk.grow(64)
        again = evidock("ingest", tmp_path / "card", "--json", home=disk.root, EVIDOCK_SPOOL_FREE="5 MiB")
        assert again.status == 0
        assert len(again.json["recordings"]) == 6
        assert evidock("verify", "--all", home=disk.root).status == 0
