# SPDX-License-Identifier: Apache-2.0
"""This is where one page of the agency's case system is asked for over HTTP, with everything it may cost us bounded.

No redirect is followed: the token is for the address that was set, and for no other. A watch ends a connection that
gives its answer drop by drop.
"""

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from urllib.parse import SplitResult, urlencode, urlsplit

from evidence.errors import BadInput, SourceUnavailable

LARGEST_PAGE = 8 << 20
_JSON = "application/json"
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True, slots=True)
class Address:
    """Where the case system is, and the token it wants; `timeout_s` bounds a whole answer.

    Raises:
        BadInput: the URL is none of http or https with a host, holds a password or a fragment, or would carry the
            token in the clear over a network.
    """

    url: str
    token: str | None = None
    timeout_s: float = 30.0

    def __post_init__(self) -> None:
        parts = self.parts
        if "@" in parts.netloc:
            raise BadInput("the address of a case system holds no name and password: put a token into a file")
        try:
            is_usable = bool(parts.hostname) and (parts.port is None or parts.port > 0)
        except ValueError:
            is_usable = False
        if not is_usable or parts.scheme not in ("http", "https") or parts.fragment:
            raise BadInput(f"not the address of a case system: {self._shown!r} (write https://HOST/PATH)")
        if not (self.url.isascii() and self.url.isprintable() and " " not in self.url):
            raise BadInput("the address of a case system is ASCII without spaces")
        if self.token is not None and not (self.token.isascii() and self.token.isprintable() and self.token):
            raise BadInput("the token of the case system is one line of ASCII")
        if self.token is not None and parts.scheme == "http" and parts.hostname not in _LOOPBACK:
            raise BadInput(f"a token is sent over https only, not to {parts.scheme}://{parts.hostname}")

    @property
    def parts(self) -> SplitResult:
        """The URL taken apart."""
        try:
            return urlsplit(self.url)
        except ValueError as error:
            raise BadInput(f"not the address of a case system: {self._shown!r}") from error

    @property
    def _shown(self) -> str:
        # What stands before an @ or follows a question mark may be a secret.
        scheme, _, rest = self.url.partition("?")[0].rpartition("@")[2].partition("://")
        return f"{scheme}://{rest}"[:200] if rest else scheme[:200]

    def target(self, query: dict[str, str]) -> str:
        """What is asked for: the path with what it holds already, and `query`."""
        kept = f"{self.parts.query}&" if self.parts.query else ""
        return f"{self.parts.path or '/'}?{kept}{urlencode(query)}"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came: status 200 with a body, 304, or one that says to wait (429, 5xx; `wait_s`, when it told how long)."""

    status: int
    body: bytes = b""
    etag: str | None = None
    wait_s: float | None = None


def ask(address: Address, query: dict[str, str], *, etag: str | None = None) -> Answer:
    """GET one page, NOT YET CHECKED. At most 8 MiB are read.

    Raises:
        SourceUnavailable: no whole answer in time, a redirect, another status, another content type, too long.
    """
    headers = {"Accept": _JSON, "Accept-Encoding": "identity", "User-Agent": "evidock"}
    if address.token is not None:
        headers["Authorization"] = f"Bearer {address.token}"
    if etag is not None:
        headers["If-None-Match"] = etag
    # What was asked is not told: a query may hold what is nobody's business.
    place = f"{address.parts.scheme}://{address.parts.netloc}"
    connection = _connection(address)
    try:
        with _watched(connection, address.timeout_s):
            connection.request("GET", address.target(query), headers=headers)
            with connection.getresponse() as response:
                return _read(response, place)
    except (OSError, HTTPException, ValueError) as error:
        raise SourceUnavailable(f"the case system at {place} did not answer whole: {error}") from error
    finally:
        connection.close()


def _connection(address: Address) -> HTTPConnection:
    host, port = address.parts.hostname or "", address.parts.port
    if address.parts.scheme == "http":
        return HTTPConnection(host, port, timeout=address.timeout_s)
    return HTTPSConnection(host, port, timeout=address.timeout_s, context=ssl.create_default_context())


@contextmanager
def _watched(connection: HTTPConnection, timeout_s: float) -> Iterator[None]:
    """End the connection when the block takes longer: each wait is bounded by itself, their sum is not."""
    # The answer takes the socket from the connection when it is the last one: so it is kept here too.
    lines: list[socket.socket] = []

    def end() -> None:
        for line in (connection.sock, *lines):
            if line is not None:
                _shut(line)

    watch = threading.Timer(timeout_s, end)
    watch.daemon = True
    watch.start()
    try:
        connection.connect()
        lines.append(connection.sock)
        yield
    finally:
        watch.cancel()


def _shut(line: socket.socket) -> None:
    with suppress(OSError):  # it has ended by itself
        line.shutdown(socket.SHUT_RDWR)


def _read(response: HTTPResponse, place: str) -> Answer:
    status = response.status
    if status == 304:
        return Answer(status)
    if status == 429 or status >= 500:
        return Answer(status, wait_s=_seconds(response.headers.get("Retry-After")))
    if status != 200:
        raise SourceUnavailable(f"the case system at {place} answered HTTP {status}", status=status)
    kind = response.headers.get_content_type()
    if kind != _JSON:
        raise SourceUnavailable(f"the case system at {place} answered {kind[:80]}, not {_JSON}")
    if response.headers.get("Content-Encoding", "identity") != "identity":
        raise SourceUnavailable(f"the case system at {place} packs its answers, though it was asked not to")
    body = response.read(LARGEST_PAGE + 1)
    if len(body) > LARGEST_PAGE:
        raise SourceUnavailable(f"the case system at {place} answered more than {LARGEST_PAGE >> 20} MiB for a page")
    # A line that broke is no page: reading a stated number of bytes does not notice by itself.
    if response.length:
        raise SourceUnavailable(f"the case system at {place} did not answer whole: {response.length} bytes are missing")
    return Answer(status, body, response.headers.get("ETag"))


def _seconds(text: str | None) -> float | None:
    """What `Retry-After` says in seconds; a date there, or what is no number, says nothing."""
    if text is None or not (text.isascii() and text.isdecimal() and len(text) < len("1000000")):
        return None
    return float(text)
