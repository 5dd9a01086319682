# SPDX-License-Identifier: Apache-2.0
"""This is where uploads are attacked: by strangers, by docks that lie, and by many requests at once."""

import base64
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from pipeline.docks import revoke
from storage.register import dock_rows
from tests.support.home import NOON, open_home
from tests.support.servers import until
from tests.support.web_server import BYTES, Uploader, WebServer, web_server
from web.tus import stream


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebServer]:
    figures = {"announced_per_dock": 25, "writers_per_dock": 2, "settle_bytes": 1 << 20, "silence_s": 3}
    with open_home(tmp_path_factory.mktemp("tus")) as home, web_server(home, limits=figures) as running:
        yield running


@pytest.fixture
def dock(server: WebServer) -> Uploader:
    return server.dock()


@contextmanager
def half_sent(
    dock: Uploader, upload: str, data: bytes, *, length: int = 10_000, checksum: str | None = None
) -> Iterator[socket.socket]:
    """A PATCH whose body has begun and goes on when the test says so."""
    head = (
        f"PATCH /v1/uploads/{upload} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {dock.token}\r\n"
        f"Tus-Resumable: 1.0.0\r\nUpload-Offset: 0\r\nContent-Type: {BYTES}\r\nContent-Length: {length}\r\n"
    )
    head += "\r\n" if checksum is None else f"Upload-Checksum: {checksum}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", dock.port), timeout=20) as line:
        line.sendall(head.encode() + data)
        yield line


# --- strangers ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "token", [None, "", "Bearer", "Bearer x", "Basic eDp4", "Bearer \u00e9", "Bearer " + "a" * 9000]
)
def test_a_stranger_announces_nothing(server: WebServer, dock: Uploader, token: str | None) -> None:
    reply = dock.request("POST", "/uploads", Upload_Length="4", Authorization=token)
    assert (reply.status, reply.code, reply.headers["WWW-Authenticate"]) == (401, "not-signed-in", "Bearer")


def test_an_upload_is_seen_by_its_own_dock_only(server: WebServer, dock: Uploader) -> None:
    other = server.dock("yard")
    upload = dock.create(4, filename="a.mp4")
    replies = [other.look(upload), other.patch(upload, 0, b"1234"), other.request("DELETE", f"/uploads/{upload}")]
    assert [one.status for one in replies] == [404, 404, 404]
    assert dock.look(upload).offset == 0


def test_a_revoked_dock_ends_at_once(server: WebServer, dock: Uploader) -> None:
    upload = dock.create(4, filename="a.mp4")
    revoke(dock.id, why="stolen", ports=server.home.ports, now=NOON)
    assert [dock.look(upload).status, dock.patch(upload, 0, b"1234").status] == [401, 401]
    assert dock.answer(dock.challenge()).status == 401


@pytest.mark.parametrize(
    "name", ["..", "%2e%2e%2fkeys", "upl-aaaaaaaaaaaaaaaa/../x", ".upl-aaaaaaaaaaaaaaaa", "upl-AAAA"]
)
def test_no_address_leads_anywhere_else(dock: Uploader, name: str) -> None:
    assert dock.request("HEAD", f"/uploads/{name}").status == 404


def test_an_address_with_a_zero_byte_is_refused_before_it_leads_anywhere(dock: Uploader) -> None:
    assert dock.request("HEAD", "/uploads/%00").status == 400


def test_a_file_that_came_another_way_is_no_upload(server: WebServer, dock: Uploader) -> None:
    upload = dock.create(4, filename="a.mp4")
    told = server.files.told(upload)
    told.extra["via"] = "live"
    server.files.tell(upload, told)
    assert dock.look(upload).status == 404


# --- signing in ---------------------------------------------------------------------------------


def test_a_challenge_is_good_once(dock: Uploader) -> None:
    challenge = dock.challenge()
    assert [dock.answer(challenge).status for _ in range(2)] == [201, 401]


def test_a_challenge_is_good_once_whatever_its_spelling(dock: Uploader) -> None:
    challenge = dock.challenge()  # 32 bytes leave two bits of base64 unused
    last = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    other = challenge[:42] + last[last.index(challenge[42]) + 1] + "="
    assert base64.b64decode(other) == base64.b64decode(challenge)
    assert [dock.answer(one).status for one in (challenge, other)] == [201, 401]


