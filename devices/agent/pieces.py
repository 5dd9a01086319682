# SPDX-License-Identifier: Apache-2.0
"""This is where one piece of a file in the spool becomes the body of a request: read block by block, and counted.

A piece is never held in memory whole, and a body can be made again for another attempt.
"""

import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256

from devices.agent.spool import PIECE_BYTES
from evidence.errors import ServerUnavailable
from storage.durable import store_errors

_BLOCK = 1 << 20


@dataclass(slots=True)
class Sent:
    """Figures of what went over the wire since the start; threads share it.

    `bytes` were given to the network as content of files, `acknowledged` came to count at the server; the rest were
    sent in vain. `cuts` are pieces that broke off, or were answered with no.
    """

    bytes: int = 0
    acknowledged: int = 0
    pieces: int = 0
    cuts: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def add(self, *, sent: int = 0, acknowledged: int = 0, pieces: int = 0, cuts: int = 0) -> None:
        """Count something."""
        with self._lock:
            self.bytes += sent
            self.acknowledged += acknowledged
            self.pieces += pieces
            self.cuts += cuts


def end_of_piece(at: int, size_bytes: int, piece_bytes: int = PIECE_BYTES) -> int:
    """Where the piece ends that the byte number `at` of a file lies in."""
    return min((at // piece_bytes + 1) * piece_bytes, size_bytes)


def blocks(descriptor: int, at: int, end: int, sent: Sent) -> Iterator[memoryview]:
    """The bytes from `at` to `end` of an open file, in blocks that are good until the next is asked for.

    Raises:
        ServerUnavailable: the file is shorter than it was: the request cannot be finished.
        StoreUnavailable: it cannot be read.
    """
    buffer = memoryview(bytearray(min(_BLOCK, max(1, end - at))))
    while at < end:
        with store_errors("a file in the spool cannot be read"):
            count = os.preadv(descriptor, [buffer[: min(_BLOCK, end - at)]], at)
        if count == 0:
            raise ServerUnavailable("a file in the spool is shorter than it was")
        sent.add(sent=count)
        at += count
        yield buffer[:count]


def measured(descriptor: int, at: int, end: int) -> bytes:
    """The SHA-256 of these bytes as they rest now.

    Raises:
        ServerUnavailable, StoreUnavailable: as `blocks`.
    """
    hashed = sha256()
    for block in blocks(descriptor, at, end, Sent()):
        hashed.update(block)
    return hashed.digest()
