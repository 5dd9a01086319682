# SPDX-License-Identifier: Apache-2.0
"""This is where bodies of requests are kept small and brisk, whatever their headers say."""

import asyncio

from fastapi import Request
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from evidence.errors import TooLarge

# Routes with these methods read their bodies themselves, each with its own limit; so do those of uploads.
_READ_BY_ROUTES = ("PUT",)
# A whole body has so many times as long as a silence may be: who sends a byte a minute is no client.
_WHOLE = 5


async def whole_body(request: Request, *, limit: int) -> bytes:
    """The body of a request, held in memory.

    Raises:
        TooLarge: it has more than `limit` bytes.
    """
    gathered = bytearray()
    async for block in request.stream():
        gathered += block
        if len(gathered) > limit:
            raise TooLarge(f"more than {limit} bytes came", limit=limit)
    return bytes(gathered)


class SmallBodies:
    """Refuses every body over `limit` bytes or that stays out, but those of `PUT` and below `streamed`.

    `silence_s`: nothing of a body may come for so long; all of it has five times as long.
    """

    def __init__(self, app: ASGIApp, *, limit: int, streamed: str, silence_s: float) -> None:
        self._app = app
        self._limit = limit
        self._streamed = streamed
        self._silence_s = silence_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http" or scope["method"] in _READ_BY_ROUTES or self._is_streamed(scope["path"]):
            await self._app(scope, receive, send)
            return
        came, is_whole = 0, False
        loop = asyncio.get_running_loop()
        end = loop.time() + _WHOLE * self._silence_s

        async def counted() -> Message:
            nonlocal came, is_whole
            if is_whole:  # what is waited for now is that the client goes
                return await receive()
            try:
                async with asyncio.timeout_at(min(loop.time() + self._silence_s, end)):
                    message = await receive()
            except TimeoutError as error:
                raise HTTPException(408, headers={"Connection": "close"}) from error
            is_whole = not message.get("more_body", False)
            came += len(message.get("body", b""))
            if came > self._limit:
                # The framework's own: any other error while a body is read becomes "cannot be parsed".
                raise HTTPException(413)
            return message

        await self._app(scope, counted, send)

    def _is_streamed(self, path: str) -> bool:
        return path == self._streamed or path.startswith(f"{self._streamed}/")
