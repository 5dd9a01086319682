# SPDX-License-Identifier: Apache-2.0
"""This is where the server asks others: each name is resolved once, checked, and the checked address is connected to.

Who resolves a name twice can be told two things (DNS rebinding). Here the connection goes to the very address that
was looked at, while the name stays in the certificate's check and in the Host header. A redirect is an answer like
any other: nobody is sent on.
"""

import ipaddress
import socket
import ssl
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import httpx2

from evidence.errors import NotAllowed, ServerUnavailable
from web.outbound.allowed import Allowed

Resolve = Callable[[str, int], Sequence[str]]
"""The addresses of a host, for a port; raises OSError when there are none."""

_TIMEOUT_S = 10.0
_LARGEST_BYTES = 1 << 20


def resolved(host: str, port: int) -> Sequence[str]:
    """The addresses that this machine's resolver tells."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    return [str(one[4][0]) for one in found]


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: its status, headers (lower case) and whole body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(slots=True)
class Outbound:
    """Asks others over HTTPS; over plain HTTP only whom `allowed` lists. Threads may share it."""

    allowed: Allowed
    resolve: Resolve = resolved
    tls: ssl.SSLContext = field(default_factory=ssl.create_default_context)
    timeout_s: float = _TIMEOUT_S
    largest_bytes: int = _LARGEST_BYTES

    def ask(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> Answer:
        """One request and its answer, whatever its status.

        Raises:
            NotAllowed: the URL is none that may be asked, or its host is somewhere inside.
            ServerUnavailable: nobody answers, the answer is too large, or the connection broke.
        """
        asked = self._request(method, url, headers or {}, body)
        try:
            with (
                httpx2.HTTPTransport(verify=self.tls, trust_env=False, retries=0) as transport,
                httpx2.Client(transport=transport, follow_redirects=False, timeout=self.timeout_s) as client,
            ):
                answer = client.send(asked, stream=True)
                return Answer(answer.status_code, _lower(answer.headers), self._body(answer))
        except (httpx2.HTTPError, httpx2.StreamError) as error:
            raise ServerUnavailable(f"{asked.headers['host']} does not answer: {type(error).__name__}") from error

    def _request(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> httpx2.Request:
        parts = _parsed(url)
        host, port = parts.host, parts.port or (443 if parts.scheme == "https" else 80)
        address = self._checked(host, port, is_plain=parts.scheme == "http")
        told = {"host": parts.netloc.decode("ascii"), **headers}
        extensions = {
            "sni_hostname": parts.raw_host.decode("ascii"),
            "timeout": dict.fromkeys(_TIMEOUTS, self.timeout_s),
        }
        return httpx2.Request(method, parts.copy_with(host=address), headers=told, content=body, extensions=extensions)

    def _checked(self, host: str, port: int, *, is_plain: bool) -> str:
        """The one address that is connected to: every address of the name may be reached, so the first does."""
        try:
            found = [ipaddress.ip_address(one.partition("%")[0]) for one in self.resolve(host, port)]
        except (OSError, ValueError, UnicodeError) as error:
            raise ServerUnavailable(f"the name {host} cannot be resolved") from error
        if not found:
            raise ServerUnavailable(f"the name {host} has no address")
        forbidden = [str(one) for one in found if not self.allowed.may(host, one)]
        if forbidden:
            raise NotAllowed(f"{host} is at {forbidden[0]}, which the server may not reach (EVIDOCK_OUTBOUND_ALLOW)")
        if is_plain and not self._is_listed(host, found[0]):
            raise NotAllowed(f"{host} is asked over HTTPS only")
        return str(found[0])

    def _is_listed(self, host: str, address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
        listed = any(address in one for one in self.allowed.networks if one.version == address.version)
        return listed or host.lower() in self.allowed.hosts

    def _body(self, answer: httpx2.Response) -> bytes:
        gathered = bytearray()
        for block in answer.iter_bytes():
            gathered += block
            if len(gathered) > self.largest_bytes:
                raise ServerUnavailable(f"the answer has more than {self.largest_bytes} bytes")
        return bytes(gathered)


_TIMEOUTS = ("connect", "read", "write", "pool")


def _parsed(url: str) -> httpx2.URL:
    """A URL that may be asked at all.

    Raises:
        NotAllowed: it is not of http or https, has no host, or brings a password.
    """
    try:
        parts = httpx2.URL(url)
    except httpx2.InvalidURL as error:
        raise NotAllowed("not a URL that can be asked") from error
    if parts.scheme not in ("http", "https") or not parts.host:
        raise NotAllowed("only https URLs with a host can be asked")
    if parts.userinfo:
        raise NotAllowed("a URL with a password in it is not asked: it would stand in records")
    return parts


def _lower(headers: httpx2.Headers) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}
