# SPDX-License-Identifier: Apache-2.0
"""This is where footage is sent, block by block: no faster than it is fetched, and no longer than somebody listens.

Blocks are read by a few threads that all viewers share in turn, and that requests for anything else do not wait for.
"""

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import anyio
from anyio import CapacityLimiter
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from evidence.errors import EvidockError, Overloaded

Read = Callable[[int, int], bytes]
"""`read(first, length)` of what is sent."""
Sent = Callable[[int, int], None]
"""Told how many bytes went out from which one on, when the sending ends, however it does."""


@dataclass(slots=True)
class Viewers:
    """Lets so many answers of footage be under way: in all, and of one session or key."""

    most: int
    most_per_holder: int
    _lock: threading.Lock = field(init=False, repr=False, default_factory=threading.Lock)
    _inside: "Counter[str]" = field(init=False, repr=False, default_factory=Counter)

    @property
    def count(self) -> int:
        """How many are under way."""
        with self._lock:
            return self._inside.total()

    @contextmanager
    def passing(self, holder: str) -> Iterator[None]:
        """Be inside while the block runs.

        Raises:
            Overloaded: enough are.
        """
        with self._lock:
            if self._inside.total() >= self.most or self._inside[holder] >= self.most_per_holder:
                raise Overloaded("too many answers of footage are under way already")
            self._inside[holder] += 1
        try:
            yield
        finally:
            with self._lock:
                self._inside[holder] -= 1
                self._inside += Counter()  # forget who has none


@dataclass(slots=True)
class Readers:
    """The threads that read footage, and how much each reads at a time."""

    threads: int
    block_bytes: int
    _limiter: CapacityLimiter | None = field(init=False, repr=False, default=None)

    async def read(self, read: Read, first: int, length: int) -> bytes:
        """A block, read in one of the threads; who waits, waits in turn."""
        if self._limiter is None:  # it belongs to the loop that it is made in
            self._limiter = CapacityLimiter(self.threads)
        return await anyio.to_thread.run_sync(read, first, length, limiter=self._limiter)


@dataclass(frozen=True, slots=True)
class Sending:
    """What is sent: `length` bytes from `first` on, by `read`, to `holder`; `sent` is told what went out."""

    read: Read
    first: int
    length: int
    holder: str
    sent: Sent


class Blocks(Response):
    """Part of a thing as an answer, read while it is sent.

    The first block is read before anything is said: a thing that is not there is an error as any other.
    """

    def __init__(
        self, what: Sending, *, status: int, headers: Mapping[str, str], readers: Readers, viewers: Viewers
    ) -> None:
        super().__init__(status_code=status, headers=dict(headers) | {"Content-Length": str(what.length)})
        self._what, self._readers, self._viewers = what, readers, viewers
        self._out = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it; stop when nobody listens any more.

        Raises:
            Overloaded, NotFound, StoreUnavailable: before anything was sent.
        """
        with self._viewers.passing(self._what.holder):
            block = b"" if scope["method"] == "HEAD" else await self._block(0)
            try:
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(_until_gone, receive, tasks.cancel_scope)
                    await self._send(block, scope, send)
                    tasks.cancel_scope.cancel()
            finally:
                self._what.sent(self._what.first, self._out)

    async def _send(self, block: bytes, scope: Scope, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        if scope["method"] == "HEAD":
            await send({"type": "http.response.body", "body": b"", "more_body": False})
            return
        while True:
            is_last = self._out + len(block) >= self._what.length
            await send({"type": "http.response.body", "body": block, "more_body": not is_last})
            self._out += len(block)
            if is_last:
                return
            try:
                block = await self._block(self._out)
            except EvidockError:  # the answer is cut off, shorter than it said: no client takes it for whole
                return
            if not block:
                return

    async def _block(self, at: int) -> bytes:
        what = self._what
        length = min(self._readers.block_bytes, what.length - at)
        return await self._readers.read(what.read, what.first + at, length) if length else b""


async def _until_gone(receive: Receive, scope: anyio.CancelScope) -> None:
    while True:
        if (await receive())["type"] == "http.disconnect":
            scope.cancel()
            return
