# SPDX-License-Identifier: Apache-2.0
"""This is where a time that a camera showed becomes an interval in which the true time lies.

Every way to read what was shown, through every line of the clock, is tried; what cannot be (made after it was seen,
made before all was taken from the device) falls away, and the interval holds all that is left.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from evidence.camera_clock import Kind, Line, instant_of, micros, moment_of

UNEXPLAINED = "unexplained"
"""No reading of the clock leads to what it showed: all that is known is when the device was seen."""


@dataclass(frozen=True, slots=True)
class Shown:
    """One way to read what a source says: the clock showed a time in `[at - before, at + after]`. `how` names it."""

    at: datetime
    before: timedelta
    after: timedelta
    how: str


@dataclass(frozen=True, slots=True)
class Sighting:
    """When a file was seen, as clocks tell that are right.

    It began by `seen`. `swept`: everything that the device held then was taken, so it began later; None when unknown.
    """

    seen: datetime
    swept: datetime | None = None


@dataclass(frozen=True, slots=True)
class Interval:
    """The best estimate, and how much earlier and later the truth may be; None where nothing bounds it.

    `kind` is the line's, or `UNEXPLAINED`; `how` the reading's; `offset` what was taken off; `ways`: how many readings
    and lines were left to choose from.
    """

    at: datetime
    early: timedelta | None
    late: timedelta | None
    kind: str
    how: str
    offset: timedelta
    ways: int


@dataclass(frozen=True, slots=True)
class _Way:
    """One reading of what was shown, through one line."""

    early: int
    at: int
    late: int
    line: Line
    shown: Shown

    def meets(self, other: "_Way", within: int) -> bool:
        return self.early <= other.late + within and other.early <= self.late + within


def true_interval(
    shown: Sequence[Shown],
    courses: Sequence[Sequence[Line]],
    sighting: Sighting,
    *,
    beside: Iterable[Sequence[Shown]] = (),
    within: timedelta = timedelta(0),
) -> Interval | None:
    """When a recording truly began, of which a source says `shown` (the likeliest reading first).

    `courses`: the lines of the device's clock, the likeliest first. `beside`: what other sources say of the same
    moment, the weightiest first; where one of them agrees, to `within`, with some of the ways and not with others, it
    decides. None when there is nothing to go by.
    """
    ways = _possible(shown, courses, sighting)
    swept = None if sighting.swept is None else instant_of(sighting.swept)
    if not ways or all(swept is not None and way.late < swept for way in ways):
        return _unexplained(shown, courses, sighting, ways)
    for other in beside:
        theirs = _possible(other, courses, sighting)
        agreeing = [way for way in ways if any(way.meets(one, micros(within)) for one in theirs)]
        ways = agreeing or ways
    best = ways[0]
    earliest = [_earliest(way, swept) for way in ways]
    known = [one for one in earliest if one is not None]
    at = moment_of(best.at)
    if at is None:
        return None
    return Interval(
        at,
        timedelta(microseconds=best.at - min(known)) if len(known) == len(earliest) else None,
        timedelta(microseconds=max(way.late for way in ways) - best.at),
        best.line.kind.value,
        best.shown.how,
        best.shown.at - at,
        len(ways),
    )


def _possible(shown: Sequence[Shown], courses: Sequence[Sequence[Line]], sighting: Sighting) -> list[_Way]:
    """The ways that are left, the likeliest first; of what was taken before, only when no other is."""
    seen = instant_of(sighting.seen)
    every = (
        _way(one, line)
        for one in shown
        for lines in courses
        for line in reversed(lines)
        if line.is_near(instant_of(one.at))
    )
    could = [way for way in every if way.line.reaches(way.early, way.late) and way.early <= seen]
    if sighting.swept is None:
        return could
    swept = instant_of(sighting.swept)
    return [way for way in could if way.late >= swept] or could


def _way(shown: Shown, line: Line) -> _Way:
    instant = instant_of(shown.at)
    at = line.true(instant)
    early, late = line.true(instant - micros(shown.before)), line.true(instant + micros(shown.after))
    return _Way(early - line.doubt_at(early), at, late + line.doubt_at(late), line, shown)


def _earliest(way: _Way, swept: int | None) -> int | None:
    """The earliest that the truth may be. A clock that began anew may have done so before: then it was earlier."""
    if way.line.kind is not Kind.RESET:
        return way.early
    floors = [one for one in (way.line.since, swept) if one is not None]
    return min(max(floors), way.early) if floors else None


def _unexplained(
    shown: Sequence[Shown], courses: Sequence[Sequence[Line]], sighting: Sighting, ways: Sequence[_Way]
) -> Interval | None:
    """Between the time when all was taken and the time when it was seen; unbounded when that is not known.

    What it may have been made before all was taken (`ways`), and was overlooked then, lies in the interval too.
    """
    lines = [lines[-1] for lines in courses if lines]
    if not shown or not lines:
        return None
    way = ways[0] if ways else _way(shown[0], lines[0])
    at, early, late = moment_of(way.at), None, None
    if sighting.swept is not None and sighting.swept <= sighting.seen:
        seen = instant_of(sighting.seen)
        first = min((instant_of(sighting.swept), *(one.early for one in ways)))
        best = way.at if ways else (first + seen) // 2
        at = moment_of(best)
        early, late = timedelta(microseconds=best - first), timedelta(microseconds=max(seen - best, 0))
    if at is None:
        return None
    return Interval(at, early, late, UNEXPLAINED, way.shown.how, way.shown.at - at, len(ways))
