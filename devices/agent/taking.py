# SPDX-License-Identifier: Apache-2.0
"""This is where the files of a docking are taken, in the order of the manifest, each once.

A file that was copied before is not copied again when its end is the same; one that was begun is gone on with
when the last piece that is kept is the same on the device. What is not as it was listed is a fault: it stays.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from typing import BinaryIO

from devices.agent.backup import BackupWriter
from devices.agent.copying import copy_file, measure
from devices.agent.desk import FULL, Desk
from devices.agent.measuring import Sha256
from devices.agent.spool import PIECE_BYTES, Origin
from devices.agent.spool_rows import SpoolFile
from devices.agent.states import Phase
from devices.agent.turns import Turn
from devices.agent.visit import Visit
from devices.makers.registry import read_claims
from devices.safe_open import open_beneath
from evidence.claims import Claim, Claims
from evidence.errors import BadInput, DiskLow, NotFound, SourceUnavailable, StillChanging, StoreUnavailable
from evidence.offer import Offer, showable
from pipeline.dock_manifest import Row
from storage.durable import store_errors

# What opening, syncing and writing down a file costs beside its bytes.
_FILE_COST_BYTES = 64 << 10
_ASKED_EVERY_BYTES = 2 << 20
_TAIL_BYTES = 1 << 20
CHANGED, UNREADABLE, CLASHES = "file-changed", "file-unreadable", "file-clashes"


class Taking:
    """Takes the files of one docking; `claims` and `side` are what the device says of all of them."""

    def __init__(self, visit: Visit, *, claims: tuple[Claim, ...], side: dict[str, bytes]) -> None:
        self._visit, self._desk = visit, visit.desk
        self._claims, self._side = claims, side
        self._files = self._bytes = 0

    def take_all(self) -> None:
        """Return when every file of the manifest rests in the spool, was received before, or is a fault.

        Raises:
            TakenOut, Stopped: broken off; what was copied stays.
        """
        rows = self._visit.rows()
        row = next(rows, None)
        while row is not None:
            # A turn is kept from file to file: a card of small files gets as many bytes of it as one of large ones.
            with self._visit.taking_turns() as turn:
                while row is not None and self._is_taken(row, turn):
                    self._files, self._bytes = self._files + 1, self._bytes + (row.size_bytes or 0)
                    self._progress(0)
                    row = next(rows, None)
            if row is not None:
                self._visit.pause(self._desk.settings.retry_s)

    def _is_taken(self, row: Row, turn: Turn) -> bool:
        """False when it has to wait: for room, or for another task that is at the same file."""
        self._visit.check()
        turn.spend(_FILE_COST_BYTES)
        offer = self._visit.offer(row)
        with self._desk.alone_with(offer.id) as is_mine:
            if not is_mine:
                return False
            try:
                self._take(row, offer, turn)
            except DiskLow as error:
                self._visit.show(Phase.WAITING_ROOM, code=error.code, why=error.message)
                return False
            except StillChanging as error:
                self._desk.spool.discard(offer.id)
                self._fault(CHANGED, row, error.message)
            except (BadInput, NotFound) as error:
                self._fault(CHANGED, row, error.message)
            except SourceUnavailable as error:
                self._visit.probe()  # taken out, or is it this one file?
                self._fault(UNREADABLE, row, error.message)
        return True

    def _take(self, row: Row, offer: Offer, turn: Turn) -> None:
        spool = self._desk.spool
        with _as_low(self._desk), open_beneath(self._visit.plug.root, self._visit.card_path(row)) as source:
            check_listed(source, row)
            known = spool.find(offer.id)
            if known is not None and known.sha256 and not known.is_receipted and not rests(self._desk, known):
                spool.lost(offer.id)
                known = None
            if known is not None and known.sha256:
                self._know(known, source, row)
            else:
                self._copy(row, offer, source, turn)
            self._desk.dockings.takes(self._visit.docking, offer.id)

    def _know(self, known: SpoolFile, source: BinaryIO, row: Row) -> None:
        if tail_of(source, known.size_bytes) != known.tail:
            self._fault(CLASHES, row, "a file of the same name, size and time was taken before, with other bytes")

    def _copy(self, row: Row, offer: Offer, source: BinaryIO, turn: Turn) -> None:
        visit, desk, spool = self._visit, self._desk, self._desk.spool
        claims = read_claims(visit.card_path(row), mtime_ns=offer.mtime_ns, side=self._side)
        origin = Origin(visit.docking, visit.plug.port, visit.serial or "", visit.is_priority)
        told = spool.begin(offer, origin, Claims((*claims, *self._claims)))
        at, whole = self._kept(told, source)
        beside = desk.backup.writer(told) if desk.backup is not None and at == 0 else None
        try:
            visit.show(Phase.COPYING, code="", why="")
            spend = _Spend(self, turn, at)
            size = offer.size_bytes
            digest = copy_file(source, spool, offer.id, size, at=at, whole=whole, beside=beside, spend=spend)
            check_listed(source, row)
            tail = digest.hex
            if size > _TAIL_BYTES:
                with spool.open(offer.id) as copy:
                    tail = tail_of(copy, size)
            # A file that was gone on with was not read whole: it is read again before it may be erased.
            spool.copied(offer.id, digest.hex, tail=tail, docking=visit.docking if at == 0 else None)
            desk.copied()
            self._back_up(offer.id, beside)
        finally:
            if beside is not None:
                beside.close()

    def _back_up(self, offer: str, beside: BackupWriter | None) -> None:
        desk = self._desk
        if desk.backup is not None and desk.backup.keep(desk.spool.file(offer), beside, desk.spool):
            desk.spool.backed_up(offer)

    def _kept(self, told: SpoolFile, source: BinaryIO) -> tuple[int, Sha256]:
        """How much is kept of the file and its SHA-256, when its last piece is the same on the device; else nothing."""
        spool = self._desk.spool
        at = spool.kept_bytes(told)
        if at == 0:
            return 0, sha256()
        with spool.open(told.offer) as copy:
            ours = measure(copy, at - PIECE_BYTES, PIECE_BYTES)
            if measure(source, at - PIECE_BYTES, PIECE_BYTES).digest() == ours.digest():
                return at, measure(copy, 0, at)
        spool.discard(told.offer)
        return 0, sha256()

    def _progress(self, size_bytes: int) -> None:
        changes = {"copied_files": self._files, "copied_bytes": self._bytes + size_bytes}
        self._visit.show(Phase.COPYING, **changes)

    def _fault(self, code: str, row: Row, why: str) -> None:
        self._visit.fault(code, f"{showable(self._visit.card_path(row))}: {why}")


class _Spend:
    """Called after every block: the device must be there, the spool have room, and it be this port's turn."""

    def __init__(self, taking: Taking, turn: Turn, at: int) -> None:
        self._taking, self._turn, self._at = taking, turn, at
        self._asked_at = -1

    def __call__(self, size_bytes: int) -> None:
        taking = self._taking
        taking._visit.check()
        if self._at // _ASKED_EVERY_BYTES != self._asked_at:
            self._asked_at = self._at // _ASKED_EVERY_BYTES
            taking._progress(self._at)
            if not taking._desk.has_room():
                raise DiskLow(FULL)
        self._at += size_bytes
        self._turn.spend(size_bytes)


