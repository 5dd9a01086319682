# SPDX-License-Identifier: Apache-2.0
"""This is where it is made up what really happened in a month: who visited whom, and what was filmed.

Only the simulator knows this. What the register hears of it is made in `told`.
"""

import random
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from bench.linking.noise import Noise

MONTH = datetime(2026, 6, 1, tzinfo=UTC)
_DAYS = 30
_DAY_BEGINS, _DAY_ENDS = timedelta(minutes=30), timedelta(hours=9, minutes=30)  # 8:30 to 17:30 in China
_METRES_PER_DEGREE = 111_320
_MINUTE = timedelta(minutes=1)
SPLIT = timedelta(minutes=30)

Point = tuple[float, float]
"""Metres east and north of the city's middle."""


@dataclass(frozen=True, slots=True)
class Visit:
    """Two officers at one place. `named` are those who were planned, `came` those who were there."""

    number: int
    case: int
    unit: int
    named: tuple[str, ...]
    came: tuple[str, ...]
    start: datetime
    end: datetime
    at: Point


@dataclass(frozen=True, slots=True)
class Shot:
    """One file: who really filmed it, when by true time, where, and what cases it is of."""

    number: int
    officer: str
    unit: int
    start: datetime
    end: datetime
    at: Point
    cases: frozenset[int]


@dataclass(slots=True)
class World:
    """A month: visits by number, shots in order of officers and time, officers by unit."""

    units: list[list[str]]
    visits: list[Visit] = field(default_factory=list)
    shots: list[Shot] = field(default_factory=list)
    cases: int = 0


def made_up(seed: int, noise: Noise, *, units: int = 10, officers: int = 20, per_day: float = 6.8) -> World:
    """The month of `seed`: equal arguments give equal months."""
    chance = random.Random(seed)  # a simulation, which must repeat
    world = World([[f"{unit:02d}{number:04d}" for number in range(officers)] for unit in range(units)])
    middles = [(chance.gauss(0, 8000), chance.gauss(0, 8000)) for _ in range(units)]
    for day in range(_DAYS):
        if day % 7 in (5, 6):
            continue
        for unit in range(units):
            _Day(world, chance, noise, unit, MONTH + timedelta(days=day), middles[unit]).fill(per_day)
    world.visits.sort(key=lambda one: one.number)
    world.shots.sort(key=lambda one: (one.officer, one.start))
    return world