def test_a_challenge_ends_after_a_minute(server: WebServer, dock: Uploader) -> None:
    challenges = [dock.challenge(), dock.challenge()]
    try:
        server.weather.seconds += 59
        assert dock.answer(challenges[0]).status == 201
        server.weather.seconds += 2
        assert dock.answer(challenges[1]).status == 401
    finally:
        server.weather.seconds = 0.0


def test_a_token_ends_after_an_hour(server: WebServer, dock: Uploader) -> None:
    upload = dock.create(4, filename="a.mp4")
    try:
        server.weather.seconds = 3599.0 - 60
        assert dock.look(upload).status == 200
        server.weather.seconds = 3601.0
        assert dock.look(upload).status == 401
    finally:
        server.weather.seconds = 0.0


def test_a_challenge_made_for_one_dock_is_no_good_for_another(server: WebServer, dock: Uploader) -> None:
    other = server.dock("yard")
    assert dock.answer(other.challenge()).status == 401


def test_a_signature_of_something_else_opens_nothing(dock: Uploader) -> None:
    challenge = dock.challenge()
    texts = [challenge.encode(), f"evidock-session-v2\n{dock.id}\n{challenge}".encode(), b""]
    assert [dock.answer(challenge, signed=text).status for text in texts] == [401] * 3
    assert dock.answer(challenge).status == 201


@pytest.mark.parametrize("challenge", ["x", "", "AAAA", base64.b64encode(bytes(32)).decode(), "A" * 200])
def test_a_challenge_that_we_did_not_make_opens_nothing(dock: Uploader, challenge: str) -> None:
    assert dock.answer(challenge).status in (400, 401)


def test_nobody_learns_by_asking_which_docks_there_are(dock: Uploader) -> None:
    stranger = Uploader(dock.port, "dck-aaaaaaaaaaaaaaaa", dock.key)
    assert len(stranger.challenge()) == len(dock.challenge())
    assert (
        stranger.answer(stranger.challenge()).body
        == Uploader(dock.port, dock.id, dock.key).answer(dock.challenge(), signed=b"").body
    )


def test_a_dock_that_signs_in_again_and_again_keeps_its_newest_tokens(server: WebServer, dock: Uploader) -> None:
    sessions = server.intake.context.sessions
    with server.home.ports.register.view() as connection:
        row = dock_rows.dock(connection, dock.id)
    first = dock.token
    for _ in range(server.intake.context.limits.sessions_per_dock):
        dock.sign_in()
    assert sessions.dock_of(dock.token) == row["id"]
    assert dock.request("HEAD", "/uploads/upl-aaaaaaaaaaaaaaaa").status == 404
    dock.token = first
    assert dock.request("HEAD", "/uploads/upl-aaaaaaaaaaaaaaaa").status == 401


# --- lies ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("length", ["-1", "1e9", "", "abc", "4 4", "0x10", "9" * 19, "9" * 40, "\u0664"])
def test_a_length_that_cannot_be_is_refused(server: WebServer, dock: Uploader, length: str) -> None:
    before = server.files.ids()
    reply = dock.request("POST", "/uploads", Upload_Length=length.encode().decode("latin-1"))
    assert reply.status in (400, 413)
    assert server.files.ids() == before


def test_a_length_that_is_not_known_yet_is_refused(dock: Uploader) -> None:
    assert dock.request("POST", "/uploads", Upload_Defer_Length="1").status == 400


@pytest.mark.parametrize("offset", ["1", "3", "-1", "x", "", "9" * 19, "99999999999999999999"])
def test_bytes_for_another_place_are_refused(dock: Uploader, offset: str) -> None:
    upload = dock.create(10, filename="a.mp4")
    dock.patch(upload, 0, b"12")
    assert dock.patch(upload, offset, b"34").status in (400, 409)
    assert dock.look(upload).offset == 2


def test_more_bytes_than_announced_are_refused(server: WebServer, dock: Uploader) -> None:
    upload = dock.create(4, filename="a.mp4")
    assert dock.patch(upload, 0, b"12345").status == 413
    assert dock.patch(upload, 0, iter([b"12", b"345"])).status == 413
    assert dock.look(upload).offset == 0
    assert dock.patch(upload, 0, b"1234").status == 204
    assert dock.patch(upload, 4, b"5").status == 413
    assert server.files.path(upload).read_bytes() == b"1234"


