# SPDX-License-Identifier: Apache-2.0
"""This is where questions about cases and the agency's units are answered: by number or source, papers, counts.

As in `search`, each function takes the connection of a view or of open facts; rows are plain mappings.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, case, func, select

from evidence.errors import NotFound
from storage.register.answers import Page, Place, Row, Stretch, all_rows, one_row, page_of
from storage.register.schema import officers
from storage.register.schema_cases import (
    case_documents,
    case_links,
    case_officers,
    cases,
    conditions,
    gaps,
    units,
)

_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class WantedCases:
    """Conditions on cases, all of which are met by what is listed; `start` and `end`: cases that begin in between.

    `seen`: a condition on the table (`reach`).
    """

    units: Sequence[str] | None = None
    kind: str | None = None
    is_open: bool | None = None
    start: str | None = None
    end: str | None = None
    number: str | None = None
    officer: str | None = None
    seen: Any = None


def case_numbered(connection: Connection, number: str) -> Row | None:
    """The case of this number, if there is one; numbers are of the whole agency."""
    return one_row(connection, select(cases).where(cases.c.number == number))


def case_of_source(connection: Connection, source: str, key: str) -> Row | None:
    """The case that was imported from a system under this key, if there is one."""
    return one_row(connection, select(cases).where(cases.c.source == source, cases.c.source_key == key))


def cases_page(connection: Connection, wanted: WantedCases, *, limit: int | None, after: Place | None = None) -> Page:
    """Cases by start: at most `limit` (all, without one), behind `after`."""
    stretch = Stretch(select(cases).where(*_conditions(wanted)), cases.c.start_at, cases.c.id)
    return page_of(connection, [stretch], limit=limit, after=after)


def _conditions(wanted: WantedCases) -> list[ColumnElement[bool]]:
    told: list[tuple[object, Callable[[], ColumnElement[bool]]]] = [
        (wanted.units, lambda: cases.c.unit.in_(wanted.units or ())),
        (wanted.kind, lambda: cases.c.kind == wanted.kind),
        (wanted.is_open, lambda: cases.c.closed_at.is_(None) if wanted.is_open else cases.c.closed_at.is_not(None)),
        (wanted.start, lambda: cases.c.start_at >= wanted.start),
        (wanted.end, lambda: cases.c.start_at < wanted.end),
        (wanted.number, lambda: cases.c.number == wanted.number),
        (wanted.officer, lambda: cases.c.id.in_(_of_officer(wanted.officer))),
    ]
    seen = [] if wanted.seen is None else [wanted.seen]
    return [condition() for value, condition in told if value is not None] + seen


def _of_officer(number: str | None) -> Select[Any]:
    return select(case_officers.c.case_id).where(case_officers.c.officer == number)


def officers_by_case(connection: Connection, identifiers: Iterable[str]) -> dict[str, list[str]]:
    """Certificate numbers of the officers of each of these cases; a case without any is absent."""
    found: dict[str, list[str]] = defaultdict(list)
    for some in _portions(identifiers):
        wanted = select(case_officers.c.case_id, case_officers.c.officer).where(case_officers.c.case_id.in_(some))
        for row in connection.execute(wanted.order_by(case_officers.c.officer)):
            found[row.case_id].append(row.officer)
    return dict(found)


def held_by_cases(connection: Connection, identifiers: Iterable[str]) -> dict[str, dict[str, int]]:
    """For each of these cases its recordings, and how many segments of each it holds."""
    found: dict[str, dict[str, int]] = defaultdict(dict)
    for some in _portions(identifiers):
        wanted = (
            select(case_links.c.case_id, case_links.c.recording, func.count().label("number"))
            .where(case_links.c.case_id.in_(some), case_links.c.withdrawn_at.is_(None))
            .group_by(case_links.c.case_id, case_links.c.recording)
        )
        for row in connection.execute(wanted):
            found[row.case_id][row.recording] = row.number
    return dict(found)


# --- papers -------------------------------------------------------------------------------------


def documents_of(connection: Connection, case_id: str, *, is_withdrawn_too: bool = False) -> list[Row]:
    """The papers of a case, by the time they state, those without one first."""
    wanted = select(case_documents).where(case_documents.c.case_id == case_id)
    if not is_withdrawn_too:
        wanted = wanted.where(case_documents.c.withdrawn_at.is_(None))
    return all_rows(connection, wanted.order_by(func.coalesce(case_documents.c.start_at, ""), case_documents.c.id))


def gaps_of(connection: Connection, case_id: str) -> list[Row]:
    """The interruptions of a case's record that were explained, by time."""
    return all_rows(connection, select(gaps).where(gaps.c.case_id == case_id).order_by(gaps.c.start_at, gaps.c.id))


def conditions_of(connection: Connection, noun: str, subject: str) -> list[Row]:
    """The conditions that stand on a `recording` or `case` (by id), by code."""
    wanted = select(conditions).where(
        conditions.c.noun == noun, conditions.c.subject == subject, conditions.c.lifted_at.is_(None)
    )
    return all_rows(connection, wanted.order_by(conditions.c.code))


# --- units and officers -------------------------------------------------------------------------


def every_unit(connection: Connection) -> list[Row]:
    """All units, by code."""
    return all_rows(connection, select(units).order_by(units.c.code))


def unit(connection: Connection, code: str) -> Row:
    """The unit of this code.

    Raises:
        NotFound: there is none.
    """
    row = one_row(connection, select(units).where(units.c.code == code))
    if row is None:
        raise NotFound(f"no unit {code!r} (`evidock unit list` shows them)", unit=code)
    return row


def unit_told(connection: Connection, text: str) -> str | None:
    """The code of the unit whose code this is, or else whose name it is and no other's."""
    if connection.scalar(select(units.c.code).where(units.c.code == text)) is not None:
        return text
    named = list(connection.scalars(select(units.c.code).where(units.c.name == text).limit(2)))
    return named[0] if len(named) == 1 else None


def units_of_officers(connection: Connection) -> set[str]:
    """What officers are registered with as their unit: codes, and names that no unit had when they were."""
    return set(connection.scalars(select(officers.c.unit).where(officers.c.unit.is_not(None)).distinct()))


def every_officer(connection: Connection) -> list[Row]:
    """All officers, by certificate number."""
    return all_rows(connection, select(officers).order_by(officers.c.number))


def counts_by_unit(connection: Connection, *, start: str | None = None, end: str | None = None) -> list[Row]:
    """For each unit (None: told of no unit) its `cases`, `tasks`, and how many of both are `open`.

    Of cases that begin in `[start, end)`, instants as text.
    """
    wanted = select(
        cases.c.unit,
        func.sum(case((cases.c.kind == "task", 0), else_=1)).label("cases"),
        func.sum(case((cases.c.kind == "task", 1), else_=0)).label("tasks"),
        func.sum(case((cases.c.closed_at.is_(None), 1), else_=0)).label("open"),
    )
    if start is not None:
        wanted = wanted.where(cases.c.start_at >= start)
    if end is not None:
        wanted = wanted.where(cases.c.start_at < end)
    return all_rows(connection, wanted.group_by(cases.c.unit))


def _portions(identifiers: Iterable[str]) -> Iterable[list[str]]:
    # An engine takes some thousand values in one question, not any number of them.
    wanted = list(identifiers)
    return [wanted[first : first + _AT_ONCE] for first in range(0, len(wanted), _AT_ONCE)]
