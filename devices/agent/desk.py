# SPDX-License-Identifier: Apache-2.0
"""This is where all that the tasks of the ports share is one value: the spool, the server, the clocks, the turns."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from devices.agent.backup import Backup, has_room
from devices.agent.dockings import Dockings
from devices.agent.server_port import Alarm, Server
from devices.agent.spool import PIECE_BYTES, Spool
from devices.agent.states import Board
from devices.agent.turns import Turns

FULL = "the dock's disk is full: copying waits until files have reached the server"


@dataclass(frozen=True, slots=True)
class StationSettings:
    """How a dock station works. Times are in seconds.

    `dock`: the id it was enrolled with. `ports`: the folder of ports. `home`: its own folder, for spool,
    manifests and status. `keep_free_bytes`: of the spool's disk. `remount`: the program that opens a device for
    writing (`erase.remount`), or None. `copies_at_once`: ports that copy at one moment.
    """

    dock: str
    ports: Path
    home: Path
    backup: Path | None = None
    keep_free_bytes: int = 1 << 30
    priority_ports: frozenset[str] = frozenset()
    remount: Path | None = None
    copies_at_once: int = 16
    look_s: float = 0.5
    retry_s: float = 5.0


@dataclass(slots=True)
class Desk:
    """What every task uses. `is_online` is the uploader's word; `wall` is aware UTC, `monotonic` seconds."""

    settings: StationSettings
    server: Server
    spool: Spool
    dockings: Dockings
    board: Board
    turns: Turns
    backup: Backup | None
    wall: Callable[[], datetime]
    monotonic: Callable[[], float]
    on_failure: Callable[[Exception], None]
    stop: threading.Event = field(default_factory=threading.Event)
    is_online: bool = True
    refusals: int = 0
    _is_low: bool = False
    _busy: set[str] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def alarm(self, code: str, text: str, *, device: str | None = None) -> None:
        """Tell a person, by way of the server. Never fails for want of a network."""
        self.server.tell_alarm(Alarm(device=device, code=code, text=text, at=self.wall()))

    def has_room(self) -> bool:
        """True when the spool may take another piece; the first "no" is an alarm, until a file was copied again.

        Raises:
            StoreUnavailable: the disk cannot be asked.
        """
        is_low = not has_room(self.spool.folder, self.settings.keep_free_bytes + PIECE_BYTES)
        if is_low:
            self.low(FULL)
        return not is_low

    def low(self, why: str) -> None:
        """The spool takes nothing: told once."""
        with self._lock:
            is_news, self._is_low = not self._is_low, True
            self.refusals += 1
        if is_news:
            self.alarm("spool-full", why)

    def copied(self, refusals: int) -> None:
        """The spool took a file whose copy began after so many `refusals`: if none came since, it takes files again."""
        with self._lock:
            self._is_low = self._is_low and refusals != self.refusals

    @contextmanager
    def alone_with(self, offer: str) -> Iterator[bool]:
        """True when no other task is at this file; nobody else is until the end."""
        with self._lock:
            is_mine = offer not in self._busy
            if is_mine:
                self._busy.add(offer)
        try:
            yield is_mine
        finally:
            if is_mine:
                with self._lock:
                    self._busy.discard(offer)
