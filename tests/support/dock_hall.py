# SPDX-License-Identifier: Apache-2.0
"""This is where tests get a whole hall: a server, a worker and a dock station as processes, and a wire between them.

Cards are folders that are moved into the station's ports whole. The bytes of films are noise: they are received and
put aside, which costs a worker little.
"""

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from app import clocks
from pipeline.docks import switch_erasing
from tests.support.dock_sender import enrolled_at
from tests.support.dock_wire import Wire, wire_to
from tests.support.home import NOON, Home, dsj_name, open_home, track
from tests.support.nursery import ROOT
from tests.support.servers import Process, until
from tests.support.web_server import ServerProcess, server_process

MIB = 1 << 20


class StationProcess:
    """`evidock dock run`; a test may kill it and start it again."""

    def __init__(self, home: Path, ports: Path, **settings: str) -> None:
        self.home, self.ports, self.folder = home, ports, home / "dock"
        self._settings = settings
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        return self.home / "dock.log"

    def start(self) -> None:
        told = {"EVIDOCK_HOME": str(self.home), "EVIDOCK_DOCK_PORTS": str(self.ports), "EVIDOCK_SPOOL_FREE": "64 MiB"}
        given = {f"EVIDOCK_{name.upper()}": value for name, value in self._settings.items()}
        command = [sys.executable, "-m", "app", "dock", "run"]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command, cwd=ROOT, env=os.environ | told | given, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        until(lambda: (self.folder / "network.json").exists(), "the station runs")

    def send(self, number: signal.Signals) -> int:
        """Send a signal that ends it; the exit status."""
        process, self.process = self.process, None
        if process is None:
            return 0
        process.send_signal(number)
        return process.wait(30)

    def memory(self) -> int:
        """The most that it ever had resident, in bytes."""
        assert self.process is not None
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return next(int(line.split()[1]) << 10 for line in status.splitlines() if line.startswith("VmHWM"))

    def network(self) -> dict[str, Any]:
        return dict(json.loads((self.folder / "network.json").read_text()))

    def phases(self) -> dict[str, str]:
        """What each port shows."""
        with suppress(FileNotFoundError):
            ports = json.loads((self.folder / "status.json").read_text())["ports"]
            return {name: one["phase"] for name, one in ports.items()}
        return {}

    def uploaded(self) -> dict[str, int]:
        """The bytes of each port that the server acknowledged."""
        base = sqlite3.connect(f"file:{self.folder}/spool/journal.sqlite?mode=ro", uri=True, timeout=10)
        with closing(base):
            return dict(base.execute("SELECT port, sum(uploaded_bytes) FROM files GROUP BY port").fetchall())


@dataclass(slots=True)
class Hall:
    """All of it."""

    folder: Path
    home: Home
    server: ServerProcess
    wire: Wire
    station: StationProcess
    environment: dict[str, str]
    sources: list[Path] = field(default_factory=list)
    worker: Process | None = None

    def start_worker(self) -> None:
        log = self.folder / "worker.log"
        self.worker = Process("tests.support.worker_process", environment=self.environment, log=log)

    def end_worker(self) -> None:
        if self.worker is not None:
            self.worker.end()

    def card(self, number: int, sizes: tuple[int, ...], *, tracks: int = 1) -> Path:
        """A card with films of these sizes and some tracks, not plugged in; its device is registered."""
        serial = f"36NCC{number:06d}"
        self.home.add_device(serial)
        card = self.folder / "cards" / serial
        films = card / "DCIM" / "100MEDIA"
        films.mkdir(parents=True)
        chance = random.Random(number)
        for place, size in enumerate(sizes):
            path = films / dsj_name(serial, at=NOON + timedelta(hours=place), ending="mp4")
            with path.open("wb") as out:
                for left in range(size, 0, -MIB):
                    out.write(chance.randbytes(min(MIB, left)))
        for place in range(tracks):
            track(films, dsj_name(serial, at=NOON + timedelta(minutes=place)), number=100 * number + place)
        self.sources += sorted(path for path in films.iterdir())
        return card

    def plug_in(self, card: Path, port: str) -> Path:
        """The folder where it is then."""
        place = self.station.ports / port
        card.replace(place)
        self.sources = [place / path.relative_to(card) if path.is_relative_to(card) else path for path in self.sources]
        return place

    def jobs_are_done(self) -> bool:
        return self.home.open_jobs() == [] and len(self.home.facts()["originals"]) == len(self.sources)


@contextmanager
def hall(folder: Path, *, erases: bool = False, **settings: str) -> Iterator[Hall]:
    """One with an enrolled station; server and station run. `settings` are the server's."""
    with ExitStack() as stack:
        home = stack.enter_context(open_home(folder / "server", **settings))
        environment = {"EVIDOCK_HOME": str(folder / "server")}
        environment |= {f"EVIDOCK_{name.upper()}": value for name, value in settings.items()}
        server = stack.enter_context(server_process(folder / "server", **settings))
        wire = stack.enter_context(wire_to(server.port))
        enrolment = enrolled_at(home, folder / "station" / "dock", f"http://127.0.0.1:{wire.port}")
        if erases:
            switch_erasing(enrolment.dock, erases=True, why="order 3", ports=home.ports, now=clocks.now())
        ports = folder / "ports"
        ports.mkdir()
        station = StationProcess(folder / "station", ports)
        made = Hall(folder, home, server, wire, station, environment)
        stack.callback(made.end_worker)
        stack.callback(lambda: station.send(signal.SIGKILL))
        station.start()
        yield made
