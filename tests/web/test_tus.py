# SPDX-License-Identifier: Apache-2.0
"""This is where tus 1.0 is held to its specification, request by request."""

import base64
import hashlib
import json
import os
import time
from collections.abc import Iterator

import pytest

from app import clocks
from evidence.claims import Claim, Claims, Source
from evidence.custody import Happening, parse_event
from evidence.errors import DiskLow
from evidence.ids import stream_of
from evidence.note import split_note
from storage.register import search
from tests.support.home import open_home
from tests.support.web_server import BYTES, Uploader, WebServer, web_server

DATA = bytes(range(256)) * 1000
MTIME = 1_781_841_600_000_000_000


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebServer]:
    with open_home(tmp_path_factory.mktemp("tus")) as home, web_server(home) as running:
        yield running


@pytest.fixture
def dock(server: WebServer) -> Uploader:
    return server.dock()


def sum_of(data: bytes, algorithm: str = "sha256") -> str:
    return f"{algorithm} {base64.b64encode(hashlib.new(algorithm, data, usedforsecurity=False).digest()).decode()}"


def test_a_client_learns_what_the_server_can_do_without_signing_in(dock: Uploader) -> None:
    reply = dock.request("OPTIONS", "/uploads", Tus_Resumable=None, Authorization=None)

    assert reply.status == 204
    assert reply.headers["Tus-Version"] == reply.headers["Tus-Resumable"] == "1.0.0"
    assert set(reply.headers["Tus-Extension"].split(",")) == {
        "creation",
        "creation-with-upload",
        "checksum",
        "termination",
        "expiration",
    }
    assert reply.headers["Tus-Checksum-Algorithm"] == "sha256,sha1,md5"
    assert int(reply.headers["Tus-Max-Size"]) > 1 << 32
    assert "server" not in reply.headers


def test_a_file_in_three_pieces_becomes_a_recording_that_says_what_the_dock_said(
    server: WebServer, dock: Uploader
) -> None:
    said = Claims([Claim("device", "CAM0001", Source.DEVICE_INFO)])
    server.weather.hints.clear()

    upload = dock.create(
        len(DATA), path="DCIM/100MEDIA/A.MP4", mtime_ns=str(MTIME), claims=json.dumps(said.to_json()), filename="A.MP4"
    )
    offsets = [dock.patch(upload, at, DATA[at : at + 100_000]).offset for at in (0, 100_000, 200_000)]

    assert offsets == [100_000, 200_000, len(DATA)]
    (job,) = server.weather.hints
    recording = server.home.recording(job.partition(":")[2])
    assert recording["state"] == "arrived"
    assert server.files.told(upload).claims == said
    assert server.files.path(upload).read_bytes() == DATA
    assert dock.look(upload).offset == len(DATA)


def test_what_came_whole_is_sealed_as_it_came_and_the_copy_goes(server: WebServer, dock: Uploader) -> None:
    server.weather.hints.clear()
    data = b"$GPRMC,040100.00,A,3114.00000,N,12128.00000,E,0.0,0.0,190626,,,A*00\r\n"
    upload = dock.create(len(data), filename="track.nmea")
    assert dock.patch(upload, 0, data).status == 204
    recording = server.weather.hints[-1].partition(":")[2]

    server.home.drain(recording)
    server.intake.sweep()

    assert server.home.holds(data, hashlib.sha256(data).hexdigest())
    assert upload not in server.files.ids()
    assert dock.look(upload).status == 404


def test_how_far_an_upload_is_may_be_kept_by_nobody(dock: Uploader) -> None:
    upload = dock.create(10, filename="a.mp4")
    dock.patch(upload, 0, b"1234")

    reply = dock.look(upload)

    assert (reply.status, reply.offset, reply.headers["Upload-Length"]) == (200, 4, "10")
    assert reply.headers["Cache-Control"] == "no-store"
    assert reply.headers["Upload-Metadata"] == f"filename {base64.b64encode(b'a.mp4').decode()}"
    assert reply.headers["Upload-Expires"].endswith("GMT")


