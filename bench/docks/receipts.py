# SPDX-License-Identifier: Apache-2.0
"""This is where the way from a device to the receipt is timed: dock station, server and worker on one machine."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from statistics import median
from typing import Any

from app import clocks
from app.settings import load_settings
from app.wiring import wired
from bench.footage import SERIAL, film_long
from bench.result import Result, at_least, figures_of, paragraphs, seconds
from bench.timing import run_program, timed
from devices.agent.server_enrolment import enrol
from evidence.device import Device
from evidence.errors import Unavailable
from pipeline.devices_register import register_device
from pipeline.docks import Invitation, invite
from storage.register import jobs

_FILES, _FILE_BYTES = 4, 256 << 20
_WANTED = 0.7
_PATIENCE_S = 600.0
_ROOT = Path(__file__).parents[2]
_COMPARED = paragraphs("""
Ours is from the moment the dock sees the device until it has verified the receipt of every file: everything that
copying does, then HTTPS to `evidock serve`, a piece of 8 MiB at a time with its SHA-256, each made durable, and what
a worker does to the receipt: SHA-256, chunk tree and packet table of each file, the store read back and compared.
What each pass over the bytes costs is in the table below: seven of them are SHA-256, by three processes on one
machine. Steps that come after the receipt (a picture small enough to show, segments …) run beside it: the worker
begins them with the first receipt, and they take processors from the recordings that are still on their way.

