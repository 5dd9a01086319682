# SPDX-License-Identifier: Apache-2.0
"""This is where one request to a server is made: to the server that was meant, and what it answers told as our errors.

A server is known by a certificate that an authority of this machine vouches for, or by the SHA-256 of its certificate,
as docks know it. The latter is looked at in the handshake: nothing is sent to a server that has another.
"""

import hashlib
import hmac
import re
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import urlsplit

import httpx2

from evidence import errors
from evidence.errors import BadInput, EvidockError, Refused, ServerUnavailable, Unacceptable

_PIN = re.compile(r"[0-9a-f]{64}", re.ASCII)
_LARGEST = 64 << 20
_TIMES = httpx2.Timeout(30.0, read=120.0)
_CODES = {
    one.code: one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, EvidockError)
}  # fmt: skip
_WORLD_IS_DOWN = frozenset({408, 425, 429, 500, 502, 503, 504, 507})


@dataclass(frozen=True, slots=True)
class Server:
    """Which server: its address, and the fingerprint of its certificate where no authority vouches for it."""

    url: str
    pin: str | None = None

    @classmethod
    def of_text(cls, url: str, pin: str | None = None) -> Self:
        """The server at an address such as `https://evidence.example.org:9443`.

        Raises:
            BadInput: it is none; or plain HTTP to another machine, where a key would be read by anybody on the way.
        """
        parts = urlsplit(url)
        is_here = parts.hostname in ("127.0.0.1", "::1", "localhost")
        if parts.scheme not in ("https", "http") or not parts.hostname or parts.path.strip("/") or parts.query:
            raise BadInput(f"not the address of a server: {url[:200]!r} (write https://HOST:PORT)")
        if parts.username is not None or parts.password is not None:
            raise BadInput("the address of a server holds no password: bring a key by --key-file")
        if parts.scheme == "http" and not is_here:
            raise BadInput("a server on another machine is asked by https alone")
        plain = None if pin is None else pin.replace(":", "").strip().lower()
        if plain is not None and _PIN.fullmatch(plain) is None:
            raise BadInput("a fingerprint is the SHA-256 of the server's certificate: 64 hexadecimal digits")
        return cls(f"{parts.scheme}://{parts.netloc}", plain)


class _Pinned(ssl.SSLContext):
    """TLS with one certificate and no other; whoever signed it is not asked."""

    pin: str

    def wrap_socket(self, *given: Any, **named: Any) -> ssl.SSLSocket:
        """The socket, once its other end has shown the certificate that is meant."""
        made = super().wrap_socket(*given, **named)
        shown = hashlib.sha256(made.getpeercert(binary_form=True) or b"").hexdigest()
        if not hmac.compare_digest(shown, self.pin):
            made.close()
            raise ssl.SSLCertVerificationError(f"the server shows the certificate {shown}, not {self.pin}")
        return made


def _context(pin: str | None) -> ssl.SSLContext:
    if pin is None:
        return ssl.create_default_context()
    context = _Pinned(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode, context.pin = False, ssl.CERT_NONE, pin
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


class Wire:
    """Connections to one server. `key`: an API key; without one, whoever signs in by `post`ing a session."""

    def __init__(self, server: Server, *, key: str | None = None, language: str = "en") -> None:
        headers = {"Origin": server.url, "Accept-Language": language}
        if key is not None:
            headers["Authorization"] = f"Bearer {key}"
        # No proxy, no password file of this machine: what is asked goes to this server.
        self._client = httpx2.Client(
            base_url=f"{server.url}/v1", headers=headers, verify=_context(server.pin), timeout=_TIMES,
            follow_redirects=False, trust_env=False,
        )  # fmt: skip

    def get(self, path: str, params: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The JSON object at a path below /v1.

        Raises:
            What the server answered, as the error of ours that it names. ServerUnavailable: it does not answer.
        """
        with self.stream("GET", path, params=params) as answer:
            return _object(answer)

    def post(self, path: str, body: Any, headers: Mapping[str, str] | None = None) -> dict[str, Any]:
        """What a request that changes something is answered; as `get`."""
        with self.stream("POST", path, json=body, headers=headers) as answer:
            return _object(answer)

    @contextmanager
    def stream(self, method: str, path: str, **more: Any) -> Iterator[httpx2.Response]:
        """An answer whose bytes are still to come; as `get`.

        Raises:
            As `get`; also in the block, while it is read.
        """
        try:
            with self._client.stream(method, path, **more) as answer:
                if not answer.is_success:
                    raise _error(answer)
                yield answer
        except httpx2.HTTPError as error:
            raise ServerUnavailable(f"{self._client.base_url.host} does not answer: {error}") from error
        except ssl.SSLError as error:
            raise ServerUnavailable(f"{self._client.base_url.host} is not the server that is meant: {error}") from error

    def close(self) -> None:
        """End the connections."""
        self._client.close()


def _bytes(answer: httpx2.Response) -> bytes:
    data = bytearray()
    for block in answer.iter_bytes():
        data += block
        if len(data) > _LARGEST:
            raise ServerUnavailable("the server answers with more than any answer has")
    return bytes(data)


def _object(answer: httpx2.Response) -> dict[str, Any]:
    data = _bytes(answer)
    if not data:
        return {}
    try:
        body = httpx2.Response(200, content=data).json()
    except ValueError as error:
        raise ServerUnavailable("the server answers with what is no JSON: is it one of ours?") from error
    if not isinstance(body, dict):
        raise ServerUnavailable("the server answers with another form than it should")
    return body


def _error(answer: httpx2.Response) -> EvidockError:
    """What the server says is wrong, as ours; a code that this version does not know, as one of its family."""
    try:
        told = _object(answer)
    except ServerUnavailable:
        told = {}
    code, detail = str(told.get("code", "")), str(told.get("detail") or f"the server answers {answer.status_code}")
    kind = _CODES.get(code)
    if kind is None:
        is_down = answer.status_code in _WORLD_IS_DOWN
        kind = ServerUnavailable if is_down else Refused if answer.status_code in (401, 403, 409) else Unacceptable
    return kind(detail)
