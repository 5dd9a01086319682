# SPDX-License-Identifier: Apache-2.0
"""This is where a camera's clock is known from what docks measured of it: how far it was off at each moment.

Between two readings a clock drifts evenly, but for what a crystal bends with its temperature; a clock that moved more
than a clock can was set, or began anew. Each stretch of true time so has lines of offset, each with its doubt: one
where all is plain, more where it is not known which of them was true. All is counted in whole microseconds.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from enum import StrEnum
from itertools import pairwise
from statistics import median_low

from evidence.camera_clock_zone import zone_change

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_BILLION = 10**9
_PPM = 1000  # parts in a billion
_DAY = 86_400 * 10**6
_STEEPEST = 10  # an offset that moves by more than a tenth of the time is no drift


@dataclass(frozen=True, slots=True)
class Reading:
    """A device's clock beside a good one: `offset` is device minus true time, good to `uncertainty` either way.

    `after`: what the offset was once the clock had been set; None, when it was not set.
    """

    at: datetime
    offset: timedelta
    uncertainty: timedelta
    after: timedelta | None = None

    @property
    def left(self) -> timedelta:
        """The offset that the device went away with."""
        return self.offset if self.after is None else self.after


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a clock can do. Rates are parts in a million.

    `plausible`: no clock drifts faster, it was set. `wander`: how far a clock's rate strays from its own mean.
    `steady_after`: after so many plain stretches a device's own rate is known. `back`: how far before the first reading
    its clock is believed to have run; what it showed longer ago than so, it showed by mistake. `reset_behind`: a clock
    that is further behind lost its power and began anew. `zone_within`: an offset this near the zone's own is the zone.
    """

    plausible: int
    wander: int
    steady_after: int
    back: timedelta
    reset_behind: timedelta
    zone_within: timedelta


class Kind(StrEnum):
    """How surely a line holds."""

    BETWEEN = "between"  # from one reading to the next
    BEFORE = "before"  # back from the first reading
    AFTER = "after"  # on from the last
    JUMP = "jump"  # the clock was set between two readings, nobody knows when: before or after that
    RESET = "reset"  # it began anew, perhaps more than once