Theirs is `cp -r` of the same card and one `fsync` of each copy. Both read from the page cache and write to the same
disk, and take turns; one round unmeasured first.
""")


@dataclass(frozen=True, slots=True)
class _Run:
    """Seconds of one round, from the moment the device was seen."""

    copied_s: float
    received_s: float


def measure_receipts(folder: Path, *, repeats: int) -> Result:
    """From the device to the receipt, beside `cp` and `fsync`."""
    film = film_long(folder / "film", size_bytes=_FILE_BYTES, grain=20).path
    theirs, ours, copied = list[float](), list[float](), list[float]()
    size = 0
    with _hall(folder) as hall:
        for number in range(repeats + 1):
            card = _card(folder / "card", film, number)
            size = sum(path.stat().st_size for path in card.rglob("*") if path.is_file())
            their = _cp(card, folder / "cp")
            our = hall.dock(card, number)
            if number:
                theirs.append(their)
                ours.append(our.received_s)
                copied.append(our.copied_s)
    ratios = [their / our for their, our in zip(theirs, ours, strict=True)]
    rows = []
    for who, times in (("cp + fsync", theirs), ("dock, to the spool", copied), ("dock, to the receipts", ours)):
        share = median(their / own for their, own in zip(theirs, times, strict=True))
        rows.append((who, *seconds(times), f"{size / median(times) / 1e6:.0f} MB/s", f"{share:.2f}"))
    figures: dict[str, Any] = {
        "cp_s": figures_of(theirs),
        "copied_s": figures_of(copied),
        "received_s": figures_of(ours),
        "ratio": figures_of(ratios),
        "card_bytes": size,
    }
    goal = at_least("from the device to the receipt, of cp + fsync", _WANTED, median(ratios))
    columns = ("", "median", "least to most", "a second", "of cp")
    title = f"From the device to the receipt: {_FILES} recordings of {_FILE_BYTES >> 20} MiB"
    return Result("receipts", title, _COMPARED, columns, tuple(rows), figures, (goal,))


def _card(folder: Path, film: Path, number: int) -> Path:
    """Recordings that no round had before: a film, and a box that players skip. Source: ISO/IEC 14496-12 §8.1.2."""
    for place in range(_FILES):
        path = folder / "DCIM" / "100MEDIA" / f"DSJ_{SERIAL}_000123_20260619_{number:02}{place:02}00.mp4"
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(film, path)
        with path.open("ab") as out:
            out.write((24).to_bytes(4, "big") + b"free" + os.urandom(16))
    return folder


def _cp(card: Path, target: Path) -> float:
    os.sync()

    def copy() -> None:
        run_program(["cp", "-r", str(card), str(target)])
        for path in target.rglob("*.mp4"):
            with path.open("rb") as file:
                os.fsync(file.fileno())

    taken = timed(copy)
    shutil.rmtree(target)
    return taken


class _Hall:
    """A server, a worker and a station, as processes, in a folder."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self._folder, self._stack = folder, stack
        self._ports = folder / "ports"
        self._station = folder / "station"
        self._log = folder / "dock.log"

    def start(self) -> None:
        """Start all three; the station is enrolled."""
        home, place = self._folder / "server", self._folder / "serve.log"
        self._ports.mkdir()
        settings = {"EVIDOCK_HOME": str(home), "EVIDOCK_SERVE": "127.0.0.1:0"}
        with wired(load_settings(settings), actor="bench") as ports:
            register_device(Device(SERIAL, clock_offset_ms=0), ports=ports, now=clocks.now())
            code = invite(Invitation("bench"), ports=ports, now=clocks.now()).code
        self._process(["serve"], settings, place)
        _until(lambda: "SHA-256" in place.read_text(), "the server answers")
        words = next(line for line in map(json.loads, place.read_text().splitlines()) if "SHA-256" in line["words"])
        url, fingerprint = words["words"].split()[0], words["words"].rpartition(" ")[2]
        enrol(self._station / "dock", url=url, code=code, name="bench", fingerprint=fingerprint)
        self._process(["worker"], settings, self._folder / "worker.log")
        station = {"EVIDOCK_HOME": str(self._station), "EVIDOCK_DOCK_PORTS": str(self._ports)}
        self._process(["dock", "run"], station, self._log)
        _until(lambda: (self._station / "dock" / "network.json").exists(), "the station runs")

    def dock(self, card: Path, number: int) -> _Run:
        """Plug a card in, and wait for its receipts."""
        os.sync()
        port = f"p{number}"
        card.rename(self._ports / port)
        _until(lambda: "removable" in self._times(port), "the receipts came", pause_s=0.1)
        times = self._times(port)
        shutil.rmtree(self._ports / port)
        began = times["identifying"]
        _until(self._is_idle, "the worker is done", pause_s=0.5)
        return _Run((times["uploading"] - began).total_seconds(), (times["removable"] - began).total_seconds())

    def _times(self, port: str) -> dict[str, datetime]:
        """When a port first showed what."""
        found: dict[str, datetime] = {}
        for line in self._log.read_text().splitlines():
            told = json.loads(line)
            if told.get("port") == port:
                found.setdefault(told["phase"], datetime.fromisoformat(told["at"]))
        return found

    def _is_idle(self) -> bool:
        settings = load_settings({"EVIDOCK_HOME": str(self._folder / "server")})
        with wired(settings, actor="bench") as ports, ports.register.view() as connection:
            counts = jobs.counts(connection)
        return not counts.get("runnable", 0) + counts.get("leased", 0)

    def _process(self, words: list[str], settings: dict[str, str], log: Path) -> None:
        environment = os.environ | settings | {"EVIDOCK_LOG": "json"}
        command = [sys.executable, "-m", "app", *words]
        out = self._stack.enter_context(log.open("ab"))
        process = subprocess.Popen(
            command, cwd=_ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=out
        )
        self._stack.callback(process.wait)
        self._stack.callback(process.send_signal, signal.SIGTERM)


@contextmanager
def _hall(folder: Path) -> Iterator[_Hall]:
    with ExitStack() as stack:
        made = _Hall(folder, stack)
        made.start()
        yield made


def _until(claim: Any, words: str, *, pause_s: float = 0.05) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while not claim():
        if time.monotonic() > deadline:
            raise Unavailable(f"not within {_PATIENCE_S:.0f} s: {words}")
        time.sleep(pause_s)
