# SPDX-License-Identifier: Apache-2.0
"""This is where every place of the server is taken by strangers, and by a client that fetches no answer."""

import resource
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.home import open_home
from tests.support.live_footage import SERIAL, footage
from tests.support.terminals import Terminal, terminal
from tests.support.web_server import WebServer, web_server
from web.server import listening as listening_module
from web.server import protocol

PLACES = 20
HEAD = b"POST /v1/challenges HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"


@pytest.fixture
def server(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[WebServer]:
    monkeypatch.setattr(listening_module, "_CONNECTIONS", PLACES)
    with open_home(tmp_path_factory.mktemp("places") / "home") as home:
        home.add_device(SERIAL)
        with web_server(home) as made:
            yield made


@pytest.mark.parametrize("said", [b"", b"GET / HTTP/1.1\r\n", HEAD], ids=["nothing", "half a head", "half a body"])
def test_who_only_holds_a_place_loses_it_to_who_has_something_to_say(server: WebServer, said: bytes) -> None:
    with ExitStack() as stack:
        for _ in range(2 * PLACES):
            line = stack.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=10))
            line.sendall(said)
        dock = server.dock()

        assert dock.create(4, filename="a.mp4")


def test_an_upload_that_goes_on_keeps_its_place_beside_strangers(server: WebServer) -> None:
    ours: Terminal = terminal(server.home.ports, server.port)
    upload = ours.create(1000, filename="a.mp4")
    head = (
        f"PATCH /v1/uploads/{upload} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {ours.token}\r\nUpload-Offset: 0\r\n"
        "Tus-Resumable: 1.0.0\r\nContent-Type: application/offset+octet-stream\r\nContent-Length: 1000\r\n\r\n"
    )
    with ExitStack() as stack, socket.create_connection(("127.0.0.1", server.port), timeout=10) as line:
        line.sendall(head.encode())
        for _ in range(40):
            line.sendall(bytes(25))
            for _ in range(2):
                stack.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=10))
            time.sleep(0.005)
        assert b" 204 " in line.recv(1000)


def test_an_answer_that_nobody_fetches_is_kept_for_a_while_only(
    server: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "UNREAD_S", 0.3)
    ours = terminal(server.home.ports, server.port)
    live = ours.begin()
    ours.put_all(live, [footage()[0], bytes(16 << 20)])
    head = f"GET /v1/live/{live}/1.m4s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {ours.token}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as line:
        line.sendall(head.encode())
        came = len(line.recv(1 << 16))
        time.sleep(1.5)
        try:
            while block := line.recv(1 << 20):
                came += len(block)
        except ConnectionResetError:
            pass
    assert came < 16 << 20


def test_answers_that_nobody_fetches_take_no_memory(server: WebServer) -> None:
    ours = terminal(server.home.ports, server.port)
    live = ours.begin(path="live/large.mp4")
    ours.put_all(live, [footage()[0], bytes(24 << 20)])
    head = f"GET /v1/live/{live}/1.m4s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {ours.token}\r\n\r\n"
    before = _resident_bytes()
    with ExitStack() as stack:
        for _ in range(10):
            line = stack.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=10))
            line.sendall(head.encode())
            assert b" 200 " in line.recv(1000)
        assert _resident_bytes() - before < 100 << 20


def _resident_bytes() -> int:
    told = Path("/proc/self/statm").read_text("ascii")
    return int(told.split()[1]) * resource.getpagesize()
