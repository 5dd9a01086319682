# SPDX-License-Identifier: Apache-2.0
"""This is where what a person asks a clip of becomes recordings and spans of their media time."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from fractions import Fraction

from evidence import instant, media_time
from evidence.errors import BadInput
from evidence.lifecycle import State
from evidence.media_time import Span
from pipeline.clip_series import files_of, spans_of
from storage.register import search
from storage.register.search import Connection, Row


def of_recording(connection: Connection, recording: str, start: str, end: str) -> list[tuple[str, Span]]:
    """The span of a recording; several, when the time runs over the seams of a capture in several files.

    `start` and `end` are offsets (`00:31.5`) or RFC 3339 instants.

    Raises:
        NotFound: no such recording. BadInput: a time cannot be used.
    """
    row = search.recording(connection, recording)
    files = files_of(connection, recording)
    covering: list[tuple[str, Span]] = []
    if len(files) > 1 and "T" in start and "T" in end:
        moments = instant.from_text(start), instant.from_text(end)
        covering = [(one["id"], span) for one, _ in files if (span := _part(one, *moments)) is not None]
    elif len(files) > 1:
        covering = spans_of(files, Span(_position(start, row), _position(end, row)))
    # When there is none, it is told by the one that was named.
    return covering or [(recording, Span(_position(start, row), _position(end, row)))]


def of_case(case: str, rows: Sequence[Row], start: str, end: str) -> list[tuple[str, Span]]:
    """What a case's recordings (`rows`) have of a time between two instants, in the order they were filmed.

    Raises:
        BadInput: nothing of it moves or sounds in that time; or an instant cannot be used.
    """
    first, last = instant.from_text(start), instant.from_text(end)
    # What was disposed of is no part of the case's time any more; the case still names it.
    there = [row for row in rows if row["state"] not in (State.DISPOSING, State.DISPOSED)]
    there.sort(key=lambda row: (row["start_at"] or "", row["id"]))
    covering = [(row["id"], span) for row in there if (span := _part(row, first, last)) is not None]
    if not covering:
        raise BadInput(f"case {case} has no moving pictures or sound between {start} and {end}")
    return covering


def _position(text: str, row: Row) -> Fraction:
    """Media time of an offset, or of an instant by the recording's start."""
    if "T" not in text:
        return media_time.parse_offset(text)
    if row["start_at"] is None:
        raise BadInput(f"the start of {row['id']} is not known: give offsets such as 00:31.5")
    return max(Fraction(0), _seconds(instant.from_text(text) - instant.from_text(row["start_at"])))


def _seconds(length: timedelta) -> Fraction:
    return Fraction(length // timedelta(microseconds=1), 1_000_000)


def _part(row: Row, first: datetime, last: datetime) -> Span | None:
    """The span of a recording that lies in `[first, last)`; None when it has none, or nothing that can be cut."""
    if row["kind"] not in ("video", "audio") or row["start_at"] is None or row["duration"] is None:
        return None
    begin = instant.from_text(row["start_at"])
    start = max(Fraction(0), _seconds(first - begin))
    end = min(Fraction(row["duration"]), _seconds(last - begin))
    return Span(start, end) if start < end else None
