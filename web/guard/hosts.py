# SPDX-License-Identifier: Apache-2.0
"""This is where a request for a host that we are not is turned away: a page that rebinds its name gets no answer.

A browser that was lured to a name of somebody else's, which now points at us, says that name as the host. Clients
that are no browsers reach us by address, or by any name that they pin a certificate for: they send no Origin and no
Sec-Fetch header, and are let through.
"""

from collections.abc import Iterable

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

_BROWSER = (b"origin", b"sec-fetch-site", b"sec-fetch-mode")
_MISDIRECTED = 421  # RFC 9110, 15.5.20


class OwnHosts:
    """Lets browsers in under the names in `hosts` alone (lower case, without port); no names: any."""

    def __init__(self, app: ASGIApp, *, hosts: Iterable[str]) -> None:
        self._app = app
        self._hosts = frozenset(hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] == "http" and self._hosts and self._is_misled(scope["headers"]):
            body = {"type": "about:blank", "title": "Misdirected Request", "status": _MISDIRECTED, "code": "other-host"}
            answer = JSONResponse(
                body | {"detail": "this server has another name"}, _MISDIRECTED, media_type="application/problem+json"
            )
            await answer(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _is_misled(self, headers: Iterable[tuple[bytes, bytes]]) -> bool:
        told = list(headers)
        if not any(name in _BROWSER for name, _ in told):
            return False
        hosts = [value.decode("latin-1").lower() for name, value in told if name == b"host"]
        return len(hosts) != 1 or _bare(hosts[0]) not in self._hosts


def _bare(host: str) -> str:
    """A host without its port."""
    if host.startswith("["):
        return host.partition("]")[0] + "]"
    return host.partition(":")[0]
