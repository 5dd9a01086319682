# SPDX-License-Identifier: Apache-2.0
"""This is where connections are cut that only hold a place: uvicorn itself waits for headers for ever, however long.

The time for a body that is wanted is counted by who reads it.
"""

import asyncio
import heapq
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

HEADERS_S = 30.0
HEADERS_BYTES = 65_536
# After an answer that did not wait for the body: who still sends is heard out so long, so that it can read the answer.
UNWANTED_S = 60.0
# An answer of which nothing is fetched for so long is kept in memory no longer.
UNREAD_S = 60.0
# Of so many parts of all places one is made free at once when all are taken.
_SHARES = 64


class PatientProtocol(HttpToolsProtocol):
    """HTTP/1.1 whose clients have `HEADERS_S` to say what they want, in `HEADERS_BYTES`.

    When all places are taken, those lose theirs of whom nothing was heard for longest while we wait for them.
    """

    _patience: asyncio.TimerHandle | None = None
    _is_in_headers = True
    _is_in_body = False
    _said = 0
    _since = 0.0
    _unread: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._since = self.loop.time()
        if self.limit_concurrency is not None and len(self.connections) >= self.limit_concurrency:
            self._make_room(1 + self.limit_concurrency // _SHARES)
        self._wait(HEADERS_S)

    def connection_lost(self, exc: Exception | None) -> None:
        """Nobody is waited for any more."""
        self._heard()
        self._end_unread()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Bytes came; while they belong to headers they are counted."""
        if self._is_in_headers:
            if self._patience is None:  # the next request of a connection that was kept
                self._wait(HEADERS_S)
            self._said += len(data)
        else:
            self._since = self.loop.time()
        super().data_received(data)
        # A body may have come along with its headers: then they were short enough.
        if self._is_in_headers and self._said > HEADERS_BYTES and not self.transport.is_closing():
            self.transport.write(STATUS_LINE[431] + b"content-length: 0\r\nconnection: close\r\n\r\n")
            self.transport.close()

    def on_headers_complete(self) -> None:
        """The request is there."""
        self._heard()
        self._is_in_headers, self._is_in_body, self._said = False, True, 0
        self._since = self.loop.time()
        super().on_headers_complete()
        if self.cycle is not None:
            self.cycle.receive = partial(_all_that_came, self.cycle, self.cycle.receive)  # type: ignore[method-assign]

    def on_message_complete(self) -> None:
        """Its body is there too, wanted or not."""
        self._heard()
        self._is_in_headers, self._is_in_body = True, False
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """It was answered, perhaps before its body came."""
        if self._is_in_body:
            self._wait(UNWANTED_S)
        self._since = self.loop.time()
        super().on_response_complete()

    def pause_writing(self) -> None:
        """More is written than is fetched."""
        super().pause_writing()
        self._await_reader()

    def resume_writing(self) -> None:
        """It was fetched."""
        super().resume_writing()
        self._end_unread()

    def is_waited_for(self) -> bool:
        """True while it is the client's turn to say something."""
        cycle: RequestResponseCycle | None = self.cycle  # none before the first request, whatever its type says
        is_answered = cycle is None or cycle.response_complete
        return (is_answered or self._is_in_body) and not self.flow.read_paused

    def _make_room(self, count: int) -> None:
        others = (one for one in self.connections if isinstance(one, PatientProtocol) and one is not self)
        waited_for = (one for one in others if one.is_waited_for() and not one.transport.is_closing())
        for one in heapq.nsmallest(count, waited_for, key=lambda other: other._since):
            self.connections.discard(one)  # its place is free now, not when the news of its end has come
            one.transport.abort()  # at once: a farewell by TLS would be waited for

    def _await_reader(self) -> None:
        left = self.transport.get_write_buffer_size()
        self._end_unread()
        self._unread = self.loop.call_later(UNREAD_S, self._cut_unread, left)

    def _cut_unread(self, left: int) -> None:
        if self.transport.get_write_buffer_size() < left:
            self._await_reader()  # slow, and there
        else:
            self.transport.abort()

    def _end_unread(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None

    def _wait(self, seconds: float) -> None:
        self._heard()
        self._patience = self.loop.call_later(seconds, self._cut)

    def _heard(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def _cut(self) -> None:
        self._patience = None
        if not self.transport.is_closing():
            self.transport.close()


async def _all_that_came(cycle: RequestResponseCycle, receive: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    """The next message of a request. What came before the connection broke comes before the news of it."""
    message = await receive()
    if message["type"] == "http.disconnect" and cycle.body and not cycle.response_complete:
        came, cycle.body = bytes(cycle.body), bytearray()
        return {"type": "http.request", "body": came, "more_body": True}
    return message
