# SPDX-License-Identifier: Apache-2.0
"""A terminal and strangers, before the server as it is shipped: what is still recorded comes in, and is played."""

import base64
import hashlib
import io
import json
import re
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import av
import pytest
from av.container import InputContainer

from app import clocks
from evidence.errors import DiskLow
from pipeline.docks import revoke
from pipeline.live_figures import figures
from tests.support.home import open_home
from tests.support.live_footage import SERIAL, footage, sha256_of
from tests.support.servers import until
from tests.support.terminals import Terminal, terminal
from tests.support.web_server import WebServer, web_server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebServer]:
    with open_home(tmp_path_factory.mktemp("live") / "home") as home:
        home.add_device(SERIAL)
        home.add_device("OTHER")
        with web_server(home) as made:
            yield made


@pytest.fixture
def ours(server: WebServer) -> Terminal:
    return terminal(server.home.ports, server.port)


@pytest.fixture
def path(request: pytest.FixtureRequest) -> str:
    """On the device; no two tests record the same."""
    return f"live/{hashlib.sha256(request.node.name.encode()).hexdigest()}.mp4"


def test_a_recording_comes_in_by_fragments_and_ends_as_a_recording(
    server: WebServer, ours: Terminal, path: str
) -> None:
    live = ours.begin(path=path)
    ours.put_all(live, footage())
    reply = ours.end(live, footage(), officer="000001")
    recording = json.loads(reply.body)["recording"]
    server.home.drain(recording)

    assert reply.status == 201
    assert server.home.holds(b"".join(footage()), sha256_of(footage()))
    assert f"fixity:{recording}" in server.weather.hints


def test_repeats_gaps_and_other_bytes_are_answered_by_the_protocol(ours: Terminal, path: str) -> None:
    live, parts = ours.begin(path=path), footage()
    ours.put_all(live, parts[:2])

    assert ours.put(live, 1, parts[1]).status == 204
    other, gap = ours.put(live, 1, parts[2]), ours.put(live, 3, parts[3])
    assert (other.status, other.code) == (409, "conflict")
    assert (gap.status, gap.code, json.loads(gap.body)["values"]) == (409, "offset-conflict", {"next": 2})


def test_a_fragment_that_changed_on_the_way_is_refused(ours: Terminal, path: str) -> None:
    live = ours.begin(path=path)
    digest = f"sha-256=:{base64.b64encode(bytes(32)).decode()}:"
    reply = ours.put(live, 0, footage()[0], digest=digest)

    assert (reply.status, reply.code) == (460, "checksum-mismatch")


@pytest.mark.parametrize("digest", ["sha-256=:AAAA:", "md5=:AAAA:", "x" * 300, "sha-256=" + "A" * 44])
def test_a_digest_that_is_none_is_refused(ours: Terminal, path: str, digest: str) -> None:
    live = ours.begin(path=path)
    reply = ours.put(live, 0, footage()[0], digest=digest)

    assert (reply.status, reply.code) == (400, "bad-input")


@pytest.mark.parametrize("number", ["-1", "x", "1e3", "9" * 40, "0/../../1"])
def test_a_number_that_is_none_is_refused(ours: Terminal, path: str, number: str) -> None:
    live = ours.begin(path=path)

    assert ours.put(live, number, footage()[0]).status in (400, 404, 409)
    assert json.loads(ours.ask("GET", f"/{live}").body)["next"] == 0


def test_a_fragment_that_says_to_be_too_large_is_refused_before_it_is_sent(ours: Terminal, path: str) -> None:
    live = ours.begin(path=path)
    with socket.create_connection(("127.0.0.1", ours.port), timeout=10) as line:
        head = [
            f"PUT /v1/live/{live}/fragments/0 HTTP/1.1",
            "Host: localhost",
            f"Authorization: Bearer {ours.token}",
            f"Content-Length: {figures().fragment_bytes + 1}",
            f"Content-Digest: sha-256=:{base64.b64encode(bytes(32)).decode()}:",
        ]
        line.sendall("\r\n".join([*head, "", ""]).encode())
        assert b" 413 " in line.recv(200)


def test_a_fragment_that_breaks_off_leaves_nothing_and_is_sent_again(
    server: WebServer, ours: Terminal, path: str
) -> None:
    live = ours.begin(path=path)
    with socket.create_connection(("127.0.0.1", ours.port), timeout=10) as line:
        digest = base64.b64encode(hashlib.sha256(footage()[0]).digest()).decode()
        head = [
            f"PUT /v1/live/{live}/fragments/0 HTTP/1.1",
            "Host: localhost",
            f"Authorization: Bearer {ours.token}",
            f"Content-Length: {len(footage()[0])}",
            f"Content-Digest: sha-256=:{digest}:",
        ]
        line.sendall("\r\n".join([*head, "", ""]).encode() + footage()[0][:500])

    assert ours.put(live, 0, footage()[0]).status == 204
    assert server.files.offset(live) == len(footage()[0])


