# SPDX-License-Identifier: Apache-2.0
"""This is where a file on its way in grows piece by piece, and its ledger says up to where its bytes last."""

import os
import re
from hashlib import sha256
from pathlib import Path

from evidence.errors import ChecksumMismatch, TooLarge
from storage.durable import store_errors, write_all

_LINE = re.compile(rb"([0-9]{1,19}) ([0-9a-f]{64})\n")


def pieces_of(ledger: bytes) -> list[tuple[int, str]]:
    """The pieces that a ledger names, in order: the offset that each ends at, and its SHA-256 in hexadecimal.

    What follows a line that is torn or out of order was not acknowledged.
    """
    found: list[tuple[int, str]] = []
    for line in ledger.splitlines(keepends=True):
        match = _LINE.fullmatch(line)
        if match is None or (found and int(match[1]) <= found[-1][0]):
            break
        found.append((int(match[1]), match[2].decode()))
    return found


def lasting(ledger: Path, content: Path) -> list[tuple[int, str]]:
    """The pieces that last: those that the ledger names and the bytes hold."""
    size = content.stat().st_size
    # A disk that forgot what it had said to be durable: the sender is asked for it again.
    return [one for one in pieces_of(ledger.read_bytes()) if one[0] <= size]


class Piece:
    """A piece that is being written; without `commit` it is as if it had never come.

    It starts at offset `at` and has come to `end`. Not for two threads at once.
    """

    def __init__(self, content: int, ledger: int, *, at: int, limit: int | None) -> None:
        self._content = content
        self._ledger = ledger
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
            write_all(self._content, data)
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

    def settle(self) -> None:
        """Make what was written so far a piece of its own that lasts; the next one begins behind it.

        Raises:
            StoreUnavailable: the disk refused.
        """
        if self.end == self.at:
            return
        with store_errors("a received file cannot be made durable"):
            # (1) The bytes last, (2) then the line that says so: never the other way round.
            os.fsync(self._content)
            _append(self._ledger, f"{self.end} {self.sha256.hex()}\n".encode(), at=self.at)
        self._hash = sha256()
        self.at = self.end


def _append(ledger: int, line: bytes, *, at: int) -> None:
    """Put a line behind the one that ends at offset `at`, durably; what stood there was torn, or never lasted."""
    kept = [one for one in pieces_of(os.pread(ledger, os.fstat(ledger).st_size, 0)) if one[0] <= at]
    size = sum(len(f"{end} {digest}\n") for end, digest in kept)
    os.ftruncate(ledger, size)
    os.lseek(ledger, size, os.SEEK_SET)
    write_all(ledger, line)
    os.fsync(ledger)
