# SPDX-License-Identifier: Apache-2.0
"""The door of Axis's body worn systems is attacked: by strangers, by systems that lie, and by broken lines."""

import hashlib
import json
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from app import clocks
from evidence.errors import NotFound
from pipeline.axis_docks import connect
from pipeline.docks import revoke
from storage.register import dock_rows
from tests.support.axis_controller import (
    CONTAINER,
    SERIAL,
    USER,
    Controller,
    clip_said,
    controller,
    let_in,
    meta,
)
from tests.support.home import NOON, open_home
from tests.support.servers import until
from tests.support.web_server import WebServer, web_server

CLIP = "20260619_040000_4711.mp4"
SAID = clip_said("2026-06-19T04:00:00Z", "2026-06-19T04:00:02Z")


LIMITS = {"silence_s": 2, "body_bytes": 100_000}


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebServer]:
    """For attacks that leave nothing behind, or are looked at by their own system's name."""
    with open_home(tmp_path_factory.mktemp("axis")) as home, web_server(home, limits=LIMITS) as running:
        home.add_device(SERIAL)
        yield running


@pytest.fixture
def server(shared: WebServer) -> WebServer:
    return shared


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[WebServer]:
    with open_home(tmp_path / "home") as home, web_server(home, limits=LIMITS) as running:
        yield running


@pytest.fixture
def scu(server: WebServer) -> Controller:
    made = controller(server)
    made.make()
    return made


def received(server: WebServer, scu: Controller) -> list[str]:
    """What came in of a system and is here."""
    found = []
    for one in server.files.ids():
        # What is taken away between the two questions is not there any more.
        with suppress(NotFound):
            found += [one] if server.files.told(one).sender == scu.id else []
    return found


def recordings(server: WebServer, scu: Controller) -> list[dict[str, Any]]:
    return [row for row in server.home.recordings() if row["dock"] == scu.id]


def alarms(server: WebServer) -> list[str]:
    return [event["kind"] for event in server.home.events(f"device/{SERIAL}") if event["kind"] == "device-alarm"]


# --- who speaks ---------------------------------------------------------------------------------


def test_a_wrong_key_opens_nothing_and_many_of_them_are_heard_no_more(alone: WebServer) -> None:
    system = let_in(alone.home, alone.port)

    statuses = [system.auth(key="0" * 64).status for _ in range(7)]

    assert statuses == [401] * 5 + [503] * 2
    assert system.auth().status == 503  # whoever asks from there waits


def test_a_name_that_nobody_has_opens_nothing(alone: WebServer) -> None:
    system = let_in(alone.home, alone.port)
    for user in ("dck-aaaaaaaaaaaaaaaa", "../../etc", "a:b", "x" * 500):
        assert system.auth(user=user).status == 401


def test_the_digest_in_the_public_log_is_no_key(alone: WebServer) -> None:
    system = let_in(alone.home, alone.port)
    with alone.home.ports.register.view() as connection:
        digest = dock_rows.dock(connection, system.id)["key"]

    assert digest != system.key
    assert system.auth(key=digest).status == 401


@pytest.mark.parametrize("token", ["", "x", "Bearer x", "a" * 5000])
def test_a_stranger_stores_nothing(server: WebServer, scu: Controller, token: str) -> None:
    scu.token = token
    replies = [scu.make(), scu.put(CLIP, b"film", SAID), scu.complete(), scu.ask("HEAD", CONTAINER)]
    assert [one.status for one in replies] == [401] * 4
    assert received(server, scu) == []


def test_another_systems_account_is_shut(server: WebServer, scu: Controller) -> None:
    other = controller(server, "station 4")
    other.storage = scu.storage

    replies = [other.make(), other.put(CLIP, b"film", SAID), other.complete(), other.ask("HEAD", CONTAINER)]

    assert [one.status for one in replies] == [403] * 4
    assert scu.ask("HEAD", CONTAINER).headers["X-Container-Meta-Status"] == "Transferring"


def test_a_token_of_a_dock_station_opens_nothing_here(server: WebServer, scu: Controller) -> None:
    scu.token = server.dock().token
    assert scu.put(CLIP, b"film", SAID).status == 401


def test_a_token_of_this_door_opens_no_other(server: WebServer, scu: Controller) -> None:
    station = server.dock()
    station.token = scu.token
    assert [station.announce(4, filename="a").status, station.request("POST", "/alarms").status] == [401, 401]


def test_a_system_that_is_shut_out_ends_at_once(server: WebServer, scu: Controller) -> None:
    revoke(scu.id, why="stolen", ports=server.home.ports, now=NOON)
    assert [scu.put(CLIP, b"film", SAID).status, scu.auth().status] == [401, 401]


