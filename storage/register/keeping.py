# SPDX-License-Identifier: Apache-2.0
"""This is where the register is read for keeping: every recording with all that decides how long, page by page.

A page is read by key in a few questions, so that a sweep over millions holds no view open and no list in memory.
Claims are not parsed: whether the camera marked a recording is asked of their text.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, func, select

from evidence.errors import NotFound, WrongState
from evidence.lifecycle import State
from storage.register.schema import case_links, cases, conditions, holds, recordings, retention

# As `rows.as_text` writes a claim. A quote inside a claim's value is escaped there, so no value can look like this.
_MARKED = '"field": "important"'
GONE = frozenset({State.DISPOSING, State.DISPOSED})


@dataclass(frozen=True, slots=True)
class CaseOf:
    """A case that holds a part of a recording: when it was closed, and its file's own term (both as the row has it)."""

    id: str
    closed_at: str | None
    file_term: str | None


@dataclass(frozen=True, slots=True)
class Entry:
    """A recording as far as its keeping goes; instants as text. `was` is the answer of the last sweep, if there is one.

    `cases`, `conditions` (codes, of the recording and of its cases) and `holds` (ids, likewise) are those that stand.
    """

    id: str
    state: str
    item: str | None
    catalog: str | None
    end_latest: str | None
    arrived_at: str
    reviewed_at: str | None
    locked_until: str | None
    is_marked: bool
    was: tuple[str, str | None] | None
    cases: tuple[CaseOf, ...]
    conditions: tuple[str, ...]
    holds: tuple[str, ...]


_Span = Callable[[ColumnElement[Any]], ColumnElement[bool]]


def page(connection: Connection, *, after: str, limit: int) -> list[Entry]:
    """The first `limit` recordings behind the id `after`, by id; the empty text is before all."""
    last = _last(connection, after, limit)
    return [] if last is None else _entries(connection, lambda column: and_(column > after, column <= last))


def entry(connection: Connection, recording: str) -> Entry:
    """One recording.

    Raises:
        NotFound: there is none.
    """
    for found in _entries(connection, lambda column: column == recording):
        return found
    raise NotFound(f"no recording {recording!r} (`evidock recordings` lists them)", recording=recording)


def check_there(connection: Connection, recording: str) -> None:
    """Return when there is, or may be, something of a recording to keep.

    Raises:
        NotFound: there is no such recording. WrongState: its bytes are being taken away, or have been.
    """
    state = connection.scalar(select(recordings.c.state).where(recordings.c.id == recording))
    if state is None:
        raise NotFound(f"no recording {recording!r} (`evidock recordings` lists them)", recording=recording)
    if state in GONE:
        raise WrongState(f"{recording} is {state}: there is nothing left to keep", current=state)


def count(connection: Connection) -> int:
    """How many recordings there are: for the bar only."""
    return connection.scalar(select(func.count()).select_from(recordings)) or 0


def recordings_of_case(connection: Connection, case: str) -> list[str]:
    """Ids of the recordings of which a case holds a part, by id."""
    table = case_links.c
    wanted = select(table.recording).where(table.case_id == case, table.withdrawn_at.is_(None)).distinct()
    return list(connection.scalars(wanted.order_by(table.recording)))


def _last(connection: Connection, after: str, limit: int) -> str | None:
    ids = select(recordings.c.id).where(recordings.c.id > after).order_by(recordings.c.id).limit(limit).subquery()
    last: str | None = connection.scalar(select(func.max(ids.c.id)))
    return last


def _entries(connection: Connection, within: _Span) -> list[Entry]:
    filed = _cases(connection, within)
    of_case = {case.id for found in filed.values() for case in found}
    codes = _standing(connection, within, of_case, _conditions_of)
    held = _standing(connection, within, of_case, _holds_of)
    return [_entry(row, filed, codes, held) for row in _rows(connection, within)]


def _rows(connection: Connection, within: _Span) -> Iterable[Any]:
    table = recordings.c
    wanted = (
        select(
            *(table.id, table.state, table.item, table.catalog, table.end_latest, table.arrived_at),
            *(table.reviewed_at, table.locked_until, table.claims.contains(_MARKED)),
            *(retention.c.outcome, retention.c.until),
        )
        .outerjoin(retention, retention.c.recording == table.id)
        .where(within(table.id))
        .order_by(table.id)
    )
    return connection.execute(wanted)


def _entry(row: Any, filed: dict[str, list[CaseOf]], codes: dict[str, list[str]], held: dict[str, list[str]]) -> Entry:
    identifier, state, item, catalog, end_latest, arrived_at, reviewed_at, locked_until, is_marked, outcome, until = row
    in_cases = filed.get(identifier, ())
    subjects = (identifier, *(case.id for case in in_cases))
    return Entry(
        id=identifier,
        state=state,
        item=item,
        catalog=catalog,
        end_latest=end_latest,
        arrived_at=arrived_at,
        reviewed_at=reviewed_at,
        locked_until=locked_until,
        is_marked=bool(is_marked),
        was=None if outcome is None else (outcome, until),
        cases=tuple(in_cases),
        conditions=_all_of(codes, subjects) if codes else (),
        holds=_all_of(held, subjects) if held else (),
    )


def _all_of(told: dict[str, list[str]], subjects: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted({one for subject in subjects for one in told.get(subject, ())}))


def _cases(connection: Connection, within: _Span) -> dict[str, list[CaseOf]]:
    links = case_links.c
    linked = (
        select(links.recording, links.case_id)
        .where(within(links.recording), links.withdrawn_at.is_(None))
        .distinct()
        .subquery()
    )
    wanted = select(linked.c.recording, cases.c.id, cases.c.closed_at, cases.c.file_term).join(
        cases, cases.c.id == linked.c.case_id
    )
    found: dict[str, list[CaseOf]] = defaultdict(list)
    for recording, *case in connection.execute(wanted):
        found[recording].append(CaseOf(*case))
    for several in found.values():
        several.sort(key=lambda case: case.id)
    return found


_Rows = Callable[[Connection, str, Callable[[ColumnElement[Any]], ColumnElement[bool]]], Iterable[Any]]


def _standing(connection: Connection, within: _Span, of_case: set[str], ask: _Rows) -> dict[str, list[str]]:
    """What stands, by the id of the recording or case that it stands on."""
    found: dict[str, list[str]] = {}
    for subject, told in ask(connection, "recording", within):
        found.setdefault(subject, []).append(told)
    if of_case:
        for subject, told in ask(connection, "case", lambda column: column.in_(of_case)):
            found.setdefault(subject, []).append(told)
    return found


def _conditions_of(connection: Connection, noun: str, within: _Span) -> Iterable[Any]:
    table = conditions.c
    return connection.execute(
        select(table.subject, table.code).where(table.noun == noun, within(table.subject), table.lifted_at.is_(None))
    )


def _holds_of(connection: Connection, noun: str, within: _Span) -> Iterable[Any]:
    table = holds.c
    return connection.execute(
        select(table.subject, table.id).where(table.noun == noun, within(table.subject), table.lifted_at.is_(None))
    )
