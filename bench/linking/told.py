# SPDX-License-Identifier: Apache-2.0
"""This is where it is made up what the register hears of a month: cases as entered, papers, files as docked."""

import random
from collections import defaultdict
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from bench.linking.noise import Noise
from bench.linking.world import Point as Metres
from bench.linking.world import Shot, Visit, World, degrees_e6
from evidence.linking import Area, Footage, Paper, Point, Work

_MINUTE, _SECOND, _HOUR = timedelta(minutes=1), timedelta(seconds=1), timedelta(hours=1)
_RADIUS_M = 200
_UNMEASURED = timedelta(seconds=60)

Pair = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Told:
    """What the register hears, and which links are true: pairs of recording and case. `why` says what went wrong."""

    footages: list[Footage]
    works: list[Work]
    true: frozenset[Pair]
    why: dict[str, list[str]]


def told_of(world: World, seed: int, noise: Noise) -> Told:
    """What is told of a month; equal arguments give equal answers."""
    teller = _Teller(world, random.Random(seed * 7919 + 1), noise)  # a simulation, which must repeat
    works = teller.works()
    footages = teller.footages()
    twins = teller.twins
    true = {
        (footage.id, case)
        for footage, shot in zip(footages, world.shots, strict=True)
        for number in shot.cases
        for case in (case_id(number), *twins.get(number, ()))
    }
    return Told(footages, works, frozenset(true), dict(teller.why))


def case_id(number: int) -> str:
    """The id of a case."""
    return f"cas-{number:05d}"


