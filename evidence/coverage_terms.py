# SPDX-License-Identifier: Apache-2.0
"""This is where the terms of coverage (清单覆盖) are values: what is asked of a case, and what is answered."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, tzinfo
from enum import StrEnum
from fractions import Fraction

from evidence.catalog import Catalog, CatalogItem, Obligation
from evidence.work_calendar import WorkCalendar

Fact = str | int | None


class Check(StrEnum):
    """The checks that an item of a catalog can name (consistency_checks)."""

    OFFICERS = "CK-2OFF"
    CONTINUOUS = "CK-CONT"
    DOCUMENT = "CK-DOC"
    CLOCK = "CK-CLOCK"
    HASH = "CK-HASH"
    NIGHT = "CK-NIGHT"


class Status(StrEnum):
    """What became of a cell."""

    PRESENT = "present"
    """A valid recording serves it."""
    INVALID = "invalid"
    """Recordings serve it, and none of them is valid."""
    AWAITED = "awaited"
    """None serves it, and it may still be handed in in time."""
    MISSING = "missing"
    """None serves it, and the time to hand one in is over."""


class Code(StrEnum):
    """What a check found. Scripts and locale files rely on these words."""

    LATE = "late"
    EXTENDED = "extended"
    GAP = "gap"
    GAP_SPOKEN = "gap-spoken"
    GAP_WRITTEN = "gap-written"
    BROKEN_HASH = "broken-hash"
    PUT_ASIDE = "put-aside"
    CLOCK_DOUBT = "clock-doubt"
    DOCUMENT_TIME = "document-time"
    FEW_OFFICERS = "few-officers"
    CERTIFICATE_UNKNOWN = "certificate-unknown"
    CERTIFICATE_DAY = "certificate-day"
    CERTIFICATE_TYPE = "certificate-type"
    NIGHT = "night"
    HOLIDAY = "holiday"
    CALENDAR_UNKNOWN = "calendar-unknown"


class Doubt(StrEnum):
    """Why something that a case tells makes no cell."""

    NO_TYPE = "no-type"
    NO_ITEM = "no-item"
    UNKNOWN_ITEM = "unknown-item"


@dataclass(frozen=True, slots=True)
class Limits:
    """Figures of the checks: how many officers, and how much a clock, a paper or a film may be off."""

    officers: int
    clock: timedelta
    document: timedelta
    gap: timedelta
    counts_weekends: bool = False


@dataclass(frozen=True, slots=True)
class Paper:
    """A paper of a case (文书) that stands; with one time only, it states that instant."""

    id: str
    link: str | None
    item: str | None
    start: datetime | None = None
    end: datetime | None = None
    officers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Explained:
    """Why a record was interrupted, and how that was said: `spoken` or `written`."""

    start: datetime
    end: datetime
    how: str


@dataclass(frozen=True, slots=True)
class Delay:
    """A reason for a late hand-in, of an item, of a link, or (neither) of the whole case; when they were back."""

    why: str
    item: str | None = None
    link: str | None = None
    returned: datetime | None = None


@dataclass(frozen=True, slots=True)
class Certificate:
    """An officer's right to enforce: from a day to a day, both counted (None: open), for types (none named: all)."""

    first: date | None = None
    last: date | None = None
    types: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Filmed:
    """A recording that a case holds, as far as coverage goes.

    `arrived` is when it was handed in, `latest` the latest end that any of its sources allows. `offset` is how far its
    camera's clock was measured to be off, `claims_differ` that its sources disagree about the start.
    """

    id: str
    kind: str | None
    item: str | None
    start: datetime | None
    end: datetime | None
    arrived: datetime
    officer: str | None = None
    latest: datetime | None = None
    offset: timedelta = timedelta(0)
    claims_differ: bool = False
    is_aside: bool = False
    problem: str | None = None

    @property
    def span(self) -> tuple[datetime, datetime] | None:
        """From when to when it was filmed, in one instant when its end is unknown; None when its start is."""
        if self.start is None:
            return None
        return self.start, max(self.start, self.end or self.start)


@dataclass(frozen=True, slots=True)
class CoveredCase:
    """A case or check task: its window, what it is of, and all that tells what took place."""

    id: str
    number: str
    type: str | None
    unit: str | None
    start: datetime
    end: datetime
    item: str | None = None
    officers: tuple[str, ...] = ()
    links: tuple[str, ...] = ()
    papers: tuple[Paper, ...] = ()
    filmed: tuple[Filmed, ...] = ()
    explained: tuple[Explained, ...] = ()
    delays: tuple[Delay, ...] = ()


@dataclass(frozen=True, slots=True)
class Yardstick:
    """What a case is held against: a catalog, the calendar, figures, who may enforce, and where days begin."""

    catalog: Catalog
    calendar: WorkCalendar
    limits: Limits
    officers: Mapping[str, Certificate]
    zone: tzinfo


@dataclass(frozen=True, slots=True)
class Activity:
    """Something that took place in a case, by a paper, a link or the case itself, and so must have been recorded.

    `items` are the matters it can be of, the most binding first. `start` and `end` are both known or both not.
    """

    items: tuple[CatalogItem, ...]
    link: str | None = None
    start: datetime | None = None
    end: datetime | None = None
    papers: tuple[str, ...] = ()
    officers: frozenset[str] = frozenset()

    @property
    def span(self) -> tuple[datetime, datetime] | None:
        """From when to when it took place, if that is known."""
        return None if self.start is None or self.end is None else (self.start, self.end)


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found in a cell: a code for words, and the facts of it."""

    code: Code
    facts: Mapping[str, Fact] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Cell:
    """One activity held against one item of the catalog. `due` is when a recording had to be handed in at the latest.

    `recordings` are the valid ones that serve it, `invalid` those that would.
    """

    activity: Activity
    item: CatalogItem
    status: Status
    due: datetime
    recordings: tuple[str, ...] = ()
    invalid: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()

    @property
    def is_demanded(self) -> bool:
        """True when it counts: its item must be recorded, and it is not merely awaited."""
        return self.item.obligation is Obligation.MUST and self.status is not Status.AWAITED


@dataclass(frozen=True, slots=True)
class Coverage:
    """A case held against the catalog. `doubts` name what the case tells and no item of the catalog answers to."""

    case: CoveredCase
    cells: tuple[Cell, ...]
    doubts: tuple[tuple[Doubt, str], ...] = ()

    @property
    def rate(self) -> Fraction | None:
        """Cells with a valid recording among those that are demanded (清单覆盖率); None when none is."""
        demanded = [cell for cell in self.cells if cell.is_demanded]
        present = sum(cell.status is Status.PRESENT for cell in demanded)
        return Fraction(present, len(demanded)) if demanded else None
