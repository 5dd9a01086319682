# SPDX-License-Identifier: Apache-2.0
"""This is where files rest that are on their way in over the network: growing, each byte acknowledged once it lasts.

    received/<id>/told      what was said of the file when it was announced, JSON
    received/<id>/bytes     what came of it so far
    received/<id>/ledger    a line for each piece that lasts: the offset it ends at, its SHA-256

Order of writes: bytes, made durable; then the ledger's line, made durable; then the sender is told. So what was
acknowledged lasts, and what lies behind the last line is a torn piece that the next one writes over. A whole file
is adopted by the spool under a second name: it is never written a second time.
"""

import fcntl
import json
import os
import re
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from evidence import ids
from evidence.errors import InUse, NotFound, OffsetConflict, RecordMalformed
from pipeline.received_piece import Piece, lasting
from pipeline.received_told import Told
from storage.durable import store_errors, sync_folder, write_all

ROOT = "received:"
_ID = re.compile(r"upl-[a-z2-7]{16}", re.ASCII)
_DRAFT = re.compile(r"\.upl-[a-z2-7]{16}", re.ASCII)


class ReceivedFiles:
    """The files under one folder; several processes may use it at once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def create(self, told: Told, *, chance: bytes) -> str:
        """Announce a file; `chance` is 10 random bytes. Returns its id, `upl-…`.

        Raises:
            StoreUnavailable: the disk refused.
        """
        identifier = ids.opaque("upl", chance)
        with store_errors("no file can be received"):
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            draft = self.folder / f".{identifier}"
            draft.mkdir(mode=0o700)
            for name in ("bytes", "ledger"):
                (draft / name).touch(mode=0o600)
            _write(draft / "told", _told_bytes(told))
            sync_folder(draft)
            draft.replace(self.folder / identifier)
            sync_folder(self.folder)
        return identifier

    def ids(self) -> list[str]:
        """Every file that is announced, whole or not."""
        with store_errors("what was received cannot be listed"):
            if not self.folder.is_dir():
                return []
            return sorted(one.name for one in self.folder.iterdir() if _ID.fullmatch(one.name))

    def told(self, identifier: str) -> Told:
        """What was said of a file.

        Raises:
            NotFound: no such file. RecordMalformed, StoreUnavailable: it cannot be read.
        """
        with store_errors("what was told of a received file cannot be read"):
            try:
                text = (self._at(identifier) / "told").read_bytes()
            except FileNotFoundError as error:
                raise NotFound(f"no file {identifier} is being received") from error
        try:
            return Told.from_json(json.loads(text))
        except ValueError as error:
            raise RecordMalformed(f"what was told of {identifier} is no JSON") from error

    def tell(self, identifier: str, told: Told) -> None:
        """Put what was said of a file anew: its length is known now, or more came with it.

        Raises:
            StoreUnavailable: the disk refused. NotFound: no such file.
        """
        folder = self._at(identifier)
        with store_errors("what is told of a received file cannot be kept"):
            if not folder.is_dir():
                raise NotFound(f"no file {identifier} is being received")
            # A draft of its own: of two who tell at once, neither writes into what the other put in place.
            draft = folder / f".told-{os.getpid()}-{threading.get_ident()}"
            _write(draft, _told_bytes(told))
            draft.replace(folder / "told")
            sync_folder(folder)

    def offset(self, identifier: str) -> int:
        """How many bytes of a file last.

        Raises:
            NotFound: no such file. StoreUnavailable: it cannot be read.
        """
        return max((end for end, _ in self.pieces(identifier)), default=0)

    def pieces(self, identifier: str) -> list[tuple[int, str]]:
        """The pieces that last, in order: the offset that each ends at, and its SHA-256 in hexadecimal."""
        folder = self._at(identifier)
        with store_errors("the ledger of a received file cannot be read"):
            try:
                return lasting(folder / "ledger", folder / "bytes")
            except FileNotFoundError as error:
                raise NotFound(f"no file {identifier} is being received") from error

    @contextmanager
    def appending(self, identifier: str, *, at: int, limit: int | None = None) -> Iterator[Piece]:
        """Write the next piece of a file, from offset `at`; it counts when it was committed and this block ended.

        Raises:
            OffsetConflict: another offset is next; `values["offset"]` says which.
            InUse: somebody else is writing to it. NotFound, TooLarge, ChecksumMismatch, StoreUnavailable.
        """
        with store_errors("a received file cannot be written"), self._held(identifier) as ledger:
            offset = self.offset(identifier)
            if offset != at:
                raise OffsetConflict(f"the next byte is number {offset}, not {at}", offset=offset)
            if at == limit:
                # A whole file may have a second name already: it is not even opened.
                yield Piece(-1, ledger, at=at, limit=limit)
                return
            content = os.open(self._at(identifier) / "bytes", os.O_WRONLY | os.O_CLOEXEC)
            try:
                os.ftruncate(content, at)
                os.lseek(content, at, os.SEEK_SET)
                piece = Piece(content, ledger, at=at, limit=limit)
                yield piece
                if piece.is_committed:
                    piece.settle()
            finally:
                os.close(content)

    @contextmanager
    def _held(self, identifier: str) -> Iterator[int]:
        """The ledger of a file, which nobody else writes to meanwhile."""
        try:
            ledger = os.open(self._at(identifier) / "ledger", os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError as error:
            raise NotFound(f"no file {identifier} is being received") from error
        try:
            _lock(ledger, identifier)
            yield ledger
        finally:
            os.close(ledger)

    def path(self, identifier: str) -> Path:
        """Where the bytes of a file are."""
        return self._at(identifier) / "bytes"

    def heard_at(self, identifier: str) -> float:
        """When something of a file last came to stay: seconds since 1970, by the clock of this machine.

        Raises:
            NotFound: no such file. StoreUnavailable: it cannot be asked.
        """
        with store_errors("a received file cannot be asked"):
            try:
                return (self._at(identifier) / "ledger").stat().st_mtime
            except FileNotFoundError as error:
                raise NotFound(f"no file {identifier} is being received") from error

    def remove(self, identifier: str, *, unless_at: int | None = None, only_at: int | None = None) -> None:
        """Forget a file: it rests elsewhere, or nobody wants it. Repeats change nothing.

        `unless_at`: but not when it has come to this offset by now; `only_at`: only while it has not left this one.

        Raises:
            InUse: somebody is writing to it, or has just brought it there. StoreUnavailable: the disk refused.
        """
        gone = self.folder / f".{identifier}"
        with store_errors("a received file cannot be removed"), suppress(FileNotFoundError, NotFound):
            # All at once, by its name: half a file that is still called so would be taken for one.
            with self._held(identifier):
                if unless_at is not None and self.offset(identifier) == unless_at:
                    raise InUse(f"{identifier} came whole meanwhile")
                if only_at is not None and self.offset(identifier) != only_at:
                    raise InUse(f"{identifier} grew meanwhile")
                self._at(identifier).replace(gone)
            shutil.rmtree(gone)

    def clear(self) -> None:
        """Remove what was being announced or forgotten when a process was killed. For the only process, at its start.

        Raises:
            StoreUnavailable: the disk refused.
        """
        with store_errors("what was received cannot be cleared"):
            for path in self.folder.iterdir() if self.folder.is_dir() else ():
                if _DRAFT.fullmatch(path.name):
                    shutil.rmtree(path)

    def _at(self, identifier: str) -> Path:
        if not _ID.fullmatch(identifier):
            raise NotFound("no such file is being received")
        return self.folder / identifier


def root_of(identifier: str) -> str:
    """What stands as the root of an offer whose file was received."""
    return f"{ROOT}{identifier}"


def received_id(root: str) -> str | None:
    """The received file that an offer's root names; None when the offer is of a folder of this machine."""
    return root.removeprefix(ROOT) if root.startswith(ROOT) else None


def _lock(descriptor: int, identifier: str) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise InUse(f"{identifier} is being written to by another request") from error


def _told_bytes(told: Told) -> bytes:
    return json.dumps(told.to_json(), ensure_ascii=False, sort_keys=True).encode()


def _write(path: Path, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        write_all(descriptor, data)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
