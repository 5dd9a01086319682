# SPDX-License-Identifier: Apache-2.0
"""Long lists in pages: whole in the end, whatever is added meanwhile; windows, cases and beginnings of ids."""

import os
import random
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from sqlalchemy import Connection, delete, insert, update

from bench.scale.databases import opened
from evidence import ids, instant
from evidence.errors import BadInput
from storage.register import listing, schema, search
from storage.register.answers import Page, Place
from storage.register.listing import Wanted, ended_before, links_page, recordings_like, recordings_page
from storage.register.register import Register
from tests.support.home import NOON
from tests.support.postgres import database_url

HOUR = timedelta(hours=1)


class Undone(Exception):
    pass


@pytest.fixture(params=["sqlite", "postgresql"], scope="module")
def register(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Register]:
    folder = tmp_path_factory.mktemp("register")
    url = f"sqlite:///{folder}/register.db" if request.param == "sqlite" else database_url()
    with opened(url, folder) as open_one:
        yield open_one


@pytest.fixture
def connection(register: Register) -> Iterator[Connection]:
    """A register that is empty again for the next test."""
    with suppress(Undone), register.begin() as facts:
        yield facts.connection
        raise Undone


def text(hours: float | None) -> str | None:
    return None if hours is None else instant.to_text(NOON + hours * HOUR)


def known(hours: float) -> str:
    return instant.to_text(NOON + hours * HOUR)


def name(number: int) -> str:
    return ids.recording_id(f"offer {number}")


def put(connection: Connection, number: int, start: float | None, hours: float = 0.5, **told: Any) -> str:
    """A recording that began `start` hours after noon."""
    row = {
        "id": name(number),
        "state": "indexed",
        "kind": "video",
        "name": "a.mp4",
        "dock": "d",
        "start_at": text(start),
        "end_at": None if start is None else text(start + hours),
        "claims": "{}",
        "arrived_at": text(0),
    }
    connection.execute(insert(schema.recordings).values(**row | told))
    return name(number)


def link(connection: Connection, case: str, recording: str, number: int = 0, start: float | None = 0) -> str:
    segment = ids.segment_id(recording, number)
    row = {"id": segment, "recording": recording, "number": number, "start": "0", "end": "1", "start_at": text(start)}
    connection.execute(insert(schema.segments).values(**row))
    held = {"segment": segment, "case_id": case, "recording": recording, "reason": "{}", "linked_by": "x"}
    connection.execute(insert(schema.case_links).values(**held, linked_at=text(0)))
    return segment


def open_case(connection: Connection, number: str) -> str:
    row = {"id": f"cas-{number}", "number": number, "title": "", "start_at": text(0), "end_at": text(1)}
    connection.execute(insert(schema.cases).values(**row, opened_at=text(0)))
    return f"cas-{number}"


def named(page: Page) -> list[str]:
    return [row["id"] for row in page.rows]


def every_page(ask: Callable[[Place | None], Page]) -> list[str]:
    """All ids, page after page; the place is handed on as the words a script gets."""
    seen, after = [], None
    while True:
        page = ask(after)
        seen += named(page)
        if page.after is None:
            return seen
        after = Place.from_text(page.after.to_text())


