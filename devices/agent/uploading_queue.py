# SPDX-License-Identifier: Apache-2.0
"""This is where it is decided what is sent next: piece by piece, so that every port gets its share of the wire.

A port is charged with the bytes of its pieces; the one that was charged least goes first, and one that joins is put
level with the least charged, so that it neither waits for the others nor makes them wait. Ports of priority go
before all others. Of each port a few files are under way at once, each with one piece: while the server makes one
durable, the wire carries another.
"""

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from devices.agent.pieces import end_of_piece
from devices.agent.spool import PIECE_BYTES, Spool
from devices.agent.spool_rows import SpoolFile, file_of
from evidence.errors import NotFound

# What is not uploaded yet: of each port the first few.
_UNSENT = """
SELECT * FROM files WHERE offer IN (SELECT offer FROM (
    SELECT offer, row_number() OVER (PARTITION BY port ORDER BY is_priority DESC, sha256 IS NULL, docking, offer) AS n
    FROM files WHERE is_receipted = 0 AND is_resting = 1 AND (upload_url IS NULL OR uploaded_bytes < size_bytes)
) WHERE n <= ?)
"""
FILES_A_PORT = 16
_LOOK_S = 0.05
# Where a port has run dry it is looked sooner; of the time, one part in so many is spent on looking at most.
_LOOK_SHARE = 5
_TURN = PIECE_BYTES >> 8
_SMALLEST_PIECE = 1 << 18
_STEADY = 8
# Shares are even to within a piece: where many ports have work, pieces are smaller.
_MANY_PORTS, _PIECE_OF_MANY = 16, PIECE_BYTES // 2


@dataclass(slots=True)
class Transfer:
    """A file on its way. `offset` None: the server must be asked. Used by one thread at a time.

    `ready_bytes`: so many of it rest in the spool and may be sent.
    """

    file: SpoolFile
    path: str | None
    offset: int | None
    ready_bytes: int = 0
    not_before: float = 0.0
    is_busy: bool = False
    aimed_at: int = 0  # where its piece under way ends, and what its port was charged for it
    charged: int = 0
    piece_bytes: int = PIECE_BYTES
    tried_at: int | None = None  # where a piece began that was sent and not answered

    @property
    def end(self) -> int:
        """Where the next piece ends."""
        return end_of_piece(self.offset or 0, self.file.size_bytes, self.piece_bytes)

    def has_work(self) -> bool:
        """True when there is something to ask or to send of it now."""
        if self.path is None or self.offset is None or self.offset >= self.file.size_bytes:
            return self.ready_bytes > 0 or self.file.sha256 is not None
        return self.end <= self.ready_bytes


class Queue:
    """What waits to be sent. Threads share it. `monotonic` tells seconds."""

    def __init__(self, spool: Spool, *, monotonic: Callable[[], float]) -> None:
        self._spool = spool
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._transfers: dict[str, Transfer] = {}
        self._charged: dict[str, int] = {}
        self._active: set[str] = set()
        self._piece_bytes = PIECE_BYTES
        self._landed = 0
        self._look_at = self._look_not_before = float("-inf")

    def take(self) -> Transfer | None:
        """The transfer to go on with, busy from now on; None when nothing can be done at the moment.

        Raises:
            StoreUnavailable: the spool cannot be read.
        """
        with self._lock:
            self._look()
            now = self._monotonic()
            ready = [one for one in self._transfers.values() if not one.is_busy and one.not_before <= now]
            largest = _PIECE_OF_MANY if len(self._active) > _MANY_PORTS else PIECE_BYTES
            for one in ready:
                one.piece_bytes = min(self._piece_bytes, largest)
            ready = [one for one in ready if one.has_work()]
            self._join({one.file.port for one in self._transfers.values() if one.is_busy} | _ports(ready))
            if not ready:
                return None
            chosen = min(ready, key=self._turn)
            self._charge(chosen)
            chosen.is_busy = True
            return chosen

    def give_back(self, transfer: Transfer, *, pause_s: float = 0.0) -> None:
        """The transfer is not busy any more, and rests for `pause_s`."""
        with self._lock:
            transfer.is_busy = False
            self._refund(transfer)
            transfer.not_before = self._monotonic() + pause_s
            if transfer.offset is not None and transfer.offset >= transfer.file.size_bytes:
                self._transfers.pop(transfer.file.offer, None)
                if not any(one.file.port == transfer.file.port for one in self._transfers.values()):
                    self._look_at = self._look_not_before

    def landed(self) -> None:
        """A piece came to count: after some in a row the next may be larger, up to 8 MiB."""
        with self._lock:
            self._landed += 1
            if self._landed >= _STEADY:
                self._landed, self._piece_bytes = 0, min(self._piece_bytes * 2, PIECE_BYTES)

    def broke_off(self) -> None:
        """A piece was cut: the next are smaller, so that a wire that is cut often still carries some whole."""
        with self._lock:
            self._landed, self._piece_bytes = 0, max(self._piece_bytes // 2, _SMALLEST_PIECE)

    def _turn(self, transfer: Transfer) -> tuple[bool, int, bool, str]:
        file = transfer.file
        return not file.is_priority, self._charged.get(file.port, 0), file.sha256 is None, file.offer

    def _charge(self, transfer: Transfer) -> None:
        carries = transfer.path is not None and transfer.offset is not None
        transfer.aimed_at = transfer.end if carries else 0
        transfer.charged = transfer.end - (transfer.offset or 0) if carries else 0
        port = transfer.file.port
        # A request that carries nothing costs a turn, too.
        self._charged[port] = self._charged.get(port, 0) + transfer.charged + _TURN

    def _refund(self, transfer: Transfer) -> None:
        """A port does not pay for a piece that a cut took: it was not its fault."""
        if transfer.charged and (transfer.offset is None or transfer.offset < transfer.aimed_at):
            port = transfer.file.port
            self._charged[port] = max(0, self._charged.get(port, 0) - transfer.charged)
        transfer.charged = 0

    def _join(self, ports: set[str]) -> None:
        known = [self._charged[port] for port in ports & self._active]
        for port in ports - self._active:
            self._charged[port] = max(self._charged.get(port, 0), min(known, default=0))
        self._active = ports
        if not ports:
            self._charged.clear()

    def _look(self) -> None:
        """Bring what is known up to date with the spool."""
        began = self._monotonic()
        if began < self._look_at:
            return
        rows = self._spool.journal.rows(_UNSENT, (FILES_A_PORT,))
        found = {file.offer: file for file in map(file_of, rows)}
        for offer in [one for one, known in self._transfers.items() if not known.is_busy and one not in found]:
            del self._transfers[offer]
        for offer, file in found.items():
            known = self._transfers.get(offer)
            if known is None:
                at = 0 if file.upload_url is None else None
                known = self._transfers[offer] = Transfer(file, file.upload_url, at)
            if not known.is_busy:
                self._refresh(known, file)
        ended = self._monotonic()
        self._look_not_before = ended + _LOOK_SHARE * (ended - began)
        self._look_at = max(ended + _LOOK_S, self._look_not_before)

    def _refresh(self, known: Transfer, file: SpoolFile) -> None:
        known.file = file
        if file.upload_url is None:  # it was begun anew, or was never announced
            known.path, known.offset = None, 0
        try:
            known.ready_bytes = file.size_bytes if file.sha256 else self._spool.ready_bytes(file.offer)
        except NotFound:
            known.ready_bytes = 0


def _ports(transfers: Iterable[Transfer]) -> set[str]:
    return {one.file.port for one in transfers}
