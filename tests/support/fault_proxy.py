# SPDX-License-Identifier: Apache-2.0
"""A network that fails, in front of a real S3 server: every fault happens to real requests, some after they worked.

`FaultProxy` passes HTTP requests on, and does to some of them what `FAULTS` names. Which ones is drawn from a
seeded chance, or written down one by one in `plan`. It keeps counts, so that a test knows that faults happened.
"""

import http.client
import random
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

_ERROR = (
    '<?xml version="1.0" encoding="UTF-8"?><Error><Code>{}</Code><Message>made by the fault proxy</Message></Error>'
)

_OURS = ("connection", "content-length", "transfer-encoding")

# Name of a fault: what it is. "after" means that the server did what it was asked, and nobody hears of it.
FAULTS = {
    "503": "the server says that it is unavailable",
    "slow-down": "the server says SlowDown",
    "500-after": "the request worked, and the answer is an internal error",
    "reset": "the connection is reset before the server hears anything",
    "reset-after": "the request worked, and the connection is reset",
    "stall": "nothing comes for longer than anybody waits",
    "truncated": "the answer ends in the middle of its body",
    "wrong-answer": "one byte of the object is another on its way back",
    "wrong-request": "one byte of the object is another on its way there",
    "200-error": "completing an upload answers 200 with an error in its body; nothing was done",
    "200-error-after": "completing an upload answers 200 with an error in its body; it was done",
    "slow": "it takes a while, and works",
}

# What servers were seen to do that is no passing fault: only when it is planned.
ODDITIES = {
    "order-dropped": "an order to lock or hold is answered with yes, and nothing is done",
    "range-untold": "what was asked for comes as if it were the whole object",
    "longer": "more bytes come than were asked for",
}


