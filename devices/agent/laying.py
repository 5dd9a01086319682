# SPDX-License-Identifier: Apache-2.0
"""This is where copied files are laid to rest in the spool, several at once, while the next are copied.

(1) The bytes of each last, (2) then their names, (3) then the journal says so: never the other way round. A file
counts as copied after (3) alone. What comes while the disk is busy is laid together, next.
"""

import os
import threading
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from devices.agent.backup import BackupWriter
from devices.agent.copying import Copied, begin_writing
from devices.agent.desk import Desk
from devices.agent.measuring import FileSha256
from devices.agent.spool import PIECE_BYTES
from evidence.errors import StoreUnavailable
from pipeline.dock_manifest import Row
from storage.durable import store_errors

# So much of one port waits for the disk at most.
_FILES, _BYTES = 32, 64 << 20


@dataclass(frozen=True, slots=True)
class Fresh:
    """A file that was copied and does not last yet. `held` is closed when it does, or cannot.

    `is_read_whole`: all of it was read from the device in this docking. `refusals`: of the desk, when that began.
    """

    row: Row
    offer: str
    copied: Copied
    whole: FileSha256
    is_read_whole: bool
    refusals: int
    beside: BackupWriter | None
    held: ExitStack


@dataclass(frozen=True, slots=True)
class Laid:
    """What became of a file: it rests, or `error` says why not; then it is to be taken again."""

    row: Row
    error: Exception | None = None


class Laying:
    """The files of one docking on their way to rest, from `put` to `done`; while open it has a thread of its own."""

    def __init__(self, desk: Desk, docking: str) -> None:
        self._desk, self._docking = desk, docking
        self._changed = threading.Condition()
        self._waiting: list[Fresh] = []
        self._laid: list[Laid] = []
        self._under_way = self._bytes = 0
        self._is_ending = False
        self._thread = threading.Thread(target=self._work, name=f"dock-lay-{docking}", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Return when all that was put rests, or cannot: also of a docking that was broken off."""
        with self._changed:
            self._is_ending = True
            self._changed.notify_all()
        self._thread.join()

    def put(self, file: Fresh) -> None:
        """Lay this one, too; waits while the disk has much to do."""
        with self._changed:
            self._changed.wait_for(lambda: self._under_way < _FILES and (self._bytes < _BYTES or not self._under_way))
            self._waiting.append(file)
            self._under_way, self._bytes = self._under_way + 1, self._bytes + (file.row.size_bytes or 0)
            self._changed.notify_all()

    def done(self) -> list[Laid]:
        """What became of files since this was asked last."""
        with self._changed:
            laid, self._laid = self._laid, []
            return laid

    def finished(self) -> list[Laid]:
        """As `done`, once nothing is under way any more."""
        with self._changed:
            self._changed.wait_for(lambda: not self._under_way)
        return self.done()

    def _work(self) -> None:
        while batch := self._next():
            laid = self._lay(batch)
            with self._changed:
                self._laid += laid
                self._under_way -= len(batch)
                self._bytes -= sum(file.row.size_bytes or 0 for file in batch)
                self._changed.notify_all()

    def _next(self) -> list[Fresh]:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._is_ending)
            batch, self._waiting = self._waiting, []
            return batch

    def _lay(self, batch: list[Fresh]) -> list[Laid]:
        for file in batch:  # all are on their way to the disk before one is waited for
            begin_writing(file.copied.descriptor, (file.row.size_bytes or 0) // PIECE_BYTES * PIECE_BYTES)
        laid = {file.offer: Laid(file.row, self._made_to_last(file)) for file in batch}
        lasting = [file for file in batch if laid[file.offer].error is None]
        try:
            if lasting:
                self._note(lasting)
        except Exception as error:
            laid |= {file.offer: Laid(file.row, error) for file in lasting}
        for file in batch:
            file.held.close()
        return list(laid.values())

    def _made_to_last(self, file: Fresh) -> Exception | None:
        """Make the bytes of a file last, or say why not."""
        try:
            file.copied.measured.wait()
            with store_errors("the spool cannot be made durable"):
                os.fsync(file.copied.descriptor)
        except StoreUnavailable as error:
            # The system tells of a failed write once, and keeps in memory what the disk does not have.
            with suppress(StoreUnavailable):
                self._desk.spool.discard(file.offer)
            return error
        return None

    def _note(self, files: list[Fresh]) -> None:
        """Names and rows of files whose bytes last."""
        desk, docking = self._desk, self._docking
        desk.spool.sync()
        desk.spool.all_copied(
            [
                (file.whole.hexdigest(), file.whole.tail, docking if file.is_read_whole else None, file.offer)
                for file in files
            ]
        )
        desk.dockings.takes(docking, *(file.offer for file in files))
        desk.copied(max(file.refusals for file in files))
        for file in files:
            if desk.backup is not None and desk.backup.keep(desk.spool.file(file.offer), file.beside, desk.spool):
                desk.spool.backed_up(file.offer)
