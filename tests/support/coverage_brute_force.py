# SPDX-License-Identifier: Apache-2.0
"""This is where the coverage of a made-up case is worked out a second time, by hand, as docs/operate/coverage.md says.

It reads the YAML of catalog, calendar and figures itself, and shares no line with what it checks.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import yaml

from tests.support.agency_year import Agency, SimCase, SimOfficer, SimPaper, SimRecording

_HERE = ZoneInfo("Asia/Shanghai")
_KINDS = {"image": "photo", "audio": "audio", "video": "video"}
_BROKEN = "fixity-mismatch"
Span = tuple[datetime, datetime]
Cell = tuple[str, str, tuple[tuple[str, int], ...]]
"""Item, status, and how many findings of each code."""


@dataclass(slots=True)
class Books:
    """What cases are held against, as it stands in the files."""

    items: dict[str, dict[str, Any]]
    modes: dict[str, dict[str, Any]]
    deadlines: dict[str, dict[str, Any]]
    figures: dict[str, Any]
    holidays: set[date]
    workdays: set[date]
    officers: dict[str, SimOfficer]

    @classmethod
    def of(cls, catalog: Path, agency: Agency) -> "Books":
        """The books beside a catalog."""
        told = yaml.safe_load(catalog.read_text("utf-8"))
        days = yaml.safe_load((catalog.parent / "calendar-cn.yaml").read_text("utf-8"))["years"].values()
        spans = [
            (date.fromisoformat(one["from"]), date.fromisoformat(one["to"])) for y in days for one in y["holidays"]
        ]
        return cls(
            {one["id"]: one for one in told["items"] if one["enabled"]},
            told["recording_modes"],
            told["upload_deadlines"],
            yaml.safe_load((catalog.parent / "coverage.yaml").read_text("utf-8")),
            {first + timedelta(days=n) for first, last in spans for n in range((last - first).days + 1)},
            {date.fromisoformat(one) for y in days for one in y["workdays"]},
            {one.number: one for one in agency.officers},
        )

    def takes(self, item: str) -> set[str]:
        """The kinds of media that an item takes."""
        return {_KINDS[medium] for mode in self.items[item]["mode"] for medium in self.modes[mode]["media"]}

    def checks(self, item: str, check: str) -> bool:
        """True when the item names the check."""
        return check in self.items[item]["checks"]


@dataclass(slots=True)
class Activity:
    """Something that a case must have been recorded of."""

    items: list[str]
    start: datetime
    end: datetime
    officers: set[str]

    @property
    def span(self) -> Span:
        """From when to when."""
        return self.start, self.end


def cells(case: SimCase, held: list[SimRecording], books: Books, now: datetime) -> list[Cell]:
    """Every cell of a case, in the order of its activities."""
    activities = _activities(case, books)
    own: list[list[SimRecording]] = [[] for _ in activities]
    for one in held:
        for place in _belongs(one, activities):
            own[place].append(one)
    found = []
    for activity, ours in zip(activities, own, strict=True):
        item = _item(activity, ours, books)
        serving = [one for one in held if _serves(one, item, activity, ours, books)]
        valid = [one for one in serving if _is_valid(one, item, books)]
        due = _due(books.items[item], activity.end, books)
        status = "present" if valid else "invalid" if serving else "missing" if now > due else "awaited"
        codes = Counter(
            "broken-hash" if _is_broken(one, item, books) else "put-aside" for one in serving if one not in valid
        )
        codes.update(_hours(activity, item, books))
        if valid:
            codes.update(_looks(activity, item, valid, due, activities, case, books))
        found.append((item, status, tuple(sorted(codes.items()))))
    return found


def _activities(case: SimCase, books: Books) -> list[Activity]:
    merged: list[Activity] = []
    for paper in case.papers:
        items = _items(case, paper, books)
        same = [one for one in merged if (one.items, one.start, one.end) == (items, paper.start, paper.end)]
        if same:
            same[0].officers |= set(paper.officers)
        else:
            merged.append(Activity(items, paper.start, paper.end, set(paper.officers)))
    return sorted(merged, key=lambda one: (one.start, one.end, one.items))


def _items(case: SimCase, paper: SimPaper, books: Books) -> list[str]:
    if paper.item is not None:
        return [paper.item]
    there = [id_ for id_, one in books.items.items() if (one["type"], one["link"]) == (case.type, paper.link)]
    return [id_ for word in ("must", "should", "may") for id_ in there if books.items[id_]["obligation"] == word]


def _span(one: SimRecording) -> Span | None:
    return None if one.start is None else (one.start, max(one.start, one.end or one.start))


def _touch(one: Span | None, other: Span) -> bool:
    return one is not None and one[0] <= other[1] and other[0] <= one[1]


def _belongs(one: SimRecording, activities: list[Activity]) -> list[int]:
    can = [place for place, activity in enumerate(activities) if one.item in activity.items]
    span = _span(one)
    if span is None:
        return can
    touched = [place for place in can if _touch(span, activities[place].span)]
    if touched or not can:
        return touched
    apart = {p: max(activities[p].start - span[1], span[0] - activities[p].end) for p in can}
    return [min(can, key=lambda p: (apart[p], p))]


def _item(activity: Activity, ours: list[SimRecording], books: Books) -> str:
    for item in activity.items:
        for one in ours:
            if one.item == item and one.kind in books.takes(item) and _is_valid(one, item, books):
                return item
    return activity.items[0]


def _is_broken(one: SimRecording, item: str, books: Books) -> bool:
    return one.problem == _BROKEN and books.checks(item, "CK-HASH")


def _is_valid(one: SimRecording, item: str, books: Books) -> bool:
    return one.state != "quarantined" and not _is_broken(one, item, books)


def _serves(one: SimRecording, item: str, activity: Activity, ours: list[SimRecording], books: Books) -> bool:
    if one.kind not in books.takes(item):
        return False
    if one.item == item and one in ours:
        return True
    return one.item not in activity.items and _touch(_span(one), activity.span)


def _due(item: dict[str, Any], ended: datetime, books: Books) -> datetime:
    deadline = books.deadlines[item["upload_deadline"]]
    if "target_minutes" in deadline:
        return ended + timedelta(minutes=deadline["target_minutes"])
    if "hours" in deadline:
        return ended + timedelta(hours=deadline["hours"])
    day, left = ended.astimezone(_HERE).date(), deadline["working_days"]
    while left:
        day += timedelta(days=1)
        left -= _is_worked(day, books)
    return datetime.combine(day + timedelta(days=1), datetime.min.time(), _HERE)


def _is_worked(day: date, books: Books) -> bool:
    return day in books.workdays or (day.weekday() < 5 and day not in books.holidays)


def _hours(activity: Activity, item: str, books: Books) -> Iterator[str]:
    if not books.checks(item, "CK-NIGHT"):
        return
    at, end = activity.start.astimezone(_HERE), activity.end.astimezone(_HERE)
    minutes = [at]
    while (at := (at + timedelta(minutes=1)).replace(second=0, microsecond=0)) < end:
        minutes.append(at)
    if any(one.hour >= 22 or one.hour < 6 for one in minutes):
        yield "night"
    if any(one.date() in books.holidays for one in minutes):
        yield "holiday"


def _looks(
    activity: Activity,
    item: str,
    valid: list[SimRecording],
    due: datetime,
    activities: list[Activity],
    case: SimCase,
    books: Books,
) -> Iterator[str]:
    yield from ("late" for one in valid if one.arrived > due)
    if books.checks(item, "CK-CLOCK"):
        yield from ("clock-doubt" for one in valid for _ in range(_doubts(one)))
    if books.checks(item, "CK-DOC"):
        yield from _document(activity, item, valid, activities, books)
    if books.checks(item, "CK-2OFF"):
        yield from _people(activity, item, valid, books)
    if books.checks(item, "CK-CONT") and any(books.modes[m].get("continuous") for m in books.items[item]["mode"]):
        yield from _gaps(activity, valid, case, books)


def _doubts(one: SimRecording) -> int:
    ahead = any(moment is not None and moment > one.arrived for moment in (one.start, one.end, one.latest))
    return (one.start is None) + ahead


def _document(
    activity: Activity, item: str, valid: list[SimRecording], activities: list[Activity], books: Books
) -> Iterator[str]:
    slack = timedelta(seconds=books.figures["document"]["tolerance_seconds"])
    spans = [(one, span) for one in valid if (span := _span(one)) is not None]
    if not spans:
        return
    if min(span[0] for _, span in spans) > activity.start + slack:
        yield "document-time"
    if max(span[1] for _, span in spans) < activity.end - slack:
        yield "document-time"
    for one, span in spans:
        elsewhere = any(_touch(span, other.span) for other in activities if other is not activity)
        is_beyond = span[0] < activity.start - slack or span[1] > activity.end + slack
        if one.item == item and activity.end > activity.start and not elsewhere and is_beyond:
            yield "document-time"


def _people(activity: Activity, item: str, valid: list[SimRecording], books: Books) -> Iterator[str]:
    there = activity.officers | {one.officer for one in valid if one.officer is not None}
    if len(there) < books.figures["officers"]["least"]:
        yield "few-officers"
    day = activity.start.astimezone(_HERE).date().isoformat()
    for number in there:
        officer = books.officers[number]
        if (officer.valid_from or "") > day or (officer.valid_to or "9999") < day:
            yield "certificate-day"
        if officer.types and books.items[item]["type"] not in officer.types:
            yield "certificate-type"


def _gaps(activity: Activity, valid: list[SimRecording], case: SimCase, books: Books) -> Iterator[str]:
    least = timedelta(seconds=books.figures["gap"]["ignored_seconds"])
    spans = [(one.kind, span) for one in valid if (span := _span(one)) is not None]
    if not spans:
        return
    films = [span for kind, span in spans if kind != "photo"]
    breaks = [one for one in _left([activity.span], films) if one[1] - one[0] > least]
    for how, code in (("spoken", "gap-spoken"), ("written", "gap-written")):
        said = [(one.start, one.end) for one in case.gaps if one.how == how]
        left = _left(breaks, said)
        if _whole(_length(breaks) - _length(left)):
            yield code
        breaks = left
    if _whole(_length([one for one in breaks if one[1] - one[0] > least])):
        yield "gap"


def _left(spans: list[Span], taken: list[Span]) -> list[Span]:
    """What of `spans` nothing of `taken` covers: piece by piece between all ends there are."""
    ends = sorted({end for span in (*spans, *taken) for end in span})

    def within(piece: Span, all_: list[Span]) -> bool:
        return any(start <= piece[0] and piece[1] <= end for start, end in all_)

    pieces = [one for one in pairwise(ends) if within(one, spans) and not within(one, taken)]
    joined: list[Span] = []
    for piece in pieces:
        if joined and joined[-1][1] == piece[0] and any(a <= joined[-1][0] and piece[1] <= b for a, b in spans):
            joined[-1] = (joined[-1][0], piece[1])
        else:
            joined.append(piece)
    return joined


def _length(spans: list[Span]) -> timedelta:
    return sum((end - start for start, end in spans), timedelta(0))


def _whole(span: timedelta) -> int:
    return int(span.total_seconds())