@contextmanager
def _as_low(desk: Desk) -> Iterator[None]:
    """A spool that cannot be written is waited for, like one whose disk is low."""
    try:
        yield
    except StoreUnavailable as error:
        desk.low(error.message)
        raise DiskLow(f"the dock's disk cannot take files now: {error.message}") from error


def check_listed(source: BinaryIO, row: Row) -> None:
    """Return when the open file still looks as it was listed.

    Raises:
        StillChanging: it does not. SourceUnavailable: it can no longer be read.
    """
    try:
        seen = os.fstat(source.fileno())
    except OSError as error:
        raise SourceUnavailable(f"the file can no longer be read: {error.strerror}", errno=error.errno) from error
    if (seen.st_size, seen.st_mtime_ns) != (row.size_bytes, row.mtime_ns):
        raise StillChanging("changed after it was listed")


def tail_of(source: BinaryIO, size_bytes: int) -> str:
    """The SHA-256 of the last bytes of an open file, in hexadecimal. Raises: SourceUnavailable, StillChanging."""
    length = min(size_bytes, _TAIL_BYTES)
    return measure(source, size_bytes - length, length).hexdigest()


def rests(desk: Desk, known: SpoolFile) -> bool:
    """True when all bytes of a file are in the spool, by their number."""
    with store_errors("the spool cannot be read"):
        try:
            return desk.spool.bytes_path(known.offer).stat().st_size == known.size_bytes
        except FileNotFoundError:
            return False
