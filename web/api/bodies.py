# SPDX-License-Identifier: Apache-2.0
"""This is where bodies of requests are kept small, whatever their headers say."""

from fastapi import Request
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from evidence.errors import TooLarge

# Routes with these methods read their bodies themselves, each with its own limit.
_READ_BY_ROUTES = ("PUT", "PATCH")


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
    """Refuses every body over `limit` bytes, but those of `PUT`, `PATCH` and below `streamed`."""

    def __init__(self, app: ASGIApp, *, limit: int, streamed: str) -> None:
        self._app = app
        self._limit = limit
        self._streamed = streamed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http" or scope["method"] in _READ_BY_ROUTES or self._is_streamed(scope["path"]):
            await self._app(scope, receive, send)
            return
        came = 0

        async def counted() -> Message:
            nonlocal came
            message = await receive()
            came += len(message.get("body", b""))
            if came > self._limit:
                # The framework's own: any other error while a body is read becomes "cannot be parsed".
                raise HTTPException(413)
            return message

        await self._app(scope, counted, send)

    def _is_streamed(self, path: str) -> bool:
        return path == self._streamed or path.startswith(f"{self._streamed}/")
