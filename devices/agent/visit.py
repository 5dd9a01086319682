# SPDX-License-Identifier: Apache-2.0
"""This is where one docking is a value, with the ways it may be broken off while its task works or waits."""

import os
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from devices.agent.desk import Desk
from devices.agent.plug import Plug
from devices.agent.states import Phase
from devices.agent.turns import Turn
from evidence.errors import SourceUnavailable
from evidence.offer import Offer
from pipeline.dock_manifest import Row, read_manifest
from storage.durable import store_errors

_PROBE_S = 0.5


class TakenOut(SourceUnavailable):
    """The device was taken out."""


class Stopped(SourceUnavailable):
    """The agent is being stopped."""


@dataclass(slots=True)
class Visit:
    """A device in a port. `gone` is set by who watches the ports, from another thread."""

    desk: Desk
    plug: Plug
    docking: str
    serial: str | None = None
    is_priority: bool = False
    is_erasing: bool = False
    erased: int = 0
    gone: threading.Event = field(default_factory=threading.Event)
    turn: Turn | None = None
    faults: Counter[str] = field(default_factory=Counter)
    first_fault: str = ""

    @property
    def prefix(self) -> str:
        """What stands before every path of this device when the server is told.

        Two devices in one dock often have files of the same name, size and time. One without a name shares
        nothing with anyone: the docking stands for it.
        """
        return f"{self.serial or self.docking}/"

    @property
    def manifest(self) -> Path:
        """The file with all that the device listed."""
        return self.desk.settings.home / "manifests" / self.docking

    def rows(self) -> Iterator[Row]:
        """The files that are taken, as they were listed. Raises: RecordMalformed, StoreUnavailable."""
        with store_errors("the dock's manifest cannot be read"), self.manifest.open("rb") as source:
            yield from (row for row in read_manifest(source) if row.ignored is None)

    def card_path(self, row: Row) -> str:
        """Where the file lies on the device."""
        return row.path.removeprefix(self.prefix)

    def offer(self, row: Row) -> Offer:
        """The offer that the file becomes."""
        name = row.path.rpartition("/")[2]
        return Offer(self.desk.settings.dock, row.path, name, row.size_bytes or 0, row.mtime_ns or 0)

    def show(self, phase: Phase, **changes: object) -> None:
        """Change what the port shows, while it still shows this docking."""
        self.desk.board.show(self.plug.port, phase, of_docking=self.docking, **changes)

    def fault(self, code: str, text: str) -> None:
        """A file was not taken as listed: an alarm at the first of each kind, and nothing will be erased."""
        if not self.faults[code]:
            self.desk.alarm(code, text, device=self.serial)
        self.faults[code] += 1
        self.first_fault = self.first_fault or code

    def check(self) -> None:
        """Return while the device is in its port and the agent runs.

        Raises:
            TakenOut, Stopped: otherwise.
        """
        if self.gone.is_set():
            raise TakenOut("the device was taken out")
        if self.desk.stop.is_set():
            raise Stopped("the dock is being stopped")

    def probe(self) -> None:
        """Return when the device can still be listed.

        Raises:
            TakenOut, Stopped: otherwise.
        """
        self.check()
        try:
            at = os.open(self.plug.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                with os.scandir(at) as listing:
                    next(listing, None)
            finally:
                os.close(at)
        except OSError as error:
            raise TakenOut(f"the device can no longer be read: {error.strerror}", errno=error.errno) from error

    def pause(self, seconds: float) -> None:
        """Wait. Raises: TakenOut, Stopped, soon after it is so."""
        end = self.desk.monotonic() + seconds
        while (left := end - self.desk.monotonic()) > 0:
            self.gone.wait(min(left, _PROBE_S))
            self.probe()

    @contextmanager
    def taking_turns(self) -> Iterator[Turn]:
        """Copy when it is this port's turn."""
        with self.desk.turns.turn(is_priority=self.is_priority) as turn:
            self.turn = turn
            try:
                yield turn
            finally:
                self.turn = None