def test_one_fragment_sent_ten_times_at_once_lasts_once(server: WebServer, ours: Terminal, path: str) -> None:
    live = ours.begin(path=path)
    with ThreadPoolExecutor(10) as pool:
        replies = list(pool.map(lambda _: ours.put(live, 0, footage()[0]).status, range(10)))

    assert set(replies) <= {204, 423, 429}
    assert 204 in replies
    assert server.files.offset(live) == len(footage()[0])


# --- who may ---------------------------------------------------------------------------------------


def test_a_dock_records_nothing_itself(server: WebServer) -> None:
    dock = server.dock("hall")
    reply = Terminal(server.port, dock.id, dock.key, dock.token).ask(
        "POST", "", {"name": "a", "path": "a", "started_at": "2026-06-19T12:00:00Z"}
    )

    assert (reply.status, reply.code) == (403, "device-refused")


def test_another_terminal_neither_feeds_nor_ends_nor_watches_it(server: WebServer, ours: Terminal, path: str) -> None:
    live = ours.begin(path=path)
    ours.put_all(live, footage())
    other = terminal(server.home.ports, server.port, name="other", device="OTHER")

    replies = [other.put(live, 7, footage()[1]), other.end(live, footage()), other.ask("GET", f"/{live}")]
    replies += [other.get(live, name) for name in ("playlist.m3u8", "init.mp4", "1.m4s")]
    assert {(reply.status, reply.code) for reply in replies} == {(404, "not-found")}


def test_without_a_token_there_is_nothing(ours: Terminal, path: str) -> None:
    live = ours.begin(path=path)
    ours.put_all(live, footage()[:2])
    ours.token = "A" * 43

    replies = [ours.put(live, 2, footage()[2]), ours.get(live, "playlist.m3u8"), ours.get(live, "1.m4s")]
    assert {reply.status for reply in replies} == {401}


def test_a_revoked_terminal_is_cut_off_at_once(server: WebServer, ours: Terminal, path: str) -> None:
    live = ours.begin(path=path)
    ours.put_all(live, footage()[:2])
    revoke(ours.id, why="stolen", ports=server.home.ports, now=clocks.now())

    assert ours.put(live, 2, footage()[2]).status == 401


def test_the_word_of_a_terminal_is_signed_by_its_own_key_only(server: WebServer, ours: Terminal, path: str) -> None:
    live = ours.begin(path=path)
    ours.put_all(live, footage())
    own, ours.key = ours.key, terminal(server.home.ports, server.port, name="other", device="OTHER").key
    forged = ours.end(live, footage(), case="2026-017")
    ours.key = own

    assert (forged.status, forged.code) == (400, "bad-input")
    assert ours.end(live, footage(), case="2026-017").status == 201


def test_a_live_recording_is_no_upload_of_tus(ours: Terminal, path: str) -> None:
    live = ours.begin(path=path)
    ours.put_all(live, footage()[:2])
    size = sum(map(len, footage()[:2]))

    assert ours.patch(live, size, b"more").status in (403, 404, 409)
    assert ours.request("DELETE", f"/uploads/{live}").status in (403, 404, 409)
    assert json.loads(ours.ask("GET", f"/{live}").body)["next"] == 2


def test_an_upload_of_tus_is_no_live_recording(ours: Terminal) -> None:
    upload = ours.create(100, filename="a.mp4")

    assert ours.put(upload, 0, footage()[0]).status == 404
    assert ours.get(upload, "playlist.m3u8").status == 404


def test_a_server_without_room_takes_no_fragment_and_loses_none(server: WebServer, ours: Terminal, path: str) -> None:
    live = ours.begin(path=path)
    ours.put_all(live, footage()[:2])
    server.weather.refusal = DiskLow("no room")
    try:
        reply = ours.put(live, 2, footage()[2])
    finally:
        server.weather.refusal = None

    assert (reply.status, reply.headers["Retry-After"]) == (429, "10")
    assert ours.put(live, 2, footage()[2]).status == 204


MALFORMED = {
    "no time": {"name": "a", "path": "a", "started_at": "noon"},
    "a time without zone": {"name": "a", "path": "a", "started_at": "2026-06-19T12:00:00"},
    "a path that climbs": {"name": "a", "path": "../a", "started_at": "2026-06-19T12:00:00Z"},
    "a name that turns": {"name": "a\u202eb", "path": "a", "started_at": "2026-06-19T12:00:00Z"},
    "a year of 12": {"name": "a", "path": "a", "started_at": "0001-01-01T00:00:00+14:00"},
    "a claim that is none": {"name": "a", "path": "a", "started_at": "2026-06-19T12:00:00Z", "claims": [{"x": "y"}]},
    "an operator's claim": {
        "name": "a",
        "path": "a",
        "started_at": "2026-06-19T12:00:00Z",
        "claims": [{"field": "device", "value": "X", "source": "operator"}],
    },
    "a continuation of a sentence": {
        "name": "a",
        "path": "a",
        "started_at": "2026-06-19T12:00:00Z",
        "continues": "whatever I like",
    },
}


