# SPDX-License-Identifier: Apache-2.0
"""This is where units report to the unit above in two steps (两级审核汇总): one hands in, another person accepts.

A report is figures of one moment under one digest; what is accepted is that digest. What was accepted from below is
named in the report to the next unit up, so that it cannot be taken back under a sum that counts it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from evidence import ids, instant
from evidence.custody import Happening
from evidence.disposal import is_same_person
from evidence.errors import BadInput, Conflict, Refused, WrongState
from evidence.ids import stream_of
from evidence.written import reason, span
from pipeline.ports import Ports, Progress, unheard
from pipeline.unit_report_body import COUNTED, COVERED, About, accepted_below, added, compose, rate_of
from pipeline.unit_report_record import UnitReport, digest_of, read_report
from pipeline.units import parents_of
from storage.register import casebook, reports
from storage.register.facts import Facts
from storage.register.reports import ACCEPTED, RETURNED, STANDING, SUBMITTED, WantedReports
from storage.register.search import Connection, Row


def submit(
    unit: str, *, start: datetime, end: datetime, ports: Ports, now: datetime, progress: Progress = unheard
) -> UnitReport:
    """Hand in a unit's report on its cases, and those of units below it, that begin in `[start, end)`.

    It goes to the unit above. One that was sent back is handed in anew under its id.

    Raises:
        NotFound: no unit of this code. BadInput: the unit is at the top, or the period is none or not over yet.
        Conflict: a report of the unit that was not sent back has some of the period, or the tree of units or what
            was accepted from below changed meanwhile.
        IntegrityError: a report from a unit below does not hold.
    """
    span(start, end, "a report's period")
    if end > now:
        raise BadInput(f"the period is not over before {instant.to_text(end)}: report it then", field="end")
    with ports.register.view(is_long=True) as connection:
        about = _about(connection, unit, start, end)
        earlier = _place(connection, about)
        body = compose(connection, about, ports=ports, now=now, progress=progress)
    identifier = earlier or ids.opaque("rep", ports.chance(10))
    handed_in = Happening(
        "unit-report-submitted",
        stream_of("unit-report", identifier),
        facts={"digest": digest_of(body), "count": len(body["cases"])},
        detail={**about.to_json(), "body": body},
    )
    rested = ports.register.rest(handed_in)
    with ports.register.begin() as facts:
        # Counting took its time, and nobody waited for it: what the report stands on is looked at again.
        _check_same(facts.connection, about, body, earlier)
        facts.record(rested, actor=ports.actor, at=now)
    return show(identifier, ports=ports)


def accept(identifier: str, *, digest: str | None, ports: Ports, now: datetime) -> UnitReport:
    """Accept a report as another person than who handed it in; `digest`: of what that person has looked at.

    Raises:
        NotFound: no such report. WrongState: it does not wait for it.
        Refused: it was handed in by this same person. Conflict: it is not the one of this digest.
        IntegrityError: its records do not hold, or the register's row tells something else.
    """
    told = show(identifier, ports=ports)
    if told.state != SUBMITTED:
        raise WrongState(f"the report {identifier} is {told.state}: it does not wait to be accepted", state=told.state)
    if is_same_person(told.submitted_by, ports.actor):
        raise Refused(f"{identifier} was handed in by {told.submitted_by}: another person must accept it")
    if digest is not None and digest.strip().lower() != told.digest:
        raise Conflict(f"{identifier} is not what you looked at: its digest is {told.digest}", expected=digest)
    with ports.register.begin() as facts:
        _decide(facts, told, "unit-report-accepted", None, ports=ports, now=now)
    return show(identifier, ports=ports)


def send_back(identifier: str, *, why: str, ports: Ports, now: datetime) -> UnitReport:
    """Return a report to its unit, which may hand it in anew; also an accepted one that no report higher up counts.

    Raises:
        NotFound: no such report. BadInput: no reason. WrongState: it was sent back already.
        Conflict: a report of the unit above names it, and stands: that one must be sent back first.
        IntegrityError: its records do not hold, or the register's row tells something else.
    """
    words, told = reason(why), show(identifier, ports=ports)
    if told.state == RETURNED:
        raise WrongState(f"the report {identifier} was sent back already", state=told.state)
    with ports.register.begin() as facts:
        if told.state == ACCEPTED:
            _check_uncounted(facts.connection, told, ports)
        _decide(facts, told, "unit-report-returned", words, ports=ports, now=now)
    return show(identifier, ports=ports)


def show(identifier: str, *, ports: Ports) -> UnitReport:
    """A report, from its signed records.

    Raises:
        NotFound: there is none. IntegrityError: its records do not hold, or the register's row tells something else.
    """
    with ports.register.view() as connection:
        return read_report(connection, identifier, ports=ports)


# --- what is taken down ---------------------------------------------------------------------------


def _about(connection: Connection, unit: str, start: datetime, end: datetime) -> About:
    above = casebook.unit(connection, unit)["parent"]
    if above is None:
        raise BadInput(f"unit {unit} is at the top: there is no unit above it to report to", unit=unit)
    return About(unit, above, start, end)


def _place(connection: Connection, about: About) -> str | None:
    """The id of the report that was sent back and that this one takes the place of; None: it is a new one."""
    found = reports.reports(connection, WantedReports(units=[about.unit], overlap=about.period))
    standing = next((row for row in found if row["state"] in STANDING), None)
    if standing is not None:
        told = f"{standing['start_at']} to {standing['end_at']}"
        raise Conflict(
            f"unit {about.unit} has a report {standing['id']} that is {standing['state']}, of {told}: a period is "
            f"reported once, and anew when its report was sent back",
            report=standing["id"],
        )
    same = [str(row["id"]) for row in found if (row["start_at"], row["end_at"]) == about.period]
    if len(found) > 1 and not same:
        names = ", ".join(row["id"] for row in found)
        raise Conflict(f"several reports of this period were sent back ({names}): hand in each for its own period")
    returned = [str(row["id"]) for row in found]
    return next(iter(same or returned), None)


def _check_same(connection: Connection, about: About, body: Mapping[str, Any], earlier: str | None) -> None:
    is_same = _about(connection, about.unit, about.start, about.end) == about
    if not is_same or _place(connection, about) != earlier or _below(connection, about) != body["below"]:
        raise Conflict(f"the units, or what was accepted from below {about.unit}, changed meanwhile: report again")


def _below(connection: Connection, about: About) -> list[dict[str, Any]]:
    names = ("id", "digest", "unit", "start_at", "end_at")
    return [{name: row[name] for name in names} for row in accepted_below(connection, about)]


def _decide(facts: Facts, told: UnitReport, kind: str, why: str | None, *, ports: Ports, now: datetime) -> None:
    if read_report(facts.connection, told.id, ports=ports).steps != told.steps:
        raise Conflict(f"somebody changed the report {told.id} meanwhile: look at it again", report=told.id)
    stream, detail = stream_of("unit-report", told.id), None if why is None else {"why": why}
    facts.record(Happening(kind, stream, facts={"digest": told.digest}, detail=detail), actor=ports.actor, at=now)


def _check_uncounted(connection: Connection, told: UnitReport, ports: Ports) -> None:
    period = instant.to_text(told.start), instant.to_text(told.end)
    wanted = WantedReports(units=[told.above], states=STANDING, overlap=period)
    for row in reports.reports(connection, wanted):
        if told.id in [one["id"] for one in read_report(connection, row["id"], ports=ports).body["below"]]:
            raise Conflict(
                f"{told.id} is counted in the report {row['id']} of unit {told.above}, which is {row['state']}: that "
                f"one must be sent back first",
                report=row["id"],
            )


# --- what a unit has from below -------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class FromBelow:
    """What one unit directly below has reported of a period: `accepted` whole in it, `others` in part or not accepted.

    `total` sums what is accepted; `missing` are the stretches of the period of which nothing is.
    """

    unit: str
    accepted: tuple[UnitReport, ...]
    others: tuple[Row, ...]
    total: dict[str, Any]
    missing: tuple[tuple[datetime, datetime], ...]


@dataclass(frozen=True, slots=True)
class Sum:
    """What a unit has accepted from those directly below for a period, in all and by type, and who has not reported."""

    unit: str
    start: datetime
    end: datetime
    units: tuple[FromBelow, ...]
    total: dict[str, Any]
    by_type: tuple[dict[str, Any], ...]

    @property
    def unreported(self) -> tuple[str, ...]:
        """Units of which some of the period is missing."""
        return tuple(one.unit for one in self.units if one.missing)


def summed(unit: str, *, start: datetime, end: datetime, ports: Ports) -> Sum:
    """What a unit has accepted from the units directly below it for `[start, end)`, summed; who has not reported.

    A report counts when its period lies whole in the one that is asked for: nothing is counted by halves.

    Raises:
        NotFound: no unit of this code. BadInput: the period is none.
        IntegrityError: a report does not hold.
    """
    span(start, end, "a period")
    with ports.register.view() as connection:
        casebook.unit(connection, unit)
        units = sorted(code for code, above in parents_of(connection).items() if above == unit)
        below = tuple(_from_below(connection, one, unit, (start, end), ports) for one in units)
    bodies = [report.body for one in below for report in one.accepted]
    types = {row["type"] for body in bodies for row in body["by_type"]}
    by_type = tuple(
        {"type": name, **added([row for body in bodies for row in body["by_type"] if row["type"] == name], COUNTED)}
        for name in sorted(types, key=lambda one: (one is None, one or ""))
    )
    return Sum(unit, start, end, below, _total(bodies), by_type)


def _total(bodies: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    wholes = [{**added(body["by_type"], COUNTED), **body["coverage"]} for body in bodies]
    total = added(wholes, (*COUNTED, *COVERED))
    return {**total, "rate": rate_of(total)}


def _from_below(
    connection: Connection, unit: str, above: str, period: tuple[datetime, datetime], ports: Ports
) -> FromBelow:
    overlap = instant.to_text(period[0]), instant.to_text(period[1])
    found = reports.reports(connection, WantedReports(units=[unit], above=above, overlap=overlap))
    counted = [row for row in found if row["state"] == ACCEPTED and _is_within(row, overlap)]
    accepted = tuple(read_report(connection, row["id"], ports=ports) for row in counted)
    others = tuple(row for row in found if row not in counted)
    total = _total([report.body for report in accepted])
    return FromBelow(unit, accepted, others, total, _missing(accepted, period))


def _is_within(row: Row, period: tuple[str, str]) -> bool:
    return bool(period[0] <= row["start_at"] and row["end_at"] <= period[1])


def _missing(
    accepted: Sequence[UnitReport], period: tuple[datetime, datetime]
) -> tuple[tuple[datetime, datetime], ...]:
    """The stretches of a period between reports, which never overlap and come in order."""
    ends = [period[0], *(one.end for one in accepted)]
    starts = [*(one.start for one in accepted), period[1]]
    return tuple((end, start) for end, start in zip(ends, starts, strict=True) if end < start)
