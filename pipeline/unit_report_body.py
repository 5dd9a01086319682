# SPDX-License-Identifier: Apache-2.0
"""This is where what a unit tells the unit above is put together: its cases of a period, counted, and their coverage.

All of it is of one moment of the register. Rates are text such as `12/13`: what is hashed and signed has no floats.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from evidence import instant
from evidence.agency import below
from evidence.coverage import cover
from evidence.coverage_matrix import Matrix, Tally
from evidence.coverage_terms import Code, Coverage, Status
from pipeline.coverage import case_of, yardstick_now
from pipeline.ports import Ports, Progress
from pipeline.unit_report_record import read_report
from pipeline.units import parents_of
from storage.register import coverage_rows, reports
from storage.register.coverage_rows import Period
from storage.register.reports import WantedReports
from storage.register.search import Connection, Row

COUNTED = ("cases", "tasks", "open")
COVERED = ("demanded", "present", "missing", "invalid", "awaited", "late", "extended")


@dataclass(frozen=True, slots=True)
class About:
    """Of which unit's cases a report is, to which unit it goes, and which period's: those that begin in it."""

    unit: str
    above: str
    start: datetime
    end: datetime

    @property
    def period(self) -> tuple[str, str]:
        """Its instants as text."""
        return instant.to_text(self.start), instant.to_text(self.end)

    def to_json(self) -> dict[str, str]:
        """As a mapping for JSON."""
        return {"unit": self.unit, "above": self.above, "start_at": self.period[0], "end_at": self.period[1]}


@dataclass(slots=True)
class _Counts:
    """What is counted while the cases of a period go by, each once."""

    cases: list[dict[str, Any]] = field(default_factory=list)
    by_type: dict[str | None, Counter[str]] = field(default_factory=dict)
    by_unit: dict[str | None, Counter[str]] = field(default_factory=dict)
    matrix: Matrix = field(default_factory=Matrix)

    def add(self, row: Row, coverage: Coverage) -> None:
        case = _told_case(row, coverage)
        self.cases.append(case)
        self.matrix.add(coverage)
        for counts, name in ((self.by_type, row["type"]), (self.by_unit, row["unit"])):
            one = counts.setdefault(name, Counter())
            one["tasks" if case["kind"] == "task" else "cases"] += 1
            one["open"] += case["state"] == "open"


def compose(connection: Connection, about: About, *, ports: Ports, now: datetime, progress: Progress) -> dict[str, Any]:
    """The body of a report: `about`, each case, counts by type and unit, coverage, what was accepted from below.

    Coverage is held against the catalog in force at `now`. Equal registers give equal bodies at equal moments.

    Raises:
        IntegrityError: a report from a unit below does not hold.
    """
    yardstick = yardstick_now(connection, ports=ports, now=now)
    wanted = Period(below(about.unit, parents_of(connection)), *about.period)
    number, counts = coverage_rows.count_cases(connection, wanted), _Counts()
    for portion in coverage_rows.rows_of_cases(connection, wanted):
        for rows in portion:
            counts.add(rows.case, cover(case_of(rows, yardstick.limits), yardstick, now=now))
        progress(min(len(counts.cases) / number, 1.0))
    return {
        **about.to_json(),
        "as_of": instant.to_text(now),
        "catalog": yardstick.catalog.id,
        "cases": sorted(counts.cases, key=lambda one: str(one["number"])),
        "by_type": [{"type": name, **_counted(one)} for name, one in _sorted(counts.by_type)],
        "by_unit": [_told_unit(name, one, counts.matrix) for name, one in _sorted(counts.by_unit)],
        "coverage": told_tally(counts.matrix.total),
        "below": _accepted(connection, about, ports),
    }


def accepted_below(connection: Connection, about: About) -> list[Row]:
    """The reports to a unit that it has accepted and that lie whole in the period: they alone are summed."""
    wanted = WantedReports(above=about.unit, states=(reports.ACCEPTED,), within=about.period)
    return reports.reports(connection, wanted)


def told_tally(tally: Tally) -> dict[str, Any]:
    """Counts of the cells that must be recorded; `rate` is present among demanded, None when none is."""
    told = {"demanded": tally.demanded, **{one.value: tally.must[one] for one in Status}}
    told |= {one.value: tally.findings[one.value] for one in (Code.LATE, Code.EXTENDED)}
    return {name: told[name] for name in COVERED} | {"rate": rate_of(told)}


def rate_of(told: Mapping[str, Any]) -> str | None:
    """`present/demanded`, not reduced: it says of how many, too."""
    return f"{told['present']}/{told['demanded']}" if told["demanded"] else None


def _accepted(connection: Connection, about: About, ports: Ports) -> list[dict[str, Any]]:
    found = [read_report(connection, row["id"], ports=ports) for row in accepted_below(connection, about)]
    return [
        {
            "id": one.id,
            "digest": one.digest,
            "unit": one.unit,
            "start_at": instant.to_text(one.start),
            "end_at": instant.to_text(one.end),
        }
        for one in found
    ]


def _told_case(row: Row, coverage: Coverage) -> dict[str, Any]:
    demanded = [cell for cell in coverage.cells if cell.is_demanded]
    told = {"demanded": len(demanded), "present": sum(cell.status is Status.PRESENT for cell in demanded)}
    return {
        "id": row["id"],
        "number": row["number"],
        "unit": row["unit"],
        "kind": row["kind"],
        "type": row["type"],
        "start_at": row["start_at"],
        "state": "open" if row["closed_at"] is None else "closed",
        "rate": rate_of(told),
    }


def _told_unit(name: str | None, counts: Counter[str], matrix: Matrix) -> dict[str, Any]:
    return {"unit": name, **_counted(counts), **told_tally(matrix.units.get(name, Tally()))}


def _counted(counts: Mapping[str, int]) -> dict[str, int]:
    return {name: counts.get(name, 0) for name in COUNTED}


def _sorted(counts: Mapping[str | None, Counter[str]]) -> Sequence[tuple[str | None, Counter[str]]]:
    return sorted(counts.items(), key=lambda one: (one[0] is None, one[0] or ""))


def added(tallies: Iterable[Mapping[str, Any]], names: Sequence[str]) -> dict[str, int]:
    """The sums of some counts over several reports."""
    found = list(tallies)
    return {name: sum(int(one[name]) for one in found) for name in names}
