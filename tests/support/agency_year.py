# SPDX-License-Identifier: Apache-2.0
"""This is where a year of an agency is made up as plain values: units, officers, cases, papers, recordings, holds.

It knows nothing of how evidock answers. Everything that lengthens keeping or spoils coverage happens to some share
of it: late hand-in, a second officer who is missing, a camera that was off, a clock that is wrong, a certificate
that ran out, disputes, holds, cases that stay open. The same for the same seed.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from evidence.catalog import Catalog, CatalogItem

YEAR = datetime(2025, 1, 1, tzinfo=UTC)
DAYS = 365
UNITS, OFFICERS, PER_CASE = 10, 200, 7
_BASE32 = "abcdefghijklmnopqrstuvwxyz234567"
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


@dataclass(frozen=True, slots=True)
class SimOfficer:
    """An officer with the days the certificate holds (dates as text, None: open) and the kinds of enforcement."""

    number: str
    unit: str
    types: tuple[str, ...]
    valid_from: str | None
    valid_to: str | None


@dataclass(frozen=True, slots=True)
class SimPaper:
    """A paper of a case with the times it states."""

    id: str
    link: str
    item: str | None
    officers: tuple[str, ...]
    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class SimGap:
    """An interruption that somebody explained."""

    start: datetime
    end: datetime
    how: str


@dataclass(slots=True)
class SimCase:
    """A case or a check task."""

    id: str
    number: str
    kind: str
    type: str
    unit: str
    officers: tuple[str, ...]
    start: datetime
    end: datetime
    closed: datetime | None
    file_term: str | None
    papers: list[SimPaper] = field(default_factory=list)
    gaps: list[SimGap] = field(default_factory=list)
    conditions: tuple[str, ...] = ()
    is_held: bool = False


@dataclass(slots=True)
class SimRecording:
    """A recording; `cases` are ids of cases that hold it. `latest` is the latest end its clocks allow, if told."""

    id: str
    device: str
    officer: str | None
    kind: str
    item: str | None
    state: str
    start: datetime | None
    end: datetime | None
    latest: datetime | None
    arrived: datetime
    is_marked: bool = False
    is_reviewed: bool = False
    problem: str | None = None
    cases: tuple[str, ...] = ()
    conditions: tuple[str, ...] = ()
    is_held: bool = False


@dataclass(frozen=True, slots=True)
class Agency:
    """All of a year."""

    units: tuple[str, ...]
    officers: tuple[SimOfficer, ...]
    cases: tuple[SimCase, ...]
    recordings: tuple[SimRecording, ...]


def made_up(catalog: Catalog, *, recordings: int = 60_000, seed: int = 825) -> Agency:
    """A year of an agency with so many recordings, about two thirds of them in cases."""
    chance = random.Random(seed)
    officers = tuple(_officers(catalog, chance))
    cases: list[SimCase] = []
    filmed: list[SimRecording] = []
    while len(filmed) < recordings * 2 // 3:
        case = _case(len(cases), catalog, officers, chance)
        filmed += _work(case, catalog, chance)
        cases.append(case)
    _share(filmed, cases, chance)
    filmed += [_patrol(catalog, officers, chance) for _ in range(recordings - len(filmed))]
    return Agency(tuple(f"U{n:02d}" for n in range(UNITS)), officers, tuple(cases), tuple(filmed[:recordings]))


def _officers(catalog: Catalog, chance: random.Random) -> Iterator[SimOfficer]:
    types = tuple(catalog.types)
    for n in range(OFFICERS):
        ran_out = chance.random() < 0.05
        valid_to = f"2025-{chance.randrange(1, 13):02d}-28" if ran_out else chance.choice([None, "2030-12-31"])
        may = types if chance.random() < 0.9 else tuple(chance.sample(types, 3))
        yield SimOfficer(f"43{n:04d}", f"U{n % UNITS:02d}", may, "2020-01-01", valid_to)


def _id(prefix: str, chance: random.Random) -> str:
    return prefix + "".join(chance.choices(_BASE32, k=20))


def _case(n: int, catalog: Catalog, officers: tuple[SimOfficer, ...], chance: random.Random) -> SimCase:
    unit = chance.randrange(UNITS)
    type_ = chance.choice(tuple(catalog.types))
    began = YEAR + timedelta(days=chance.randrange(DAYS), hours=chance.randrange(24), minutes=chance.randrange(60))
    there = chance.sample([one for one in officers if one.unit == f"U{unit:02d}"], 2 if chance.random() < 0.95 else 1)
    is_closed = chance.random() < 0.85
    ended = began + timedelta(days=chance.randrange(1, 60))
    return SimCase(
        id=_id("cas-", chance)[:20],
        number=f"湘{type_}〔2025〕{n:05d}号",
        kind="task" if type_ == "JC" and chance.random() < 0.5 else "case",
        type=type_,
        unit=f"U{unit:02d}",
        officers=tuple(sorted(one.number for one in there)),
        start=began,
        end=ended,
        closed=ended + timedelta(days=chance.randrange(90)) if is_closed else None,
        file_term=chance.choice([None, None, "P10Y", "P30Y", "permanent"]),
        conditions=_conditions(chance, 0.06),
        is_held=chance.random() < 0.02,
    )


def _conditions(chance: random.Random, share: float) -> tuple[str, ...]:
    codes = ("PC-EVID", "PC-OBSTRUCT", "PC-MAJOR", "PC-DISPUTE", "PC-COMPLEX")
    return (chance.choice(codes),) if chance.random() < share else ()


def _work(case: SimCase, catalog: Catalog, chance: random.Random) -> Iterator[SimRecording]:
    """The papers of a case, and what was filmed of what they tell."""
    items = [item for item in catalog.items.values() if item.type == case.type]
    for n in range(chance.randrange(2, 7)):
        item = chance.choice(items)
        start = case.start + (case.end - case.start) * chance.random() * 0.9
        end = start + chance.randrange(5, 90) * MINUTE
        named = item.id if chance.random() < 0.7 else None
        case.papers.append(SimPaper(f"{case.id}.{n}", item.link, named, case.officers, start, end))
        yield from _filmed(case, item, case.papers[-1], chance)


def _filmed(case: SimCase, item: CatalogItem, paper: SimPaper, chance: random.Random) -> Iterator[SimRecording]:
    if chance.random() < 0.08:
        return  # nobody filmed it
    cameras = chance.choice([1, 2, 2, 2])
    for officer in case.officers[:cameras]:
        early, late = chance.choice([0, 0, 1, 3, 20]) * MINUTE, chance.choice([0, 0, 1, 2, 15]) * MINUTE
        start, end = paper.start - early, paper.end + late
        if chance.random() < 0.12:  # the camera went off, and on again
            middle = start + (end - start) / 2
            pause = chance.choice([1, 4, 12]) * MINUTE
            if chance.random() < 0.5:
                case.gaps.append(SimGap(middle, middle + pause, chance.choice(["spoken", "written"])))
            yield _recording(case, item, officer, start, middle, chance)
            yield _recording(case, item, officer, middle + pause, max(end, middle + pause + MINUTE), chance)
        else:
            yield _recording(case, item, officer, start, end, chance)


def _recording(
    case: SimCase | None, item: CatalogItem, officer: str, start: datetime, end: datetime, chance: random.Random
) -> SimRecording:
    kinds = sorted(item.kinds) if chance.random() < 0.96 else ["audio", "photo", "video"]
    state = "quarantined" if chance.random() < 0.01 else "indexed"
    hours = chance.choice([1, 4, 8, 20, 23, 30, 70, 200]) if chance.random() < 0.4 else chance.randrange(1, 20)
    arrived = end + hours * HOUR
    doubt = chance.random()
    latest: datetime | None = end
    if doubt < 0.02:
        latest = arrived + chance.choice([2, 40, 4000]) * DAY  # a clock that says a future
    elif doubt < 0.10:
        latest = end + chance.choice([30 * MINUTE, 8 * HOUR])
    elif doubt < 0.12:
        latest = None
    elif doubt < 0.13:
        latest = arrived - chance.choice([31, 400, 9000]) * DAY  # a clock that was reset
    knows_when = chance.random() > 0.005
    marked = chance.random() < 0.03
    return SimRecording(
        id=_id("rec-", chance),
        device=f"SIM{int(officer):07d}",
        officer=officer,
        kind=chance.choice(kinds),
        item=item.id if chance.random() < 0.97 else None,
        state=state,
        start=start if knows_when else None,
        end=end if knows_when else None,
        latest=latest if knows_when else None,
        arrived=arrived,
        is_marked=marked,
        is_reviewed=marked and chance.random() < 0.6,
        problem=_problem(state, chance),
        cases=() if case is None else (case.id,),
        conditions=_conditions(chance, 0.02),
        is_held=chance.random() < 0.005,
    )


def _problem(state: str, chance: random.Random) -> str | None:
    """What is wrong with a recording: its bytes (also found later, of one that was filed), or that it does not read."""
    if state == "quarantined":
        return chance.choice(["undecodable", "fixity-mismatch"])
    return chance.choices([None, "fixity-mismatch", "undecodable"], [98, 1, 1])[0]


def _share(filmed: list[SimRecording], cases: list[SimCase], chance: random.Random) -> None:
    """Some recordings serve a second case."""
    for one in chance.sample(filmed, len(filmed) // 50):
        other = chance.choice(cases).id
        if other not in one.cases:
            one.cases = (*one.cases, other)


def _patrol(catalog: Catalog, officers: tuple[SimOfficer, ...], chance: random.Random) -> SimRecording:
    """What belongs to no case."""
    start = YEAR + timedelta(minutes=chance.randrange(DAYS * 24 * 60))
    item = catalog.items[chance.choice(["JC-01", "JC-04", "SF-09", "JC-01"])]
    return _recording(
        None, item, chance.choice(officers).number, start, start + chance.randrange(2, 40) * MINUTE, chance
    )