def test_a_new_key_ends_the_old_one_and_its_tokens(server: WebServer, scu: Controller) -> None:
    fresh = connect("station 3", again=scu.id, ports=server.home.ports, now=clocks.now())
    assert [scu.put(CLIP, b"film", SAID).status, scu.auth().status] == [401, 401]
    assert scu.auth(key=fresh.key).status == 200


# --- names --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        "%2e%2e/keys",
        "../keys",
        f"{CONTAINER}/../../x",
        f"{CONTAINER}/%2e%2e%2f%2e%2e%2fkeys%2fx",
        f"{CONTAINER}/%2fetc%2fpasswd",
        f"{CONTAINER}/a%00b",
        f"{CONTAINER}/a%0ab",
        f"{CONTAINER}/a%E2%80%AEb",
        f"{CONTAINER}/a%FFb",
        f"{CONTAINER}//a",
        f"{CONTAINER}/a/",
        f"{CONTAINER}%2fa/b",
        f"{CONTAINER}/" + "n" * 1025,
        "c" * 257 + "/a",
        "..%5c..%5ckeys%00/x",
    ],
)
def test_no_name_leads_anywhere_else(server: WebServer, scu: Controller, path: str) -> None:
    before = {str(one) for one in server.home.settings.home.rglob("*")}

    assert scu.ask("PUT", path, b"film").status in (400, 404)

    after = {str(one) for one in server.home.settings.home.rglob("*")}
    assert {one for one in after - before if "/axis/" not in one and "/register" not in one} == set()
    assert received(server, scu) == []


def test_a_name_with_slashes_is_one_name(server: WebServer, scu: Controller) -> None:
    assert scu.put("a/b/c.mp4", b"film", SAID).status == 201
    (upload,) = received(server, scu)
    assert server.files.told(upload).path == f"{CONTAINER}/a/b/c.mp4"


def test_an_object_without_its_container_is_refused(scu: Controller) -> None:
    assert scu.put(CLIP, b"film", SAID, at="nowhere").status == 404
    assert scu.complete("nowhere").status == 404
    assert scu.ask("POST", f"{CONTAINER}/{CLIP}", **meta("Object", SAID)).status == 404


def test_footage_is_not_given_back_here(scu: Controller) -> None:
    scu.put(CLIP, b"film", SAID)
    scu.put(USER, b"", {"Name": "x"}, at="Users")
    asked = [f"{CONTAINER}/{CLIP}", f"Users/{USER}", CONTAINER, "", "System"]
    assert [scu.ask("GET", path).status for path in asked] == [403] * 5
    assert scu.ask("GET", "System/Categories.json").status == 404


def test_what_the_server_can_do_is_not_for_others_to_say(scu: Controller) -> None:
    assert scu.put("Capabilities.json", b"{}", at="System").status == 403


def test_nothing_is_deleted_or_copied(scu: Controller) -> None:
    scu.put(CLIP, b"film", SAID)
    assert [scu.ask(method, f"{CONTAINER}/{CLIP}").status for method in ("DELETE", "COPY", "PATCH")] == [405] * 3


# --- what is said -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "said",
    [
        {f"Key{number}": "x" for number in range(91)},
        {"Tags": "x" * 2049},
        {f"Key{number}": "x" * 1000 for number in range(9)},
    ],
)
def test_huge_metadata_is_refused_whole(server: WebServer, scu: Controller, said: dict[str, str]) -> None:
    assert scu.put(CLIP, b"film", said).status == 400
    assert scu.ask("POST", CONTAINER, **meta("Container", said)).status == 400
    assert received(server, scu) == []
    assert scu.ask("HEAD", CONTAINER).headers["X-Container-Meta-Tags"] is None


@pytest.mark.parametrize(
    "said",
    [
        {"StartTimeISO": "yesterday", "StartTime": "x"},
        {"StartTime": "99999999999"},
        {"StartTimeISO": "0001-01-01T00:00:00+14:00"},
        {"StartLocation": "+99.0+999.0"},
        {"StartTimeISO": "\u202e", "StartLocation": "\x00\n"},
    ],
)
def test_words_that_mean_nothing_keep_no_footage_out(server: WebServer, scu: Controller, said: dict[str, str]) -> None:
    assert scu.put("clip.mp4", b"film", said).status == 201
    (row,) = recordings(server, scu)
    fields = {one["field"] for one in json.loads(row["claims"])}
    assert not fields & {"place"}
    assert "device" in fields


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[" * 50_000,
        b"null",
        b'{"CoordinateEntries": 5}',
        b'{"CoordinateEntries": [3, {"LocationWKT": 4}, {"LocationWKT": "POINT(1e9 x)"}]}',
        b'{"CoordinateEntries": [{"LocationWKT": "POINT(500.0 99.0)"}]}',
        b"\xff\xfe",
    ],
)
def test_a_location_file_that_is_none_keeps_no_footage_out(server: WebServer, scu: Controller, data: bytes) -> None:
    assert scu.put("x_gpstrail.json", data, {"FileType": "json"}).status == 201
    assert scu.put(CLIP, b"film", SAID).status == 201
    assert scu.complete().status == 204
    assert len(recordings(server, scu)) == 1