@dataclass(frozen=True, slots=True)
class Line:
    """Offset as a line on the stretch of true time `[since, until]` (None: without end), in microseconds since 1970.

    At `anchors[0]` the offset is `offset`, and grows by `rate` parts in a billion. `doubt` holds at each anchor, and
    grows by `growth` parts in a billion with the distance from the nearest.
    """

    kind: Kind
    since: int | None
    until: int | None
    anchors: tuple[int, ...]
    offset: int
    rate: int
    doubt: int
    growth: int

    def true(self, shown: int) -> int:
        """When the clock showed this, were the line true."""
        start = self.anchors[0]
        return start + (shown - start - self.offset) * _BILLION // (_BILLION + self.rate)

    def is_near(self, shown: int) -> bool:
        """False when the clock cannot have shown this on the line's stretch: nothing finer need be asked."""
        if self.since is None or self.until is None:
            return True
        length = max(self.until, *self.anchors) - min(self.since, *self.anchors)
        return abs(shown - self.anchors[0] - self.offset) <= 4 * (length + self.doubt) + _DAY

    def doubt_at(self, moment: int) -> int:
        """How far the truth may lie from the line, either way."""
        return self.doubt + -(-self.growth * min(abs(moment - anchor) for anchor in self.anchors) // _BILLION)

    def reaches(self, early: int, late: int) -> bool:
        """True when the line speaks of a moment in `[early, late]`."""
        return (self.since is None or late >= self.since) and (self.until is None or early <= self.until)


def course(readings: Sequence[Reading], *, zone: tzinfo, bounds: Bounds) -> tuple[Line, ...]:
    """The lines of a device's clock, from all that was measured of it; none without a reading.

    `zone` is that in which its times are read: where the zone's own clock is set forward or back and the device's
    is not, the jump is known to the second.
    """
    told = sorted(readings, key=lambda one: one.at)
    if not told:
        return ()
    pairs = [pair for pair in pairwise(told) if pair[0].at < pair[1].at]
    pace = _pace(pairs, bounds)
    inner = (line for pair in pairs for line in _stretch(*pair, pace=pace, zone=zone, bounds=bounds))
    return (_first(told[0], pace, bounds), *inner, _last(told[-1], pace))


@dataclass(frozen=True, slots=True)
class _Pace:
    """How fast a device's clock runs, in parts in a billion: `rate`, known to within `growth` either way.

    `tolerance`: how far a stretch's mean may lie from it before the clock was set.
    """

    rate: int
    growth: int
    tolerance: int


def _pace(pairs: Sequence[tuple[Reading, Reading]], bounds: Bounds) -> _Pace:
    rates, doubts = [], []
    for one, other in pairs:
        moved, length = micros(other.offset - one.left), micros(other.at - one.at)
        doubt = micros(one.uncertainty + other.uncertainty)
        if abs(moved) <= bounds.plausible * _PPM * length // _BILLION + doubt:
            rates.append(moved * _BILLION // length)
            doubts.append(doubt * _BILLION // length)
    if len(rates) < bounds.steady_after:
        return _Pace(0, bounds.plausible * _PPM, bounds.plausible * _PPM)
    growth = bounds.wander * _PPM + median_low(doubts)
    return _Pace(median_low(rates), min(growth, bounds.plausible * _PPM), min(2 * growth, bounds.plausible * _PPM))


def _stretch(one: Reading, other: Reading, *, pace: _Pace, zone: tzinfo, bounds: Bounds) -> Iterator[Line]:
    since, until = instant_of(one.at), instant_of(other.at)
    moved, length = micros(other.offset - one.left), until - since
    excess = moved - pace.rate * length // _BILLION
    tolerated = pace.tolerance * length // _BILLION + micros(one.uncertainty + other.uncertainty)
    if abs(excess) <= tolerated:
        yield _between(one, other, 0, (since, until), bounds)
        return
    change = zone_change(zone, one.at, other.at)
    if change is not None and abs(excess - micros(change[1])) <= tolerated:
        step = micros(change[1])
        yield _between(one, other, step, (since, instant_of(change[0])), bounds)
        yield _between(one, other, step, (instant_of(change[0]), until), bounds, moved_by=step)
        return
    yield Line(Kind.JUMP, since, until, (since,), micros(one.left), pace.rate, micros(one.uncertainty), pace.growth)
    # An empty battery, or more than one: all that is sure is that it was then or before.
    is_reset = excess < 0 and other.offset < -bounds.reset_behind
    kind = Kind.RESET if is_reset else Kind.JUMP
    yield Line(kind, since, until, (until,), micros(other.offset), pace.rate, micros(other.uncertainty), pace.growth)


def _between(
    one: Reading, other: Reading, step: int, stretch: tuple[int, int], bounds: Bounds, *, moved_by: int = 0
) -> Line:
    since, until = instant_of(one.at), instant_of(other.at)
    moved = micros(other.offset - one.left) - step
    doubt = micros(max(one.uncertainty, other.uncertainty))
    if abs(moved) * _STEEPEST > until - since:
        # Two readings close to one another: what they differ by is their doubt.
        moved, doubt = 0, doubt + abs(moved)
    rate = moved * _BILLION // (until - since)
    wander = bounds.wander * _PPM
    return Line(Kind.BETWEEN, *stretch, (since, until), micros(one.left) + moved_by, rate, doubt, wander)


def _first(reading: Reading, pace: _Pace, bounds: Bounds) -> Line:
    at, offset, doubt = instant_of(reading.at), micros(reading.offset), micros(reading.uncertainty)
    if reading.offset < -bounds.reset_behind:
        return Line(Kind.RESET, None, at, (at,), offset, pace.rate, doubt, pace.growth)
    return Line(Kind.BEFORE, at - micros(bounds.back), at, (at,), offset, pace.rate, doubt, pace.growth)


def _last(reading: Reading, pace: _Pace) -> Line:
    at, offset, doubt = instant_of(reading.at), micros(reading.left), micros(reading.uncertainty)
    return Line(Kind.AFTER, at, None, (at,), offset, pace.rate, doubt, pace.growth)


def micros(span: timedelta) -> int:
    """A span in whole microseconds."""
    return span // _MICROSECOND


def instant_of(moment: datetime) -> int:
    """An aware moment in microseconds since 1970."""
    return (moment - _EPOCH) // _MICROSECOND


def moment_of(instant: int) -> datetime | None:
    """The moment of an instant, in UTC; None when no calendar has it."""
    try:
        return _EPOCH + timedelta(microseconds=instant)
    except OverflowError:
        return None
