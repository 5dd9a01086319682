# SPDX-License-Identifier: Apache-2.0
"""This is where connections are cut that only hold a place: uvicorn itself waits for headers for ever, however long.

The time for a body that is wanted is counted by who reads it.
"""

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

HEADERS_S = 30.0
HEADERS_BYTES = 65_536
# After an answer that did not wait for the body: who still sends is heard out so long, so that it can read the answer.
UNWANTED_S = 60.0


class PatientProtocol(HttpToolsProtocol):
    """HTTP/1.1 whose clients have `HEADERS_S` to say what they want, in `HEADERS_BYTES`."""

    _patience: asyncio.TimerHandle | None = None
    _is_in_headers = True
    _is_in_body = False
    _said = 0

    def connection_made(self, transport: Any) -> None:
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._wait(HEADERS_S)

    def connection_lost(self, exc: Exception | None) -> None:
        """Nobody is waited for any more."""
        self._heard()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Bytes came; while they belong to headers they are counted."""
        if self._is_in_headers:
            if self._patience is None:  # the next request of a connection that was kept
                self._wait(HEADERS_S)
            self._said += len(data)
        super().data_received(data)
        # A body may have come along with its headers: then they were short enough.
        if self._is_in_headers and self._said > HEADERS_BYTES and not self.transport.is_closing():
            self.transport.write(STATUS_LINE[431] + b"content-length: 0\r\nconnection: close\r\n\r\n")
            self.transport.close()

    def on_headers_complete(self) -> None:
        """The request is there."""
        self._heard()
        self._is_in_headers, self._is_in_body, self._said = False, True, 0
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
        super().on_response_complete()

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
