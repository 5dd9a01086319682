# SPDX-License-Identifier: Apache-2.0
"""This is where a dock's copying is timed beside `cp` and `fsync` of the same files onto the same disk."""

import os
import shutil
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from bench.result import Result, at_least, figures_of, paragraphs, seconds
from bench.timing import run_program, timed
from devices.agent.desk import StationSettings
from devices.agent.server_port import Alarm, Answer, Docking, Ending, ErasureFile, Known
from devices.agent.spool import Spool
from devices.agent.states import Phase, PortState
from devices.agent.station import Station
from evidence.errors import StoreUnavailable
from evidence.receipt import Receipt

_CARDS = {
    "recordings of 256 MiB": (4, 256 << 20),
    "recordings of 16 MiB": (64, 16 << 20),
    "files of 1 MiB": (256, 1 << 20),
}
_WANTED = 0.9
_PATIENCE_S = 600.0
_COMPARED = paragraphs("""
Ours is a dock station from the moment it identifies the device until every file lasts in its spool: binding and
clock looked for, everything listed in a manifest, SHA-256 of each file in the same read, one `fsync` of each file, of
the folder with its name, and then of the journal. Files are made durable while the next are copied. The server takes
nothing meanwhile.

Theirs is `cp -r` of the same folder and one `fsync` of each copy; names are not made durable. Both read
from the page cache and write to the same disk, and take turns; one round unmeasured first.
""")


def measure_copying(folder: Path, *, repeats: int) -> Result:
    """Copy rates of a dock station, beside `cp` and `fsync`."""
    figures, rows, goals = {}, [], []
    for name, (count, size) in _CARDS.items():
        card = _card(folder / "card", count, size)
        theirs, ours = list[float](), list[float]()
        for number in range(repeats + 1):
            one, other = _cp(card, folder / "cp"), _dock(card, folder / "station")
            if number:
                theirs.append(one)
                ours.append(other)
        shutil.rmtree(card)
        ratios = [their / our for their, our in zip(theirs, ours, strict=True)]
        for who, times, share in (("cp + fsync", theirs, 1.0), ("dock", ours, median(ratios))):
            rate = f"{count * size / median(times) / 1e6:.0f} MB/s"
            rows.append((f"{name}: {who}", *seconds(times), rate, f"{share:.2f}"))
        figures[name] = {"cp_s": figures_of(theirs), "dock_s": figures_of(ours), "ratio": figures_of(ratios)}
        if size >= 16 << 20:
            goals.append(at_least(f"{name}, of cp + fsync", _WANTED, median(ratios)))
    columns = ("", "median", "least to most", "a second", "of cp")
    return Result("copying", "From the device into the dock", _COMPARED, columns, tuple(rows), figures, tuple(goals))


def _card(folder: Path, count: int, size: int) -> Path:
    block = os.urandom(1 << 20)
    for number in range(count):
        place = folder / "DCIM" / "100MEDIA" / f"FILE{number:04}.MP4"
        place.parent.mkdir(parents=True, exist_ok=True)
        with place.open("wb") as file:
            for _ in range(size // len(block)):
                file.write(block)
    (folder / "ID.txt").write_text("BENCH01", "ascii")
    return folder


def _cp(card: Path, target: Path) -> float:
    shutil.rmtree(target, ignore_errors=True)
    os.sync()

    def copy() -> None:
        run_program(["cp", "-r", str(card), str(target)])
        for path in target.rglob("*"):
            if path.is_file():
                with path.open("rb") as file:
                    os.fsync(file.fileno())

    taken = timed(copy)
    shutil.rmtree(target)
    return taken


def _dock(card: Path, folder: Path) -> float:
    shutil.rmtree(folder, ignore_errors=True)
    ports = folder / "ports"
    ports.mkdir(parents=True)
    spool, seen, copied = Spool(folder / "spool"), dict[Phase, float](), threading.Event()

    def shown(state: PortState) -> None:
        seen.setdefault(state.phase, time.perf_counter())
        if state.phase is Phase.UPLOADING:
            copied.set()

    failures: list[Exception] = []
    station = Station(
        StationSettings(dock="dock-1", ports=ports, home=folder, keep_free_bytes=0, look_s=0.02),
        _Silent(),
        spool,
        wall=lambda: datetime.now(UTC),
        monotonic=time.monotonic,
        on_state=shown,
        on_failure=failures.append,
    )
    os.sync()
    running = threading.Thread(target=station.run)
    running.start()
    card.rename(ports / "p1")
    is_copied = copied.wait(_PATIENCE_S)
    station.stop()
    running.join()
    (ports / "p1").rename(card)
    spool.close()
    shutil.rmtree(folder)
    if failures or not is_copied:
        raise StoreUnavailable(f"the dock did not copy the card: {failures}")
    return seen[Phase.UPLOADING] - seen[Phase.IDENTIFYING]


class _Silent:
    """A server that takes every device, and nothing more."""

    def announce(self, docking: Docking, manifest: Path) -> Answer:
        return Answer(is_taken=True)

    def announce_later(self, docking: Docking, manifest: Path) -> None:
        return

    def known(self, offers: Sequence[str]) -> Mapping[str, Known]:
        return {}

    def receipt(self, offer: str) -> Receipt | None:
        return None

    def ask_erasure(self, docking: str, files: Iterable[ErasureFile]) -> None:
        return

    def tell_alarm(self, alarm: Alarm) -> None:
        return

    def tell_end(self, ending: Ending) -> None:
        return
