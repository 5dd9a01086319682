# SPDX-License-Identifier: Apache-2.0
"""This is where the body of a request flows to the disk: never held whole, never written on the event loop."""

import asyncio
from concurrent.futures import Executor
from functools import partial

from fastapi import Request
from starlette.requests import ClientDisconnect

from web.tus.sink import Sink

# Large enough that handing a block to a thread is nothing beside writing it; two of them are held at once.
BLOCK_BYTES = 512 * 1024
_SECOND = 1.0
_SILENT_S = 3.0


class Body:
    """The body of a request, block by block. `is_broken`: it ended before its end."""

    def __init__(self, request: Request, *, silence_s: float) -> None:
        self._stream = request.stream()
        self._silence_s = silence_s
        self._patience: asyncio.Timeout | None = None
        self._heard = asyncio.get_running_loop().time()
        self.is_broken = False

    async def block(self) -> bytearray:
        """The next block: large, but the last; empty at the end. Also what came before a connection broke is given."""
        gathered = bytearray()
        try:
            # Around the waiting alone: a disk that is slow is no client that is silent.
            async with asyncio.timeout(self._silence_s) as self._patience:
                await self._gather(gathered, self._patience)
        except (ClientDisconnect, TimeoutError):
            self.is_broken = True
        finally:
            self._patience = None
        return gathered

    def give_up_if_silent(self) -> None:
        """End the wait for a client of which nothing came for some seconds: it has come back another way."""
        now = asyncio.get_running_loop().time()
        if self._patience is not None and now - self._heard > _SILENT_S:
            self._patience.reschedule(now)

    async def _gather(self, gathered: bytearray, patience: asyncio.Timeout) -> None:
        loop = asyncio.get_running_loop()
        self._heard = loop.time()
        while len(gathered) < BLOCK_BYTES and not self.is_broken:
            part = await anext(self._stream, None)
            if part is None:
                return
            gathered += part
            if loop.time() - self._heard > _SECOND:
                self._heard = loop.time()
                patience.reschedule(self._heard + self._silence_s)


async def pour(body: Body, sink: Sink, executor: Executor) -> int:
    """Let a body flow into a sink; where the file's next byte goes. One block is gathered while one is written.

    Raises:
        As `Sink` does.
    """
    run = partial(asyncio.get_running_loop().run_in_executor, executor)
    writing: asyncio.Future[None] | None = None
    try:
        await run(sink.open)
        while block := await body.block():
            if writing is not None:
                await writing
            writing = run(sink.write, block)
        if writing is not None:
            await writing
        return await run(partial(sink.close, is_whole=not body.is_broken))
    except asyncio.CancelledError:
        # The server ends: what came without a checksum counts. The thread goes on to its end.
        run(partial(sink.close, is_whole=False))
        raise
    except BaseException:
        await asyncio.shield(run(sink.abandon))
        raise
