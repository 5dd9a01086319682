# SPDX-License-Identifier: Apache-2.0
"""This is where a dock station runs: its ports, its uploader, and what is seen of both.

It opens no register and no store: all that it owns is below `dock/` in its home, and all that it knows of the
agency its server told it.
"""

import os
import random
import threading
import time
from contextlib import ExitStack

from app import clocks
from app.alone import alone
from app.dock_figures import DockFigures
from app.operate.lines import Notes
from app.settings import Settings
from app.wiring import check_packages
from devices.agent.desk import StationSettings
from devices.agent.server import HttpServer
from devices.agent.server_enrolment import Enrolment
from devices.agent.server_outbox import Outbox
from devices.agent.server_patience import Gate
from devices.agent.server_teller import Teller
from devices.agent.spool import Spool
from devices.agent.states import PortState
from devices.agent.station import Station
from devices.agent.uploading import Uploads
from devices.agent.uploading_receipts import Receipts
from evidence.errors import EvidockError

FOLDER = "dock"
_LOOK_S = 0.5
_PATIENCE_S = 5.0


def run_dock(settings: Settings, *, stop: threading.Event, notes: Notes) -> int:
    """Run the dock station that `evidock dock enrol` made here, until `stop` is set; returns the exit status.

    Raises:
        NotFound: it is not enrolled. InUse: it runs already.
        BadInput, StoreUnavailable: a setting or the folder cannot be used.
    """
    check_packages()
    folder = settings.home / FOLDER
    enrolment = Enrolment.load(folder)
    with alone(folder / "lock", told="this dock station runs already"), ExitStack() as stack:
        spool = Spool(folder / "spool")
        stack.callback(spool.close)
        station = _Running(settings, enrolment, spool, notes)
        stack.callback(station.session.close)
        stack.enter_context(station.figures.seen(settings, notes))
        station.run(stop)
    return 0


class _Running:
    """The parts of a running dock station, tied together."""

    def __init__(self, settings: Settings, enrolment: Enrolment, spool: Spool, notes: Notes) -> None:
        folder = settings.home / FOLDER
        self._notes = notes
        self._phases: dict[str, str] = {}
        self._told = threading.Lock()
        self.session = enrolment.session(folder, monotonic=time.monotonic)
        server = HttpServer(self.session, Outbox(folder / "outbox"), enrolment.trusted())
        gate = Gate(monotonic=time.monotonic, chance=random.random)
        self.station = Station(
            station_settings(settings, enrolment),
            server,
            spool,
            wall=clocks.now,
            monotonic=time.monotonic,
            on_state=self._shown,
            on_failure=self._failed,
        )
        self._uploads = Uploads(
            spool,
            self.session,
            server,
            gate,
            monotonic=time.monotonic,
            on_trouble=self._trouble,
            on_failure=self._failed,
        )
        receipts = Receipts(spool, server, on_trouble=self._trouble)
        self._teller = Teller(
            server,
            receipts,
            gate,
            on_trouble=self._trouble,
            on_failure=self._failed,
            on_online=self._online,
        )
        self.figures = DockFigures(folder, self._uploads.sent, gate, server, spool, self.station.board)
        self._is_online = True

    def run(self, stop: threading.Event) -> None:
        """Work until `stop` is set."""
        ending, failed = threading.Event(), []

        def ports() -> None:
            try:
                self.station.run()
            except Exception as error:
                failed.append(error)
                ending.set()

        thread = threading.Thread(target=ports, name="dock-station", daemon=True)
        thread.start()
        self._uploads.start(ending)
        self._teller.start(ending)
        while not stop.wait(_LOOK_S) and not ending.is_set():
            self.figures.write()
        ending.set()
        self.station.stop()
        thread.join(2 * _PATIENCE_S)
        self._uploads.join(_PATIENCE_S)
        self._teller.join(_PATIENCE_S)
        self.figures.write()
        if failed:
            raise failed[0]

    def _online(self, is_online: bool) -> None:
        self.station.set_online(is_online)
        if is_online is not self._is_online:
            self._is_online = is_online
            event = "server-there" if is_online else "server-gone"
            words = "the server answers again" if is_online else f"the server cannot: {self.figures.why}; all is kept"
            self._notes.note(event, words)

    def _shown(self, state: PortState) -> None:
        with self._told:
            if self._phases.get(state.port) == state.phase:
                return
            self._phases[state.port] = state.phase
        because = f": {state.why}" if state.why else ""
        self._notes.note(
            "port",
            f"port {state.port}: {state.phase}{because}",
            port=state.port,
            phase=str(state.phase),
            docking=state.docking,
            code=state.code,
        )

    def _trouble(self, offer: str, error: EvidockError) -> None:
        self._notes.note("dock-trouble", f"{error.message} ({error.code})", offer=offer, code=error.code)

    def _failed(self, error: Exception) -> None:
        words = f"a mistake of ours, please report it: {error!r}"
        self._notes.note("dock-failed", words, error=type(error).__name__)


def station_settings(settings: Settings, enrolment: Enrolment) -> StationSettings:
    """How the station of these settings works."""
    home = settings.home / FOLDER
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    disk = os.statvfs(home)
    return StationSettings(
        dock=enrolment.dock,
        ports=settings.dock_ports,
        home=home,
        backup=settings.dock_backup,
        priority_ports=settings.dock_priority,
        keep_free_bytes=settings.spool_free.of(disk.f_blocks * disk.f_frsize),
        remount=settings.dock_writable,
    )
