# SPDX-License-Identifier: Apache-2.0
"""Which bytes a client asks for, and gets: one range or the whole; and what becomes of one that goes away."""

import hashlib
import http.client
import os
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import timedelta

import pytest
from sqlalchemy import update

from app import clocks
from evidence.errors import Overloaded
from pipeline.ports import Ports
from storage import layout
from storage.register.schema_doors import media_tokens
from tests.support.cinema import Cinema, cinema
from tests.support.people import Person
from tests.support.servers import until
from web.media.headers import attachment, clean_name, type_of
from web.media.kept import Kept
from web.media.ranges import Part, wanted
from web.media.seen import joined

TAG = '"abc"'


def asked(header: str, size: int = 1000) -> Part | None:
    return wanted(header, size, if_range=None, etag=TAG)


@pytest.mark.parametrize(
    ("header", "part"),
    [
        ("bytes=0-0", (0, 1)),
        ("bytes=0-", (0, 1000)),
        ("bytes=999-", (999, 1000)),
        ("bytes=999-999", (999, 1000)),
        ("bytes=500-99999", (500, 1000)),
        ("bytes=-1", (999, 1000)),
        ("bytes=-5000", (0, 1000)),
        ("BYTES=1-2", (1, 3)),
        ("bytes=0-" + "9" * 300, (0, 1000)),
        ("bytes=-" + "9" * 300, (0, 1000)),
    ],
)
def test_one_range_is_sent_as_far_as_there_are_bytes(header: str, part: tuple[int, int]) -> None:
    assert asked(header) == Part(*part, 1000)


@pytest.mark.parametrize(
    "header",
    ["bytes=1000-", "bytes=1000-2000", "bytes=-0", "bytes=" + "9" * 300 + "-", "bytes=0-1,2-3", "bytes=0-,0-,0-"],
)
def test_a_range_of_nothing_and_several_ranges_are_refused(header: str) -> None:
    part = asked(header)
    assert part is not None
    assert part.length == 0
    assert part.content_range == "bytes */1000"


@pytest.mark.parametrize(
    "header", ["bytes=5-4", "bytes=-", "bytes=x-1", "items=0-1", "bytes", "", "bytes=1-2-3", "bytes=+1-2"]
)
def test_what_is_no_range_is_as_if_it_were_not_there(header: str) -> None:
    assert asked(header) is None


@pytest.mark.parametrize("if_range", ['"other"', 'W/"abc"', "Tue, 24 Nov 2026 00:00:00 GMT"])
def test_a_range_of_another_thing_gives_the_whole(if_range: str) -> None:
    assert wanted("bytes=0-1", 10, if_range=if_range, etag=TAG) is None
    assert wanted("bytes=0-1", 10, if_range=TAG, etag=TAG) == Part(0, 2, 10)


def test_of_an_empty_thing_there_is_no_range() -> None:
    assert asked("bytes=0-", 0) == Part(0, 0, 0)
    assert asked("bytes=-5", 0) == Part(0, 0, 0)


@pytest.mark.parametrize(
    "name",
    [
        "x\r\nSet-Cookie: a=1",
        'x"; filename="y',
        "../../etc/passwd",
        "..\\x",
        "\u202egnp.exe",
        "\x00",
        "",
        ".hidden",
        "a" * 999,
    ],
)
def test_no_name_breaks_out_of_its_header(name: str) -> None:
    told = attachment(name)
    assert told.isascii()
    assert told.isprintable()
    assert told.count('"') == 2
    assert clean_name(name)
    assert not clean_name(name).startswith(".")
    assert "/" not in clean_name(name)


def test_a_page_is_never_told_to_be_a_page() -> None:
    assert type_of(b"<html><script>alert(1)</script>") == "application/octet-stream"
    assert type_of(b"<svg xmlns='http://www.w3.org/2000/svg'/>") == "application/octet-stream"
    assert type_of(b"") == "application/octet-stream"


def test_stretches_are_joined_and_never_more_than_may_be_kept() -> None:
    assert joined([(5, 9), (0, 3), (3, 5), (20, 20)], most=10) == [(0, 9)]
    assert joined([(0, 1), (2, 3), (10, 11)], most=2) == [(0, 3), (10, 11)]


def test_of_many_who_ask_for_the_same_one_has_it_made_and_too_many_are_told_at_once() -> None:
    made, begun, go_on = list[int](), threading.Event(), threading.Event()
    kept: Kept[int] = Kept(4, making=1, waiting=1, wait_s=20)

    def slow() -> int:
        begun.set()
        assert go_on.wait(20)
        made.append(1)
        return 7

    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(kept.get, "film", slow)
        assert begun.wait(20)
        second = threads.submit(kept.get, "film", slow)
        until(lambda: kept.inside == 2, "the second waits")
        with pytest.raises(Overloaded):
            kept.get("film", slow)
        go_on.set()
        assert (first.result(), second.result(), made) == (7, 7, [1])


