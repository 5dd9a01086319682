# SPDX-License-Identifier: Apache-2.0
"""This is where a dock station runs: it sees devices come and go, and has a task for each.

A device that goes is told within two looks, whatever its task is doing at that moment: the task of a device
that hangs may take longer to notice, and then finds that the port is not its own any more.
"""

import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from devices.agent.backup import Backup
from devices.agent.desk import Desk, StationSettings
from devices.agent.dockings import Dockings
from devices.agent.nameless import FOLDER as NAMELESS_FOLDER
from devices.agent.nameless import NAMELESS, put_aside
from devices.agent.plug import Plug, look
from devices.agent.port import PortTask
from devices.agent.server_port import Ending, Server
from devices.agent.spool import Spool
from devices.agent.states import Board, Phase, PortState
from devices.agent.turns import Turns
from evidence import ids
from evidence.errors import StoreUnavailable

# Phases in which a device that goes leaves nothing behind to say.
_AT_REST = frozenset({Phase.IDLE, Phase.REMOVABLE, Phase.REFUSED, Phase.FAULT})
_KEEP_S = 1.0
_PATIENCE_S = 10.0


@dataclass(slots=True)
class _Port:
    plug: Plug
    task: PortTask
    thread: threading.Thread


class Station:
    """A dock station. `run` works until `stop` is called from another thread or a signal.

    `spool` is made by the caller, who gives it to the uploader, too. `on_state` hears of every change, from
    several threads; `on_failure` of mistakes of ours. `wall` is aware UTC, `monotonic` in seconds.
    """

    def __init__(
        self,
        settings: StationSettings,
        server: Server,
        spool: Spool,
        *,
        wall: Callable[[], datetime],
        monotonic: Callable[[], float],
        on_state: Callable[[PortState], None] = lambda state: None,
        on_failure: Callable[[Exception], None],
    ) -> None:
        board = Board(settings.dock, settings.home / "status.json", on_state=on_state, wall=wall, monotonic=monotonic)
        self._desk = Desk(
            settings=settings,
            server=server,
            spool=spool,
            dockings=Dockings(spool.journal),
            board=board,
            turns=Turns(settings.copies_at_once),
            backup=None,
            wall=wall,
            monotonic=monotonic,
            on_failure=on_failure,
        )
        if settings.backup is not None:
            self._desk.backup = Backup(settings.backup, lambda why: self._desk.alarm("backup-lost", why))
        self._ports: dict[str, _Port] = {}

    @property
    def board(self) -> Board:
        """What the ports show."""
        return self._desk.board

    def set_online(self, is_online: bool) -> None:
        """The uploader says whether the server answers: ports show it, and nothing else depends on it."""
        self._desk.is_online = is_online

    def stop(self) -> None:
        """End `run`; tasks end at their next block, and what was copied is gone on with by the next run."""
        self._desk.stop.set()

    def run(self) -> None:
        """Work until stopped.

        Raises:
            StoreUnavailable: the dock's own folder cannot be used.
        """
        desk = self._desk
        self._put_nameless_aside()
        for docking in desk.dockings.broken_off():
            received = desk.dockings.tally(docking).received
            desk.server.tell_end(Ending(docking, "interrupted", received, 0, "the dock was restarted"))
            desk.dockings.end(docking)
        if desk.backup is not None:
            desk.backup.forget_drafts()
        keeper = threading.Thread(target=self._keep, name="dock-keeper", daemon=True)
        keeper.start()
        try:
            while not desk.stop.wait(desk.settings.look_s):
                self.look()
        finally:
            desk.stop.set()
            for port in list(self._ports.values()):
                port.thread.join(_PATIENCE_S)
            keeper.join(_PATIENCE_S)
            desk.board.write()

    def look(self) -> None:
        """See once which devices came and went."""
        plugs = look(self._desk.settings.ports)
        for name, port in list(self._ports.items()):
            if plugs.get(name) != port.plug:
                self._gone(name, port)
        for name, plug in plugs.items():
            if name not in self._ports:
                self._came(plug)
        self._desk.board.waiting = self._desk.spool.count_waiting()
        self._desk.board.write()

    def _put_nameless_aside(self) -> None:
        spool = self._desk.spool
        count = put_aside(spool.folder, spool.journal)
        if count:
            text = (
                f"{count} files in the dock's spool are in no journal: it was lost, or a power cut took its end."
                f" They were put into {spool.folder / NAMELESS_FOLDER}; nothing was deleted or erased."
                " A person must look: they may be the only copies"
            )
            self._desk.alarm(NAMELESS, text)

    def _came(self, plug: Plug) -> None:
        task = PortTask(self._desk, plug, ids.opaque("dkg", secrets.token_bytes(10)))
        thread = threading.Thread(target=task.run, name=f"dock-port-{plug.port}", daemon=True)
        self._ports[plug.port] = _Port(plug, task, thread)
        thread.start()

    def _gone(self, name: str, port: _Port) -> None:
        del self._ports[name]
        port.task.visit.gone.set()
        turn = port.task.visit.turn
        if turn is not None:
            turn.abandon()
        docking, shown = port.task.visit.docking, self._desk.board.state(name)
        if shown.docking != docking:
            return
        if shown.phase in _AT_REST or shown.is_removable:
            self._desk.board.leave(name, docking)
        elif shown.phase is not Phase.INTERRUPTED:
            self._desk.board.show(
                name, Phase.INTERRUPTED, of_docking=docking, is_removable=True, code="taken-out", why=""
            )

    def _keep(self) -> None:
        """Let go of what was received, and bring the backup up to date."""
        while not self._desk.stop.wait(_KEEP_S):
            try:
                self._keep_once()
            except StoreUnavailable as error:
                self._desk.low(error.message)
            except Exception as error:
                self._desk.on_failure(error)

    def _keep_once(self) -> None:
        desk = self._desk
        if desk.backup is not None:
            for told in desk.spool.unbacked():
                if desk.backup.keep(told, None, desk.spool):
                    desk.spool.backed_up(told.offer)
        # A second disk that is lost must not fill the first one: then the receipt alone lets a file go.
        desk.spool.release(needs_backup=desk.backup is not None and desk.backup.is_usable)
