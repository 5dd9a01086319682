# SPDX-License-Identifier: Apache-2.0
"""This is where live recordings are attacked: by strangers that hold a place, and by terminals that lie."""

import base64
import hashlib
import json
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from app import clocks
from evidence.claims import Claims, Source
from evidence.errors import InUse
from pipeline import live_closing
from pipeline.live import look_at
from pipeline.live_closing import Quiet
from storage.register import dock_rows, search
from tests.support.home import open_home
from tests.support.live_footage import SERIAL, footage, sha256_of
from tests.support.terminals import Terminal, terminal
from tests.support.web_server import WebServer, web_server
from web.api import live as live_routes


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebServer]:
    with open_home(tmp_path_factory.mktemp("attacks") / "home") as home:
        home.add_device(SERIAL)
        with web_server(home, limits={"silence_s": 1}) as made:
            yield made


@pytest.fixture
def ours(server: WebServer) -> Terminal:
    return terminal(server.home.ports, server.port)


@pytest.fixture
def path(request: pytest.FixtureRequest) -> str:
    """On the device; no two tests record the same."""
    return f"live/{hashlib.sha256(request.node.name.encode()).hexdigest()}.mp4"


# --- who holds a place ----------------------------------------------------------------------------


def begun_body(server: WebServer) -> socket.socket:
    """A stranger's request whose body has begun."""
    line = socket.create_connection(("127.0.0.1", server.port), timeout=10)
    head = "POST /v1/challenges HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
    line.sendall(head.encode())
    return line


def test_a_stranger_whose_body_does_not_come_is_cut_off(server: WebServer) -> None:
    with begun_body(server) as line:
        assert b" 408 " in line.recv(1000)
        assert line.recv(1000) == b""


def test_a_stranger_whose_body_drips_is_cut_off(server: WebServer) -> None:
    with begun_body(server) as line:
        line.settimeout(0.5)
        began, answer = time.monotonic(), b""
        while not answer and time.monotonic() - began < 9:
            line.sendall(b" ")
            try:
                answer = line.recv(1000)
            except TimeoutError:
                continue
        assert b" 408 " in answer


def test_a_terminal_that_ends_its_recording_many_times_at_once_is_told_to_wait(ours: Terminal, path: str) -> None:
    live = ours.begin(path=path)
    ours.put_all(live, footage())
    with ExitStack() as stack:
        for _ in range(2):
            stack.enter_context(live_routes._ENDINGS.passing(ours.id))  # as if two ends were under way
        reply = ours.end(live, footage())

    assert (reply.status, reply.code) == (429, "overloaded")
    assert ours.end(live, footage()).status == 201


def test_a_fragment_of_nothing_but_headers_costs_its_player_no_time(ours: Terminal, path: str) -> None:
    live = ours.begin(path=path)
    ours.put_all(live, [footage()[0], b"\0\0\0\x08free" * (1 << 20) + footage()[1]])
    began = time.monotonic()

    assert ours.get(live, "playlist.m3u8").code == "not-media"
    assert time.monotonic() - began < 1


# --- words that nobody signed ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "claim",
    [
        {"field": "case", "value": "2026-017", "source": "sidecar"},
        {"field": "case\ud800", "value": "X", "source": "folder"},
        {"field": "case\n", "value": "X", "source": "folder"},
        {"field": "c" * 41, "value": "X", "source": "folder"},
    ],
    ids=["an unsigned word", "a broken field", "a field of two lines", "a long field"],
)
def test_a_claim_that_a_terminal_may_not_announce_is_refused(ours: Terminal, claim: dict[str, str]) -> None:
    told = {"name": "a", "path": "a", "started_at": "2026-06-19T12:00:00Z", "claims": [claim]}
    reply = ours.ask("POST", "", told)

    assert (reply.status, reply.code) == (400, "bad-input")


def test_nobody_who_uploads_speaks_as_an_operator(ours: Terminal) -> None:
    claims = json.dumps([{"field": "device", "value": "X", "source": str(Source.OPERATOR)}])

    assert ours.announce(4, filename="a.mp4", claims=claims).status == 400