@dataclass(slots=True)
class Asked:
    """One request as it came."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def query(self) -> Mapping[str, list[str]]:
        return parse_qs(urlsplit(self.target).query, keep_blank_values=True)

    @property
    def is_data(self) -> bool:
        """It carries the bytes of an object, one way or the other."""
        return self.method in ("GET", "PUT") and set(self.query) <= {"versionId", "partNumber", "uploadId"} | (
            {"x-id"} if self.method == "PUT" else set()
        )

    def allows(self, fault: str) -> bool:
        if fault == "wrong-answer":
            return self.method == "GET" and self.is_data and "uploadId" not in self.query
        if fault == "wrong-request":
            return self.method == "PUT" and self.is_data and bool(self.body)
        if fault.startswith("200-error"):
            return self.method == "POST" and "uploadId" in self.query
        if fault == "order-dropped":
            return self.method == "PUT" and bool({"retention", "legal-hold"} & set(self.query))
        return fault not in ("truncated", "range-untold", "longer") or (self.method == "GET" and self.is_data)


@dataclass(slots=True)
class Weather:
    """How bad it is now; tests change it while the proxy runs."""

    chance: float = 0.0
    kinds: tuple[str, ...] = tuple(FAULTS)
    plan: list[str] = field(default_factory=list)
    stall_s: float = 3.0
    slow_s: float = 0.1
    on_request: Callable[[Asked], None] | None = None


class FaultProxy:
    """A server on loopback in front of another; `endpoint` is its URL."""

    def __init__(self, upstream: str, rng: random.Random) -> None:
        self.weather, self.happened, self.parts_sent = Weather(), Counter[str](), Counter[str]()
        self._upstream, self._rng, self._lock = urlsplit(upstream).netloc, rng, threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._server.handle_error = lambda *_: None  # type: ignore[method-assign]
        self.endpoint = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def draw(self, asked: Asked) -> str | None:
        """The fault that happens to this request."""
        with self._lock:
            weather = self.weather
            if weather.plan:
                if not asked.allows(weather.plan[0]):
                    return None
                fault = weather.plan.pop(0)
            else:
                kinds = [kind for kind in weather.kinds if asked.allows(kind)]
                if not kinds or self._rng.random() >= weather.chance:
                    return None
                fault = self._rng.choice(kinds)
            self.happened[fault] += 1
            return fault

    def flipped(self, data: bytes) -> bytes:
        """The same with one bit of one byte changed."""
        with self._lock:
            at, bit = self._rng.randrange(len(data)), 1 << self._rng.randrange(8)
        return data[:at] + bytes([data[at] ^ bit]) + data[at + 1 :]

    def passed_on(self, asked: Asked) -> tuple[int, list[tuple[str, str]], bytes]:
        """What the server answers."""
        connection = http.client.HTTPConnection(self._upstream, timeout=60)
        try:
            connection.putrequest(asked.method, asked.target, skip_host=True, skip_accept_encoding=True)
            for name, value in asked.headers.items():
                if name.lower() not in ("expect", "connection"):
                    connection.putheader(name, value)
            connection.endheaders(asked.body)
            answer = connection.getresponse()
            headers, body = answer.getheaders(), answer.read()
        finally:
            connection.close()
        if "partNumber" in asked.query and asked.method == "PUT":
            with self._lock:
                self.parts_sent[asked.query["partNumber"][0]] += 1
        return (
            answer.status,
            [(n, v) for n, v in headers if n.lower() not in _OURS] + _length(asked, answer, body),
            body,
        )

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        proxy = self

        class Handler(_Handler):
            owner = proxy

        return Handler


class _Handler(BaseHTTPRequestHandler):
    owner: FaultProxy
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        return

    def _any(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        asked = Asked(self.command, self.path, dict(self.headers.items()), self.rfile.read(length))
        if len(asked.body) < length:
            self.close_connection = True  # whoever sent it was killed
            return
        if self.owner.weather.on_request is not None:
            self.owner.weather.on_request(asked)
        fault = self.owner.draw(asked)
        if fault is None or not self._fail_before(fault, asked):
            self._fail_after(fault, asked)

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _any  # noqa: N815

    def _fail_before(self, fault: str, asked: Asked) -> bool:
        """True when the request ends here, and the server never hears of it."""
        if fault in ("503", "slow-down"):
            self._answer(503, _ERROR.format("ServiceUnavailable" if fault == "503" else "SlowDown").encode())
        elif fault == "reset":
            self._reset()
        elif fault == "stall":
            time.sleep(self.owner.weather.stall_s)
            self._reset()
        elif fault == "order-dropped":
            self._answer(200, b"")
        elif fault == "200-error":
            self._answer(200, _ERROR.format("InternalError").encode())
        else:
            return False
        return True

    def _fail_after(self, fault: str | None, asked: Asked) -> None:
        if fault == "wrong-request":
            asked.body = self.owner.flipped(asked.body)
        if fault == "slow":
            time.sleep(self.owner.weather.slow_s)
        status, headers, body = self.owner.passed_on(asked)
        if fault == "500-after":
            self._answer(500, _ERROR.format("InternalError").encode())
        elif fault == "200-error-after":
            self._answer(200, _ERROR.format("InternalError").encode())
        elif fault == "reset-after":
            self._reset()
        else:
            if fault == "wrong-answer" and body and status in (200, 206):
                body = self.owner.flipped(body)
            if fault == "range-untold":
                status, headers = 200, [(n, v) for n, v in headers if n.lower() != "content-range"]
            if fault == "longer":
                body += b"more"
                headers = [(n, str(len(body)) if n == "Content-Length" else v) for n, v in headers]
            self._give(status, headers, body, is_whole=fault != "truncated")

    def _answer(self, status: int, body: bytes) -> None:
        headers = [("Content-Type", "application/xml"), ("Content-Length", str(len(body)))]
        self._give(status, headers, b"" if self.command == "HEAD" else body)

    def _give(self, status: int, headers: list[tuple[str, str]], body: bytes, *, is_whole: bool = True) -> None:
        self.send_response_only(status)
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body if is_whole else body[: len(body) // 2])
        if not is_whole:
            self._reset()

    def _reset(self) -> None:
        # Linger for no time: the other side gets a reset, not an end.
        with suppress(OSError):
            self.wfile.flush()
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True


def _length(asked: Asked, answer: http.client.HTTPResponse, body: bytes) -> list[tuple[str, str]]:
    """How long the body is, where there can be one."""
    if answer.status == 204:
        return []
    told = answer.getheader("Content-Length") if asked.method == "HEAD" else str(len(body))
    return [] if told is None else [("Content-Length", told)]


@contextmanager
def fault_proxy(upstream: str, rng: random.Random) -> Iterator[FaultProxy]:
    """A running one, gone at the end."""
    proxy = FaultProxy(upstream, rng)
    try:
        yield proxy
    finally:
        proxy.close()