def test_more_bytes_than_announced_are_refused_before_they_come(dock: Uploader) -> None:
    upload = dock.create(4, filename="a.mp4")
    with half_sent(dock, upload, b"1", length=5) as line:
        assert line.recv(100).startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize(
    "text",
    [
        "filename !!!",
        "filename YQ==,filename YQ==",
        "filename YQ==,,",
        "a b c",
        "path Li4vLi4=",  # ../..
        "path L2V0Yy9wYXNzd2Q=",  # /etc/passwd
        "path YQBi",  # a NUL
        "filename YS5tcDQ=,mtime_ns eA==",
        "filename YS5tcDQ=,docking eA==",
        "filename YS5tcDQ=,sha256 eA==",
        "filename YS5tcDQ=,claims eA==",
        "filename YS5tcDQ=,claims " + base64.b64encode(b"[" * 9000).decode(),
        "filename YS5tcDQ=,claims " + base64.b64encode(json.dumps([{"field": ["x"]}]).encode()).decode(),
        "filename YS5tcDQ=,claims "
        + base64.b64encode(json.dumps([{"field": "device", "source": "god", "value": "x"}]).encode()).decode(),
        "filename " + base64.b64encode(b"a" * 256).decode(),
        "filename " + base64.b64encode(b"a" * 30_000).decode(),
    ],
)
def test_metadata_that_lies_is_refused(server: WebServer, dock: Uploader, text: str) -> None:
    before = server.files.ids()
    assert dock.request("POST", "/uploads", Upload_Length="4", Upload_Metadata=text).status == 400
    assert server.files.ids() == before


def test_a_hundred_kilobytes_of_metadata_are_not_even_read(dock: Uploader) -> None:
    with socket.create_connection(("127.0.0.1", dock.port), timeout=10) as line:
        line.sendall(b"POST /v1/uploads HTTP/1.1\r\nHost: x\r\nUpload-Metadata: filename " + b"Y" * 100_000 + b"\r\n")
        assert line.recv(100).startswith(b"HTTP/1.1 431 ")


@pytest.mark.parametrize(
    "name", [b"a\nb.mp4", b"\xff\xfe.mp4", "\u202e4pm.exe".encode(), b"../../../etc/passwd", b"..", b"a\\b"]
)
def test_a_name_of_any_bytes_is_kept_and_never_a_path(server: WebServer, dock: Uploader, name: bytes) -> None:
    server.weather.hints.clear()
    upload = dock.create(4, filename=name)
    assert dock.patch(upload, 0, b"1234").status == 204
    assert len(server.weather.hints) == 1
    assert server.files.path(upload).read_bytes() == b"1234"
    assert "\n" not in server.files.told(upload).to_json()["name"]


def test_the_docking_of_another_dock_is_not_claimed(server: WebServer, dock: Uploader) -> None:
    other = server.dock("yard")
    docking = "dkg-aaaaaaaaaaaaaaaa"
    manifest = {"sha256": "0" * 64, "names": 0, "taken": 0, "taken_bytes": 0}
    told = {
        "docking": docking,
        "port": "1",
        "device": None,
        "began_at": "2026-06-20T04:00:00Z",
        "clock": None,
        "problem": None,
        "manifest": manifest,
    }
    said = other.request("POST", "/dockings", json.dumps(told), Content_Type="application/json")
    assert said.status == 200, said
    assert dock.announce(4, filename="a.mp4", docking=docking).status == 400
    assert other.announce(4, filename="a.mp4", docking=docking).status == 201


# --- many at once -------------------------------------------------------------------------------


def test_two_who_write_to_one_upload_at_once_do_not_mix(server: WebServer, dock: Uploader) -> None:
    upload = dock.create(10_000, filename="a.mp4")
    with half_sent(dock, upload, b"1" * 5000) as line:
        server.until_held(upload)
        assert dock.patch(upload, 0, b"2" * 10).status == 423
        assert dock.request("DELETE", f"/uploads/{upload}").status == 423
        line.sendall(b"1" * 5000)
        assert line.recv(100).startswith(b"HTTP/1.1 204 ")
    assert server.files.path(upload).read_bytes() == b"1" * 10_000


