# SPDX-License-Identifier: Apache-2.0
"""This is where footage is told apart into stretches and a case's times into visits, and the two are matched.

A stretch is what one officer's camera filmed without a real pause. A visit is one or more times that a case states
for one piece of work: its papers', and its window's. An officer's stretches and the visits they were named for are
matched one to one, the best fitting first: so a wrong window finds its footage, and footage of no case finds none.
"""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from evidence.linking import Footage, Kind, Rules, Work

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Span:
    """A span in whole seconds."""

    start: int
    end: int

    def padded(self, before: timedelta, after: timedelta) -> "Span":
        """The span, begun earlier and ended later."""
        return Span(self.start - before // _SECOND, self.end + after // _SECOND)

    def shared(self, other: "Span") -> int:
        """Seconds that lie in both; negative: how far they are apart."""
        return min(self.end, other.end) - max(self.start, other.start)

    def unlike(self, other: "Span") -> int:
        """Seconds by which beginnings and ends differ."""
        return abs(self.start - other.start) + abs(self.end - other.end)

    def is_like(self, other: "Span", share: int) -> bool:
        """True when the shorter is at least `share` permille as long as the longer."""
        return min(self.length, other.length) * 1000 >= max(self.length, other.length) * share

    def ran_with(self, other: "Span", rules: Rules) -> bool:
        """True when two cameras were turned on and off together, and ran together for the greater part."""
        shared = self.shared(other)
        is_common = shared > 0 and shared * 1000 >= max(self.length, other.length) * rules.share
        return is_common and self.unlike(other) <= rules.alike // _SECOND

    @property
    def length(self) -> int:
        """Seconds."""
        return self.end - self.start


def span(start: datetime, end: datetime | None) -> Span:
    """The span between two instants, whole seconds around it."""
    stop = start if end is None else end
    return Span((start - _EPOCH) // _SECOND, -((_EPOCH - stop) // _SECOND))


@dataclass(frozen=True, slots=True)
class Shot:
    """Footage and its span."""

    footage: Footage
    span: Span


@dataclass(frozen=True, slots=True)
class Stretch:
    """What one officer's camera filmed without a real pause."""

    shots: tuple[Shot, ...]
    span: Span

    @property
    def officer(self) -> str | None:
        """Whose camera it was."""
        return self.shots[0].footage.officer

    @property
    def unit(self) -> str | None:
        """The unit of that officer."""
        return self.shots[0].footage.unit


@dataclass(frozen=True, slots=True)
class Time:
    """A time that a case states, and what states it."""

    span: Span
    kind: Kind
    source: str


@dataclass(frozen=True, slots=True)
class Visit:
    """One piece of work of a case: the times stated for it, papers before the window, and who was named for it."""

    work: Work
    times: tuple[Time, ...]
    officers: frozenset[str]

    @property
    def is_wide(self) -> bool:
        """True when all that is known is a window too wide to say when."""
        return self.times[0].kind is Kind.OFFICER_WIDE


@dataclass(frozen=True, slots=True)
class Match:
    """A stretch and the visit that it fits best; `apart` is how many seconds its time lies off, 0 when they meet."""

    stretch: Stretch
    visit: Visit
    time: Time
    unlike: int
    apart: int
    is_shared: bool


def stretches_of(footages: Iterable[Footage], rules: Rules) -> list[Stretch]:
    """The stretches of each officer, in order of officer and time; footage of unknown time is in none."""
    shots: dict[tuple[str, str], list[Shot]] = defaultdict(list)
    for one in footages:
        if one.start is not None:
            # Whose camera it was is not known: each stands alone.
            whose = (one.officer, "") if one.officer is not None else ("", one.id)
            shots[whose].append(Shot(one, span(one.start, one.end)))
    return [stretch for whose in sorted(shots) for stretch in _joined(shots[whose], rules)]


def _joined(shots: list[Shot], rules: Rules) -> Iterator[Stretch]:
    shots.sort(key=lambda one: (one.span.start, one.span.end, one.footage.id))
    held: list[Shot] = []
    end = 0
    for shot in shots:
        if held and shot.span.start - end > rules.pause // _SECOND:
            yield _stretch(held, end)
            held = []
        end = max(end, shot.span.end) if held else shot.span.end
        held.append(shot)
    if held:
        yield _stretch(held, end)


def _stretch(shots: Sequence[Shot], end: int) -> Stretch:
    return Stretch(tuple(shots), Span(shots[0].span.start, end))


def visits_of(work: Work, rules: Rules) -> list[Visit]:
    """The visits of a case: its papers by time, those near one another together, and its window with the nearest."""
    groups: list[list[Time]] = []
    named: list[set[str]] = []
    for paper in sorted(work.papers, key=lambda one: (one.start, one.end, one.id)):
        time = Time(span(paper.start, paper.end), Kind.OFFICER_PAPER, paper.id)
        if groups and -groups[-1][-1].span.shared(time.span) <= rules.one_visit // _SECOND:
            groups[-1].append(time)
        else:
            groups.append([time])
            named.append(set())
        named[-1] |= paper.officers
    _add_window(work, groups, named, rules)
    return [
        Visit(work, tuple(times), frozenset(officers) or work.officers)
        for times, officers in zip(groups, named, strict=True)
    ]


def _add_window(work: Work, groups: list[list[Time]], named: list[set[str]], rules: Rules) -> None:
    window = span(work.start, work.end)
    if window.length > rules.widest // _SECOND:
        groups.append([Time(window, Kind.OFFICER_WIDE, "window")])
        named.append(set())
        return
    time = Time(window, Kind.OFFICER_WINDOW, "window")
    near = [group for group in groups if max(one.span.shared(window) for one in group) >= -(rules.one_visit // _SECOND)]
    if near:
        max(near, key=lambda group: max(one.span.shared(window) for one in group)).append(time)
    else:
        groups.append([time])
        named.append(set())


class Filed:
    """Stretches under a key (an officer, a unit), found by time."""

    def __init__(self, stretches: Iterable[Stretch], key: Callable[[Stretch], str | None]) -> None:
        self._under: dict[str, list[Stretch]] = defaultdict(list)
        for one in sorted(stretches, key=lambda one: (one.span.start, one.span.end, one.shots[0].footage.id)):
            named = key(one)
            if named is not None:
                self._under[named].append(one)
        self._starts = {named: [one.span.start for one in held] for named, held in self._under.items()}
        self._longest = {named: max(one.span.length for one in held) for named, held in self._under.items()}

    def near(self, key: str | None, visit: Visit, reach: timedelta) -> list[Stretch]:
        """Those under a key that come within `reach` of any time of a visit, by time."""
        if key is None or key not in self._under:
            return []
        times = [time.span.padded(reach, reach) for time in visit.times]
        first, last = min(one.start for one in times), max(one.end for one in times)
        low = bisect_left(self._starts[key], first - self._longest[key])
        high = bisect_right(self._starts[key], last)
        return [one for one in self._under[key][low:high] if any(time.shared(one.span) >= 0 for time in times)]


def matched(theirs: Filed, visits: Sequence[Visit], rules: Rules) -> list[Match]:
    """Stretches and visits one to one for each officer, the best fitting first, in whatever order they come."""
    found = [match for visit in visits for match in _fits(visit, theirs, rules)]
    # Where two of the visit's officers filmed together there was work; a single camera may have filmed anything.
    found.sort(
        key=lambda one: (not one.is_shared, one.unlike, one.stretch.span.start, _name(one.stretch), one.visit.work.id)
    )
    taken: set[tuple[str | None, int, str]] = set()
    placed: set[str] = set()
    chosen = []
    for one in found:
        slot = (one.stretch.officer, one.visit.times[0].span.start, one.visit.work.id)
        first = _name(one.stretch)
        if slot not in taken and first not in placed:
            taken.add(slot)
            placed.add(first)
            chosen.append(one)
    return chosen


def _name(stretch: Stretch) -> str:
    return stretch.shots[0].footage.id


def _fits(visit: Visit, theirs: Filed, rules: Rules) -> Iterator[Match]:
    """How each stretch within reach fits a visit of its officer: by the time that it fits best."""
    if visit.is_wide:
        return
    found = [one for officer in sorted(visit.officers) for one in theirs.near(officer, visit, rules.reach)]
    for stretch in found:
        best = min(visit.times, key=lambda one: (stretch.span.unlike(one.span), one.kind))
        apart = max(0, -max(stretch.span.shared(one.span) for one in visit.times))
        others = (one for one in found if one.officer != stretch.officer)
        is_shared = any(stretch.span.ran_with(one.span, rules) for one in others)
        yield Match(stretch, visit, best, stretch.span.unlike(best.span), apart, is_shared)
