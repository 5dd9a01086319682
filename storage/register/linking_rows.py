# SPDX-License-Identifier: Apache-2.0
"""This is where what links footage to cases is looked up: who is of a unit, what was filmed and told around a time."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, and_, or_, select

from storage.register.answers import Row, all_rows
from storage.register.schema import custody_events, officers, recordings
from storage.register.schema_cases import case_documents, case_links, case_officers, cases

_MOST_COLLEAGUES = 400
# Recordings whose bytes and segments stand: what is still under way is decided when it is indexed.
_SETTLED = ("indexed", "archived")


def units_of(connection: Connection, numbers: Iterable[str]) -> dict[str, str]:
    """The unit of each of these officers, as it is registered; unknown officers and empty units are absent."""
    wanted = select(officers.c.number, officers.c.unit).where(officers.c.number.in_(sorted(set(numbers))))
    return {row.number: row.unit for row in connection.execute(wanted) if row.unit}


def colleagues(connection: Connection, units: Iterable[str]) -> dict[str, str]:
    """Officers of these units and the unit of each; of a unit of more than hundreds, some."""
    wanted = select(officers.c.number, officers.c.unit).where(officers.c.unit.in_(sorted(set(units))))
    found = connection.execute(wanted.order_by(officers.c.number).limit(_MOST_COLLEAGUES))
    return {row.number: row.unit for row in found}


def filmed(connection: Connection, numbers: Iterable[str], start: str, end: str) -> list[Row]:
    """Settled recordings of these officers, or of nobody known, that began within `[start, end]` (text), by id."""
    named = recordings.c.officer.in_(sorted(set(numbers)))
    wanted = select(recordings).where(
        or_(named, recordings.c.officer.is_(None)),
        recordings.c.start_at >= start,
        recordings.c.start_at <= end,
        recordings.c.state.in_(_SETTLED),
    )
    return all_rows(connection, wanted.order_by(recordings.c.id))


def recordings_named(connection: Connection, identifiers: Iterable[str]) -> list[Row]:
    """Recordings of these ids, by id."""
    wanted = select(recordings).where(recordings.c.id.in_(sorted(set(identifiers))))
    return all_rows(connection, wanted.order_by(recordings.c.id))


def open_cases_around(connection: Connection, numbers: Iterable[str], start: str, end: str) -> set[str]:
    """Ids of open cases of these officers whose window, or a paper, has any part in `[start, end]` (text)."""
    of_officers = (
        select(cases.c.id)
        .join(case_officers, case_officers.c.case_id == cases.c.id)
        .where(case_officers.c.officer.in_(sorted(set(numbers))), cases.c.closed_at.is_(None))
    )
    in_window = of_officers.where(cases.c.start_at <= end, cases.c.end_at >= start)
    papered = (
        select(case_documents.c.case_id)
        .join(cases, cases.c.id == case_documents.c.case_id)
        .where(_states(start, end), cases.c.closed_at.is_(None))
    )
    return set(connection.scalars(in_window)) | set(connection.scalars(papered))


def _states(start: str, end: str) -> Any:
    return and_(
        case_documents.c.withdrawn_at.is_(None), case_documents.c.start_at <= end, case_documents.c.end_at >= start
    )


def open_cases_numbered(connection: Connection, numbers: Iterable[str]) -> set[str]:
    """Ids of the open cases that have one of these numbers."""
    wanted = select(cases.c.id).where(cases.c.number.in_(sorted(set(numbers))), cases.c.closed_at.is_(None))
    return set(connection.scalars(wanted))


def told_of_cases(connection: Connection, identifiers: Iterable[str]) -> list[tuple[Row, list[str], list[Row]]]:
    """Each of these cases with its officers and its standing papers that state times, by id."""
    ids = sorted(set(identifiers))
    rows = all_rows(connection, select(cases).where(cases.c.id.in_(ids)).order_by(cases.c.id))
    named: dict[str, list[str]] = {one: [] for one in ids}
    for row in connection.execute(select(case_officers).where(case_officers.c.case_id.in_(ids))):
        named[row.case_id].append(row.officer)
    papers: dict[str, list[Row]] = {one: [] for one in ids}
    wanted = select(case_documents).where(
        case_documents.c.case_id.in_(ids),
        case_documents.c.withdrawn_at.is_(None),
        case_documents.c.start_at.is_not(None),
        case_documents.c.end_at.is_not(None),
    )
    for paper in all_rows(connection, wanted.order_by(case_documents.c.id)):
        papers[paper["case_id"]].append({**paper, "officers": json.loads(paper["officers"])})
    return [(row, named[row["id"]], papers[row["id"]]) for row in rows]


def links_between(connection: Connection, names: Iterable[str], identifiers: Iterable[str]) -> list[Row]:
    """Every link of these recordings to these cases, withdrawn ones too, by segment."""
    wanted = select(case_links).where(
        case_links.c.recording.in_(sorted(set(names))), case_links.c.case_id.in_(sorted(set(identifiers)))
    )
    return all_rows(connection, wanted.order_by(case_links.c.segment))


def standing_links(connection: Connection, case_id: str) -> list[Row]:
    """The links of a case that stand, by segment."""
    wanted = select(case_links).where(case_links.c.case_id == case_id, case_links.c.withdrawn_at.is_(None))
    return all_rows(connection, wanted.order_by(case_links.c.segment))


def unlinkings(connection: Connection, stream: str, moments: Sequence[str]) -> list[Row]:
    """The events of a case's stream that withdrew links at these instants (text)."""
    wanted = select(custody_events).where(
        custody_events.c.stream == stream,
        custody_events.c.kind == "case-unlinked",
        custody_events.c.at.in_(sorted(set(moments))),
    )
    return all_rows(connection, wanted.order_by(custody_events.c.seq))