class _Teller:
    """Tells of a world with noise."""

    def __init__(self, world: World, chance: random.Random, noise: Noise) -> None:
        self._world, self._chance, self._noise = world, chance, noise
        self._visits: dict[int, list[Visit]] = defaultdict(list)
        for visit in world.visits:
            self._visits[visit.case].append(visit)
        self.why: dict[str, list[str]] = defaultdict(list)
        self.twins: dict[int, tuple[str, ...]] = {}
        self._exchanged = self._exchanges()
        self._offset_s = {one: chance.uniform(-60, 60) for unit in world.units for one in unit}
        self._is_off = {one: chance.random() < noise.minute_off for unit in world.units for one in unit}
        self._days: dict[tuple[str, int], tuple[timedelta, bool]] = {}

    def _note(self, name: str, what: str) -> None:
        self.why[name].append(what)

    # --- cases -----------------------------------------------------------------------------------

    def works(self) -> list[Work]:
        """The cases as they were entered; some inspections end in two cases."""
        works = []
        for number in sorted(self._visits):
            visits = sorted(self._visits[number], key=lambda one: one.start)
            work = self._work(number, visits)
            works.append(work)
            if self._chance.random() < self._noise.two_cases:
                twin = f"{work.id}b"
                works.append(replace(work, id=twin, number=f"{work.number}-B"))
                self.twins[number] = (twin,)
        return works

    def _work(self, number: int, visits: list[Visit]) -> Work:
        first, name = visits[0], case_id(number)
        is_whole = len(visits) > 1 and self._chance.random() < self._noise.window_whole_case
        start, end = _rounded(first.start, visits[-1].end, 5) if is_whole else self._window(name, first)
        if is_whole:
            self._note(name, "window-whole-case")
        papers = [paper for place, visit in enumerate(visits) for paper in self._papers(name, place, visit)]
        return Work(
            name,
            f"2026-{first.unit:02d}-{number:05d}",
            start,
            end,
            frozenset(first.named),
            unit=f"unit-{first.unit}",
            papers=tuple(papers),
            area=self._area(name, first.at),
        )

    def _window(self, name: str, visit: Visit) -> tuple[datetime, datetime]:
        chance, noise = self._chance, self._noise
        drawn = chance.random()
        if drawn < noise.window_wrong:
            self._note(name, "window-wrong")
            shift = chance.choice((-1, 1)) * chance.uniform(20, 60) * _MINUTE
            return _rounded(visit.start + shift, visit.end + shift, 5)
        if drawn < noise.window_wrong + noise.window_from_memory:
            self._note(name, "window-from-memory")
            shift = chance.gauss(0, 12) * _MINUTE
            return _rounded(visit.start + shift, visit.end + shift + chance.gauss(0, 10) * _MINUTE, 10)
        if drawn < noise.window_wrong + noise.window_from_memory + noise.window_rounded:
            return _rounded(visit.start, visit.end, 30)
        start, end = (one + chance.gauss(0, 3) * _MINUTE for one in (visit.start, visit.end))
        return _rounded(start, end, 5)

    def _papers(self, name: str, place: int, visit: Visit) -> list[Paper]:
        chance, noise = self._chance, self._noise
        if chance.random() >= (1 - noise.return_untold if place else noise.paper):
            return []
        start = visit.start + abs(chance.gauss(4, 3)) * _MINUTE
        end = max(visit.end - abs(chance.gauss(2, 2)) * _MINUTE, start + 3 * _MINUTE)
        if chance.random() < noise.paper_wrong:
            self._note(name, "paper-wrong")
            shift = chance.choice((-24, -1, 1, 24)) * _HOUR
            start, end = start + shift, end + shift
        came = visit.named if chance.random() < noise.paper_old_officers else visit.came
        start, end = _rounded(start, end, 1)
        return [Paper(f"{name}.{place}", start, end, frozenset(came))]

    def _area(self, name: str, at: Metres) -> Area | None:
        chance, noise = self._chance, self._noise
        if chance.random() >= noise.geocoded:
            return None
        drawn = chance.random()
        if drawn < noise.geocode_wrong:
            self._note(name, "geocode-wrong")
            off = 3000.0
        else:
            off = 300.0 if drawn < noise.geocode_wrong + noise.geocode_rough else 60.0
        return Area(Point(*degrees_e6((at[0] + chance.gauss(0, off), at[1] + chance.gauss(0, off)))), _RADIUS_M)

    # --- files -----------------------------------------------------------------------------------

    def footages(self) -> list[Footage]:
        """The files as their docks read them, in the order of the world's shots."""
        before: dict[str, int] = {}
        return [self._footage(shot, before) for shot in self._world.shots]

    def _footage(self, shot: Shot, before: dict[str, int]) -> Footage:
        name = f"rec-{shot.number:06d}"
        officer = self._exchanged.get((shot.officer, shot.start.date().toordinal()), shot.officer)
        if officer != shot.officer:
            self._note(name, "camera-exchanged")
        shift, is_measured = self._clock(name, officer, shot)
        found = Footage(
            name,
            officer=officer,
            unit=f"unit-{shot.unit}",
            start=shot.start + shift,
            end=shot.end + shift,
            doubt=2 * _SECOND if is_measured else _UNMEASURED,
            points=self._points(shot.at),
            numbers=self._numbers(name, shot, before),
            notes=self._notes(shot),
        )
        if shot.cases:
            before[shot.officer] = min(shot.cases)
        return found

    def _clock(self, name: str, camera: str, shot: Shot) -> tuple[timedelta, bool]:
        """How far what is told of a start is off, and whether the dock measured the camera's clock."""
        key = (camera, shot.start.date().toordinal())
        if key not in self._days:
            self._days[key] = self._clock_of_day(camera, shot.start)
        shift, is_measured = self._days[key]
        if abs(shift) > 5 * _MINUTE:
            self._note(name, "clock-wrong")
        return shift, is_measured

    def _clock_of_day(self, camera: str, at: datetime) -> tuple[timedelta, bool]:
        chance, noise = self._chance, self._noise
        shift = chance.gauss(0, noise.drift_s_per_day) * chance.randint(1, 5) * _SECOND
        if self._is_off[camera]:
            shift += self._offset_s[camera] * _SECOND
        drawn = chance.random()
        if drawn < noise.zone_wrong:
            shift += chance.choice((-8, 8)) * _HOUR
        elif drawn < noise.zone_wrong + noise.reset:
            shift += datetime(chance.choice((1970, 2000)), 1, 1, tzinfo=UTC) - at
        if chance.random() < noise.measured:
            return chance.gauss(0, 0.5) * _SECOND, True
        return shift, False

    def _points(self, at: Metres) -> tuple[Point, ...]:
        if self._chance.random() >= self._noise.fix:
            return ()
        off = self._noise.fix_m
        return (Point(*degrees_e6((at[0] + self._chance.gauss(0, off), at[1] + self._chance.gauss(0, off)))),)

    def _numbers(self, name: str, shot: Shot, before: dict[str, int]) -> tuple[str, ...]:
        chance, noise = self._chance, self._noise
        if chance.random() >= noise.terminal:
            return ()
        stale = noise.terminal_stale if shot.cases else noise.terminal_idle
        if chance.random() < stale and shot.officer in before:
            self._note(name, "terminal-stale")
            return (self._number(before[shot.officer]),)
        return (self._number(min(shot.cases)),) if shot.cases else ()

    def _notes(self, shot: Shot) -> tuple[str, ...]:
        if not shot.cases or self._chance.random() >= self._noise.note:
            return ()
        return (f"现场检查 {self._number(min(shot.cases))}",)

    def _number(self, case: int) -> str:
        return f"2026-{self._visits[case][0].unit:02d}-{case:05d}"

    def _exchanges(self) -> dict[tuple[str, int], str]:
        """Whose camera an officer carried on a day, where it was not their own."""
        chance, found = self._chance, {}
        for day in sorted({shot.start.date().toordinal() for shot in self._world.shots}):
            for unit in self._world.units:
                for place, officer in enumerate(unit):
                    if chance.random() >= self._noise.camera_exchanged / 2 or (officer, day) in found:
                        continue
                    # One time in two with the one they go out with.
                    other = unit[place ^ 1] if chance.random() < 0.5 else chance.choice(unit)
                    if other != officer and (other, day) not in found:
                        found[officer, day], found[other, day] = other, officer
        return found


def _rounded(start: datetime, end: datetime, minutes: int) -> tuple[datetime, datetime]:
    """Both ends to the nearest so many minutes; never empty."""
    step = minutes * _MINUTE
    zero = datetime(2026, 1, 1, tzinfo=UTC)
    first, last = (zero + round((one - zero) / step) * step for one in (start, end))
    return first, max(last, first + step)