@pytest.mark.parametrize("told", MALFORMED.values(), ids=MALFORMED.keys())
def test_a_beginning_that_cannot_be_is_refused(ours: Terminal, told: dict[str, object]) -> None:
    reply = ours.ask("POST", "", told)

    assert (reply.status, reply.code) == (400, "bad-input")


# --- playing it ------------------------------------------------------------------------------------


def test_a_fragment_is_in_the_playlist_as_soon_as_it_is_acknowledged(ours: Terminal, path: str) -> None:
    live = ours.begin(path=path)
    for number, data in enumerate(footage()):
        assert ours.put(live, number, data).status == 204
        listed = re.findall(r"^[0-9]+\.m4s$", ours.get(live, "playlist.m3u8").body.decode(), re.MULTILINE)
        assert listed == [f"{one}.m4s" for one in range(1, number + 1)]
    assert ours.get(live, "init.mp4").body == footage()[0]
    assert ours.get(live, "3.m4s").body == footage()[3]


def test_the_playlist_tells_exact_lengths_and_ends_when_the_recording_does(
    ours: Terminal, server: WebServer, path: str
) -> None:
    live = ours.begin(path=path)
    ours.put_all(live, footage())
    text = ours.get(live, "playlist.m3u8").body.decode()
    lengths = [float(one) for one in re.findall(r"#EXTINF:([0-9.]+),", text)]

    assert text.startswith("#EXTM3U\n")
    assert '#EXT-X-MAP:URI="init.mp4"' in text
    assert lengths[1:] == [pytest.approx(1 / 3, abs=1e-6)] * 5
    assert "#EXT-X-ENDLIST" not in text
    assert ours.end(live, footage()).status == 201
    assert ours.get(live, "playlist.m3u8").body.decode().endswith("#EXT-X-ENDLIST\n")


def test_what_is_no_fragmented_mp4_is_taken_and_not_played(ours: Terminal, path: str) -> None:
    live = ours.begin(path=path)
    ours.put_all(live, [b"\x47" * 188 * 10])

    assert ours.get(live, "playlist.m3u8").code == "not-media"


def test_a_fragment_of_noise_is_taken_and_does_not_stop_the_server(ours: Terminal, path: str) -> None:
    live = ours.begin(path=path)
    ours.put_all(live, [footage()[0], b"\0\0\0\x10moof" + bytes(8), footage()[1]])

    assert ours.get(live, "playlist.m3u8").code == "not-media"
    assert ours.get(live, "2.m4s").body == footage()[1]


@pytest.mark.parametrize("name", ["0.m4s", "7.m4s", "-1.m4s", "x.m4s", f"{'9' * 30}.m4s", "%2e%2e%2ftold"])
def test_what_is_not_there_is_not_found(ours: Terminal, path: str, name: str) -> None:
    live = ours.begin(path=path)
    ours.put_all(live, footage())

    assert ours.get(live, name).status == 404


def test_a_player_follows_the_recording_while_it_grows(ours: Terminal, path: str) -> None:
    live = ours.begin(path=path)
    ours.put_all(live, footage()[:2])
    shown: list[float] = []

    def play() -> None:
        url = f"http://127.0.0.1:{ours.port}/v1/live/{live}/playlist.m3u8"
        told = {"headers": f"Authorization: Bearer {ours.token}\r\n", "live_start_index": "0"}
        with av.open(url, options=told) as media:
            shown.extend(float(frame.time or 0) for frame in media.decode(video=0))

    player = threading.Thread(target=play)
    player.start()
    for number in range(2, 7):
        ours.put(live, number, footage()[number])
    assert ours.end(live, footage()).status == 201
    player.join(20)

    assert len(shown) == 60
    with av.open(io.BytesIO(b"".join(footage()))) as whole:
        assert isinstance(whole, InputContainer)
        assert shown == [float(frame.time or 0) for frame in whole.decode(video=0)]


def test_a_recording_that_rests_is_played_here_no_more(server: WebServer, ours: Terminal, path: str) -> None:
    live = ours.begin(path=path)
    ours.put_all(live, footage())
    server.home.drain(json.loads(ours.end(live, footage()).body)["recording"])
    server.intake.sweep()

    until(lambda: ours.get(live, "playlist.m3u8").status == 404, "it rests elsewhere")
    assert [ours.get(live, name).status for name in ("playlist.m3u8", "init.mp4", "1.m4s")] == [404, 404, 404]
