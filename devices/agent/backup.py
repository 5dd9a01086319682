# SPDX-License-Identifier: Apache-2.0
"""This is where every file of a dock is kept once more, on another disk of the station.

    <docking>/<first 16 of SHA-256 over the offer>-<name, made plain>      the bytes
    ledger                                                                 a line for each file that rests here:
                                                                           sha256 TAB size TAB place TAB path

The bytes come with the copy from the device, block by block; a file that was not written in one go is copied
from the spool afterwards. Trouble with this disk is told once and blocks nothing.
"""

import hashlib
import os
import re
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from devices.agent.spool import Spool
from devices.agent.spool_rows import SpoolFile
from evidence.errors import EvidockError, FixityMismatch
from evidence.offer import showable
from storage.durable import store_errors, sync_folder, write_all

_PLAIN = re.compile(r"[^A-Za-z0-9._-]")


class Backup:
    """The second disk. `on_trouble` is told in words when it cannot be used, once until it can be again."""

    def __init__(self, folder: Path, on_trouble: Callable[[str], None]) -> None:
        self._folder, self._on_trouble = folder, on_trouble
        self.is_usable = True

    def writer(self, told: SpoolFile) -> "BackupWriter":
        """Who takes the blocks of a file while it is copied, from its first byte."""
        return BackupWriter(self, self.place(told))

    def place(self, told: SpoolFile) -> Path:
        """Where the file rests here; a function of what it is."""
        name = _PLAIN.sub("_", told.name)[-64:].lstrip(".")
        return self._folder / told.docking / f"{hashlib.sha256(told.offer.encode()).hexdigest()[:16]}-{name}"

    def keep(self, told: SpoolFile, writer: "BackupWriter | None", spool: Spool) -> bool:
        """Bring the backup of a file that is whole in the spool to its end; True when it rests here.

        Never raises for trouble with this disk.
        """
        try:
            place = self.place(told)
            if writer is None or not writer.finish(told):
                self._copy(told, spool, place)
            self._note(told, place)
        except (EvidockError, OSError) as error:
            self.trouble(str(error))
            return False
        self.is_usable = True
        return True

    def trouble(self, why: str) -> None:
        """The disk cannot be used: said once."""
        if self.is_usable:
            self.is_usable = False
            self._on_trouble(why)

    def _copy(self, told: SpoolFile, spool: Spool, place: Path) -> None:
        measured = hashlib.sha256()
        with store_errors("the backup cannot be written"), spool.open(told.offer) as source:
            place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with _draft_of(place).open("wb", buffering=0) as out:
                while block := source.read(1 << 20):
                    measured.update(block)
                    write_all(out.fileno(), block)
                os.fsync(out.fileno())
        if measured.hexdigest() != told.sha256:
            raise FixityMismatch(f"the spool no longer has what was copied: {showable(told.path)}")
        with store_errors("the backup cannot be written"):
            _draft_of(place).replace(place)

    def _note(self, told: SpoolFile, place: Path) -> None:
        line = f"{told.sha256}\t{told.size_bytes}\t{place.relative_to(self._folder)}\t{showable(told.path)}\n"
        with store_errors("the backup's ledger cannot be written"):
            sync_folder(place.parent)
            with (self._folder / "ledger").open("ab", buffering=0) as ledger:
                write_all(ledger.fileno(), line.encode())
                os.fsync(ledger.fileno())

    def forget_drafts(self) -> None:
        """Remove what an earlier process left half written."""
        with suppress(OSError):
            for draft in self._folder.glob("*/.*.draft"):
                draft.unlink(missing_ok=True)


class BackupWriter:
    """Takes the blocks of one file; after the first trouble it takes no more, and `finish` says so."""

    def __init__(self, backup: Backup, place: Path) -> None:
        self._backup, self._place = backup, place
        self._size = 0
        self._out: int | None = None
        try:
            place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
            self._out = os.open(_draft_of(place), flags, 0o600)
        except OSError as error:
            backup.trouble(str(error))

    def write(self, block: memoryview) -> None:
        """Take the next block."""
        if self._out is None:
            return
        try:
            write_all(self._out, block)
            self._size += len(block)
        except OSError as error:
            self._backup.trouble(str(error))
            self.close()

    def finish(self, told: SpoolFile) -> bool:
        """Make the file last under its name; False when it is not whole. Raises: StoreUnavailable."""
        if self._out is None or self._size != told.size_bytes:
            self.close()
            return False
        with store_errors("the backup cannot be made durable"):
            os.fsync(self._out)
            self.close()
            _draft_of(self._place).replace(self._place)
        return True

    def close(self) -> None:
        """Take no more. Safe to repeat."""
        if self._out is not None:
            os.close(self._out)
            self._out = None


def _draft_of(place: Path) -> Path:
    return place.with_name(f".{place.name}.draft")


def has_room(folder: Path, size_bytes: int) -> bool:
    """True when so many bytes more may be written to the disk of `folder`. Raises: StoreUnavailable."""
    with store_errors("the disk cannot be asked for its room"):
        return shutil.disk_usage(folder).free >= size_bytes
