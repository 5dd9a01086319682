# SPDX-License-Identifier: Apache-2.0
"""This is where health, readiness and figures are answered over HTTP: three pages, GET only, nothing else.

It needs no sign-in and tells no names, addresses or paths, but counts are facts too: let it listen where
strangers do not come (a loopback or an inner address).
"""

import json
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from evidence.errors import BadInput

Page = Callable[[], "Answer"]

_AT_ONCE = 16
_SLOW_S = 10.0


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
    """One request. Its connection is closed afterwards; a client that dawdles is left."""

    timeout = _SLOW_S
    server: "_Server"

    def do_GET(self) -> None:
        """Answer with the page, or say that there is none."""
        page = self.server.pages.get(self.path.partition("?")[0])
        self._say(json_answer({"error": "no such page"}, status=404) if page is None else _answer_of(page))

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Refuse what is no GET, or no HTTP, repeating none of it."""
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
        self._places = threading.BoundedSemaphore(_AT_ONCE)
        super().__init__(address, _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer on a thread; whoever comes when all are busy is turned away."""
        if self._places.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Answer, and free the place."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._places.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Nothing: a client that hangs up is no error of ours."""


def _answer_of(page: Page) -> Answer:
    try:
        return page()
    except Exception:
        # Words of an error may hold what strangers must not read. Whoever watches sees the status.
        return json_answer({"error": "a defect: this page could not be made"}, status=500)


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
