# SPDX-License-Identifier: Apache-2.0
"""This is where questions to a large register are written twice: as our code asks them, and as bare SQL.

The bare one is what a person would write by hand who knows the indexes and wants the same columns.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection

from bench.scale.filling import BEGAN, DEVICES, OFFICERS, PER_DAY, Agency, officer_number, serial
from evidence import instant
from storage.register import jobs, search
from storage.register.answers import Place
from storage.register.jobs import Tick
from storage.register.listing import Wanted, ended_before, recordings_like, recordings_page

_PAGE = 50
_RUNNABLE = 64
_LATER = "9999-01-01T00:00:00.000000Z"

_OF_CASE = (
    'SELECT l.*, s.number, s.start, s."end", s.start_at FROM case_links l JOIN segments s ON s.id = l.segment '
    "JOIN cases c ON c.id = l.case_id WHERE c.number = ? AND l.withdrawn_at IS NULL ORDER BY s.start_at, s.id"
)
_RECORDINGS_OF_CASE = (
    "SELECT * FROM recordings WHERE id IN (SELECT l.recording FROM case_links l JOIN cases c ON c.id = l.case_id "
    "WHERE c.number = ? AND l.withdrawn_at IS NULL) ORDER BY start_at, id"
)
# A camera records for an hour at most, here: who knows that can say so, and a program cannot.
_OF_OFFICER = (
    "SELECT * FROM recordings WHERE officer = ? AND start_at >= ? AND start_at < ? AND end_at >= ? "
    "ORDER BY start_at, id"
)
_OF_DEVICE = _OF_OFFICER.replace("officer", "device")
_OF_HOUR = _OF_OFFICER.replace("officer = ? AND ", "")
_UNFILED = (
    "SELECT * FROM recordings r WHERE state = 'indexed' AND (start_at, id) > (?, ?) AND NOT EXISTS (SELECT 1 FROM "
    "case_links l WHERE l.recording = r.id AND l.withdrawn_at IS NULL) ORDER BY start_at, id LIMIT ?"
)
_ENDED = (
    "SELECT * FROM recordings WHERE state = 'indexed' AND end_at < ? AND (end_at, id) > (?, ?) "
    "ORDER BY end_at, id LIMIT ?"
)
_LIKE = "SELECT * FROM recordings WHERE id >= ? AND id < ? ORDER BY id LIMIT 10"
_JOBS = "SELECT id FROM jobs WHERE state = 'runnable' AND due_at <= ? ORDER BY created_at, id LIMIT ?"


@dataclass(frozen=True, slots=True)
class Question:
    """One question: `draw` chooses what about, `ours` and `bare` answer it and say how many rows they had."""

    name: str
    draw: Callable[[random.Random, Agency], Any]
    ours: Callable[[Connection, Any], int]
    sql: str
    values: Callable[[Any], Sequence[Any]]


def _window(chance: random.Random, agency: Agency, hours: int) -> tuple[str, str, str]:
    """Begin, end, and an hour before the begin, somewhere in the time that was filmed."""
    last = len(agency.recordings) / PER_DAY * 24
    start = BEGAN + timedelta(hours=chance.random() * max(last - hours, 1))
    moments = (start, start + timedelta(hours=hours), start - timedelta(hours=1))
    return instant.to_text(moments[0]), instant.to_text(moments[1]), instant.to_text(moments[2])


def _place(chance: random.Random, agency: Agency) -> Place:
    """Somewhere in the list by time."""
    begin = _window(chance, agency, 1)[0]
    return Place(begin, "rec-")


def _case(connection: Connection, number: str) -> int:
    row = search.case(connection, number)
    search.officers_of_case(connection, row["id"])
    return len(search.links_of_case(connection, row["id"]))


def _runnable(connection: Connection, _: Any) -> int:
    tick = Tick("bench", 0.0)
    return len(jobs.runnable(connection, tick=tick, now=BEGAN + timedelta(days=1000), limit=_RUNNABLE))


def _unfiled(connection: Connection, after: Place | None) -> int:
    return len(recordings_page(connection, Wanted(is_unfiled=True), limit=_PAGE, after=after).rows)


def _ended(connection: Connection, after: Place | None) -> int:
    return len(ended_before(connection, _LATER, limit=_PAGE, after=after).rows)


def _of(connection: Connection, **told: Any) -> int:
    return len(search.find_recordings(connection, **told))


def _behind(after: Place | None) -> Sequence[Any]:
    return ("", "") if after is None else (str(after.at), after.id)


QUESTIONS = (
    Question(
        "case: all its segments, as `case show`",
        lambda chance, agency: chance.choice(agency.cases),
        _case,
        _OF_CASE,
        lambda number: (number,),
    ),
    Question(
        "case: its recordings",
        lambda chance, agency: chance.choice(agency.cases),
        lambda connection, number: _of(connection, case=number),
        _RECORDINGS_OF_CASE,
        lambda number: (number,),
    ),
    Question(
        "officer, window of 24 h",
        lambda chance, agency: (officer_number(chance.randrange(OFFICERS)), *_window(chance, agency, 24)),
        lambda connection, asked: _of(connection, officer=asked[0], start=asked[1], end=asked[2]),
        _OF_OFFICER,
        lambda asked: (asked[0], asked[3], asked[2], asked[1]),
    ),
    Question(
        "camera, window of 2 h",
        lambda chance, agency: (serial(chance.randrange(DEVICES)), *_window(chance, agency, 2)),
        lambda connection, asked: _of(connection, device=asked[0], start=asked[1], end=asked[2]),
        _OF_DEVICE,
        lambda asked: (asked[0], asked[3], asked[2], asked[1]),
    ),
    Question(
        "everybody, window of 1 h",
        lambda chance, agency: _window(chance, agency, 1),
        lambda connection, asked: _of(connection, start=asked[0], end=asked[1]),
        _OF_HOUR,
        lambda asked: (asked[2], asked[1], asked[0]),
    ),
    Question(
        "unfiled, first page",
        lambda chance, agency: None,
        _unfiled,
        _UNFILED,
        lambda after: (*_behind(after), _PAGE),
    ),
    Question("unfiled, later page", _place, _unfiled, _UNFILED, lambda after: (*_behind(after), _PAGE)),
    Question(
        "ended before a date, first page",
        lambda chance, agency: None,
        _ended,
        _ENDED,
        lambda after: (_LATER, *_behind(after), _PAGE),
    ),
    Question(
        "ended before a date, later page",
        _place,
        _ended,
        _ENDED,
        lambda after: (_LATER, *_behind(after), _PAGE),
    ),
    Question(
        "recordings by 8 first characters",
        lambda chance, agency: chance.choice(agency.recordings).id[:12],
        lambda connection, text: len(recordings_like(connection, text, limit=10)),
        _LIKE,
        lambda text: (text, text + "~"),
    ),
    Question(
        "jobs: whose turn it is (64)",
        lambda chance, agency: None,
        _runnable,
        _JOBS,
        lambda _: (_LATER, _RUNNABLE),
    ),
)
