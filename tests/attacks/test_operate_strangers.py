# SPDX-License-Identifier: Apache-2.0
"""This is where strangers come to the port that answers health: slow ones, many of them, and odd requests."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from urllib.parse import urlsplit

import pytest

from app.operate import endpoint
from app.operate.endpoint import Answer, Kept, Page, answering

ALIVE = b'{"alive": true}\n'


@pytest.fixture
def hang() -> Iterator[threading.Event]:
    ends = threading.Event()
    yield ends
    ends.set()


@pytest.fixture
def port(hang: threading.Event) -> Iterator[int]:
    def waits() -> Answer:
        hang.wait(20)
        return Answer(200, "text/plain", b"at last")

    pages: dict[str, Page] = {"/healthz": lambda: Answer(200, "application/json", ALIVE), "/readyz": waits}
    with answering(("127.0.0.1", 0), pages) as where:
        yield int(urlsplit(where).port or 0)


def connected(port: int, said: bytes = b"") -> socket.socket:
    talk = socket.create_connection(("127.0.0.1", port), timeout=10)
    talk.sendall(said)
    return talk


def answer(port: int, request: bytes) -> bytes:
    """All that comes; nothing when we were hung up on."""
    got = b""
    with suppress(ConnectionError), connected(port, request) as talk:
        while piece := talk.recv(65536):
            got += piece
    return got


def is_alive(port: int) -> bool:
    return answer(port, b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").endswith(ALIVE)


def test_many_who_connect_and_say_nothing_keep_nobody_from_hearing_that_we_are_alive(port: int) -> None:
    with ExitStack() as held:
        for _ in range(40):
            held.enter_context(connected(port, b"GET /hea"))
        time.sleep(0.3)
        assert all(is_alive(port) for _ in range(20))


def test_a_client_that_says_a_word_now_and_then_is_left_all_the_same(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endpoint, "_ASKED_WITHIN_S", 0.5)
    begun = time.monotonic()
    with connected(port, b"GET /healthz HTTP/1.1\r\n") as slow, suppress(ConnectionError):
        slow.settimeout(0.1)
        while time.monotonic() - begun < 5:
            slow.sendall(b"X: y\r\n")
            with suppress(TimeoutError):
                if not slow.recv(1):
                    break
    assert time.monotonic() - begun < 3


def test_pages_that_wait_for_a_hanging_engine_leave_room_to_hear_that_we_are_alive(
    port: int, hang: threading.Event
) -> None:
    with ExitStack() as held:
        for _ in range(30):
            held.enter_context(connected(port, b"GET /readyz HTTP/1.1\r\n\r\n"))
        time.sleep(0.3)
        assert all(is_alive(port) for _ in range(5))
        hang.set()


def test_figures_asked_for_by_many_at_once_are_made_once() -> None:
    made: list[int] = []

    def page() -> Answer:
        made.append(1)
        time.sleep(0.1)
        return Answer(200, "text/plain", b"figures")

    kept = Kept(page, fresh_s=5)
    askers = [threading.Thread(target=kept) for _ in range(8)]
    for one in askers:
        one.start()
    for one in askers:
        one.join()
    assert (len(made), kept().body) == (1, b"figures")


ODD = {
    "path-up": b"GET /../../etc/passwd HTTP/1.1\r\n\r\n",
    "path-up-quoted": b"GET /%2e%2e/%2e%2e/etc/passwd HTTP/1.1\r\n\r\n",
    "other-host": b"GET http://evil.example/secret HTTP/1.1\r\nHost: evil.example\r\n\r\n",
    "split-header": b"GET /x%0d%0aSet-Cookie:secret HTTP/1.1\r\n\r\n",
    "bare-newlines": b"GET /secret\nX: secret\n\n",
    "endless-line": b"GET /" + b"secret" * 20_000,
    "many-headers": b"GET /secret HTTP/1.1\r\n" + b"secret: x\r\n" * 200 + b"\r\n",
    "no-version": b"GET /secret\r\n",
    "odd-version": b"GET /secret HTTP/9.secret\r\n\r\n",
    "secret-method": b"SECRET /secret HTTP/1.1\r\n\r\n",
    "post-with-body": b"POST /healthz HTTP/1.1\r\nContent-Length: 5\r\n\r\nsecretGET /healthz HTTP/1.1\r\n\r\n",
    "tls": bytes.fromhex("16030100f8010000f40303"),
    "zeros": bytes(64) + b"\r\n\r\n",
}


@pytest.mark.parametrize("request_", ODD.values(), ids=ODD)
def test_an_odd_request_is_refused_and_nothing_of_it_comes_back(request_: bytes, port: int) -> None:
    came = answer(port, request_) if request_.endswith(b"\n") else answer(port, request_ + b"\r\n\r\n")
    assert b"secret" not in came.lower()
    assert b"evil" not in came
    assert b"passwd" not in came
    assert came.count(b"HTTP/1.0") <= 1
    assert is_alive(port)