def test_an_end_told_again_with_another_word_is_refused_and_the_same_is_not(ours: Terminal, path: str) -> None:
    live = ours.begin(path=path)
    ours.put_all(live, footage())
    first = ours.end(live, footage(), case="2026-017")

    assert ours.end(live, footage(), case="2026-018").code == "wrong-state"
    assert ours.end(live, footage(), case="2026-017").body == first.body


def test_of_two_who_end_a_recording_one_does(server: WebServer, ours: Terminal, path: str) -> None:
    live = ours.begin(path=path)
    ours.put_all(live, footage())
    found = look_at(live, files=server.files)
    live_closing.cut_off(found, files=server.files)
    word = {"sha256": sha256_of(footage()), "sidecar": None, "why": "ended"}

    with pytest.raises(InUse):
        live_closing.close(live, word, claims=Claims(), size_bytes=found.size_bytes, files=server.files)
    assert ours.end(live, footage(), case="2026-017").code == "wrong-state"


def test_a_word_on_one_recording_does_not_stand_beside_another_of_its_name_and_size(
    server: WebServer, ours: Terminal, path: str
) -> None:
    parts = footage()
    other = [*parts[:-1], parts[-1][:-1] + bytes([parts[-1][-1] ^ 1])]
    made = []
    both: list[list[bytes]] = [list(parts), other]
    for each in both:
        live = ours.begin(path=path)
        ours.put_all(live, each)
        reply = ours.end(live, each, note=sha256_of(each))
        assert reply.status == 201, reply
        assert ours.end(live, each, note=sha256_of(each)).body == reply.body
        made.append(json.loads(reply.body)["recording"])
    server.home.drain(*made)
    server.intake.sweep()

    assert len(set(made)) == 2
    for recording, each in zip(made, both, strict=True):
        assert server.home.holds(b"".join(each), sha256_of(each))
        with server.home.ports.register.view() as connection:
            assert {one["sha256"] for one in search.originals_of(connection, recording)} == {sha256_of(each)}
            roles = [one["role"] for one in dock_rows.attachments_of(connection, recording)]
        assert sorted(roles) == ["sidecar", "sidecar-signature"]


# --- acknowledged, and then lost ------------------------------------------------------------------


def test_a_fragment_that_comes_while_an_empty_recording_is_forgotten_is_kept(
    server: WebServer, ours: Terminal, path: str
) -> None:
    live = ours.begin(path=path)
    ours.put_all(live, footage()[:1])

    with pytest.raises(InUse):
        server.files.remove(live, only_at=0)  # as the round does that saw it empty
    assert server.files.offset(live) == len(footage()[0])


def test_many_who_tell_of_one_recording_at_once_leave_it_readable(server: WebServer, ours: Terminal, path: str) -> None:
    live = ours.begin(path=path)
    told = server.files.told(live)

    def tell(_: int) -> None:
        for _ in range(20):
            server.files.tell(live, told)
            assert server.files.told(live) == told

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(tell, range(4)))


def test_rounds_and_an_end_at_the_same_moment_make_one_recording(server: WebServer, ours: Terminal, path: str) -> None:
    live = ours.begin(path=path)
    ours.put_all(live, footage())
    quiet = Quiet()

    def sweep(at: int) -> None:
        live_closing.sweep(quiet, at=float(at), ports=server.home.ports, now=clocks.now())
        server.intake.sweep()

    with ThreadPoolExecutor(3) as pool:
        rounds = [pool.submit(sweep, at) for at in range(4)]
        reply = ours.end(live, footage(), case="2026-017")
        for one in rounds:
            one.result()
    recording = json.loads(reply.body)["recording"]
    server.home.drain(recording)

    assert reply.status == 201
    with server.home.ports.register.view() as connection:
        assert len(dock_rows.attachments_of(connection, recording)) == 2


def test_a_digest_header_sent_twice_counts_once(ours: Terminal, path: str) -> None:
    live, data = ours.begin(path=path), footage()[0]
    good = base64.b64encode(hashlib.sha256(data).digest()).decode()
    bad = base64.b64encode(bytes(32)).decode()

    assert ours.put(live, 0, data, digest=f"sha-256=:{bad}:, sha-256=:{good}:").status == 460
    assert ours.put(live, 0, data, digest=f"sha-512=:{bad}:, sha-256=:{good}:").status == 204
