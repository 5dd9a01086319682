# SPDX-License-Identifier: Apache-2.0
"""This is where a request that a proxy of ours handed on is counted under the address that the proxy saw.

A proxy adds the address of whoever asked it at the end of `X-Forwarded-For`; what stands before may be made up by
whoever asked, and is never read. From anybody who is no proxy of ours the header means nothing.
Source: the draft-era convention that RFC 7239 §1 and §7.4 speak of.
"""

import ipaddress
from collections.abc import Collection

from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from evidence.errors import BadInput

_HEADER = b"x-forwarded-for"
_LONGEST = 64
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def proxies_of(told: Collection[str]) -> frozenset[Address]:
    """The proxies that a setting names, each by its exact address.

    Raises:
        BadInput: one is no address; names and networks are not taken.
    """
    return frozenset(map(_proxy, told))


def behind_proxies(app: FastAPI, told: Collection[str]) -> None:
    """Have the proxies that a setting names say where requests come from; before the first request.

    Raises:
        BadInput: one is no address.
    """
    proxies = proxies_of(told)
    if proxies:
        app.add_middleware(BehindProxies, proxies=proxies)


class BehindProxies:
    """An application whose requests come from where proxies of ours say."""

    def __init__(self, app: ASGIApp, *, proxies: frozenset[Address]) -> None:
        self._app, self._proxies = app, proxies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand a request on; one from a proxy of ours under the address of whom that proxy heard."""
        client = scope.get("client") if scope["type"] == "http" else None
        if client is not None and _parsed(client[0]) in self._proxies:
            seen = _last_hop(scope["headers"])
            if seen is not None:
                scope = {**scope, "client": (str(seen), 0)}
        await self._app(scope, receive, send)


def _last_hop(headers: Collection[tuple[bytes, bytes]]) -> Address | None:
    lines = [value for name, value in headers if name.lower() == _HEADER]
    return _parsed(lines[-1].rpartition(b",")[2].decode("latin-1").strip()) if lines else None


def _proxy(text: str) -> Address:
    found = _parsed(text)
    if found is None:
        raise BadInput(f"EVIDOCK_TRUSTED_PROXIES names {text}, which is no address of one machine")
    return found


def _parsed(text: str) -> Address | None:
    """An address; of IPv4 in its own form, also when it came inside one of IPv6. None: it is none."""
    if len(text) > _LONGEST:
        return None
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        return None
    mapped = getattr(found, "ipv4_mapped", None)
    return found if mapped is None else mapped
