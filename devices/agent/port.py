# SPDX-License-Identifier: Apache-2.0
"""This is where the task of one port is, from the moment a device is plugged in until it may be taken out.

(1) identify, (2) check its binding, (3) measure and set its clock, (4) list all that it has, (5) tell the server,
(6) stop if it is refused, (7) copy while hashing, (8) wait for receipts, (9) erase, if the agency's switch is on
and every file has a receipt that verified, (10) say that it may be taken out.
"""

import os
from collections.abc import Iterator
from dataclasses import replace

from devices.agent.clearing import Clearing
from devices.agent.clock_check import check_clock
from devices.agent.control import Control
from devices.agent.desk import Desk
from devices.agent.identify import Identity, identify
from devices.agent.plug import Plug
from devices.agent.recall import forget_lost
from devices.agent.server_port import Answer, Docking, Ending, Outcome
from devices.agent.states import Phase
from devices.agent.taking import Taking
from devices.agent.visit import Stopped, TakenOut, Visit
from devices.makers.sidecar import is_settings
from devices.manifest import Summary, write_manifest
from devices.safe_open import open_root
from devices.settle import Reason
from devices.walk import Entry, walk
from evidence.errors import EvidockError, ServerUnavailable, SourceUnavailable
from storage.durable import store_errors, sync_folder

_SOON_S, _COUNTING_SHARE = 0.1, 20


