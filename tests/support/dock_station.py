# SPDX-License-Identifier: Apache-2.0
"""This is where tests get a dock station that runs: real ports and spool, and a server that is kind or as told.

The server is a small real one in this process: it keeps what it is told, and takes files from the spool as the
uploader does, whole, with a receipt for what it measured.
"""

import hashlib
import os
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from devices.agent.desk import StationSettings
from devices.agent.server_port import Alarm, Answer, Docking, Ending, ErasureFile, Known
from devices.agent.spool import Spool
from devices.agent.spool_rows import SpoolFile
from devices.agent.states import Phase, PortState
from devices.agent.station import Station
from evidence.errors import Conflict, FixityMismatch, NotFound, ServerUnavailable, StoreUnavailable
from evidence.receipt import Receipt

TAKEN = Answer(is_taken=True)
TAKEN_AND_ERASED = Answer(is_taken=True, erases=True)
_PATIENCE_S = 30.0


@dataclass
class KindServer:
    """Does as `answer` says; `is_down` makes every question fail. All that it was told is there to be looked at."""

    answer: Answer = TAKEN
    is_down: bool = False
    takes_files: bool = True
    forges: Callable[[Receipt], Receipt | None] = lambda receipt: receipt
    erasure_refused: bool = False
    announced: list[Docking] = field(default_factory=list)
    later: list[Docking] = field(default_factory=list)
    manifests: dict[str, bytes] = field(default_factory=dict)
    erasures: list[tuple[str, tuple[ErasureFile, ...]]] = field(default_factory=list)
    alarms: list[Alarm] = field(default_factory=list)
    endings: list[Ending] = field(default_factory=list)
    stored: dict[str, bytes] = field(default_factory=dict)
    order: list[str] = field(default_factory=list)
    mismatches: int = 0
    folder: Path | None = None

    def __post_init__(self) -> None:
        if self.folder is not None and self.folder.exists():
            self.stored = {one.name: one.read_bytes() for one in self.folder.iterdir() if one.name[0] != "."}

    def announce(self, docking: Docking, manifest: Path) -> Answer:
        self._check()
        self.announced.append(docking)
        self.manifests[docking.id] = manifest.read_bytes()
        return self.answer

    def announce_later(self, docking: Docking, manifest: Path) -> None:
        self.later.append(docking)

    def known(self, offers: Sequence[str]) -> Mapping[str, Known]:
        self._check()
        sealed = {one: hashlib.sha256(self.stored[one]).hexdigest() for one in offers if one in self.stored}
        return {one: Known(one, f"rec-{one[4:]}", "new", sha256, is_sealed=True) for one, sha256 in sealed.items()}

    def receipt(self, offer: str) -> Receipt | None:
        self._check()
        return None

    def ask_erasure(self, docking: str, files: Iterable[ErasureFile]) -> None:
        self._check()
        asked = tuple(files)
        if self.erasure_refused:
            raise Conflict("not sealed")
        for file in asked:
            assert hashlib.sha256(self.stored[file.offer]).hexdigest() == file.sha256
        self.erasures.append((docking, asked))

    def tell_alarm(self, alarm: Alarm) -> None:
        self.alarms.append(alarm)

    def tell_end(self, ending: Ending) -> None:
        self.endings.append(ending)

    def take_from(self, spool: Spool) -> None:
        """Take every file that is whole, and answer each with a receipt."""
        for told in spool.waiting():
            if told.sha256 is not None:
                self._take(told, spool)

    def codes(self) -> list[str]:
        return [alarm.code for alarm in self.alarms]

    def outcomes(self) -> list[str]:
        return [ending.outcome for ending in self.endings]

    def _take(self, told: SpoolFile, spool: Spool) -> None:
        try:
            with spool.open(told.offer) as reader:
                data = reader.read()
        except NotFound:
            return
        assert self.stored.get(told.offer, data) == data
        self.stored[told.offer] = data
        if self.folder is not None:
            self.folder.mkdir(exist_ok=True)
            (self.folder / f".{told.offer}").write_bytes(data)
            (self.folder / f".{told.offer}").rename(self.folder / told.offer)
        self.order.append(told.port)
        digest = hashlib.sha256(data).hexdigest()
        receipt = self.forges(Receipt(f"rec-{told.offer[4:]}", digest, len(data), datetime.now(UTC), {}))
        if receipt is not None:
            try:
                spool.take_receipt(told.offer, receipt)
            except FixityMismatch:
                self.mismatches += 1

    def _check(self) -> None:
        if self.is_down:
            raise ServerUnavailable("no network")


