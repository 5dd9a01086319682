# SPDX-License-Identifier: Apache-2.0
"""This is where a device is cleared, and where it is found that it must not be.

(1) Every file of the manifest has a receipt that was verified against the SHA-256 we read, (2) every byte of it
was read from the device in this very docking, so that what goes is what was received, (3) the server allows it
and has that on record, (4) our journal is durable. Only then names are unlinked, each as it was listed, and the
device is listed anew to see them gone.
"""

from collections.abc import Iterator
from hashlib import sha256

from devices.agent.copying import read_blocks
from devices.agent.erase import Doomed, ReadOnly, erase, remount, still_there
from devices.agent.erase import check_listed as check_listed_all
from devices.agent.measuring import Measuring
from devices.agent.server_port import ErasureFile
from devices.agent.spool_rows import SpoolFile
from devices.agent.states import Phase
from devices.agent.taking import CLASHES, check_listed
from devices.agent.visit import Visit
from devices.safe_open import open_beneath
from evidence.errors import Conflict, FixityMismatch, SourceUnavailable
from evidence.offer import showable
from pipeline.dock_manifest import Row


class Clearing:
    """Clears the device of one docking, once its files were received."""

    def __init__(self, visit: Visit) -> None:
        self._visit, self._desk = visit, visit.desk

    def clear(self) -> int:
        """How many files were erased.

        Raises:
            Conflict: a file has no receipt for what was read, or the server does not allow it; all stay.
            FixityMismatch: the device gives other bytes now than were received; all stay.
            StillChanging: a file is not what was listed; all stay, or those after it if it changed just now.
            SourceUnavailable: the device was taken out, cannot be written, or a name did not go.
            ServerUnavailable, NotSignedIn: the server cannot be asked; all stay.
        """
        # First and second: received, and read in this docking.
        for row, known in self._receipted():
            if known.read_in != self._visit.docking:
                self._read_again(row, known)
        check_listed_all(self._visit.plug.root, self._doomed())
        # Third: allowed, and on record.
        self._desk.server.ask_erasure(self._visit.docking, self._files())
        # Fourth: from here on names go.
        self._desk.spool.journal.make_durable()
        self._visit.check()
        self._visit.is_erasing = True
        self._visit.show(Phase.ERASING, is_removable=False, code="", why="")
        gone = self._erase()
        left = still_there(self._visit.plug.root, (self._visit.card_path(row) for row in self._visit.rows()))
        if left:
            raise SourceUnavailable(f"was erased and is still there: {showable(left[0])}", files=left)
        for _, known in self._receipted():
            self._desk.spool.erased((known.offer,))
        self._visit.is_erasing = False
        return gone

    def _receipted(self) -> Iterator[tuple[Row, SpoolFile]]:
        for row in self._visit.rows():
            known = self._desk.spool.find(self._visit.offer(row).id)
            if known is None or known.sha256 is None or not known.is_receipted:
                raise Conflict(f"has no receipt: {showable(self._visit.card_path(row))}")
            yield row, known

    def _files(self) -> Iterator[ErasureFile]:
        for _, known in self._receipted():
            yield ErasureFile(known.offer, known.sha256 or "")

    def _read_again(self, row: Row, known: SpoolFile) -> None:
        """A file that was received in an earlier docking is read once more: the device may have other bytes now."""
        visit = self._visit
        visit.show(Phase.VERIFYING, code="", why="")
        whole = sha256()
        with visit.taking_turns() as turn, open_beneath(visit.plug.root, visit.card_path(row)) as source:
            check_listed(source, row)
            with Measuring(whole) as measuring:
                for block in read_blocks(source, known.size_bytes, measuring=measuring):
                    visit.check()
                    turn.spend(len(block))
            check_listed(source, row)
        if whole.hexdigest() != known.sha256:
            path = showable(visit.card_path(row))
            visit.fault(CLASHES, f"{path}: other bytes than were received under this name, size and time")
            raise FixityMismatch(f"the device has other bytes now than were received: {path}")
        self._desk.spool.read_again(known.offer, docking=visit.docking)

    def _erase(self) -> int:
        program = self._desk.settings.remount
        try:
            return self._unlink()
        except ReadOnly:
            if program is None:
                raise
        remount(program, self._visit.plug.port, "open")
        try:
            self._visit.check()  # that took a while: another device may be in the port by now
            return self._unlink()
        finally:
            remount(program, self._visit.plug.port, "close")

    def _unlink(self) -> int:
        self._visit.erased = 0
        return erase(self._visit.plug.root, self._doomed(), on_gone=self._count)

    def _count(self) -> None:
        self._visit.erased += 1

    def _doomed(self) -> Iterator[Doomed]:
        for row in self._visit.rows():
            yield Doomed(self._visit.card_path(row), row.size_bytes or 0, row.mtime_ns or 0)
