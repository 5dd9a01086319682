# SPDX-License-Identifier: Apache-2.0
"""This is where it is said what links footage to cases: what is known of both, rules, reasons, and how scores add up.

The rules are data. A score is in permille: how sure it is that footage is of a case, once every reason is counted.
`linking_decision` applies the rules; nothing here or there knows a number that is not in them.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

SURE = 1000

Fact = str | int
Facts = Mapping[str, Fact]


class Kind(StrEnum):
    """What a rule looks at."""

    OFFICER_PAPER = "officer-paper"  # an officer of the case filmed when a paper of it says they worked
    OFFICER_WINDOW = "officer-window"  # … within the time the case was entered with
    OFFICER_NEAR = "officer-near"  # … not within it, but near, and the case has nothing better of that officer
    OFFICERS_TOGETHER = "officers-together"  # two officers of it filmed together, farther off than near
    OFFICER_WIDE = "officer-wide"  # within a window so wide that it says little
    SIBLING = "sibling"  # a colleague's camera ran with a linked one, and an officer of the case has none
    UNIT_TIME = "unit-time"  # a camera of the unit ran at that time, and is not placed elsewhere
    CASE_NUMBER = "case-number"  # the officer typed or picked the number on a terminal
    NOTE_NUMBER = "note-number"  # a mark or note holds the number
    NUMBER_FAR = "number-far"  # either, at another time than the case's
    OFFICER_PLACE = "officer-place"  # an officer of it filmed there, days before or after: a visit nobody told of
    PLACE = "place"  # filmed where the case took place, at about its time


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: what it is worth (permille), and how far in time (and metres) it reaches."""

    id: str
    kind: Kind
    score: int
    before: timedelta = timedelta(0)
    after: timedelta = timedelta(0)
    metres: int = 0


@dataclass(frozen=True, slots=True)
class Rules:
    """All rules, and the bars: a score of `link_at` links, one of `suggest_at` is shown to a person.

    `pause`: footage of one camera that stops for no longer is one stretch; `cut`: and for no longer where the camera
    began a new file by itself. `one_visit`: times of a case no farther
    apart are of one visit. `widest`: a longer window is no time of work. `alike`: two stretches whose beginnings and
    ends differ by no more in all were filmed together. `share`: how much of footage must lie in a time to be in it
    (permille); `enough`: or this long, where the stretch is of the case already. `doubt`: how wrong a clock is
    that was not measured. `old`: footage this much older than its arrival has a clock that is not believed.
    """

    id: str
    link_at: int
    suggest_at: int
    pause: timedelta
    cut: timedelta
    one_visit: timedelta
    widest: timedelta
    alike: timedelta
    share: int
    enough: timedelta
    doubt: timedelta
    old: timedelta
    rules: tuple[Rule, ...]

    def of(self, kind: Kind) -> Rule | None:
        """The rule of a kind, None when it is not in use."""
        return next((rule for rule in self.rules if rule.kind is kind), None)

    @property
    def reach(self) -> timedelta:
        """How far from a case's time footage is looked for by its time."""
        timed = [rule for rule in self.rules if rule.kind is not Kind.OFFICER_PLACE]
        return max((max(rule.before, rule.after) for rule in timed), default=timedelta(0))


@dataclass(frozen=True, slots=True)
class Point:
    """A place in millionths of degrees, north and east."""

    lat_e6: int
    lon_e6: int


@dataclass(frozen=True, slots=True)
class Area:
    """Where a case took place."""

    at: Point
    radius_m: int


@dataclass(frozen=True, slots=True)
class Paper:
    """A paper of a case that states when, and perhaps by whom, work was done."""

    id: str
    start: datetime
    end: datetime
    officers: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Work:
    """What is known of a case or check task."""

    id: str
    number: str
    start: datetime
    end: datetime
    officers: frozenset[str]
    unit: str | None = None
    papers: tuple[Paper, ...] = ()
    area: Area | None = None


@dataclass(frozen=True, slots=True)
class Footage:
    """What is known of a recording. Times are the best estimate; `doubt` is how far they may be off.

    `start` is None when no clock is believed. `numbers` are case numbers from a terminal, `notes` texts of marks.
    """

    id: str
    officer: str | None = None
    unit: str | None = None
    start: datetime | None = None
    end: datetime | None = None
    doubt: timedelta = timedelta(0)
    points: tuple[Point, ...] = ()
    numbers: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Reason:
    """One rule that speaks for a link, what it is worth, and the facts it rests on: text and whole numbers."""

    rule: str
    kind: Kind
    score: int
    facts: Facts

    def to_dict(self) -> dict[str, object]:
        """A form for the record."""
        return {"facts": dict(self.facts), "rule": self.rule, "score": self.score}


@dataclass(frozen=True, slots=True)
class Score:
    """How sure a link is, in permille, and every reason, the strongest first."""

    permille: int
    reasons: tuple[Reason, ...]


def scored(reasons: Iterable[Reason]) -> Score:
    """All reasons taken together: each takes its share of what doubt the others left.

    The same in whatever order they come: the doubts are multiplied exactly and cut to permille once.
    """
    ordered = tuple(sorted(reasons, key=lambda one: (-one.score, one.rule)))
    doubt = math.prod(SURE - one.score for one in ordered)
    return Score(SURE - -(-doubt // SURE ** (len(ordered) - 1)) if ordered else 0, ordered)


_METRE_E6 = 8.9831  # millionths of a degree of latitude


def metres_between(one: Point, other: Point) -> int:
    """The distance of two places, good enough within a city: whole metres, each degree as long as at their middle."""
    middle = math.radians((one.lat_e6 + other.lat_e6) / 2_000_000)
    north = (one.lat_e6 - other.lat_e6) / _METRE_E6
    east = (one.lon_e6 - other.lon_e6) * math.cos(middle) / _METRE_E6
    return round(math.hypot(north, east))