def test_a_bookmark_cannot_be_as_large_as_footage(server: WebServer, scu: Controller) -> None:
    assert scu.put("bookmark_1_1", b"x" * 100_001).status == 413
    said = meta("Object", {})
    assert scu.ask("PUT", f"{CONTAINER}/bookmark_1_1", iter([b"x" * 60_000] * 2), **said).status == 413
    assert scu.ask("HEAD", f"{CONTAINER}/bookmark_1_1").status == 404


def test_footage_that_says_to_be_a_small_file_is_taken_as_footage(server: WebServer, scu: Controller) -> None:
    assert scu.put(CLIP, b"x" * 200_000, {"FileType": "json"}).status == 201
    assert len(recordings(server, scu)) == 1


# --- bytes --------------------------------------------------------------------------------------


def test_a_wrong_md5_is_refused_and_nothing_stays(server: WebServer, scu: Controller) -> None:
    wrong = hashlib.md5(b"other", usedforsecurity=False).hexdigest()

    for name in (CLIP, "bookmark_1_1"):
        reply = scu.put(name, b"film", SAID, ETag=wrong)
        assert (reply.status, reply.code) == (422, "checksum-mismatch")
        assert scu.ask("HEAD", f"{CONTAINER}/{name}").status == 404
    assert (received(server, scu), recordings(server, scu)) == ([], [])
    assert scu.put(CLIP, b"film", SAID).status == 201


@pytest.mark.parametrize("etag", ["x", "0" * 31, '"' + "0" * 64 + '"'])
def test_an_etag_that_is_no_md5_is_refused(server: WebServer, scu: Controller, etag: str) -> None:
    assert scu.put(CLIP, b"film", SAID, ETag=etag).status == 400
    assert received(server, scu) == []


def test_an_object_that_came_is_not_replaced_and_a_person_hears_of_it(server: WebServer, scu: Controller) -> None:
    scu.put(CLIP, b"film", SAID)

    replies = [scu.put(CLIP, b"fake", SAID), scu.put(CLIP, b"longer fake", SAID)]

    assert [(one.status, one.code) for one in replies] == [(409, "conflict")] * 2
    (upload,) = received(server, scu)
    assert server.files.path(upload).read_bytes() == b"film"
    assert len(recordings(server, scu)) == 1
    assert alarms(server)
    assert "device-alarm" in server.weather.notes


def test_an_older_bookmark_is_kept_beside_the_newer_one(server: WebServer, scu: Controller) -> None:
    scu.put(CLIP, b"film", SAID)
    for text in (b"one", b"two", b"one", b"three"):
        assert scu.put("bookmark_1_1", text).status == 201
    scu.complete()
    (row,) = recordings(server, scu)
    assert server.home.times(row["id"], "attached") == 4  # three texts, and what was said of the container


@pytest.mark.parametrize("header", ["X-Object-Manifest", "X-Copy-From", "X-Symlink-Target"])
def test_an_object_made_of_others_is_refused(server: WebServer, scu: Controller, header: str) -> None:
    assert scu.put(CLIP, b"", SAID, **{header: "segments/a"}).status == 400
    assert scu.ask("PUT", f"{CONTAINER}/{CLIP}?multipart-manifest=put", b"[]").status == 400
    assert received(server, scu) == []


@pytest.mark.parametrize("is_silent", [True, False])
def test_a_clip_that_broke_off_counts_for_nothing(server: WebServer, scu: Controller, is_silent: bool) -> None:
    head = (
        f"PUT {scu.storage}/{CONTAINER}/{CLIP} HTTP/1.1\r\nHost: x\r\nX-Auth-Token: {scu.token}\r\n"
        "Content-Length: 10000\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as line:
        line.sendall(head.encode() + b"film")
        until(lambda: len(received(server, scu)) == 1, "it comes in")
        if is_silent:
            assert line.recv(100).startswith(b"HTTP/1.1 400")
    until(lambda: received(server, scu) == [], "nothing stays")

    assert scu.put(CLIP, b"the whole film", SAID).status == 201
    assert len(recordings(server, scu)) == 1


def test_more_than_the_largest_object_is_refused_before_it_comes(server: WebServer, scu: Controller) -> None:
    largest = server.intake.context.limits.largest_bytes
    reply = scu.ask("PUT", f"{CONTAINER}/{CLIP}", b"", Content_Length=str(largest + 1))
    assert reply.status == 413
    assert received(server, scu) == []
