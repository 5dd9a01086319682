# SPDX-License-Identifier: Apache-2.0
"""This is where a cell's recordings are checked: hand-in, hash, clock, the paper's times, officers, the hour."""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from evidence import instant
from evidence.catalog import CatalogItem
from evidence.coverage_gaps import gap_findings
from evidence.coverage_serving import is_broken, touch
from evidence.coverage_terms import Activity, Check, Code, CoveredCase, Filmed, Finding, Yardstick
from evidence.work_calendar import days_of

Span = tuple[datetime, datetime]
Days = tuple[date, date]


def local(moment: datetime, zone: tzinfo) -> datetime:
    """The moment as clocks of the zone show it; at the very ends of the calendar, as those of UTC do."""
    try:
        return moment.astimezone(zone)
    except OverflowError:
        return moment.replace(tzinfo=zone)


def _later(moment: datetime, span: timedelta) -> datetime:
    try:
        return moment + span
    except OverflowError:
        return datetime.max.replace(tzinfo=UTC)


# --- time of hand-in ----------------------------------------------------------------------------


def due_of(item: CatalogItem, ended: datetime, yardstick: Yardstick) -> datetime:
    """Until when a recording of what ended then must be handed in, without a reason for more.

    So many working days end with the last of them, at midnight of the zone.
    """
    deadline = item.deadline
    if deadline.within is not None:
        return _later(ended, deadline.within)
    last = yardstick.calendar.add_working_days(local(ended, yardstick.zone).date(), deadline.working_days or 0)
    return _later(datetime.combine(last, time(0), yardstick.zone), timedelta(days=1)).astimezone(UTC)


def longer_of(activity: Activity, item: CatalogItem, case: CoveredCase, *, ended: datetime, due: datetime) -> datetime:
    """Until when it must be handed in with the reasons that were given; never before `due`."""
    longer = item.deadline.longer
    if longer is None:
        return due
    granted = [
        _later(delay.returned or ended, longer)
        for delay in case.delays
        if delay.why and delay.item in (None, item.id) and delay.link in (None, item.link, activity.link)
    ]
    return max([due, *granted])


def _late(
    activity: Activity, item: CatalogItem, case: CoveredCase, valid: Sequence[Filmed], yardstick: Yardstick
) -> Iterator[Finding]:
    for one in valid:
        ended = activity.end or (one.span[1] if one.span else None)
        if ended is None:
            continue
        due = due_of(item, ended, yardstick)
        last = longer_of(activity, item, case, ended=ended, due=due)
        if one.arrived > due:
            facts = {"recording": one.id, "due": instant.to_text(due), "arrived": instant.to_text(one.arrived)}
            yield Finding(Code.LATE if one.arrived > last else Code.EXTENDED, facts)


def _deadline_days(item: CatalogItem, ended: datetime, due: datetime, yardstick: Yardstick) -> Days | None:
    """The days that were counted for a deadline; None when it is no number of working days."""
    if item.deadline.working_days is None:
        return None
    return days_of(local(ended, yardstick.zone), local(due, yardstick.zone))


# --- the recordings themselves ------------------------------------------------------------------


def invalid_findings(item: CatalogItem, invalid: Sequence[Filmed]) -> Iterator[Finding]:
    """Why recordings that would serve are not valid."""
    for one in invalid:
        code = Code.BROKEN_HASH if is_broken(one, item) else Code.PUT_ASIDE
        yield Finding(code, {"recording": one.id, "problem": one.problem})


def _clocks(valid: Sequence[Filmed], yardstick: Yardstick) -> Iterator[Finding]:
    for one in valid:
        for why in _doubts(one, yardstick.limits.clock):
            yield Finding(Code.CLOCK_DOUBT, {"recording": one.id, "why": why})


def _doubts(one: Filmed, tolerance: timedelta) -> Iterator[str]:
    if one.start is None:
        yield "start-unknown"
    if one.claims_differ:
        yield "claims-differ"
    if abs(one.offset) > tolerance:
        yield "offset"
    ends = [moment for moment in (one.start, one.end, one.latest) if moment is not None]
    if ends and max(ends) > one.arrived:
        yield "after-hand-in"


def _document(
    activity: Activity, item: CatalogItem, filmed: Sequence[Filmed], others: Sequence[Activity], yardstick: Yardstick
) -> Iterator[Finding]:
    """Where the film does not show the times that the paper states, or is of other times than it states."""
    stated, tolerance = activity.span, yardstick.limits.document
    spans = [(one, span) for one in filmed if (span := one.span) is not None]
    if stated is None or not spans:
        return
    start, end = min(span[0] for _, span in spans), max(span[1] for _, span in spans)
    if start - stated[0] > tolerance:
        yield Finding(Code.DOCUMENT_TIME, {"which": "starts-after", "seconds": _seconds(start - stated[0])})
    if stated[1] - end > tolerance:
        yield Finding(Code.DOCUMENT_TIME, {"which": "ends-before", "seconds": _seconds(stated[1] - end)})
    if stated[0] == stated[1]:
        return
    for one, span in spans:
        beyond = max(stated[0] - span[0], span[1] - stated[1])
        if one.item == item.id and beyond > tolerance and not any(_is_in(span, other) for other in others):
            yield Finding(Code.DOCUMENT_TIME, {"which": "beyond", "recording": one.id, "seconds": _seconds(beyond)})


