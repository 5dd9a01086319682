# SPDX-License-Identifier: Apache-2.0
"""This is where what a list tells of many recordings is asked at once: a question for each kind, not for each row.

Where a parameter is called `seen`, it is the condition under which rows are within the reach of whoever asks.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, Select, func, select

from storage.register.answers import Row, all_rows
from storage.register.schema import case_links, cases, derivatives, originals, recordings, segments, series_parts

_AT_ONCE = 500


def originals_of_all(connection: Connection, identifiers: Sequence[str]) -> dict[str, list[Row]]:
    """The originals of these recordings, each's in order."""
    found: dict[str, list[Row]] = defaultdict(list)
    for some in _portions(identifiers):
        wanted = select(originals).where(originals.c.recording.in_(some))
        for row in all_rows(connection, wanted.order_by(originals.c.recording, originals.c.position)):
            found[row["recording"]].append(row)
    return dict(found)


def segments_counted(connection: Connection, identifiers: Sequence[str]) -> dict[str, int]:
    """How many segments each of these recordings has; one without any is absent."""
    found: dict[str, int] = {}
    for some in _portions(identifiers):
        wanted = select(segments.c.recording, func.count().label("number")).where(segments.c.recording.in_(some))
        found |= {row.recording: row.number for row in connection.execute(wanted.group_by(segments.c.recording))}
    return found


def derivatives_standing(connection: Connection, identifiers: Sequence[str]) -> dict[str, list[str]]:
    """The kinds of what was made of each of these recordings and not taken away, in order."""
    found: dict[str, list[str]] = defaultdict(list)
    for some in _portions(identifiers):
        standing = (derivatives.c.recording.in_(some), derivatives.c.removed_at.is_(None))
        wanted = select(derivatives.c.recording, derivatives.c.kind).where(*standing)
        for row in connection.execute(wanted.order_by(derivatives.c.recording, derivatives.c.kind)):
            found[row.recording].append(row.kind)
    return dict(found)


def links_seen(connection: Connection, recording: str, seen: Any) -> list[Row]:
    """Standing links of a recording to cases within reach, with the number of each case."""
    wanted = (
        select(case_links, cases.c.number.label("case"))
        .join(cases, cases.c.id == case_links.c.case_id)
        .where(case_links.c.recording == recording, case_links.c.withdrawn_at.is_(None), seen)
    )
    return all_rows(connection, wanted.order_by(case_links.c.segment, case_links.c.case_id))


def parts_seen(connection: Connection, recording: str, seen: Any) -> list[Row]:
    """The parts within reach of the series that a recording belongs to, with their rows, in order; else none."""
    named = select(series_parts.c.series).where(series_parts.c.recording == recording).scalar_subquery()
    wanted: Select[Any] = (
        select(recordings, series_parts.c.basis, series_parts.c.gap_ms, series_parts.c.position)
        .join(series_parts, series_parts.c.recording == recordings.c.id)
        .where(series_parts.c.series == named, seen)
    )
    return all_rows(connection, wanted.order_by(series_parts.c.position))


def _portions(identifiers: Iterable[str]) -> Iterator[list[str]]:
    # An engine takes some thousand values in one question, not any number of them.
    wanted = list(identifiers)
    for first in range(0, len(wanted), _AT_ONCE):
        yield wanted[first : first + _AT_ONCE]
