# SPDX-License-Identifier: Apache-2.0
"""This is where a stream of events is sent for as long as somebody reads, and may: `text/event-stream`.

Nothing is kept for a reader: what is next is asked for when the last was taken. Who takes nothing for long is let go.
"""

import asyncio
from collections.abc import Sequence

from fastapi import Response
from starlette.concurrency import run_in_threadpool
from starlette.types import Receive, Scope, Send

from evidence.errors import Unavailable
from web.live.room import WatchRoom
from web.live.watch import Watch

KIND = "text/event-stream"
_TICK_S = 0.25
_HEART = b": still here\n\n"
_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no", "X-Content-Type-Options": "nosniff"}


class EventStream(Response):
    """One reader's stream; it ends when they go, when they may not watch any more, or with the server."""

    media_type = KIND

    def __init__(self, watch: Watch, room: WatchRoom) -> None:
        super().__init__(headers=_HEADERS)
        del self.headers["content-length"]
        self._watch = watch
        self._room = room

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send what happens."""
        with self._room.watching(self._watch.asker.actor.id):
            first = await run_in_threadpool(self._watch.begin)
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            gone = asyncio.create_task(_gone(receive))
            try:
                await self._tell(first, send, gone)
                await self._send(send, b"", more=False)
            except (TimeoutError, Unavailable):
                return  # the connection is cut; the reader comes back with the last number it has
            finally:
                gone.cancel()

    async def _tell(self, first: Sequence[bytes], send: Send, gone: "asyncio.Task[None]") -> None:
        limits, loop = self._watch.limits, asyncio.get_running_loop()
        heard = asked = looked = loop.time()
        waiting = list(first)
        while not (gone.done() or self._room.is_closed):
            if waiting:
                await self._send(send, b"".join(waiting))
                heard, waiting = loop.time(), []
            now = loop.time()
            if now - looked >= limits.stream_look_s:
                if not await run_in_threadpool(self._watch.still):
                    return
                looked = now
            if now - asked >= limits.stream_tick_s:
                waiting, asked = await run_in_threadpool(self._watch.next), now
            if not waiting and now - heard >= limits.stream_heart_s:
                waiting = [_HEART]
            if not waiting:
                await asyncio.wait({gone}, timeout=_TICK_S)

    async def _send(self, send: Send, block: bytes, *, more: bool = True) -> None:
        told = {"type": "http.response.body", "body": block, "more_body": more}
        await asyncio.wait_for(send(told), self._watch.limits.stream_unread_s)


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
