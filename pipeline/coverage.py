# SPDX-License-Identifier: Apache-2.0
"""This is where cases of the register are held against the catalog in force (清单覆盖): one, or a period's."""

import json
from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from evidence import instant
from evidence.agency import below
from evidence.catalog import Catalog
from evidence.claims import Claims
from evidence.coverage import cover
from evidence.coverage_matrix import Matrix
from evidence.coverage_terms import (
    Certificate,
    Coverage,
    CoveredCase,
    Delay,
    Explained,
    Filmed,
    Limits,
    Paper,
    Yardstick,
)
from evidence.errors import NotFound
from evidence.lifecycle import State
from pipeline.calendars import load_calendar
from pipeline.catalogs.in_force import in_force
from pipeline.coverage_figures import load_limits
from pipeline.ports import Ports, Progress, unheard
from pipeline.units import parents_of
from storage.register import coverage_rows, search
from storage.register.coverage_rows import CaseRows, Period
from storage.register.reach import Sight
from storage.register.search import Connection, Row

# As `rows.as_text` writes it; a quote inside a claim's value is escaped there, so that no value can look like this.
_START_CLAIM = '"field": "start"'


def coverage_of_case(number: str, *, ports: Ports, now: datetime) -> Coverage:
    """A case held against the catalog in force at `now`.

    Raises:
        NotFound: there is no case of this number.
    """
    with ports.register.view() as connection:
        yardstick = yardstick_now(connection, ports=ports, now=now)
        rows = coverage_rows.filled(connection, [search.case(connection, number)])
    return cover(case_of(rows[0], yardstick.limits), yardstick, now=now)


def matrix_of(
    *,
    ports: Ports,
    now: datetime,
    unit: str | None = None,
    start: datetime | None = None,
    end: datetime | None = None,
    sight: Sight | None = None,
    progress: Progress = unheard,
) -> Matrix:
    """Counts over all cases of a unit and those below it (None: of the agency) that begin in `[start, end)`.

    `sight`: only cases within this reach are counted. One moment of the register; memory does not grow with the
    number of cases.

    Raises:
        NotFound: no unit of this code is registered.
    """
    matrix = Matrix()
    with ports.register.view(is_long=True, seen_by=sight) as connection:
        since, until = (None if moment is None else instant.to_text(moment) for moment in (start, end))
        wanted = Period(_units(connection, unit), since, until, sight)
        yardstick = yardstick_now(connection, ports=ports, now=now)
        number = coverage_rows.count_cases(connection, wanted)
        for coverage in coverages(connection, wanted, yardstick, now=now):
            matrix.add(coverage)
            progress(min(matrix.cases / number, 1.0))
    return matrix


def coverages(connection: Connection, wanted: Period, yardstick: Yardstick, *, now: datetime) -> Iterator[Coverage]:
    """Each case of a period held against the yardstick, by the cases' ids."""
    for portion in coverage_rows.rows_of_cases(connection, wanted):
        for rows in portion:
            yield cover(case_of(rows, yardstick.limits), yardstick, now=now)


def yardstick_now(connection: Connection, *, ports: Ports, now: datetime) -> Yardstick:
    """What cases are held against: the catalog in force at `now`, the calendar, the figures, all certificates."""
    return yardstick_of(connection, in_force(connection, now, default=ports.catalog))


def yardstick_of(connection: Connection, catalog: Catalog) -> Yardstick:
    """What cases are held against, with a catalog of one's own choice. Days are those of the catalog's time zone."""
    codes = {name: code for code, name in catalog.types.items()}
    officers = {row["number"]: _certificate(row, codes) for row in coverage_rows.every_certificate(connection)}
    return Yardstick(catalog, load_calendar(), load_limits(), officers, ZoneInfo(catalog.timezone))


def _units(connection: Connection, unit: str | None) -> list[str] | None:
    if unit is None:
        return None
    parents = parents_of(connection)
    if unit not in parents:
        raise NotFound(f"no unit {unit!r} (`evidock unit list` shows them)", unit=unit)
    return below(unit, parents)


def _certificate(row: Row, codes: Mapping[str, str]) -> Certificate:
    # An officers' list may name a type by its code or by its name.
    types = frozenset(codes.get(one, one) for one in json.loads(row["types"]))
    return Certificate(_day(row["valid_from"]), _day(row["valid_to"]), types)


def _day(text: str | None) -> date | None:
    return None if text is None else date.fromisoformat(text[:10])


# --- rows as values -----------------------------------------------------------------------------


def case_of(rows: CaseRows, limits: Limits) -> CoveredCase:
    """The case that rows of the register tell of."""
    row, told = rows.case, json.loads(rows.case["told"])
    return CoveredCase(
        id=row["id"],
        number=row["number"],
        type=row["type"],
        unit=row["unit"],
        start=instant.from_text(row["start_at"]),
        end=instant.from_text(row["end_at"]),
        item=row["item"],
        officers=tuple(rows.officers),
        links=tuple(told.get("links", ())),
        papers=tuple(_paper(one) for one in rows.documents),
        filmed=tuple(_filmed(one, limits) for one in rows.recordings),
        explained=tuple(_explained(one) for one in rows.gaps),
        delays=tuple(_delay(one) for one in told.get("delays", ())),
    )


def _at(text: str | None) -> datetime | None:
    return None if text is None else instant.from_text(text)


def _paper(row: Row) -> Paper:
    officers = tuple(json.loads(row["officers"]))
    return Paper(row["id"], row["link"], row["item"], _at(row["start_at"]), _at(row["end_at"]), officers)


def _explained(row: Row) -> Explained:
    return Explained(instant.from_text(row["start_at"]), instant.from_text(row["end_at"]), row["how"])


def _delay(told: Mapping[str, Any]) -> Delay:
    return Delay(told["why"], told.get("item"), told.get("link"), _at(told.get("returned_at")))


def _filmed(row: Row, limits: Limits) -> Filmed:
    return Filmed(
        id=row["id"],
        kind=row["kind"],
        item=row["item"],
        start=_at(row["start_at"]),
        end=_at(row["end_at"]),
        arrived=instant.from_text(row["arrived_at"]),
        officer=row["officer"],
        latest=_at(row["end_latest"]),
        offset=_offset(row),
        claims_differ=_claims_differ(row["claims"], limits.clock),
        is_aside=row["state"] == State.QUARANTINED,
        problem=row["problem_code"],
    )


def _offset(row: Row) -> timedelta:
    """How far the camera's clock was off at that recording, by the clock ledger; as registered where it says nothing.

    A start that a receiver told rests on no camera's clock.
    """
    if row["clock_basis"] is None:
        return timedelta(milliseconds=row["offset_ms"] or 0)
    return timedelta(milliseconds=json.loads(row["clock_basis"]).get("offset_ms") or 0)


def _claims_differ(text: str, tolerance: timedelta) -> bool:
    """True when sources disagree about the start by more than a clock may be off (`Claims.conflicts`)."""
    # One word alone contradicts nothing: most recordings are not parsed.
    if text.count(_START_CLAIM) == 1:
        return False
    return "start" in Claims.from_json(json.loads(text)).conflicts(grain=tolerance)
