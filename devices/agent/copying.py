# SPDX-License-Identifier: Apache-2.0
"""This is where a file is copied from a device into the spool, and measured in the same read.

One thread reads and writes, another measures beside it: SHA-256 of the whole file and of each piece of 8 MiB.
The disk is told to begin writing while the next piece is read, so that little is left to wait for at the end.
"""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from hashlib import sha256
from typing import BinaryIO, Protocol

from devices.agent.spool import PIECE_BYTES, Spool
from evidence.digest import Digest
from evidence.errors import NotFound, SourceUnavailable, StillChanging
from storage.durable import store_errors, write_all

# Two for each port that is in the middle of a file: 64 ports hold 32 MiB.
BLOCK_BYTES = 1 << 18


class Beside(Protocol):
    """Who takes every block of a file, too; it keeps its own troubles to itself."""

    def write(self, block: memoryview) -> None:
        """Take the next block."""


@dataclass(slots=True)
class Measured:
    """The digests of a file while it is read."""

    whole: "Hash" = field(default_factory=sha256)
    pieces: list[bytes] = field(default_factory=list)
    size_bytes: int = 0
    _piece: "Hash" = field(default_factory=sha256)

    def update(self, block: memoryview) -> None:
        """Measure the next block, which ends at the end of a piece or before it."""
        self.whole.update(block)
        self._piece.update(block)
        self.size_bytes += len(block)
        if self.size_bytes % PIECE_BYTES == 0:
            self.finish()

    def finish(self) -> None:
        """The piece ends here."""
        self.pieces.append(self._piece.digest())
        self._piece = sha256()

    def copy(self) -> "Measured":
        """The same so far; the two go on apart."""
        return Measured(self.whole.copy(), list(self.pieces), self.size_bytes, self._piece.copy())

    @property
    def digest(self) -> Digest:
        """Of all that was measured."""
        return Digest(self.whole.digest(), self.size_bytes)


class Hash(Protocol):
    """What hashlib makes."""

    def update(self, data: memoryview, /) -> None:
        """Measure more."""

    def digest(self) -> bytes:
        """Of all so far."""

    def copy(self) -> "Hash":
        """Another of the same state."""


def read_blocks(source: BinaryIO, size_bytes: int, measured: Measured, *, is_end: bool = True) -> Iterator[memoryview]:
    """The blocks of `source` from where it stands, measured beside; a block is good until the next is asked for.

    `is_end`: the file is to end there.

    Raises:
        StillChanging: the file has fewer bytes than `size_bytes` says, or more.
        SourceUnavailable: it can no longer be read.
    """
    buffers = (memoryview(bytearray(BLOCK_BYTES)), memoryview(bytearray(BLOCK_BYTES)))
    measuring: Future[None] | None = None
    left, turn = size_bytes - measured.size_bytes, 0
    with ThreadPoolExecutor(1) as pool:
        while left > 0:
            block = _fill(source, buffers[turn][: min(left, BLOCK_BYTES)])
            if measuring is not None:
                measuring.result()
            measuring = pool.submit(measured.update, block)
            yield block
            left, turn = left - len(block), 1 - turn
        if measuring is not None:
            measuring.result()
    if is_end and _fill(source, buffers[turn][:1], is_end=True):
        raise StillChanging("the file has more bytes than were listed")
    if size_bytes % PIECE_BYTES:
        measured.finish()


def copy_file(
    source: BinaryIO,
    spool: Spool,
    offer: str,
    size_bytes: int,
    *,
    measured: Measured,
    beside: Beside | None,
    spend: Callable[[int], None],
) -> Digest:
    """Copy `source` into the spool from `measured.size_bytes` on; all of it lasts when this returns.

    `measured` is of what the spool keeps already, whole pieces only. `spend` is told of every block, and may
    take its time or raise to end the copy: what was copied until then stays, and is gone on with later.

    Raises:
        StillChanging: the file has another length than was listed.
        SourceUnavailable: the device can no longer be read.
        StoreUnavailable: the spool cannot be written.
    """
    with _writers(spool, offer, measured) as (out, lines):
        told = len(measured.pieces)
        for block in read_blocks(source, size_bytes, measured):
            with store_errors("the spool cannot be written"):
                write_all(out, block)
            if beside is not None:
                beside.write(block)
            spend(len(block))
            told = _tell_pieces(out, lines, measured, told)
        _tell_pieces(out, lines, measured, told)
        with store_errors("the spool cannot be made durable"):
            os.fsync(out)
            if size_bytes > PIECE_BYTES:  # the digest of a single piece is that of the file: the row has it
                os.fsync(lines)
    spool.sync()
    return measured.digest


def measure_kept(spool: Spool, offer: str) -> Measured:
    """What the spool keeps of a file, measured again: whole pieces that fit, up to the first that does not.

    Raises:
        StoreUnavailable: the spool cannot be read.
    """
    measured = Measured()
    expected = spool.told_pieces(offer)
    with suppress(NotFound), spool.open(offer) as reader:
        for told in expected:
            before = measured.copy()
            try:
                for block in _piece_of(reader):
                    measured.update(block)
            except StillChanging:  # the piece was never written whole
                return before
            if measured.pieces[-1] != told:
                return before
    return measured


def _piece_of(reader: BinaryIO) -> Iterator[memoryview]:
    buffer = memoryview(bytearray(BLOCK_BYTES))
    for _ in range(PIECE_BYTES // BLOCK_BYTES):
        yield _fill(reader, buffer)


def _fill(source: BinaryIO, buffer: memoryview, *, is_end: bool = False) -> memoryview:
    """The buffer filled whole, except at the end of the file, where fewer bytes are an error."""
    filled = 0
    try:
        while filled < len(buffer):
            count = source.readinto(buffer[filled:])  # type: ignore[attr-defined]
            if not count:
                break
            filled += count
    except OSError as error:
        raise SourceUnavailable(f"the file cannot be read: {error.strerror}", errno=error.errno) from error
    if filled < len(buffer) and not is_end:
        raise StillChanging("the file has fewer bytes than were listed")
    return buffer[:filled]


def _tell_pieces(out: int, lines: int, measured: Measured, told: int) -> int:
    """Write down the pieces that are measured by now, and let the disk begin with them."""
    ready = len(measured.pieces)
    if ready > told:
        with store_errors("the spool cannot be written"):
            write_all(lines, b"".join(measured.pieces[told:ready]))
        with suppress(OSError):  # advice: pages that are not written yet are begun with, and stay readable
            os.posix_fadvise(out, told * PIECE_BYTES, (ready - told) * PIECE_BYTES, os.POSIX_FADV_DONTNEED)
    return ready


@contextmanager
def _writers(spool: Spool, offer: str, measured: Measured) -> Iterator[tuple[int, int]]:
    """The bytes and the pieces of a file, open for writing behind what is kept."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    opened: list[int] = []
    try:
        with store_errors("the spool cannot be written"):
            for path, size in (
                (spool.bytes_path(offer), measured.size_bytes),
                (spool.pieces_path(offer), len(measured.pieces) * 32),
            ):
                opened.append(os.open(path, flags, 0o600))
                os.ftruncate(opened[-1], size)
                os.lseek(opened[-1], size, os.SEEK_SET)
        yield opened[0], opened[1]
    finally:
        for descriptor in opened:
            os.close(descriptor)