@pytest.mark.parametrize("algorithm", ["sha256", "sha1", "md5"])
def test_a_piece_counts_whole_or_not_at_all_when_it_has_a_checksum(dock: Uploader, algorithm: str) -> None:
    upload = dock.create(len(DATA), filename="a.mp4")

    changed = dock.patch(upload, 0, DATA[:1000] + b"x", Upload_Checksum=sum_of(DATA[:1001], algorithm))
    assert (changed.status, changed.code) == (460, "checksum-mismatch")
    assert dock.look(upload).offset == 0

    right = dock.patch(upload, 0, DATA[:1001], Upload_Checksum=sum_of(DATA[:1001], algorithm))
    assert (right.status, right.offset) == (204, 1001)


def test_a_last_piece_with_a_wrong_checksum_makes_no_recording(server: WebServer, dock: Uploader) -> None:
    server.weather.hints.clear()
    upload = dock.create(4, filename="a.mp4")

    assert dock.patch(upload, 0, b"1234", Upload_Checksum=sum_of(b"1235")).status == 460

    assert not server.weather.hints
    assert dock.look(upload).offset == 0


@pytest.mark.parametrize("checksum", ["crc32 AAAA", "sha256 AAAA", "sha256", "sha1 !!!", ""])
def test_a_checksum_that_cannot_be_one_is_refused(dock: Uploader, checksum: str) -> None:
    upload = dock.create(4, filename="a.mp4")
    assert dock.patch(upload, 0, b"1234", Upload_Checksum=checksum).status == 400
    assert dock.look(upload).offset == 0


def test_bytes_may_come_with_the_announcement(server: WebServer, dock: Uploader) -> None:
    server.weather.hints.clear()
    reply = dock.request("POST", "/uploads", DATA[:100], Upload_Length="200", Content_Type=BYTES)

    assert (reply.status, reply.offset) == (201, 100)
    upload = reply.headers["Location"].rpartition("/")[2]
    assert dock.patch(upload, 100, DATA[100:200]).offset == 200
    assert len(server.weather.hints) == 1


def test_an_announcement_with_bytes_that_do_not_fit_leaves_nothing(server: WebServer, dock: Uploader) -> None:
    before = server.files.ids()
    wrong = dock.request(
        "POST", "/uploads", b"1234", Upload_Length="4", Content_Type=BYTES, Upload_Checksum=sum_of(b"1235")
    )
    assert wrong.status == 460
    assert server.files.ids() == before


def test_an_upload_that_is_ended_is_gone(dock: Uploader) -> None:
    upload = dock.create(10, filename="a.mp4")
    dock.patch(upload, 0, b"1234")

    assert dock.request("DELETE", f"/uploads/{upload}").status == 204
    assert dock.look(upload).status == 404
    assert dock.patch(upload, 4, b"5").status == 404


def test_what_came_whole_is_taken_back_by_nobody(server: WebServer, dock: Uploader) -> None:
    upload = dock.create(4, filename="a.mp4")
    dock.patch(upload, 0, b"1234")

    reply = dock.request("DELETE", f"/uploads/{upload}")

    assert (reply.status, reply.code) == (409, "conflict")
    assert server.files.path(upload).read_bytes() == b"1234"


def test_a_method_may_be_said_in_a_header(dock: Uploader) -> None:
    upload = dock.create(4, filename="a.mp4")
    reply = dock.request(
        "POST",
        f"/uploads/{upload}",
        b"1234",
        X_HTTP_Method_Override="PATCH",
        Upload_Offset="0",
        Content_Type=BYTES,
    )
    assert (reply.status, reply.offset) == (204, 4)


@pytest.mark.parametrize("version", [None, "0.2.2", "2.0.0"])
def test_another_version_of_tus_is_refused(dock: Uploader, version: str | None) -> None:
    reply = dock.request("POST", "/uploads", Upload_Length="4", Tus_Resumable=version)
    assert (reply.status, reply.headers["Tus-Version"], reply.headers["Tus-Resumable"]) == (412, "1.0.0", "1.0.0")