class PortTask:
    """The task of one docking; `run` is called once, in a thread of its own."""

    def __init__(self, desk: Desk, plug: Plug, docking: str) -> None:
        self._desk, self._plug = desk, plug
        self.visit = Visit(desk, plug, docking)
        self._told: Docking | None = None  # as the server is, or will be, told
        self._is_answered = False  # or will be: it is told later
        self._is_all_copied = False

    def run(self) -> None:
        """Do all of it. What goes wrong is what the port shows; what is our own mistake is told to `on_failure`."""
        visit = self.visit
        try:
            self._desk.board.begin(self._plug.port, visit.docking)
            self._work()
        except (TakenOut, Stopped) as error:
            self._broken_off(error)
        except SourceUnavailable as error:
            try:
                visit.probe()
            except (TakenOut, Stopped):
                self._broken_off(error)
            else:
                self._failed(error)
        except EvidockError as error:
            self._failed(error)
        except Exception as error:
            self._desk.on_failure(error)
            self._failed(SourceUnavailable(f"the task ended by a mistake of ours: {error!r}"))

    def _work(self) -> None:
        control = Control(self._desk.settings.ports / f"{self._plug.port}.control")
        identity = identify(self._plug.root, control)
        self.visit.serial = identity.serial
        self.visit.show(Phase.IDENTIFYING, device=identity.serial)
        docking = self._docking(control, identity)
        answer = self._announce(docking)
        if answer is not None and not answer.is_taken:
            self._refused(answer)
            return
        self._desk.dockings.begin(docking.id, identity.serial)
        self._take(answer, identity, docking.manifest)
        self._await_receipts()
        while self._is_forgotten():
            self._take(answer, identity, docking.manifest)
            self._await_receipts()
        if self.visit.faults:
            self._end("failed", self.visit.first_fault)
            self._show_last(
                Phase.FAULT, self.visit.first_fault, "some files were not taken as listed; nothing was erased"
            )
            return
        why = self._clear(docking) if docking.manifest.taken else ""
        self._end("finished", why)
        self._show_last(Phase.REMOVABLE, "", why)

    def _docking(self, control: Control, identity: Identity) -> Docking:
        began_at = self._desk.wall()
        clock = None
        if control.is_there and identity.problem is None:
            clock = check_clock(control, wall=self._desk.wall, monotonic=self._desk.monotonic)
        listed = self._list()
        return Docking(
            id=self.visit.docking,
            port=self._plug.port,
            device=identity.serial,
            began_at=began_at,
            clock=clock,
            problem=identity.problem,
            manifest=listed,
        )

    def _list(self) -> Summary:
        """Everything the device has, written down before anything is copied."""
        path = self.visit.manifest
        with store_errors("the dock's manifest cannot be written"), open_root(self._plug.root) as at:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with path.open("wb") as out:
                summary = write_manifest(self._desk.settings.dock, self._entries(at), out)
                out.flush()
                os.fsync(out.fileno())
            sync_folder(path.parent)
        return summary

    def _entries(self, at: int) -> Iterator[Entry]:
        """All names of the device; its recorder's own settings and empty files are listed, never taken or erased."""
        for entry in walk(at, self.visit.prefix, in_order=True):
            yield replace(entry, ignored=entry.ignored or self._left_alone(entry))

    def _left_alone(self, entry: Entry) -> Reason | None:
        if is_settings(entry.path.removeprefix(self.visit.prefix)):
            return Reason.SETTINGS
        # There is nothing to keep; and no receipt will ever let the device be cleared of it.
        return Reason.EMPTY if entry.seen is not None and entry.seen.size_bytes == 0 else None

    def _announce(self, docking: Docking) -> Answer | None:
        """What the server says; None while it cannot be asked, of a device that it took before."""
        self._told = docking
        is_trusted = docking.problem is None and docking.device is not None
        is_trusted = is_trusted and self._desk.dockings.is_trusted(docking.device or "")
        while True:
            try:
                answer = self._ask(docking)
                self._is_answered = True
                return answer
            except ServerUnavailable as error:
                if is_trusted:
                    self._desk.server.announce_later(docking, self.visit.manifest)
                    self._is_answered = True
                    return None
                self.visit.show(Phase.WAITING_NETWORK, code=error.code, why=error.message, is_removable=True)
            self.visit.pause(self._desk.settings.retry_s)

    def _ask(self, docking: Docking) -> Answer:
        answer = self._desk.server.announce(docking, self.visit.manifest)
        if docking.device is not None:
            remember = self._desk.dockings.trust if answer.is_taken else self._desk.dockings.distrust
            remember(docking.device)
        return answer

    def _refused(self, answer: Answer) -> None:
        refusal = answer.refusal
        code, why = (refusal.code, refusal.text) if refusal else ("refused", "")
        self._end("refused", code)
        self._show_last(Phase.REFUSED, code, why)

    def _take(self, answer: Answer | None, identity: Identity, listed: Summary) -> None:
        visit = self.visit
        is_first = self._plug.port in self._desk.settings.priority_ports
        visit.is_priority = is_first or (answer is not None and answer.is_priority)
        visit.show(
            Phase.COPYING,
            files=listed.taken,
            bytes=listed.taken_bytes,
            is_priority=visit.is_priority,
            is_removable=False,
            code="",
            why="",
        )
        Taking(visit, claims=identity.claims, side=identity.side).take_all()
        # From here on the device may be taken out, and its owner may film over what it has.
        self._desk.spool.journal.make_durable()
        self._is_all_copied = True

    def _await_receipts(self) -> None:
        while True:
            began = self._desk.monotonic()
            tally = self._desk.dockings.tally(self.visit.docking)
            phase = Phase.UPLOADING if self._desk.is_online else Phase.WAITING_NETWORK
            # What a dock has copied is safe in its spool: taking the device out now loses nothing.
            self.visit.show(phase, received_files=tally.received, is_removable=True, code="", why="")
            if tally.received == tally.files:
                return
            # Soon, but counting many files must not take more than a small part of the time.
            soon_s = max(_SOON_S, _COUNTING_SHARE * (self._desk.monotonic() - began))
            self.visit.pause(min(soon_s, self._desk.settings.look_s))

    def _is_forgotten(self) -> bool:
        """True when the server lost files of this device that it had received: they are to be taken again."""
        while True:
            try:
                return forget_lost(self.visit) > 0
            except ServerUnavailable as error:
                self.visit.show(Phase.WAITING_NETWORK, code=error.code, why=error.message, is_removable=True)
            self.visit.pause(self._desk.settings.retry_s)

    def _clear(self, docking: Docking) -> str:
        """Why nothing was erased, or nothing to say."""
        while True:
            try:
                # Asked anew: the switch is what it is at this moment, and a device may have been lost since.
                answer = self._ask(docking)
                if not answer.is_taken:
                    return "refused meanwhile; nothing was erased"
                if not answer.erases:
                    return ""
                self.visit.show(Phase.ERASING, erased_files=Clearing(self.visit).clear())
                return ""
            except ServerUnavailable as error:
                self.visit.show(Phase.WAITING_NETWORK, code=error.code, why=error.message, is_removable=True)
            self.visit.pause(self._desk.settings.retry_s)

    def _broken_off(self, error: EvidockError) -> None:
        """The device was taken out, or the dock is being stopped: all that was copied stays, and is gone on with."""
        if self._told is not None and not self._is_answered:
            self._desk.server.announce_later(self._told, self.visit.manifest)
            self._is_answered = True
        is_whole = self._is_all_copied and not self.visit.faults and not self.visit.is_erasing
        self._end("finished" if is_whole else "interrupted", error.message)
        if isinstance(error, Stopped):
            return
        phase = Phase.IDLE if is_whole else Phase.INTERRUPTED
        self.visit.show(phase, is_removable=True, code="" if is_whole else "taken-out", why=error.message)

    def _failed(self, error: EvidockError) -> None:
        self._desk.alarm(error.code, error.message, device=self.visit.serial)
        self._end("failed", error.code)
        self._show_last(Phase.FAULT, error.code, error.message)

    def _end(self, outcome: Outcome, why: str) -> None:
        if not self._is_answered:  # the server never heard of it
            return
        tally = self._desk.dockings.tally(self.visit.docking)
        received, docking = tally.received, self.visit.docking
        self._desk.server.tell_end(Ending(docking, outcome, received, self.visit.erased, why))
        self._desk.dockings.end(docking)

    def _show_last(self, phase: Phase, code: str, why: str) -> None:
        self.visit.show(phase, is_removable=True, code=code, why=why)
