# SPDX-License-Identifier: Apache-2.0
"""This is where every request to uploads passes first: its version, and the method that it means.

Source: tus 1.0.0, "Tus-Resumable" and "X-HTTP-Method-Override".
"""

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from web.api.problems import problem
from web.tus.headers import VERSION

# A client behind a proxy that knows only GET and POST sends these by POST.
_OVERRIDES = ("PATCH", "DELETE", "HEAD")


class TusDoor:
    """Around the application: answers 412 to other versions, and says ours in every answer below `prefix`."""

    def __init__(self, app: ASGIApp, *, prefix: str) -> None:
        self._app = app
        self._prefix = prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http" or not (scope["path"] == self._prefix or self._is_one(scope["path"])):
            await self._app(scope, receive, send)
            return

        async def told(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["Tus-Resumable"] = VERSION
            await send(message)

        headers = Headers(scope=scope)
        override = headers.get("x-http-method-override", "").upper()
        if scope["method"] == "POST" and override in _OVERRIDES:
            scope = {**scope, "method": override}
        if scope["method"] != "OPTIONS" and headers.get("tus-resumable") != VERSION:
            answer = problem(412, "tus-version", f"this server speaks tus {VERSION}: say so in Tus-Resumable")
            answer.headers["Tus-Version"] = VERSION
            await answer(scope, receive, told)
            return
        await self._app(scope, receive, told)

    def _is_one(self, path: str) -> bool:
        return path.startswith(f"{self._prefix}/")
