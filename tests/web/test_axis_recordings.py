# SPDX-License-Identifier: Apache-2.0
"""A body worn system of Axis stores recordings: they are taken down whole, with all that came along."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from evidence.errors import DiskLow
from pipeline import receive
from pipeline.axis_account import Account, Thing
from pipeline.axis_recording import told_of_clip
from storage import layout
from storage.register import dock_rows, search
from tests.support.axis_controller import (
    CONTAINER,
    SAID,
    SERIAL,
    USER,
    Controller,
    clip_said,
    controller,
    meta,
    trail,
)
from tests.support.footage import shared_media
from tests.support.home import Home, open_home
from tests.support.tiny_media import stairs
from tests.support.web_server import WebServer, web_server

FIRST = "20260619_040000_4711.mp4"
SECOND = "20260619_040002_4711.mp4"
FIRST_SAID = clip_said("2026-06-19T04:00:00.250Z", "2026-06-19T04:00:02.250Z")
MARK = "bookmark_20260619T040001Z_1"
# The signatures are messages of the stream's own user data (SEI, type 5) under this UUID, behind bytes of filling.
SIGNED = b"Signed Video...0"
MARK_SAID = {"CategoryName": "逮捕", "Tags": "TriggerOn:Button", "StartTime": "2026-06-19T04:00:01Z"}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[WebServer]:
    with open_home(tmp_path / "home") as home, web_server(home) as running:
        home.add_device(SERIAL)
        yield running


@pytest.fixture
def scu(server: WebServer) -> Controller:
    made = controller(server)
    assert made.make().status == 201
    return made


def only(home: Home) -> dict[str, Any]:
    (found,) = home.recordings()
    return found


def claims(row: dict[str, Any]) -> set[tuple[str, str]]:
    return {(one["field"], one["value"]) for one in json.loads(row["claims"])}


def attached(home: Home, recording: str) -> dict[str, tuple[str, bytes]]:
    """Name and bytes of what came along, by role."""
    with home.ports.register.view() as connection:
        rows = dock_rows.attachments_of(connection, recording)
    key = layout.attachment_key
    return {row["role"]: (row["name"], home.ports.store.read(key(row["sha256"]), limit=1 << 20)) for row in rows}


def remarks(home: Home, recording: str) -> dict[str, str]:
    with home.ports.register.view() as connection:
        return {row["code"]: row["text"] for row in dock_rows.remarks_of(connection, recording)}


def test_two_clips_of_a_container_are_two_recordings_of_one_series(
    server: WebServer, scu: Controller, tmp_path: Path
) -> None:
    first = stairs(tmp_path / "a.mp4", 2).read_bytes()
    second = stairs(tmp_path / "b.mp4", 2, size="64x64").read_bytes()

    # The later one is there first: systems send several at once.
    later = scu.put(SECOND, second, clip_said("2026-06-19T04:00:02.250Z", "2026-06-19T04:00:04.250Z"))
    sooner = scu.put(FIRST, first, FIRST_SAID)

    assert [later.status, sooner.status] == [201, 201]
    assert sooner.headers["ETag"] == hashlib.md5(first, usedforsecurity=False).hexdigest()
    rows = sorted(server.home.recordings(), key=lambda row: str(row["start_at"]))
    assert [row["start_at"] for row in rows] == ["2026-06-19T04:00:00.250000Z", "2026-06-19T04:00:02.250000Z"]
    assert {row["device"] for row in rows} == {SERIAL}
    server.home.drain(*(row["id"] for row in rows))
    with server.home.ports.register.view() as connection:
        parts = dock_rows.series_of(connection, rows[0]["id"])
    assert [(part["recording"], part["gap_ms"]) for part in parts] == [(rows[0]["id"], None), (rows[1]["id"], 0)]
    assert server.home.holds(first, hashlib.sha256(first).hexdigest())


def test_what_came_along_is_attached_when_the_container_is_complete(server: WebServer, scu: Controller) -> None:
    places = trail((55.718409, 13.221184), (55.7, 13.2))
    said = {"Name": "张三", "UserID": "A-17", "Active": "True"}
    assert scu.put(USER, b"", said, at="Users").status == 201
    assert scu.put(MARK, "打人".encode(), MARK_SAID).status == 201
    assert scu.put("20260619_040000_4711_cam_gpstrail.json", places, {"FileType": "json"}).status == 201
    assert scu.put(FIRST, b"no film", FIRST_SAID).status == 201
    assert scu.put("20260619_040000_4711.key", b"wrapped", {"FileType": "key"}).status == 201
    recording = only(server.home)
    assert attached(server.home, recording["id"]) == {}

    assert [scu.complete().status, scu.complete().status] == [204, 204]

    came = attached(server.home, recording["id"])
    assert {role: data for role, (_, data) in came.items() if role != "axis-container"} == {
        "bookmark": "打人".encode(),
        "track": places,
        "key": b"wrapped",
    }
    told = json.loads(came["axis-container"][1])
    assert told["metadata"]["bwcmodel"] == SAID["BWCModel"]
    assert {one["name"] for one in told["objects"]} >= {FIRST, MARK}
    assert server.home.times(recording["id"], "attached") == 4
    assert claims(recording) >= {
        ("device", SERIAL),
        ("maker", "axis"),
        ("place", "55.718409,13.221184"),
        ("mark", "2026-06-19T04:00:01.000000Z 逮捕; 打人; TriggerOn:Button"),
        ("note", "user: 张三 A-17"),
        ("note", "trigger: Button"),
    }
    assert remarks(server.home, recording["id"]) == {}


def test_bookmarks_that_come_after_the_footage_are_remarked(server: WebServer, scu: Controller) -> None:
    scu.put(FIRST, b"no film", FIRST_SAID)
    scu.put(MARK, b"", MARK_SAID)
    scu.put("bookmark_20260619T050000Z_2", b"an hour later", {"StartTime": "2026-06-19T05:00:00Z"})

    assert [scu.complete().status, scu.complete().status] == [204, 204]

    recording = only(server.home)["id"]
    text = "2026-06-19T04:00:01.000000Z 逮捕; TriggerOn:Button"
    assert remarks(server.home, recording) == {"bookmarks": text}
    assert server.home.times(recording, "remarked") == 1


def test_the_user_is_the_officer_whose_number_the_manager_gave_it(server: WebServer, scu: Controller) -> None:
    server.home.add_officer("430407")
    scu.put(USER, b"", {"Name": "Li", "UserID": "430407"}, at="Users")

    scu.put(FIRST, b"no film", FIRST_SAID)

    assert only(server.home)["officer"] == "430407"


def test_the_bytes_of_a_camera_that_nobody_registered_are_taken_all_the_same(
    server: WebServer, scu: Controller, tmp_path: Path
) -> None:
    container = f"{USER}_UNKNOWN1_20260619T040000Z"
    scu.make(container, {"Status": "Transferring"})
    film = stairs(tmp_path / "a.mp4", 1).read_bytes()

    assert scu.put(FIRST, film, FIRST_SAID, at=container).status == 201

    recording = only(server.home)["id"]
    server.home.drain(recording)
    row = server.home.recording(recording)
    assert (row["device"], row["state"], row["problem_code"]) == ("UNKNOWN1", "quarantined", "unknown-device")
    assert server.home.holds(film, hashlib.sha256(film).hexdigest())


def test_signed_video_is_kept_byte_for_byte(server: WebServer, scu: Controller) -> None:
    film = (shared_media() / "axis-signed-h264.mp4").read_bytes()
    assert film.count(SIGNED) > 1

    assert scu.put(FIRST, film, FIRST_SAID).status == 201

    recording = only(server.home)["id"]
    server.home.drain(recording)
    with server.home.ports.register.view() as connection:
        (original,) = search.originals_of(connection, recording)
    assert server.home.holds(film, original["sha256"])
    kept = server.home.ports.store.read(layout.original_key(original["sha256"]), limit=1 << 20)
    assert kept.count(SIGNED) == film.count(SIGNED)


def test_the_same_object_again_changes_nothing(server: WebServer, scu: Controller) -> None:
    replies = [scu.put(FIRST, b"no film", FIRST_SAID) for _ in range(3)]

    assert [one.status for one in replies] == [201, 201, 201]
    assert server.home.story(only(server.home)["id"]) == ["arrived"]
    assert len(server.files.ids()) == 1


def test_the_same_object_again_after_it_was_sealed_changes_nothing(
    server: WebServer, scu: Controller, tmp_path: Path
) -> None:
    film = stairs(tmp_path / "a.mp4", 1).read_bytes()
    scu.put(FIRST, film, FIRST_SAID)
    server.home.drain(only(server.home)["id"])
    receive.sweep(ports=server.home.ports, now=server.intake.context.now())
    assert server.files.ids() == []

    assert [scu.put(FIRST, film, FIRST_SAID).status, scu.complete().status] == [201, 204]
    assert server.files.ids() == []
    assert server.home.times(only(server.home)["id"], "arrived") == 1


def test_a_clip_of_unknown_length_is_taken(server: WebServer, scu: Controller) -> None:
    reply = scu.ask("PUT", f"{CONTAINER}/{FIRST}", iter([b"no ", b"film"]), **meta("Object", FIRST_SAID))

    assert reply.status == 201
    received = server.files.ids()[0]
    assert server.files.path(received).read_bytes() == b"no film"
    assert server.files.told(received).length == 7
    seen = scu.ask("HEAD", f"{CONTAINER}/{FIRST}")
    assert (seen.status, seen.headers["Content-Length"], seen.headers["ETag"]) == (200, "7", reply.headers["ETag"])


def test_nothing_is_taken_while_the_disk_is_low_and_all_is_when_it_is_not(server: WebServer, scu: Controller) -> None:
    server.weather.refusal = DiskLow("2 % are free")
    low = scu.put(FIRST, b"no film", FIRST_SAID)
    assert (low.status, low.code, server.home.recordings()) == (503, "disk-low", [])
    assert int(low.headers["Retry-After"]) > 0

    server.weather.refusal = None
    assert scu.put(FIRST, b"no film", FIRST_SAID).status == 201


@contextmanager
def no_store(home: Home) -> Iterator[None]:
    """The object store is gone for a while: nothing can be taken down."""
    store, aside = home.settings.home / "objects", home.settings.home / "aside"
    store.rename(aside)
    store.touch()
    yield
    store.unlink()
    aside.rename(store)


def test_a_clip_that_lasts_is_ours_even_when_it_cannot_be_taken_down_now(server: WebServer, scu: Controller) -> None:
    with no_store(server.home):
        assert scu.put(FIRST, b"no film", FIRST_SAID).status == 201
        assert server.home.recordings() == []
        assert scu.complete().status == 503
    assert server.weather.notes == ["took-not-yet", "request-failed"]

    server.intake.sweep()
    assert [only(server.home)["state"], scu.complete().status] == ["arrived", 204]
    assert set(attached(server.home, only(server.home)["id"])) == {"axis-container"}


def test_rejected_content_is_taken_and_goes_with_its_recording(server: WebServer, scu: Controller) -> None:
    scu.put(FIRST, b"no film", FIRST_SAID)
    rejected = "RejectedContent_UnknownTime_0f8fad5b"
    scu.make(rejected, {"RejectedContentOriginalContainer": CONTAINER, "RejectedContentReason": "no metadata"})

    assert scu.put("x_gpstrail.json", b"{", {"FileType": "json"}, at=rejected).status == 201
    assert set(attached(server.home, only(server.home)["id"])) == {"axis-container", "track"}

    assert scu.put(SECOND, b"other", at=rejected).status == 201
    rows = server.home.recordings()
    assert {(row["device"], row["start_at"]) for row in rows} == {
        (SERIAL, "2026-06-19T04:00:00.250000Z"),
        (SERIAL, "2026-06-19T04:00:02.000000Z"),
    }


def test_what_we_can_do_is_told_with_its_digest(scu: Controller) -> None:
    reply = scu.ask("GET", "System/Capabilities.json")

    assert reply.status == 200
    assert reply.headers["ETag"] == hashlib.md5(reply.body, usedforsecurity=False).hexdigest()
    told = json.loads(reply.body)
    assert told["Store"]["StoreSignedVideo"] is True
    assert told["StoreAndRead"] == {"StoreReadSystemID": True}


def test_a_system_reads_what_it_told_of_itself(scu: Controller) -> None:
    system = "0f8fad5b-d9cb-469f-a165-70867728950e"
    assert scu.make("System", {}).status == 201
    assert scu.put(system, b"", {"ConnectionId": "c1", "SystemName": "Wache 3 ä"}, at="System").status == 201
    assert scu.ask("POST", f"System/{system}", **meta("Object", {"SystemName": "Wache 4"})).status == 202

    for method in ("GET", "HEAD"):
        reply = scu.ask(method, f"System/{system}")
        assert reply.status == 200
        assert reply.headers["X-Object-Meta-Systemname"] == "Wache%204"
        assert reply.headers["X-Object-Meta-Connectionid"] is None  # what is said of an object replaces what was


def test_a_container_remembers_what_is_said_of_it(scu: Controller) -> None:
    assert scu.make().status == 202
    assert scu.ask("POST", CONTAINER, **meta("Container", {"TriggerOff": "Button", "BWCModel": ""})).status == 204

    reply = scu.ask("HEAD", CONTAINER)

    assert (reply.status, reply.headers["X-Container-Meta-Triggeroff"]) == (204, "Button")
    assert reply.headers["X-Container-Meta-Bwcserialnumber"] == SERIAL
    assert reply.headers["X-Container-Meta-Bwcmodel"] is None


def test_a_server_killed_before_it_answered_goes_on_when_the_clip_is_sent_again(
    server: WebServer, scu: Controller
) -> None:
    account = Account(server.home.ports.received.with_name("axis"), scu.id)
    told = told_of_clip(scu.id, CONTAINER, FIRST, {}, account=account, ports=server.home.ports)
    upload = server.files.create(told, chance=bytes(10))
    with server.files.appending(upload, at=0) as piece:
        piece.write(b"no film")
        piece.commit()
    md5 = hashlib.md5(b"no film", usedforsecurity=False).hexdigest()
    offer = replace(told, length=7).offer().id
    sha256 = hashlib.sha256(b"no film").hexdigest()
    account.keep(CONTAINER, Thing(FIRST, 7, md5, sha256, {}, received=upload, offer=offer))

    assert scu.put(FIRST, b"no film").status == 201

    assert (server.files.ids(), only(server.home)["state"]) == ([upload], "arrived")


def test_a_clip_of_which_only_the_word_is_left_is_taken_anew(server: WebServer, scu: Controller) -> None:
    account = Account(server.home.ports.received.with_name("axis"), scu.id)
    lost = Thing(FIRST, 4, "0" * 32, "0" * 64, {}, received="upl-aaaaaaaaaaaaaaaa", offer="ofr-aaaaaaaaaaaaaaaaaaaa")
    account.keep(CONTAINER, lost)

    assert scu.put(FIRST, b"no film", FIRST_SAID).status == 201

    (upload,) = server.files.ids()
    assert server.files.path(upload).read_bytes() == b"no film"
