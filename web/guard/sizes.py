# SPDX-License-Identifier: Apache-2.0
"""This is where a request whose address or headers are too long ends before anything reads them.

The server's protocol stops headers that never end (web/server/protocol.py); what came in one piece, it takes.
"""

from http import HTTPStatus

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from web.api.limits import Limits


class ShortRequests:
    """Refuses what is longer than `limits` say."""

    def __init__(self, app: ASGIApp, *, limits: Limits) -> None:
        self._app = app
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        status = self._refusal(scope) if scope["type"] == "http" else None
        if status is None:
            await self._app(scope, receive, send)
            return
        body = {"type": "about:blank", "title": status.phrase, "status": status.value, "code": "too-large"}
        answer = JSONResponse(
            body | {"detail": "the address or the headers of this request are too long"},
            status.value,
            {"Connection": "close"},
            media_type="application/problem+json",
        )
        await answer(scope, receive, send)

    def _refusal(self, scope: Scope) -> HTTPStatus | None:
        headers = scope["headers"]
        if len(scope.get("raw_path") or scope["path"]) + len(scope["query_string"]) > self._limits.url_bytes:
            return HTTPStatus.REQUEST_URI_TOO_LONG
        is_long = sum(len(name) + len(value) for name, value in headers) > self._limits.header_bytes
        if is_long or len(headers) > self._limits.header_lines:
            return HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
        return None
