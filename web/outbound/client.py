# SPDX-License-Identifier: Apache-2.0
"""This is where the server asks others, briefly: one request, one answer of limited size, nobody is sent on."""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field

import httpx2

from evidence.errors import NotAllowed, ServerUnavailable
from web.outbound.transport import Gate, PinnedTransport

_TIMEOUT_S = 10.0
_LARGEST_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: its status, headers (lower case) and whole body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(slots=True)
class Outbound:
    """Asks where `gate` lets it. Threads may share it."""

    gate: Gate
    tls: ssl.SSLContext = field(default_factory=ssl.create_default_context)
    timeout_s: float = _TIMEOUT_S
    largest_bytes: int = _LARGEST_BYTES

    def transport(self) -> PinnedTransport:
        """A transport for a library that makes its own requests: they are held to the same gate."""
        return PinnedTransport(self.gate, tls=self.tls)

    def ask(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> Answer:
        """One request and its answer, whatever its status; a redirect is an answer like any other.

        Raises:
            NotAllowed: the URL is none that may be asked, or its host is somewhere inside.
            ServerUnavailable: nobody answers, the answer is too large, or the connection broke.
        """
        with self.transport() as transport, httpx2.Client(transport=transport, timeout=self.timeout_s) as client:
            try:
                asked = client.build_request(method, url, headers=dict(headers or {}), content=body)
                answer = client.send(asked, stream=True, follow_redirects=False)
                return Answer(answer.status_code, dict(answer.headers), self._body(answer))
            except (httpx2.InvalidURL, httpx2.UnsupportedProtocol) as error:
                raise NotAllowed("not a URL that can be asked") from error
            except (httpx2.HTTPError, httpx2.StreamError) as error:
                raise ServerUnavailable(f"no answer from {url[:200]}: {type(error).__name__}") from error

    def check(self, url: str) -> None:
        """Return when a URL may be asked, as its name is resolved now.

        Raises:
            NotAllowed, ServerUnavailable: as `ask`.
        """
        try:
            self.gate.address_of(httpx2.URL(url))
        except httpx2.InvalidURL as error:
            raise NotAllowed("not a URL that can be asked") from error

    def _body(self, answer: httpx2.Response) -> bytes:
        gathered = bytearray()
        for block in answer.iter_bytes():
            gathered += block
            if len(gathered) > self.largest_bytes:
                raise ServerUnavailable(f"the answer has more than {self.largest_bytes} bytes")
        return bytes(gathered)
