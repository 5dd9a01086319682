# SPDX-License-Identifier: Apache-2.0
"""This is where bytes are measured beside the thread that reads them: hashing leaves other threads alone."""

import queue
import threading
from types import TracebackType
from typing import Protocol, Self

# One is filled, one is measured, one waits.
BUFFERS = 3


class Sha256(Protocol):
    """What `hashlib.sha256` makes."""

    def update(self, data: memoryview, /) -> None:
        """Measure more."""

    def digest(self) -> bytes:
        """Of all so far."""

    def hexdigest(self) -> str:
        """The same as 64 lower-case hexadecimal digits."""


class Measuring:
    """Updates `whole` with blocks in the order they come, in a thread of its own, until the end of the block.

    A block must stay as it is until `wait_for_room` returned `BUFFERS` calls later, or `finish` did.
    """

    def __init__(self, whole: Sha256) -> None:
        self._whole = whole
        self._blocks: queue.SimpleQueue[memoryview | None] = queue.SimpleQueue()
        self._room = threading.Semaphore(BUFFERS)
        self._thread = threading.Thread(target=self._work, name="measuring", daemon=True)
        self._is_finished = False

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.finish()

    def wait_for_room(self) -> None:
        """Return when one more block may be filled."""
        self._room.acquire()

    def update(self, block: memoryview) -> None:
        """Measure this block, after those before it. `wait_for_room` was called for it."""
        self._blocks.put(block)

    def finish(self) -> None:
        """Return when all blocks are measured. Safe to repeat."""
        if not self._is_finished:
            self._is_finished = True
            self._blocks.put(None)
            self._thread.join()

    def _work(self) -> None:
        while (block := self._blocks.get()) is not None:
            self._whole.update(block)
            self._room.release()
