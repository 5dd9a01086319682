# SPDX-License-Identifier: Apache-2.0
"""This is where every answer gets the headers that tell a browser to do nothing with it that we did not mean.

Source: OWASP ASVS 5.0, 3.4 (browser security mechanism headers).
"""

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_ALWAYS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "x-frame-options": "DENY",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    # An answer of the API is no page: whatever a browser would make of it may load and run nothing.
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "cache-control": "no-store",
}
_A_YEAR_OF_TLS = "max-age=31536000; includeSubDomains"


class StrictHeaders:
    """Adds what an answer does not say itself. `is_tls`: browsers come back by HTTPS alone."""

    def __init__(self, app: ASGIApp, *, is_tls: bool) -> None:
        self._app = app
        self._told = _ALWAYS | ({"strict-transport-security": _A_YEAR_OF_TLS} if is_tls else {})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def strict(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._told.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, strict)