# --- over the wire ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cinema]:
    with cinema(tmp_path_factory.mktemp("ranges")) as made:
        yield made


@pytest.fixture(scope="module")
def officer(place: Cinema) -> Person:
    return place.hall["officer"]


@pytest.fixture(scope="module")
def url(place: Cinema, officer: Person) -> str:
    return str(place.play(officer)["urls"][1])


@pytest.fixture(scope="module")
def whole(place: Cinema, officer: Person, url: str) -> bytes:
    return place.fetch(officer, url).content


def test_parts_of_a_film_are_those_of_the_whole(place: Cinema, officer: Person, url: str, whole: bytes) -> None:
    size = len(whole)
    for first, last in ((0, 0), (1, 70_000), (size - 1, size - 1), (size - 5, size + 99)):
        reply = place.fetch(officer, url, Range=f"bytes={first}-{last}")
        end = min(last + 1, size)
        assert (reply.status_code, reply.content) == (206, whole[first:end])
        assert reply.headers["content-range"] == f"bytes {first}-{end - 1}/{size}"


def test_several_ranges_and_none_there_are_answered_with_416(
    place: Cinema, officer: Person, url: str, whole: bytes
) -> None:
    for header in ("bytes=0-1,4-5", f"bytes={len(whole)}-"):
        reply = place.fetch(officer, url, Range=header)
        assert (reply.status_code, reply.headers["content-range"]) == (416, f"bytes */{len(whole)}")
        assert reply.json()["code"] == "http-416"


def test_a_film_goes_on_only_when_it_is_the_same(place: Cinema, officer: Person, url: str, whole: bytes) -> None:
    tag = place.fetch(officer, url, "HEAD").headers["etag"]

    assert place.fetch(officer, url, Range="bytes=1-", If_Range=tag).status_code == 206
    assert place.fetch(officer, url, Range="bytes=1-", If_Range='"other"').content == whole


def test_head_tells_everything_and_sends_nothing(place: Cinema, officer: Person, url: str, whole: bytes) -> None:
    reply = place.fetch(officer, url, "HEAD", Range="bytes=0-1")

    assert (reply.status_code, reply.headers["content-length"], reply.content) == (200, str(len(whole)), b"")
    assert reply.headers["accept-ranges"] == "bytes"


def _large_proxy(ports: Ports, recording: str, size_bytes: int) -> str:
    """Have another object stand for the proxy: what a long film costs."""
    data = os.urandom(1 << 16) * (size_bytes >> 16)
    sha256 = hashlib.sha256(data).hexdigest()
    ports.store.put_bytes_once(layout.derivative_key(sha256), data)
    with ports.register.leasing() as connection:
        connection.execute(update(media_tokens).where(media_tokens.c.recording == recording).values(object=sha256))
    return sha256


def test_who_goes_away_in_the_middle_frees_their_place_and_what_they_got_is_counted(
    place: Cinema, officer: Person
) -> None:
    room, given = place.hall.app.state.media, place.play(officer)
    _large_proxy(place.hall.home.ports, place.recording, 48 << 20)
    address = str(place.hall.nobody.base_url).removeprefix("http://")
    line = http.client.HTTPConnection(address, timeout=20)
    line.connect()
    line.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
    line.request("GET", given["urls"][1], headers=dict(officer.headers))
    reply = line.getresponse()
    reply.read(100_000)
    threads = threading.active_count()
    assert room.viewers.count == 1
    reply.close()
    line.close()
    until(lambda: room.viewers.count == 0, "the viewer's place is free")
    room.ledger.flush(place.hall.home.ports.register)

    assert threading.active_count() <= threads
    later = clocks.now() + timedelta(minutes=16)
    room.fold(now=later)
    told = place.hall.accesses(officer)[-1]["told"]
    sent = int(told.partition('"served_bytes": ')[2].partition(",")[0])
    assert 100_000 <= sent < 48 << 20


def _holder_of(person: Person) -> str:
    return hashlib.sha256(person.headers["Cookie"].partition("=")[2].encode()).hexdigest()


def test_too_many_viewers_at_once_are_told_to_come_again(place: Cinema, officer: Person) -> None:
    room, given = place.hall.app.state.media, place.play(officer)
    with ExitStack() as inside:
        for _ in range(room.figures.viewers_per_holder):
            inside.enter_context(room.viewers.passing(_holder_of(officer)))
        reply = place.fetch(officer, given["urls"][1])

    assert (reply.status_code, reply.json()["code"]) == (429, "overloaded")
    assert place.fetch(officer, given["urls"][1], Range="bytes=0-0").status_code == 206