# --- pages --------------------------------------------------------------------------------------


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 12, 13])
def test_pages_of_any_length_make_up_the_whole_list(connection: Connection, limit: int) -> None:
    for number in range(12):
        # Three begin at one moment, and three nobody knows when.
        put(connection, number, None if number % 4 == 3 else number // 3)
    whole = [row["id"] for row in search.find_recordings(connection)]
    paged = every_page(lambda after: recordings_page(connection, Wanted(), limit=limit, after=after))
    assert paged == whole
    assert len(set(whole)) == 12


def test_the_last_page_says_so_even_when_it_is_full(connection: Connection) -> None:
    for number in range(4):
        put(connection, number, number)
    first = recordings_page(connection, Wanted(), limit=2)
    second = recordings_page(connection, Wanted(), limit=2, after=first.after)
    assert first.after is not None
    assert len(second.rows) == 2
    assert second.after is None


def test_what_is_added_between_pages_loses_nothing_and_gives_nothing_twice(connection: Connection) -> None:
    chance = random.Random(3)
    before = [put(connection, number, number / 7) for number in range(30)]
    added: list[str] = []
    behind: set[str] = set()

    def ask(after: Place | None) -> Page:
        page = recordings_page(connection, Wanted(), limit=4, after=after)
        for _ in range(2 if page.after and len(added) < 60 else 0):
            start = chance.choice([chance.uniform(0, 5), None])
            added.append(put(connection, 1000 + len(added), start))
            if order(Place(text(start), added[-1])) > order(page.after):
                behind.add(added[-1])
        return page

    seen = every_page(ask)
    assert [one for one in seen if one not in added] == before
    assert len(seen) == len(before) + len(behind)
    assert behind < set(seen)


def order(place: Place | None) -> tuple[bool, str, str]:
    assert place is not None
    return (place.at is None, place.at or "", place.id)


def test_a_row_removed_at_the_edge_of_a_page_takes_no_other_with_it(connection: Connection) -> None:
    wanted = [put(connection, number, number) for number in range(6)]
    page = recordings_page(connection, Wanted(), limit=3)
    connection.execute(delete(schema.recordings).where(schema.recordings.c.id == wanted[2]))
    rest = recordings_page(connection, Wanted(), limit=3, after=page.after)
    assert named(page) + named(rest) == wanted


@pytest.mark.parametrize("told", ["", "rec-a", "2026-06-19T04:00:00Z", "yesterday/rec-a", "/", "-/"])
def test_what_is_no_place_in_a_list_is_refused(told: str) -> None:
    with pytest.raises(BadInput):
        Place.from_text(told)


@pytest.mark.parametrize("place", [Place(None, "rec-a"), Place(known(0), "rec-a.00001")])
def test_a_place_comes_back_from_its_words(place: Place) -> None:
    assert Place.from_text(place.to_text()) == place


# --- windows ------------------------------------------------------------------------------------


def brute_force(rows: list[search.Row], start: str | None, end: str | None) -> list[str]:
    """What a window holds, said in the plainest way."""
    return [
        row["id"]
        for row in rows
        if (start is None or (row["start_at"] is not None and (row["end_at"] or row["start_at"]) >= start))
        and (end is None or (row["start_at"] is not None and row["start_at"] < end))
    ]


def test_a_window_holds_what_has_any_part_in_it_over_midnights_and_for_days(connection: Connection) -> None:
    chance = random.Random(int(os.environ.get("CHAOS_SEED", "5")))
    for number in range(150):
        hours = chance.choice([0, 0.2, 0.5, 13, 60])
        start = chance.choice([None, chance.uniform(-100, 100), float(chance.randrange(-4, 4) * 12 - 4)])
        put(connection, number, start, hours, officer=f"{number % 3}", device=f"{number % 2}")
    rows = search.find_recordings(connection)
    for _ in range(25):
        begin = chance.choice([None, chance.uniform(-100, 100), float(chance.randrange(-4, 4) * 12 - 4)])
        end = chance.choice([None, (begin or 0) + chance.choice([0.1, 1, 24, 80])])
        for officer, device in ((None, None), ("1", None), (None, "0"), ("2", "1")):
            held = [row for row in rows if officer in (None, row["officer"]) and device in (None, row["device"])]
            wanted = Wanted(officer=officer, device=device, start=text(begin), end=text(end))
            expected = brute_force(held, text(begin), text(end))
            assert named(recordings_page(connection, wanted, limit=None)) == expected
            assert every_page(partial(recordings_of, connection, wanted)) == expected


def recordings_of(connection: Connection, wanted: Wanted, after: Place | None) -> Page:
    return recordings_page(connection, wanted, limit=5, after=after)


def test_a_photo_at_the_first_instant_of_a_window_is_in_it_and_at_its_end_is_not(connection: Connection) -> None:
    at_start, at_end = put(connection, 1, 0, 0), put(connection, 2, 1, 0)
    page = recordings_page(connection, Wanted(start=known(0), end=known(1)), limit=None)
    assert at_start in named(page)
    assert at_end not in named(page)


# --- unfiled, ended, by case --------------------------------------------------------------------


def test_unfiled_is_what_no_standing_link_holds(connection: Connection) -> None:
    case = open_case(connection, "1")
    recordings = [put(connection, number, None if number == 5 else number) for number in range(6)]
    put(connection, 9, 1, state="quarantined")
    for recording in recordings[:3]:
        link(connection, case, recording)
    links = schema.case_links
    connection.execute(update(links).where(links.c.recording == recordings[0]).values(withdrawn_at=text(2)))
    paged = every_page(lambda after: recordings_page(connection, Wanted(is_unfiled=True), limit=2, after=after))
    assert [row["id"] for row in listing.unfiled(connection)] == paged
    assert paged == [recordings[0], *recordings[3:]]


def test_unfiled_may_be_asked_of_one_officer_and_one_window(connection: Connection) -> None:
    case = open_case(connection, "1")
    held = [put(connection, number, number, officer=f"{number % 2}") for number in range(8)]
    link(connection, case, held[2])
    wanted = Wanted(officer="0", start=known(1), end=known(6.1), is_unfiled=True)
    assert named(recordings_page(connection, wanted, limit=10)) == [held[4], held[6]]


def test_what_ended_before_an_instant_comes_by_its_end_and_only_when_indexed(connection: Connection) -> None:
    late = put(connection, 1, 0, 5)
    early = put(connection, 2, 1, 1)
    put(connection, 3, 1, 20)
    put(connection, 4, None)
    put(connection, 5, 0, 1, state="sealed")
    paged = every_page(lambda after: ended_before(connection, known(6), limit=1, after=after))
    assert named(ended_before(connection, known(5), limit=None)) == [early]
    assert paged == [early, late]


@pytest.mark.parametrize("limit", [1, 2, 100])
def test_a_case_is_paged_by_segment_those_of_unknown_time_last(connection: Connection, limit: int) -> None:
    case, other = open_case(connection, "1"), open_case(connection, "2")
    recording, lost = put(connection, 1, 0), put(connection, 2, None)
    link(connection, other, lost, 7, None)
    links = [link(connection, case, recording, number, 1 - number // 2) for number in range(4)]
    unknown = [link(connection, case, lost, number, None) for number in range(2)]
    seen, after, more = [], None, True
    while more:
        page = links_page(connection, case, limit=limit, after=after)
        seen += [row["segment"] for row in page.rows]
        after, more = page.after, page.after is not None
    assert seen == [row["segment"] for row in search.links_of_case(connection, case)]
    assert seen == [*links[2:], *links[:2], *unknown]
    assert listing.held_by(connection, case) == {recording: 4, lost: 2}
    held = search.find_recordings(connection, case="1")
    assert [row["id"] for row in held] == [recording, lost]
    within = search.find_recordings(connection, case="1", start=known(-1), end=known(1))
    assert [row["id"] for row in within] == [recording]


# --- beginnings of ids --------------------------------------------------------------------------


def test_recordings_are_found_by_the_beginning_of_their_id(connection: Connection) -> None:
    held = sorted(put(connection, number, 0) for number in range(40))
    for count in (5, 8, 24):
        expected = [one for one in held if one.startswith(held[17][:count])]
        found = recordings_like(connection, held[17][:count], limit=50)
        assert [row["id"] for row in found] == expected
    assert [row["id"] for row in recordings_like(connection, held[3][4:10], limit=1)] == [held[3]]
    assert len(recordings_like(connection, "rec-", limit=7)) == 7


@pytest.mark.parametrize("told", ["rec-A", "%", "rec-1", "rec-'; --", "rec-" + "a" * 21, "rec-é"])
def test_what_no_id_begins_with_is_refused(connection: Connection, told: str) -> None:
    with pytest.raises(BadInput):
        recordings_like(connection, told, limit=1)
