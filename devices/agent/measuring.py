# SPDX-License-Identifier: Apache-2.0
"""This is where bytes are measured beside the thread that reads them: hashing leaves other threads alone."""

import queue
import threading
from hashlib import sha256
from types import TracebackType
from typing import Protocol, Self

# One is filled, one is measured, one waits. 64 ports that are in the middle of a file hold 96 MiB.
BUFFERS = 3
BLOCK_BYTES = 1 << 19
TAIL_BYTES = 1 << 20


class Sha256(Protocol):
    """What `hashlib.sha256` makes."""

    def update(self, data: memoryview, /) -> None:
        """Measure more."""

    def digest(self) -> bytes:
        """Of all so far."""

    def hexdigest(self) -> str:
        """The same as 64 lower-case hexadecimal digits."""


class FileSha256:
    """SHA-256 of a file of `size_bytes` and of its last bytes, both taken in one reading from its first byte on."""

    def __init__(self, size_bytes: int) -> None:
        self._whole = sha256()
        self._tail = sha256() if size_bytes > TAIL_BYTES else None
        self._tail_at, self._at = size_bytes - TAIL_BYTES, 0

    def update(self, data: memoryview, /) -> None:
        """Measure more."""
        self._whole.update(data)
        before, self._at = self._at, self._at + len(data)
        if self._tail is not None and self._at > self._tail_at:
            self._tail.update(data[max(0, self._tail_at - before) :])

    def digest(self) -> bytes:
        """Of all so far."""
        return self._whole.digest()

    def hexdigest(self) -> str:
        """The same as 64 lower-case hexadecimal digits."""
        return self._whole.hexdigest()

    @property
    def tail(self) -> str:
        """The SHA-256 of the last bytes, in hexadecimal; of a small file that of all of it."""
        return (self._tail or self._whole).hexdigest()


class Measuring:
    """Updates a hash with blocks in the order they come, in a thread of its own; one for many files, one after another.

    A block is filled in the buffer that `room` gives, and must stay as it is until that buffer is given again.
    """

    def __init__(self, whole: Sha256 | None = None) -> None:
        self._whole = whole
        self._blocks: queue.SimpleQueue[tuple[Sha256, memoryview] | threading.Event | None] = queue.SimpleQueue()
        self._free = threading.Semaphore(BUFFERS)
        self._buffers: list[memoryview] = []
        self._turn, self._holds = -1, False
        self._thread = threading.Thread(target=self._work, name="measuring", daemon=True)
        self._is_finished = False

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.finish()

    def begin(self, whole: Sha256) -> None:
        """Blocks from now on belong to this hash; those before it are measured as they were to be."""
        self._whole = whole

    def room(self) -> memoryview:
        """A buffer to be filled, once one is free. Asked again before `update`, it is the same."""
        if not self._holds:
            self._free.acquire()
            self._holds, self._turn = True, (self._turn + 1) % BUFFERS
            if len(self._buffers) < BUFFERS:
                self._buffers.append(memoryview(bytearray(BLOCK_BYTES)))
        return self._buffers[self._turn]

    def update(self, block: memoryview) -> None:
        """Measure this block, a part of the buffer that `room` gave, after those before it."""
        assert self._whole is not None  # noqa: S101 - whoever has blocks said whose they are
        self._holds = False
        self._blocks.put((self._whole, block))

    def mark(self) -> threading.Event:
        """Set once all blocks so far are measured."""
        event = threading.Event()
        self._blocks.put(event)
        return event

    def finish(self) -> None:
        """Return when all blocks are measured. Safe to repeat."""
        if not self._is_finished:
            self._is_finished = True
            self._blocks.put(None)
            self._thread.join()

    def _work(self) -> None:
        while (one := self._blocks.get()) is not None:
            if isinstance(one, threading.Event):
                one.set()
                continue
            whole, block = one
            whole.update(block)
            self._free.release()
