# SPDX-License-Identifier: Apache-2.0
"""This is where the files of a docking are taken, in the order of the manifest, each once.

A file that was copied before is not copied again when its end is the same; one that was begun is gone on with
when the last piece that is kept is the same on the device. What is not as it was listed is a fault: it stays.
"""

import os
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import BinaryIO

from devices.agent.copying import copy_file, measure
from devices.agent.desk import FULL, Desk
from devices.agent.laying import Fresh, Laid, Laying
from devices.agent.measuring import TAIL_BYTES, FileSha256, Measuring
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
CHANGED, UNREADABLE, CLASHES = "file-changed", "file-unreadable", "file-clashes"


class Taking:
    """Takes the files of one docking; `claims` and `side` are what the device says of all of them."""

    def __init__(self, visit: Visit, *, claims: tuple[Claim, ...], side: dict[str, bytes]) -> None:
        self._visit, self._desk = visit, visit.desk
        self._claims, self._side = claims, side
        self._files = self._bytes = 0
        self._measuring, self._laying = Measuring(), Laying(visit.desk, visit.docking)
        self._again: deque[Row] = deque()
        self._low: StoreUnavailable | None = None

    def take_all(self) -> None:
        """Return when every file of the manifest rests in the spool, was received before, or is a fault.

        Raises:
            TakenOut, Stopped: broken off; what was copied stays.
        """
        rows = self._visit.rows()
        with self._measuring, self._laying:
            row = self._next(rows)
            while row is not None:
                # A turn is kept from file to file: a card of small files gets as many bytes of it as one of large ones.
                with self._visit.taking_turns() as turn:
                    while row is not None and self._is_taken(row, turn):
                        row = self._next(rows)
                if row is not None:
                    self._visit.pause(self._desk.settings.retry_s)

    def _next(self, rows: Iterator[Row]) -> Row | None:
        """The file to go on with; None when all of them rest."""
        self._see(self._laying.done())
        row = next(rows, None)
        if row is None:
            self._see(self._laying.finished())
            row = self._again.popleft() if self._again else None
        return row

    def _see(self, laid: list[Laid]) -> None:
        """Count what rests now; what the disk refused is taken again."""
        for one in laid:
            if one.error is None:
                self._count(files=1)
            elif isinstance(one.error, StoreUnavailable):
                self._count(size_bytes=-(one.row.size_bytes or 0))
                self._again.append(one.row)
                self._low = one.error
            else:
                raise one.error

    def _count(self, *, files: int = 0, size_bytes: int = 0) -> None:
        self._files, self._bytes = self._files + files, self._bytes + size_bytes
        self._progress(0)

    def _is_taken(self, row: Row, turn: Turn) -> bool:
        """False when it has to wait: for room, or for another task that is at the same file."""
        self._visit.check()
        turn.spend(_FILE_COST_BYTES)
        offer, size = self._visit.offer(row), row.size_bytes or 0
        with ExitStack() as held:
            try:
                self._check_disk()
                if not held.enter_context(self._desk.alone_with(offer.id)):
                    return False
                if self._take(row, offer, turn, held):
                    self._count(size_bytes=size)  # as a file it counts once it lasts
                    return True
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
        self._count(files=1, size_bytes=size)
        return True

    def _check_disk(self) -> None:
        """A disk that refused to make a file last is waited for, as when it cannot be written."""
        refused, self._low = self._low, None
        if refused is not None:
            with _as_low(self._desk):
                raise refused

    def _take(self, row: Row, offer: Offer, turn: Turn, held: ExitStack) -> bool:
        """True when the file was copied, and is on its way to rest; who lays it closes what is held."""
        spool, identifier = self._desk.spool, offer.id
        with _as_low(self._desk), open_beneath(self._visit.plug.root, self._visit.card_path(row)) as source:
            check_listed(source, row)
            known = spool.find(identifier)
            if known is not None and known.sha256 and not known.is_receipted and not rests(self._desk, known):
                spool.lost(identifier)
                known = None
            if known is None or not known.sha256:
                self._copy(row, offer, source, turn, held)
                return True
            self._know(known, source, row)
            self._desk.dockings.takes(self._visit.docking, identifier)
            return False

    def _know(self, known: SpoolFile, source: BinaryIO, row: Row) -> None:
        if tail_of(source, known.size_bytes) != known.tail:
            self._fault(CLASHES, row, "a file of the same name, size and time was taken before, with other bytes")

    def _copy(self, row: Row, offer: Offer, source: BinaryIO, turn: Turn, held: ExitStack) -> None:
        visit, desk, spool = self._visit, self._desk, self._desk.spool
        claims = read_claims(visit.card_path(row), mtime_ns=offer.mtime_ns, side=self._side)
        origin = Origin(visit.docking, visit.plug.port, visit.serial or "", visit.is_priority)
        told = spool.begin(offer, origin, Claims((*claims, *self._claims)))
        at, whole = self._kept(told, source)
        refusals = desk.refusals
        beside = desk.backup.writer(told) if desk.backup is not None and at == 0 else None
        if beside is not None:
            held.callback(beside.close)
        visit.show(Phase.COPYING, code="", why="")
        copied = copy_file(
            source,
            spool,
            told.offer,
            offer.size_bytes,
            at=at,
            whole=whole,
            measuring=self._measuring,
            beside=beside,
            spend=_Spend(self, turn, at),
        )
        held.callback(os.close, copied.descriptor)
        check_listed(source, row)
        # A file that was gone on with was not read whole: it is read again before it may be erased.
        fresh = Fresh(row, told.offer, copied, whole, at == 0, refusals, beside, held.pop_all())
        self._laying.put(fresh)

    def _kept(self, told: SpoolFile, source: BinaryIO) -> tuple[int, FileSha256]:
        """How much is kept of the file and its SHA-256, when its last piece is the same on the device; else nothing."""
        spool, nothing = self._desk.spool, FileSha256(told.size_bytes)
        at = spool.kept_bytes(told)
        if at == 0:
            return 0, nothing
        with spool.open(told.offer) as copy:
            ours = measure(copy, at - PIECE_BYTES, PIECE_BYTES)
            if measure(source, at - PIECE_BYTES, PIECE_BYTES).digest() == ours.digest():
                measure(copy, 0, at, into=nothing)
                return at, nothing
        spool.discard(told.offer)
        return 0, nothing

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
    length = min(size_bytes, TAIL_BYTES)
    return measure(source, size_bytes - length, length).hexdigest()


def rests(desk: Desk, known: SpoolFile) -> bool:
    """True when all bytes of a file are in the spool, by their number."""
    with store_errors("the spool cannot be read"):
        try:
            return desk.spool.bytes_path(known.offer).stat().st_size == known.size_bytes
        except FileNotFoundError:
            return False
