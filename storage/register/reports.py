# SPDX-License-Identifier: Apache-2.0
"""This is where the register is asked for reports of units to the unit above: which there are, and how each stands.

Rows are plain mappings, instants as text. What counts of a report is in its signed records; rows find them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, Select, select

from storage.register.answers import Row, all_rows, one_row
from storage.register.schema_cases import unit_reports

SUBMITTED, ACCEPTED, RETURNED = "submitted", "accepted", "returned"
STANDING = (SUBMITTED, ACCEPTED)

# A body may be long, and is wanted of one report only.
_TOLD = [column for column in unit_reports.c if column.name != "body"]


@dataclass(frozen=True, slots=True)
class WantedReports:
    """Conditions on reports, all of which are met: of these units, to this unit, in these states, of this period.

    `overlap` are reports of which an instant lies in `[start, end)`, `within` those that lie in it whole.
    """

    units: Sequence[str] | None = None
    above: str | None = None
    states: Sequence[str] | None = None
    overlap: tuple[str, str] | None = None
    within: tuple[str, str] | None = None


def report_row(connection: Connection, identifier: str) -> Row | None:
    """The whole row of a report, if there is one."""
    return one_row(connection, select(unit_reports).where(unit_reports.c.id == identifier))


def reports(connection: Connection, wanted: WantedReports) -> list[Row]:
    """Reports without their bodies, by the start of their period, then unit and id."""
    order = (unit_reports.c.start_at, unit_reports.c.unit, unit_reports.c.id)
    return all_rows(connection, _met(select(*_TOLD), wanted).order_by(*order))


def _met(asked: Select[tuple[object, ...]], wanted: WantedReports) -> Select[tuple[object, ...]]:
    column = unit_reports.c
    if wanted.units is not None:
        asked = asked.where(column.unit.in_(wanted.units))
    if wanted.above is not None:
        asked = asked.where(column.above == wanted.above)
    if wanted.states is not None:
        asked = asked.where(column.state.in_(wanted.states))
    if wanted.overlap is not None:
        asked = asked.where(column.start_at < wanted.overlap[1], column.end_at > wanted.overlap[0])
    if wanted.within is not None:
        asked = asked.where(column.start_at >= wanted.within[0], column.end_at <= wanted.within[1])
    return asked