def _is_in(span: Span, other: Activity) -> bool:
    return other.span is not None and touch(span, other.span)


def _seconds(span: timedelta) -> int:
    return span // timedelta(seconds=1)


# --- officers -----------------------------------------------------------------------------------


def _officers(
    activity: Activity, item: CatalogItem, case: CoveredCase, valid: Sequence[Filmed], yardstick: Yardstick
) -> Iterator[Finding]:
    there = {one.officer for one in valid if one.officer is not None} | activity.officers
    if not activity.papers:
        there |= set(case.officers)
    if len(there) < yardstick.limits.officers:
        yield Finding(Code.FEW_OFFICERS, {"officers": len(there), "least": yardstick.limits.officers})
    span = _when(activity, valid)
    day = None if span is None else local(span[0], yardstick.zone).date()
    for officer in sorted(there):
        yield from _certificate(officer, item, day, yardstick)


def _certificate(officer: str, item: CatalogItem, day: date | None, yardstick: Yardstick) -> Iterator[Finding]:
    held = yardstick.officers.get(officer)
    if held is None:
        yield Finding(Code.CERTIFICATE_UNKNOWN, {"officer": officer})
        return
    if day is not None and ((held.first and day < held.first) or (held.last and day > held.last)):
        yield Finding(Code.CERTIFICATE_DAY, {"officer": officer, "day": day.isoformat()})
    if held.types and item.type not in held.types:
        yield Finding(Code.CERTIFICATE_TYPE, {"officer": officer, "type": item.type})


# --- the hour -----------------------------------------------------------------------------------


def _when(activity: Activity, valid: Sequence[Filmed]) -> Span | None:
    """When an activity took place: by its paper, else from the first to the last that was filmed of it."""
    if activity.span is not None:
        return activity.span
    spans = [span for one in valid if (span := one.span) is not None]
    return (min(span[0] for span in spans), max(span[1] for span in spans)) if spans else None


def _hour(activity: Activity, valid: Sequence[Filmed], yardstick: Yardstick) -> Iterator[Finding]:
    span = _when(activity, valid)
    if span is None:
        return
    start, end = (local(moment, yardstick.zone) for moment in span)
    calendar = yardstick.calendar
    if calendar.touches_night(start, end):
        facts = {"from": instant.to_text(span[0]), "to": instant.to_text(span[1])}
        yield Finding(Code.NIGHT, facts)
    days = days_of(start, end)
    holiday = calendar.holiday_in(*days)
    if holiday is None and yardstick.limits.counts_weekends:
        holiday = calendar.weekend_in(*days)
    if holiday is not None:
        yield Finding(Code.HOLIDAY, {"day": holiday.isoformat()})


def _hour_days(activity: Activity, valid: Sequence[Filmed], yardstick: Yardstick) -> Days | None:
    span = _when(activity, valid)
    return None if span is None else days_of(*(local(moment, yardstick.zone) for moment in span))


def _unknown(days: Sequence[Days | None], yardstick: Yardstick) -> Iterator[Finding]:
    """Years that an answer rests on, and that the calendar has no notice of."""
    years = [year for span in days if span is not None for year in yardstick.calendar.unknown_years(*span)]
    if years:
        yield Finding(Code.CALENDAR_UNKNOWN, {"first": min(years), "last": max(years)})


# --- all of a cell ------------------------------------------------------------------------------


def cell_findings(
    activity: Activity,
    item: CatalogItem,
    case: CoveredCase,
    valid: Sequence[Filmed],
    *,
    due: datetime,
    others: Sequence[Activity],
    yardstick: Yardstick,
) -> Iterator[Finding]:
    """What the checks that the item names find, in one order; without a valid recording only the hour is checked.

    `others` are the case's other activities, `due` when the cell is due.
    """
    counted = [_deadline_days(item, activity.end or case.end, due, yardstick)]
    if valid:
        yield from _late(activity, item, case, valid, yardstick)
        yield from _of_recordings(activity, item, case, valid, others=others, yardstick=yardstick)
    if Check.NIGHT in item.checks:
        yield from _hour(activity, valid, yardstick)
        counted.append(_hour_days(activity, valid, yardstick))
    yield from _unknown(counted, yardstick)


def _of_recordings(
    activity: Activity,
    item: CatalogItem,
    case: CoveredCase,
    valid: Sequence[Filmed],
    *,
    others: Sequence[Activity],
    yardstick: Yardstick,
) -> Iterator[Finding]:
    checks = item.checks
    if Check.CONTINUOUS in checks and item.is_full_process:
        yield from gap_findings(activity.span, valid, case.explained, ignored=yardstick.limits.gap)
    if Check.CLOCK in checks:
        yield from _clocks(valid, yardstick)
    if Check.DOCUMENT in checks:
        yield from _document(activity, item, valid, others, yardstick)
    if Check.OFFICERS in checks:
        yield from _officers(activity, item, case, valid, yardstick)
