# SPDX-License-Identifier: Apache-2.0
"""This is where files are read with memory flat in their size, and measured on the way."""

import hashlib
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from evidence.digest import Digest
from evidence.errors import SourceUnavailable
from storage.durable import write_all
from storage.objects import BLOCK_SIZE

_READ_AT_ONCE = 1 << 30


def blocks_of(descriptor: int) -> Iterator[memoryview]:
    """The bytes from the descriptor's position on. Each block is valid only until the next is asked for."""
    buffer = memoryview(bytearray(BLOCK_SIZE))
    while count := os.readv(descriptor, [buffer]):
        yield buffer[:count]


def digest_of(blocks: Iterable[memoryview]) -> Digest:
    """Digest of all the blocks together."""
    digest = hashlib.sha256()
    size_bytes = 0
    for block in blocks:
        digest.update(block)
        size_bytes += len(block)
    return Digest(digest.digest(), size_bytes)


def copied_to(descriptor: int, blocks: Iterable[memoryview]) -> Iterator[memoryview]:
    """The same blocks, each written to `descriptor` before it is passed on."""
    for block in blocks:
        write_all(descriptor, block)
        yield block


def read_at(descriptor: int, start: int, length: int) -> bytes:
    """The `length` bytes from `start`, fewer only where the file ends. The position does not move."""
    # Asking for no more than is there keeps a generous limit from costing memory.
    length = min(length, os.fstat(descriptor).st_size - start)
    parts: list[bytes] = []
    while length > 0 and (part := os.pread(descriptor, min(length, _READ_AT_ONCE), start)):
        parts.append(part)
        start += len(part)
        length -= len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


@contextmanager
def opened_source(source: Path) -> Iterator[int]:
    """A descriptor for reading of the plain file `source`; a link is not followed.

    Raises:
        SourceUnavailable: it is not there, not readable, or of another kind.

    """
    try:
        descriptor = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise SourceUnavailable(f"cannot open {source}: {error.strerror}", errno=error.errno) from error
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise SourceUnavailable(f"{source} is not a plain file")
        yield descriptor
    finally:
        os.close(descriptor)


def blocks_of_source(incoming: int, source: Path) -> Iterator[memoryview]:
    """The blocks of `source`, open as `incoming`; see `blocks_of`.

    Raises:
        SourceUnavailable: the file or its device stopped giving.

    """
    try:
        yield from blocks_of(incoming)
    except OSError as error:
        raise SourceUnavailable(f"cannot read {source}: {error.strerror}", errno=error.errno) from error