@dataclass
class RunningStation:
    """A station at work."""

    ports: Path
    home: Path
    server: KindServer
    spool: Spool
    station: Station
    states: list[PortState]
    failures: list[Exception]

    def state(self, port: str = "p1") -> PortState:
        return self.station.board.state(port)

    def wait(self, *phases: Phase, port: str = "p1", timeout_s: float = _PATIENCE_S) -> PortState:
        """Wait until the port shows one of these."""
        deadline = time.monotonic() + timeout_s
        while (state := self.state(port)).phase not in phases:
            assert not self.failures, self.failures
            assert time.monotonic() < deadline, (state, self.server.alarms)
            time.sleep(0.005)
        return state

    def until(self, happened: Callable[[], bool], *, timeout_s: float = _PATIENCE_S) -> None:
        """Wait until this is so."""
        deadline = time.monotonic() + timeout_s
        while not happened():
            assert not self.failures, self.failures
            assert time.monotonic() < deadline, (self.station.board.states(), self.server.alarms)
            time.sleep(0.005)


@contextmanager
def station(folder: Path, server: KindServer | None = None, **settings: object) -> Iterator[RunningStation]:
    """A station whose ports, spool and status are in `folder`, and go on where an earlier one left them."""
    ports, home = folder / "ports", folder / "dock"
    ports.mkdir(parents=True, exist_ok=True)
    told: dict[str, object] = {"keep_free_bytes": 0, "look_s": 0.05, "retry_s": 0.1} | settings
    kind, spool = server or KindServer(), Spool(home / "spool")
    states, failures = list[PortState](), list[Exception]()
    made = Station(
        StationSettings(dock="dock-1", ports=ports, home=home, **told),  # type: ignore[arg-type]
        kind,
        spool,
        wall=lambda: datetime.now(UTC),
        monotonic=time.monotonic,
        on_state=states.append,
        on_failure=failures.append,
    )
    running = threading.Thread(target=made.run, daemon=True)
    ended = threading.Event()
    uploader = threading.Thread(target=_upload, args=(kind, spool, ended, failures), daemon=True)
    running.start()
    uploader.start()
    try:
        yield RunningStation(ports, home, kind, spool, made, states, failures)
    finally:
        made.stop()
        ended.set()
        running.join(_PATIENCE_S)
        uploader.join(_PATIENCE_S)
        assert not running.is_alive()
        spool.close()
    assert not failures, failures


def _upload(server: KindServer, spool: Spool, ended: threading.Event, failures: list[Exception]) -> None:
    while not ended.wait(0.02):
        if server.is_down or not server.takes_files:
            continue
        try:
            server.take_from(spool)
        except StoreUnavailable:  # a full disk: once more, as the uploader does
            continue
        except Exception as error:
            failures.append(error)
            return


def card(folder: Path, files: Mapping[str, bytes | int], *, serial: str | None = None) -> Path:
    """A card with these files: bytes, or so many bytes that are the same for the same name; all of one time."""
    for path, told in files.items():
        place = folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content(path, told) if isinstance(told, int) else told)
        os.utime(place, ns=(1_760_000_000 * 10**9, 1_760_000_000 * 10**9))
    if serial is not None:
        (folder / "ID.txt").write_text(serial, "ascii")
        (folder / "DCIM").mkdir(exist_ok=True)
    return folder


def content(path: str, size_bytes: int) -> bytes:
    """So many bytes that no other path has."""
    block = hashlib.shake_256(path.encode()).digest(1 << 16)
    return (block * (size_bytes // len(block) + 1))[:size_bytes]


def files_of(folder: Path) -> dict[str, bytes]:
    """All files beneath a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def main(folder: Path) -> None:
    """A station in a process of its own, until it is killed."""
    server = KindServer(TAKEN_AND_ERASED, folder=folder / "server")
    with station(folder, server, backup=folder / "backup") as running:
        while not running.failures:
            time.sleep(0.1)
    raise SystemExit(1)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
