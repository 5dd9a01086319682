# SPDX-License-Identifier: Apache-2.0
"""This is where health, readiness and figures are answered over HTTP: three pages, GET only, nothing else.

It needs no sign-in and tells no names, addresses or paths, but counts are facts too: let it listen where
strangers do not come (a loopback or an inner address).
"""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from evidence.errors import BadInput

Page = Callable[[], "Answer"]
HEALTH = "/healthz"

_AT_ONCE = 16
# Pages that may wait for an engine take no more places than these: somebody must still hear that we are alive.
_WAITING_AT_ONCE = 8
_SLOW_S = 10.0
_ASKED_WITHIN_S = 3.0
_HANGING_UP_S = 0.5


@dataclass(frozen=True, slots=True)
class Answer:
    """What a page says; `status` is HTTP's."""

    status: int
    kind: str
    body: bytes


def json_answer(body: Mapping[str, Any], *, status: int) -> Answer:
    """An answer of one JSON object."""
    return Answer(status, "application/json", json.dumps(body).encode() + b"\n")


class _Handler(BaseHTTPRequestHandler):
    """One request. Its connection is closed afterwards; a client that dawdles is left, however often it says a word."""

    timeout = _SLOW_S
    server: "_Server"

    def do_GET(self) -> None:
        """Answer with the page, or say that there is none."""
        self.server.was_asked(self.connection)
        path = self.path.partition("?")[0]
        page = self.server.pages.get(path)
        if page is None:
            self._say(json_answer({"error": "no such page"}, status=404))
        elif path == HEALTH:
            self._say(_answer_of(page))
        elif self.server.waiting.acquire(blocking=False):
            try:
                self._say(_answer_of(page))
            finally:
                self.server.waiting.release()
        else:
            self._say(json_answer({"error": "too many ask at once"}, status=503))

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Refuse what is no GET, or no HTTP, repeating none of it."""
        self.server.was_asked(self.connection)
        is_method = code == HTTPStatus.NOT_IMPLEMENTED
        status = HTTPStatus.METHOD_NOT_ALLOWED if is_method else HTTPStatus(code)
        self._say(json_answer({"error": "only GET is answered" if is_method else status.phrase}, status=status))
        self.close_connection = True

    def _say(self, answer: Answer) -> None:
        self.send_response(answer.status)
        for name, value in (
            ("Content-Type", answer.kind),
            ("Content-Length", str(len(answer.body))),
            ("Cache-Control", "no-store"),
            ("X-Content-Type-Options", "nosniff"),
            *((("Allow", "GET"),) if answer.status == HTTPStatus.METHOD_NOT_ALLOWED else ()),
        ):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer.body)

    def version_string(self) -> str:
        """Our name, and no versions."""
        return "evidock"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the name is the base class's
        """Nothing: health is asked for every few seconds."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = _AT_ONCE

    def __init__(self, family: socket.AddressFamily, address: tuple[str, int], pages: Mapping[str, Page]) -> None:
        self.address_family = family
        self.pages = pages
        self.waiting = threading.BoundedSemaphore(_WAITING_AT_ONCE)
        self._places = threading.BoundedSemaphore(_AT_ONCE)
        self._asking: dict[Any, float] = {}  # since when, oldest first
        self._lock = threading.Lock()
        super().__init__(address, _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer on a thread. When all are busy, who has not asked yet is left for who comes."""
        if self._places.acquire(blocking=False) or self._make_place():
            with self._lock:
                self._asking[request] = time.monotonic()
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def was_asked(self, request: Any) -> None:
        """Its client has said what it wants: from here on it waits for us."""
        with self._lock:
            self._asking.pop(request, None)

    def service_actions(self) -> None:
        """Leave clients that have not asked in time."""
        self._leave(before=time.monotonic() - _ASKED_WITHIN_S, at_most=_AT_ONCE)

    def _make_place(self) -> bool:
        self._leave(before=time.monotonic(), at_most=1)
        return self._places.acquire(timeout=_HANGING_UP_S)

    def _leave(self, *, before: float, at_most: int) -> None:
        with self._lock:
            for request in [one for one, since in self._asking.items() if since < before][:at_most]:
                del self._asking[request]
                with suppress(OSError):  # its thread closes it now
                    request.shutdown(socket.SHUT_RDWR)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Answer, and free the place."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self.was_asked(request)
            self._places.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Nothing: a client that hangs up is no error of ours."""


def _answer_of(page: Page) -> Answer:
    try:
        return page()
    except Exception:
        # Words of an error may hold what strangers must not read. Whoever watches sees the status.
        return json_answer({"error": "a defect: this page could not be made"}, status=500)


class Kept:
    """A page that is made anew after `fresh_s`, for one at a time: asking often costs the engines nothing."""

    def __init__(self, page: Page, *, fresh_s: float) -> None:
        self._page, self._fresh_s = page, fresh_s
        self._lock = threading.Lock()
        self._at, self._answer = float("-inf"), Answer(500, "", b"")

    def __call__(self) -> Answer:
        """The page, at most `fresh_s` old."""
        with self._lock:
            if time.monotonic() - self._at > self._fresh_s:
                self._answer = self._page()
                self._at = time.monotonic()
            return self._answer


@contextmanager
def answering(address: tuple[str, int], pages: Mapping[str, Page]) -> Iterator[str]:
    """Answer with `pages` while the block runs; yields the address, as a URL's beginning.

    Raises:
        BadInput: nothing can listen there.
    """
    host, port = address
    try:
        family, _, _, _, where = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        server = _Server(family, (str(where[0]), int(where[1])), pages)
    except (OSError, UnicodeError) as error:
        raise BadInput(f"EVIDOCK_OPERATE: nothing can listen at {host}:{port}: {error}") from error
    thread = threading.Thread(target=server.serve_forever, args=(0.1,), name="operate", daemon=True)
    thread.start()
    shown = f"[{host}]" if ":" in host else host
    try:
        yield f"http://{shown}:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