def test_every_answer_names_the_version(dock: Uploader) -> None:
    upload = dock.create(4, filename="a.mp4")
    replies = [dock.look(upload), dock.patch(upload, 9, b"1"), dock.look("upl-aaaaaaaaaaaaaaaa")]
    replies.append(dock.request("HEAD", f"/uploads/{upload}", Authorization=None))
    assert [(one.status, one.headers["Tus-Resumable"]) for one in replies] == [
        (status, "1.0.0") for status in (200, 409, 404, 401)
    ]


def test_bytes_of_another_type_are_refused(dock: Uploader) -> None:
    upload = dock.create(4, filename="a.mp4")
    reply = dock.request("PATCH", f"/uploads/{upload}", b"1234", Upload_Offset="0", Content_Type="video/mp4")
    assert reply.status == 415
    assert dock.request("POST", "/uploads", b"{}", Upload_Length="4", Content_Type="application/json").status == 415


def test_an_empty_file_is_whole_at_once(server: WebServer, dock: Uploader) -> None:
    server.weather.hints.clear()
    upload = dock.create(0, filename="a.mp4")
    assert dock.look(upload).offset == 0
    assert len(server.weather.hints) == 1


def test_two_files_of_one_name_and_size_are_two_recordings(server: WebServer, dock: Uploader) -> None:
    server.weather.hints.clear()
    for data in (b"1111", b"2222"):
        assert dock.patch(dock.create(4, filename="video.mp4"), 0, data).status == 204
    assert len(set(server.weather.hints)) == 2


def test_an_announcement_whose_answer_was_lost_is_the_same_upload(dock: Uploader) -> None:
    said = {"path": "DCIM/B.MP4", "filename": "B.MP4", "mtime_ns": str(MTIME)}
    first = dock.create(10, **said)
    assert dock.create(10, **said) == first
    dock.patch(first, 0, b"1")
    assert dock.create(10, **said) != first


def test_a_client_without_a_name_is_served_too(server: WebServer, dock: Uploader) -> None:
    upload = dock.create(4)
    assert dock.patch(upload, 0, b"1234").offset == 4
    assert server.files.told(upload).name == upload


def test_no_room_is_said_before_a_byte_is_taken_and_again_in_the_middle(server: WebServer, dock: Uploader) -> None:
    upload = dock.create(10, filename="a.mp4")
    dock.patch(upload, 0, b"1234")
    server.weather.refusal = DiskLow("no room")
    try:
        replies = [dock.announce(10, filename="b.mp4"), dock.patch(upload, 4, b"56")]
    finally:
        server.weather.refusal = None
    assert [(one.status, one.code, one.headers["Retry-After"]) for one in replies] == [(429, "disk-low", "10")] * 2
    assert dock.patch(upload, 4, b"567890").offset == 10


def test_an_upload_of_which_nothing_comes_for_a_week_is_forgotten(server: WebServer, dock: Uploader) -> None:
    old, fresh, whole = (dock.create(4, filename=name) for name in ("old.mp4", "fresh.mp4", "whole.mp4"))
    dock.patch(old, 0, b"12")
    dock.patch(whole, 0, b"1234")
    week_ago = time.time() - 8 * 86_400
    for upload in (old, whole):
        os.utime(server.files.folder / upload / "ledger", (week_ago, week_ago))

    server.intake.sweep()

    assert [dock.look(one).status for one in (old, fresh, whole)] == [404, 200, 200]


def test_a_file_that_was_put_aside_before_it_rested_is_kept_and_not_begun_again_and_again(
    server: WebServer, dock: Uploader
) -> None:
    server.intake.sweep()  # the first after a start, which begins anew once
    upload = dock.create(len(DATA), filename="kills.mp4")
    assert dock.patch(upload, 0, DATA).status == 204
    recording = server.weather.hints[-1].partition(":")[2]
    ports, stream = server.home.ports, stream_of("recording", recording)
    aside = Happening("quarantined", stream, facts={"code": "poison"}, detail={"reason": "ended its worker"})
    with ports.register.begin() as writing:
        writing.record(aside, actor=ports.actor, at=clocks.now())

    for _ in range(3):
        server.intake.sweep()

    with ports.register.view() as connection:
        kinds = [parse_event(split_note(one["note"])[0]).kind for one in search.events_of(connection, stream)]
    assert kinds == ["arrived", "quarantined"]
    assert server.files.offset(upload) == len(DATA)