def test_a_dock_announces_only_so_many_that_it_does_not_send(server: WebServer, dock: Uploader) -> None:
    replies = [dock.announce(10, filename="a.mp4") for _ in range(26)]
    assert [one.status for one in replies] == [201] * 25 + [429]
    assert replies[-1].headers["Retry-After"] == "10"
    assert server.dock("yard").announce(10, filename="a.mp4").status == 201
    server.intake.sweep()
    assert dock.announce(10, filename="a.mp4").status == 429

    first = replies[0].headers["Location"].rpartition("/")[2]
    assert dock.patch(first, 0, b"1234567890").status == 204
    assert dock.announce(10, filename="a.mp4").status == 201


def test_a_dock_has_only_so_many_that_grow_at_once(server: WebServer, dock: Uploader) -> None:
    uploads = [dock.create(10_000, filename="a.mp4") for _ in range(3)]
    with half_sent(dock, uploads[0], b"1"), half_sent(dock, uploads[1], b"1"):
        server.until_held(*uploads[:2])
        assert dock.patch(uploads[2], 0, b"1").status == 429
        assert server.dock("yard").announce(4).status == 201
    for upload in uploads[:2]:
        server.until_free(upload)
    until(lambda: dock.patch(uploads[2], 0, b"1").status == 204, "its turn")


def test_what_came_before_a_cut_counts(server: WebServer, dock: Uploader) -> None:
    upload = dock.create(10_000, filename="a.mp4")
    with half_sent(dock, upload, b"1" * 7000):
        pass
    until(lambda: dock.look(upload).offset == 7000, "seven thousand bytes last")
    assert dock.patch(upload, 7000, b"2" * 3000).status == 204
    assert server.files.path(upload).read_bytes() == b"1" * 7000 + b"2" * 3000


def test_a_piece_with_a_checksum_that_was_cut_off_does_not_count(server: WebServer, dock: Uploader) -> None:
    upload = dock.create(10_000, filename="a.mp4")
    with half_sent(dock, upload, b"1" * 7000, checksum=f"sha256 {base64.b64encode(bytes(32)).decode()}"):
        server.until_held(upload)
    server.until_free(upload)
    assert dock.look(upload).offset == 0


def test_what_a_long_request_brought_lasts_while_it_goes_on(server: WebServer, dock: Uploader) -> None:
    upload = dock.create(8 << 20, filename="a.mp4")
    with half_sent(dock, upload, b"1" * (5 << 20), length=8 << 20):
        until(lambda: dock.look(upload).offset >= 4 << 20, "what came long ago lasts", timeout_s=5)
        assert server.is_held(upload), "and more may come"


def test_a_client_that_falls_silent_is_cut_off_and_keeps_what_it_sent(server: WebServer, dock: Uploader) -> None:
    upload = dock.create(10_000, filename="a.mp4")
    with half_sent(dock, upload, b"1" * 100) as line:
        assert line.recv(100).startswith(b"HTTP/1.1 408 ")
    assert dock.look(upload).offset == 100


def test_a_client_whose_network_vanished_is_not_kept_out_by_itself(
    server: WebServer, dock: Uploader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "_SILENT_S", 0.3)
    upload = dock.create(10_000, filename="a.mp4")
    with half_sent(dock, upload, b"1" * 100):
        server.until_held(upload)
        until(lambda: dock.patch(upload, 0, b"2" * 10).status == 409, "it is its turn again", timeout_s=2.5)
        assert dock.patch(upload, 100, b"2" * 9900).status == 204
    assert server.files.path(upload).read_bytes() == b"1" * 100 + b"2" * 9900


def test_sixteen_uploads_at_once_arrive_each_as_it_is(server: WebServer) -> None:
    server.weather.hints.clear()
    docks = [server.dock(f"hall {number}") for number in range(8)]

    def send(dock: Uploader, number: int) -> None:
        data = bytes([number]) * 300_000
        upload = dock.create(len(data), filename=f"{number}.mp4")
        for at in range(0, len(data), 100_000):
            assert dock.patch(upload, at, data[at : at + 100_000]).status == 204
        assert server.files.path(upload).read_bytes() == data

    threads = [threading.Thread(target=send, args=(dock, n)) for n, dock in enumerate(docks * 2)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert len(set(server.weather.hints)) == 16