class _Day:
    """One unit's day."""

    def __init__(
        self, world: World, chance: random.Random, noise: Noise, unit: int, day: datetime, middle: Point
    ) -> None:
        self._world, self._chance, self._noise = world, chance, noise
        self._unit, self._day, self._middle = unit, day, middle
        self._busy: dict[str, list[tuple[datetime, datetime]]] = defaultdict(list)
        self._today: dict[str, list[Visit]] = defaultdict(list)

    def fill(self, per_day: float) -> None:
        for _ in range(_poisson(self._chance, per_day)):
            self._visit(self._case())
        for officer in self._world.units[self._unit]:
            self._film(officer)

    def _case(self) -> int:
        """A new case; or, for one visit in eight, an earlier case of the unit that is gone to once more."""
        earlier = [one for one in self._world.visits[-400:] if one.unit == self._unit and one.start < self._day]
        seen = {one.case for one in earlier}
        again = [one for one in seen if sum(visit.case == one for visit in earlier) == 1]
        if again and self._chance.random() < 1 / 8:
            return self._chance.choice(sorted(again))
        self._world.cases += 1
        return self._world.cases - 1

    def _pair(self) -> tuple[str, ...]:
        officers = self._world.units[self._unit]
        first = self._chance.randrange(len(officers) // 2) * 2
        second = officers[first + 1]
        if self._chance.random() < self._noise.pair_mixed:
            second = self._chance.choice([one for one in officers if one != officers[first]])
        return officers[first], second

    def _visit(self, case: int) -> None:
        earlier = next((one for one in self._world.visits if one.case == case), None)
        at = earlier.at if earlier else self._somewhere()
        for _ in range(30):
            is_same = earlier is not None and self._chance.random() >= self._noise.return_others
            named = earlier.named if earlier is not None and is_same else self._pair()
            came = self._came(named)
            length = min(max(self._chance.lognormvariate(3.55, 0.55), 8), 150) * _MINUTE
            start = self._day + _DAY_BEGINS + self._chance.random() * (_DAY_ENDS - _DAY_BEGINS - length)
            if all(self._is_free(one, start, start + length) for one in {*named, *came}):
                break
        else:
            return
        visit = Visit(len(self._world.visits), case, self._unit, named, came, start, start + length, at)
        self._world.visits.append(visit)
        for officer in came:
            self._busy[officer].append((start, start + length))
            self._today[officer].append(visit)

    def _came(self, named: tuple[str, ...]) -> tuple[str, ...]:
        if self._chance.random() >= self._noise.swapped:
            return named
        gone = self._chance.randrange(2)
        others = [one for one in self._world.units[self._unit] if one not in named]
        return tuple(self._chance.choice(others) if place == gone else one for place, one in enumerate(named))

    def _is_free(self, officer: str, start: datetime, end: datetime) -> bool:
        way = 8 * _MINUTE
        return all(end + way <= busy[0] or busy[1] + way <= start for busy in self._busy[officer])

    def _film(self, officer: str) -> None:
        spans = [one for visit in self._today[officer] for one in self._filmed(officer, visit)]
        spans += self._no_case(officer)
        for start, end, at in sorted(spans):
            for one, other in _split(start, end):
                cases = frozenset(visit.case for visit in self._today[officer] if _shows(one, other, visit))
                number = len(self._world.shots)
                self._world.shots.append(Shot(number, officer, self._unit, one, other, at, cases))

    def _filmed(self, officer: str, visit: Visit) -> Iterator[tuple[datetime, datetime, Point]]:
        chance, noise = self._chance, self._noise
        if chance.random() >= (0.95 if officer == visit.came[0] else 0.85):
            return
        start = visit.start + chance.gauss(-1, 2) * _MINUTE
        end = max(visit.end + chance.gauss(1, 3) * _MINUTE, start + 2 * _MINUTE)
        if chance.random() < noise.left_running:
            end += chance.uniform(15, 60) * _MINUTE
        if chance.random() < noise.paused and end - start > 25 * _MINUTE:
            middle = start + (end - start) * chance.uniform(0.3, 0.6)
            yield start, middle, visit.at
            yield middle + chance.uniform(3, 10) * _MINUTE, end, visit.at
        else:
            yield start, end, visit.at
        if chance.random() < noise.photos:
            for _ in range(chance.randint(1, 3)):
                moment = visit.start + chance.random() * (visit.end - visit.start)
                yield moment, moment, visit.at

    def _no_case(self, officer: str) -> Iterator[tuple[datetime, datetime, Point]]:
        chance = self._chance
        if chance.random() < self._noise.button_test:
            start = self._day + chance.uniform(15, 35) * _MINUTE
            yield start, start + chance.uniform(5, 60) * timedelta(seconds=1), self._middle
        if chance.random() < self._noise.patrol:
            length = min(max(chance.lognormvariate(2.2, 0.8), 1), 60) * _MINUTE
            for _ in range(20):
                start = self._day + _DAY_BEGINS + chance.random() * (_DAY_ENDS - _DAY_BEGINS - length)
                # Not at a visit, and a few minutes from it: a walk on the way there begins when the one before ended.
                around = [(one.start - 4 * _MINUTE, one.end + 4 * _MINUTE) for one in self._today[officer]]
                if all(start + length <= one or other <= start for one, other in around):
                    yield start, start + length, self._somewhere()
                    return

    def _somewhere(self) -> Point:
        return self._chance.gauss(self._middle[0], 1500), self._chance.gauss(self._middle[1], 1500)


def _split(start: datetime, end: datetime) -> Iterator[tuple[datetime, datetime]]:
    """A camera begins a new file every half hour."""
    while end - start > SPLIT:
        yield start, start + SPLIT
        start += SPLIT
    yield start, end


def _shows(start: datetime, end: datetime, visit: Visit) -> bool:
    """A file is of a visit when five minutes of it show it; or half of it, arrival and leaving included."""
    arrival, leaving = visit.start - 5 * _MINUTE, visit.end + 8 * _MINUTE
    if start == end:
        return arrival <= start <= leaving
    if min(end, visit.end) - max(start, visit.start) >= 5 * _MINUTE:
        return True
    return min(end, leaving) - max(start, arrival) >= (end - start) / 2


def _poisson(chance: random.Random, mean: float) -> int:
    count, waited = 0, chance.expovariate(mean)
    while waited < 1:
        count += 1
        waited += chance.expovariate(mean)
    return count


def degrees_e6(at: Point) -> tuple[int, int]:
    """A place as millionths of degrees, north and east, near 30° north."""
    north = 30 + at[1] / _METRES_PER_DEGREE
    east = 114 + at[0] / (_METRES_PER_DEGREE * 0.866)
    return round(north * 1_000_000), round(east * 1_000_000)
