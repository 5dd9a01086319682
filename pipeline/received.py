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
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path

from evidence import ids
from evidence.errors import ChecksumMismatch, InUse, NotFound, OffsetConflict, RecordMalformed, TooLarge
from pipeline.received_told import Told
from storage.durable import store_errors, sync_folder, write_all

ROOT = "received:"
_ID = re.compile(r"upl-[a-z2-7]{16}", re.ASCII)
_LINE = re.compile(rb"([0-9]{1,19}) ([0-9a-f]{64})\n")


class Piece:
    """A piece that is being written; without `commit` it is as if it had never come."""

    def __init__(self, descriptor: int, *, at: int, limit: int | None) -> None:
        self._descriptor = descriptor
        self._limit = limit
        self._hash = sha256()
        self.at = at
        self.end = at
        self.is_committed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Append bytes to the piece.

        Raises:
            TooLarge: the file would be longer than was announced.
            StoreUnavailable: the disk refused.
        """
        if self._limit is not None and self.end + len(data) > self._limit:
            raise TooLarge(f"the file was announced with {self._limit} bytes, and more came")
        with store_errors("a received file cannot be written"):
            write_all(self._descriptor, data)
        self._hash.update(data)
        self.end += len(data)

    @property
    def sha256(self) -> bytes:
        """Of what was written so far."""
        return self._hash.digest()

    def commit(self, expected: bytes | None = None) -> None:
        """The piece is whole; when this returned and the block ended well, it lasts.

        Raises:
            ChecksumMismatch: its SHA-256 is not `expected`. Nothing of it stays.
        """
        if expected is not None and expected != self.sha256:
            raise ChecksumMismatch("the piece has another SHA-256 than was announced; send it again")
        self.is_committed = True


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
            _write(folder / ".told", _told_bytes(told))
            (folder / ".told").replace(folder / "told")
            sync_folder(folder)

    def offset(self, identifier: str) -> int:
        """How many bytes of a file last.

        Raises:
            NotFound: no such file. StoreUnavailable: it cannot be read.
        """
        return max((end for end, _ in self.pieces(identifier)), default=0)

    def pieces(self, identifier: str) -> list[tuple[int, str]]:
        """The pieces that last, in order: the offset that each ends at, and its SHA-256 in hexadecimal."""
        with store_errors("the ledger of a received file cannot be read"):
            try:
                ledger = (self._at(identifier) / "ledger").read_bytes()
            except FileNotFoundError as error:
                raise NotFound(f"no file {identifier} is being received") from error
        found = []
        for line in ledger.splitlines(keepends=True):
            match = _LINE.fullmatch(line)
            if match is None:  # a torn last line: its piece was not acknowledged
                break
            found.append((int(match[1]), match[2].decode()))
        return found

    @contextmanager
    def appending(self, identifier: str, *, at: int, limit: int | None = None) -> Iterator[Piece]:
        """Write the next piece of a file, from offset `at`; it counts when it was committed and this block ended.

        Raises:
            OffsetConflict: another offset is next; `values["offset"]` says which.
            InUse: somebody else is writing to it. NotFound, TooLarge, ChecksumMismatch, StoreUnavailable.
        """
        folder = self._at(identifier)
        with store_errors("a received file cannot be written"):
            try:
                ledger = os.open(folder / "ledger", os.O_RDWR | os.O_CLOEXEC)
            except FileNotFoundError as error:
                raise NotFound(f"no file {identifier} is being received") from error
            try:
                _lock(ledger, identifier)
                offset = self.offset(identifier)
                if offset != at:
                    raise OffsetConflict(f"the next byte is number {offset}, not {at}", offset=offset)
                yield from self._written(folder, ledger, at=at, limit=limit)
            finally:
                os.close(ledger)

    def _written(self, folder: Path, ledger: int, *, at: int, limit: int | None) -> Iterator[Piece]:
        content = os.open(folder / "bytes", os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.ftruncate(content, at)
            os.lseek(content, at, os.SEEK_SET)
            piece = Piece(content, at=at, limit=limit)
            yield piece
            if piece.is_committed and piece.end > at:
                os.fsync(content)
                _append(ledger, f"{piece.end} {piece.sha256.hex()}\n".encode())
        finally:
            os.close(content)

    def path(self, identifier: str) -> Path:
        """Where the bytes of a file are."""
        return self._at(identifier) / "bytes"

    def remove(self, identifier: str) -> None:
        """Forget a file: it rests elsewhere, or nobody wants it. Repeats change nothing.

        Raises:
            StoreUnavailable: the disk refused.
        """
        with store_errors("a received file cannot be removed"), suppress(FileNotFoundError):
            shutil.rmtree(self._at(identifier))

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


def _append(ledger: int, line: bytes) -> None:
    """Put a line behind the last whole one, durably."""
    told = os.pread(ledger, os.fstat(ledger).st_size, 0)
    whole = told.rfind(b"\n") + 1
    os.ftruncate(ledger, whole)
    os.lseek(ledger, whole, os.SEEK_SET)
    write_all(ledger, line)
    os.fsync(ledger)


def _told_bytes(told: Told) -> bytes:
    return json.dumps(told.to_json(), ensure_ascii=False, sort_keys=True).encode()


def _write(path: Path, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        write_all(descriptor, data)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
