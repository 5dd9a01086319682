# SPDX-License-Identifier: Apache-2.0
"""This is where a file is copied from a device into the spool, and measured in the same read.

One thread reads and writes, another measures beside it. What was copied lasts once `laying` has seen to it, which
goes on while the next file is copied. A copy that is broken off leaves whole pieces.
"""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from hashlib import sha256
from typing import BinaryIO, Protocol

from devices.agent.measuring import BLOCK_BYTES, Measuring, Sha256
from devices.agent.spool import PIECE_BYTES, Spool
from evidence.errors import SourceUnavailable, StillChanging, StoreUnavailable
from storage.durable import store_errors, write_all


class Beside(Protocol):
    """Who takes every block of a file, too; it keeps its own troubles to itself."""

    def write(self, block: memoryview) -> None:
        """Take the next block."""


@dataclass(frozen=True, slots=True)
class Copied:
    """A file whose bytes are all written, and do not last yet.

    `descriptor` is to be closed by who gets it; the SHA-256 is known once `measured` is set.
    """

    descriptor: int
    measured: threading.Event


def copy_file(
    source: BinaryIO,
    spool: Spool,
    offer: str,
    size_bytes: int,
    *,
    at: int,
    whole: Sha256,
    measuring: Measuring,
    beside: Beside | None,
    spend: Callable[[int], None],
) -> Copied:
    """Copy `source` into the spool from byte `at` on; it is written when this returns, and not made to last.

    `whole` is the SHA-256 of what the spool keeps before `at`, which is the end of a piece. `spend` is told of
    every block, and may take its time, or raise to end the copy: what was copied until then stays, and lasts.

    Raises:
        StillChanging: the file has another length than was listed.
        SourceUnavailable: the device can no longer be read.
        StoreUnavailable: the spool cannot be written.
    """
    done = at
    with _writer(spool, offer, at) as out:
        source.seek(at)
        measuring.begin(whole)
        for block in read_blocks(source, size_bytes - at, measuring=measuring):
            with store_errors("the spool cannot be written"):
                write_all(out, block)
            if beside is not None:
                beside.write(block)
            done += len(block)
            # The last piece is not uploaded before the whole was found to be what was listed.
            if done % PIECE_BYTES == 0 and done < size_bytes:
                spool.grow(offer, done)
                begin_writing(out, done - PIECE_BYTES)
            spend(len(block))
        return Copied(out, measuring.mark())


def read_blocks(
    source: BinaryIO, size_bytes: int, *, measuring: Measuring, is_end: bool = True
) -> Iterator[memoryview]:
    """The next `size_bytes` of `source`, measured beside; a block is good until the next is asked for.

    `is_end`: the file is to end there.

    Raises:
        StillChanging: the file has fewer bytes, or more.
        SourceUnavailable: it can no longer be read.
    """
    left = size_bytes
    while left > 0:
        block = _fill(source, measuring.room()[: min(left, BLOCK_BYTES)])
        if not block:
            raise StillChanging("the file has fewer bytes than were listed")
        measuring.update(block)
        yield block
        left -= len(block)
    if is_end and _fill(source, measuring.room()[:1]):
        raise StillChanging("the file has more bytes than were listed")


def measure(source: BinaryIO, at: int, size_bytes: int, *, into: Sha256 | None = None) -> Sha256:
    """The SHA-256 of `size_bytes` bytes of an open file from byte `at` on. Raises: as `read_blocks`."""
    whole = into or sha256()
    source.seek(at)
    with Measuring(whole) as measuring:
        for _ in read_blocks(source, size_bytes, measuring=measuring, is_end=False):
            pass
    return whole


def _fill(source: BinaryIO, buffer: memoryview) -> memoryview:
    """The buffer filled, so that blocks end where pieces do; less of it only at the end of the file."""
    filled = 0
    try:
        while filled < len(buffer):
            count = source.readinto(buffer[filled:])  # type: ignore[attr-defined]
            if not count:
                break
            filled += count
    except OSError as error:
        raise SourceUnavailable(f"the file cannot be read: {error.strerror}", errno=error.errno) from error
    return buffer[:filled]


def begin_writing(out: int, at: int) -> None:
    """Advice to the system: the piece at `at` may be written now; until it is, it stays readable in memory."""
    with suppress(OSError):
        os.posix_fadvise(out, at, PIECE_BYTES, os.POSIX_FADV_DONTNEED)


@contextmanager
def _writer(spool: Spool, offer: str, at: int) -> Iterator[int]:
    """The file in the spool, open for writing behind what is kept; broken off, its whole pieces last.

    At a good end it stays open: who makes it last closes it.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    with store_errors("the spool cannot be written"):
        out = os.open(spool.bytes_path(offer), flags, 0o600)
    try:
        with store_errors("the spool cannot be written"):
            os.ftruncate(out, at)
            os.lseek(out, at, os.SEEK_SET)
        spool.begin_writing(offer)
        yield out
    except BaseException:
        with suppress(OSError, StoreUnavailable):  # what is not made to last is copied again, and no more
            kept = os.fstat(out).st_size // PIECE_BYTES * PIECE_BYTES
            os.ftruncate(out, kept)  # on a full disk, that is room for the journal
            os.fsync(out)
            spool.set_kept(offer, kept)
        os.close(out)
        raise
