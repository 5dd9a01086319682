# SPDX-License-Identifier: Apache-2.0
"""This is where a request that goes out is tied to the address that was looked at.

Who resolves a name twice can be told two things (DNS rebinding). Here a name is resolved once, every address of it is
checked, and the connection goes to the first of them, while the name stays in the certificate's check and in the Host
header.
"""

import ipaddress
import socket
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import httpx2

from evidence.errors import NotAllowed, ServerUnavailable
from web.outbound.allowed import Address, Allowed

Resolve = Callable[[str, int], Sequence[str]]
"""The addresses of a host, for a port; raises OSError when there are none."""

_PORTS = {"https": 443, "http": 80}


def resolved(host: str, port: int) -> Sequence[str]:
    """The addresses that this machine's resolver tells."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    return [str(one[4][0]) for one in found]


@dataclass(frozen=True, slots=True)
class Gate:
    """Says where a URL may be asked: over HTTPS on the internet, and wherever `allowed` lists."""

    allowed: Allowed
    resolve: Resolve = resolved

    def address_of(self, url: httpx2.URL) -> str:
        """The address to connect to.

        Raises:
            NotAllowed: the URL is none that may be asked, or its host is somewhere inside.
            ServerUnavailable: its name has no address.
        """
        if url.scheme not in _PORTS or not url.host:
            raise NotAllowed("only https URLs with a host can be asked")
        if url.userinfo:
            raise NotAllowed("a URL with a password in it is not asked: it would stand in records")
        host = url.host
        found = self._addresses(host, url.port or _PORTS[url.scheme])
        forbidden = [str(one) for one in found if not self.allowed.may(host, one)]
        if forbidden:
            raise NotAllowed(f"{host} is at {forbidden[0]}, which the server may not reach (EVIDOCK_OUTBOUND_ALLOW)")
        if url.scheme == "http" and not self.allowed.lists(host, found[0]):
            raise NotAllowed(f"{host} is asked over HTTPS only")
        return str(found[0])

    def _addresses(self, host: str, port: int) -> list[Address]:
        try:
            found = [ipaddress.ip_address(one.partition("%")[0]) for one in self.resolve(host, port)]
        except (OSError, ValueError, UnicodeError) as error:
            raise ServerUnavailable(f"the name {host} cannot be resolved") from error
        if not found:
            raise ServerUnavailable(f"the name {host} has no address")
        return found


class PinnedTransport(httpx2.BaseTransport):
    """Connects to the address that its gate gave for each request, and to no other."""

    def __init__(self, gate: Gate, *, tls: ssl.SSLContext) -> None:
        self._gate = gate
        self._inner = httpx2.HTTPTransport(verify=tls, trust_env=False, retries=0)

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """One request.

        Raises:
            NotAllowed, ServerUnavailable: as `Gate.address_of`.
        """
        url = request.url
        address = self._gate.address_of(url)
        pinned = httpx2.Request(
            request.method,
            url.copy_with(host=address),
            headers=request.headers,  # Host is in it, as the name
            stream=request.stream,
            extensions={**request.extensions, "sni_hostname": url.raw_host.decode("ascii")},
        )
        return self._inner.handle_request(pinned)

    def close(self) -> None:
        """Let go of its connections."""
        self._inner.close()
