# SPDX-License-Identifier: Apache-2.0
"""This is where a request leaves for the server and its answer comes back: one TLS door whose certificate is known.

The server is known by a certificate that an authority of this machine vouches for, or by the fingerprint that was
given at enrolment, and then by nothing else. Nothing here tries again, follows a redirection, or waits.
"""

import json
import re
import socket
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

import urllib3
from urllib3.connection import HTTPConnection
from urllib3.exceptions import HTTPError, SSLError

from evidence.errors import (
    BadInput,
    ChecksumMismatch,
    Conflict,
    DeviceRefused,
    EvidockError,
    InUse,
    NotFound,
    NotSignedIn,
    OffsetConflict,
    Refused,
    ServerUnavailable,
    TooLarge,
)

# Called anew for each attempt, so that a body can be sent again.
Body = Callable[[], Iterable[bytes | memoryview]]

_CONNECT_S, _READ_S = 10.0, 60.0
_SILENT_MS = 20_000  # a peer that takes nothing for so long is gone: a cable tells nobody
_LARGEST = 4 << 20
_FINGERPRINT = re.compile(r"[0-9a-f]{64}", re.ASCII)
_BY_CODE: Mapping[str, type[EvidockError]] = {
    one.code: one
    for one in (
        *(BadInput, ChecksumMismatch, Conflict, DeviceRefused, InUse),
        *(NotFound, NotSignedIn, OffsetConflict, Refused, TooLarge),
    )
}
_BY_STATUS: Mapping[int, type[EvidockError]] = {
    401: NotSignedIn,
    403: Refused,
    404: NotFound,
    409: Conflict,
    410: NotFound,
    413: TooLarge,
    423: InUse,
    460: ChecksumMismatch,
}
# The server is there and cannot now: too many requests, no room, an error of its own, a proxy without a server.
_LATER = frozenset({408, 425, 429})


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server said; header names are lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> dict[str, Any]:
        """The body as a JSON object.

        Raises:
            ServerUnavailable: it is none: something else than our server answers there.
        """
        try:
            told = json.loads(self.body)
        except ValueError as error:
            raise ServerUnavailable("what answers there does not speak as the server does") from error
        if not isinstance(told, dict):
            raise ServerUnavailable("what answers there does not speak as the server does")
        return told


class Wire:
    """Requests to one server; threads may share it, and each keeps a connection open."""

    def __init__(self, url: str, *, fingerprint: str | None = None, connections: int = 16) -> None:
        self._base = checked_url(url)
        self.fingerprint = None if fingerprint is None else checked_fingerprint(fingerprint)
        self._pool = urllib3.PoolManager(
            num_pools=1,
            maxsize=connections,
            retries=False,
            timeout=urllib3.Timeout(connect=_CONNECT_S, read=_READ_S),
            # With a pinned certificate no authority is asked: the fingerprint alone decides, and always does.
            cert_reqs="CERT_REQUIRED" if self.fingerprint is None else "CERT_NONE",
            assert_fingerprint=self.fingerprint,
            socket_options=[
                *HTTPConnection.default_socket_options,
                (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
                (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _SILENT_MS),
            ],
        )

    def send(
        self, method: str, path: str, *, headers: Mapping[str, str] | None = None, body: Body | bytes | None = None
    ) -> Answer:
        """Send one request and return its answer, whatever its status.

        A body that is made block by block needs a `Content-Length` in `headers`.

        Raises:
            ServerUnavailable: it did not answer, or not whole; it may have done what was asked.
        """
        given = {"Accept-Encoding": "identity", "User-Agent": "evidock-dock", **(headers or {})}
        blocks: Any = body() if callable(body) else body  # urllib3 sends views too, and does not say so
        try:
            response = self._pool.request(
                method, self._base + path, body=blocks, headers=given, redirect=False, preload_content=False
            )
            try:
                content = response.read(_LARGEST + 1, decode_content=False)
                response.drain_conn()
            finally:
                response.release_conn()
        except SSLError as error:
            raise ServerUnavailable(self._distrusted(error)) from error
        except (HTTPError, OSError) as error:
            raise ServerUnavailable(f"{self._base}: {_why(error)}") from error
        if len(content) > _LARGEST:
            raise ServerUnavailable("what answers there does not speak as the server does")
        return Answer(response.status, {name.lower(): value for name, value in response.headers.items()}, content)

    def close(self) -> None:
        """Let the connections go."""
        self._pool.clear()

    def _distrusted(self, error: SSLError) -> str:
        if self.fingerprint is not None:
            return f"the server shows another certificate than the one pinned here, or none: {_why(error)}"
        hint = "pin it by the SHA-256 that `evidock serve` prints, or name its authority's file in SSL_CERT_FILE"
        return f"nobody known here vouches for the server's certificate: {hint} ({_why(error)})"


def failure(answer: Answer) -> EvidockError:
    """The error of ours that an answer with a status of 400 or more tells."""
    told = _problem(answer)
    words = str(told.get("detail") or told.get("title") or f"the server answered {answer.status}")
    code = str(told.get("code", ""))
    if answer.status in _LATER or answer.status >= 500:
        return ServerUnavailable(words, status=answer.status, told=code, retry_after_s=_seconds(answer))
    kind = _BY_CODE.get(code) or _BY_STATUS.get(answer.status, BadInput)
    return kind(words, status=answer.status, told=code, problem=told)


def checked_url(url: str) -> str:
    """The address of a server without a slash at its end.

    Raises:
        BadInput: it is no HTTPS address. Plain HTTP is for this machine itself.
    """
    parts = urlsplit(url)
    if not parts.hostname or parts.query or parts.fragment or parts.username:
        raise BadInput(f"not the address of a server, such as https://evidock.example.org:9443: {url}")
    if parts.scheme != "https" and not (parts.scheme == "http" and _is_here(parts.hostname)):
        raise BadInput(f"a dock speaks HTTPS with its server, not {parts.scheme or 'nothing'}: {url}")
    return url.rstrip("/")


def checked_fingerprint(text: str) -> str:
    """The SHA-256 of a certificate, in 64 lower-case digits; colons and spaces may part them.

    Raises:
        BadInput: it is none.
    """
    digits = text.lower().removeprefix("sha256:").replace(":", "").replace(" ", "")
    if _FINGERPRINT.fullmatch(digits) is None:
        raise BadInput("a fingerprint is the SHA-256 of the server's certificate: 64 hexadecimal digits")
    return digits


def _is_here(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _problem(answer: Answer) -> dict[str, Any]:
    try:
        told = json.loads(answer.body)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def _seconds(answer: Answer) -> float | None:
    text = answer.headers.get("retry-after", "")
    return float(text) if text.isascii() and text.isdigit() and len(text) < 7 else None


def _why(error: BaseException) -> str:
    """The reason at the bottom of what libraries wrap in each other."""
    while isinstance(error.__cause__ or error.__context__, BaseException):
        error = error.__cause__ or error.__context__  # type: ignore[assignment]
    return str(getattr(error, "strerror", None) or error) or type(error).__name__
