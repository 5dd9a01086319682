# SPDX-License-Identifier: Apache-2.0
"""This is where the register is read for coverage: cases portion by portion, each with all that it holds.

A portion costs a handful of questions, however many recordings its cases hold; nothing of the portions before it is
kept. Rows are plain mappings, instants as text.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, func, select

from storage.register.answers import Row, all_rows
from storage.register.reach import Sight
from storage.register.schema import devices, officers, recordings
from storage.register.schema_cases import case_documents, case_links, case_officers, cases, gaps

AT_ONCE = 500
_FILMED = (
    recordings.c.id,
    recordings.c.state,
    recordings.c.kind,
    recordings.c.item,
    recordings.c.officer,
    recordings.c.start_at,
    recordings.c.end_at,
    recordings.c.end_latest,
    recordings.c.arrived_at,
    recordings.c.problem_code,
    recordings.c.claims,
    recordings.c.clock_basis,
)


@dataclass(frozen=True, slots=True)
class Period:
    """Which cases: those of these units (None: all) that begin in `[start, end)`, instants as text, where given.

    `sight`: only those within this reach.
    """

    units: Sequence[str] | None = None
    start: str | None = None
    end: str | None = None
    sight: Sight | None = None


@dataclass(frozen=True, slots=True)
class CaseRows:
    """A case's row, and those of all that it holds; recordings with their camera's registered `offset_ms`.

    What the clock ledger knew of a recording stands in its `clock_basis`, and counts before that.
    """

    case: Row
    officers: list[str] = field(default_factory=list)
    documents: list[Row] = field(default_factory=list)
    gaps: list[Row] = field(default_factory=list)
    recordings: list[Row] = field(default_factory=list)


def count_cases(connection: Connection, wanted: Period) -> int:
    """How many cases a period has."""
    return connection.scalar(select(func.count()).select_from(cases).where(*_conditions(wanted))) or 0


def rows_of_cases(connection: Connection, wanted: Period, *, at_once: int = AT_ONCE) -> Iterator[list[CaseRows]]:
    """The cases of a period with all that they hold, by id, `at_once` at a time."""
    asked = select(cases).where(*_conditions(wanted)).order_by(cases.c.id).limit(at_once)
    after = ""
    while found := all_rows(connection, asked.where(cases.c.id > after)):
        after = found[-1]["id"]
        yield filled(connection, found)


def filled(connection: Connection, found: Sequence[Row]) -> list[CaseRows]:
    """Rows of cases, each with all that it holds; no more than `AT_ONCE` at a time."""
    ids = [row["id"] for row in found]
    named = _by_case(connection, select(case_officers).where(case_officers.c.case_id.in_(ids)))
    papers = _by_case(
        connection,
        select(case_documents)
        .where(case_documents.c.case_id.in_(ids), case_documents.c.withdrawn_at.is_(None))
        .order_by(case_documents.c.id),
    )
    told = _by_case(connection, select(gaps).where(gaps.c.case_id.in_(ids)).order_by(gaps.c.start_at, gaps.c.id))
    filmed = _by_case(connection, _held(ids))
    return [
        CaseRows(
            row,
            officers=sorted(one["officer"] for one in named[row["id"]]),
            documents=papers[row["id"]],
            gaps=told[row["id"]],
            recordings=filmed[row["id"]],
        )
        for row in found
    ]


def every_certificate(connection: Connection) -> list[Row]:
    """Number, types and days of validity of every officer."""
    wanted = select(officers.c.number, officers.c.types, officers.c.valid_from, officers.c.valid_to)
    return all_rows(connection, wanted.order_by(officers.c.number))


def _held(ids: Sequence[str]) -> Select[Any]:
    """Each recording once for each case that holds any part of it."""
    standing = (
        select(case_links.c.case_id, case_links.c.recording)
        .where(case_links.c.case_id.in_(ids), case_links.c.withdrawn_at.is_(None))
        .distinct()
        .subquery()
    )
    return (
        select(standing.c.case_id, devices.c.clock_offset_ms.label("offset_ms"), *_FILMED)
        .join(recordings, recordings.c.id == standing.c.recording)
        .outerjoin(devices, devices.c.serial == recordings.c.device)
        .order_by(recordings.c.id)
    )


def _by_case(connection: Connection, wanted: Select[Any]) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = defaultdict(list)
    for row in all_rows(connection, wanted):
        found[row["case_id"]].append(row)
    return found


def _conditions(wanted: Period) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if wanted.units is not None:
        conditions.append(cases.c.unit.in_(wanted.units))
    if wanted.start is not None:
        conditions.append(cases.c.start_at >= wanted.start)
    if wanted.end is not None:
        conditions.append(cases.c.start_at < wanted.end)
    if wanted.sight is not None:
        conditions.append(wanted.sight.cases())
    return conditions
