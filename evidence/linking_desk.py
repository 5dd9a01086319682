# SPDX-License-Identifier: Apache-2.0
"""This is where all that is known lies on one table while a decision is made, with what was said so far."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from evidence.linking import Footage, Kind, Reason, Rule, Rules, Score, Work, scored
from evidence.linking_times import Filed, Shot, Span, Stretch, Time, Visit, stretches_of, visits_of

Pair = tuple[str, str]
"""A recording and a case, by id."""

SECOND = timedelta(seconds=1)


@dataclass(slots=True)
class Desk:
    """Everything on the table while one decision is made."""

    rules: Rules
    films: Sequence[Footage]
    works: Sequence[Work]
    stretches: list[Stretch] = field(init=False)
    visits: list[Visit] = field(init=False)
    reasons: dict[Pair, dict[str, Reason]] = field(init=False)
    # Where a shot is placed by its officer and time, and by which stated time.
    placed: dict[str, dict[str, Span]] = field(init=False)
    theirs: Filed = field(init=False)
    units: Filed = field(init=False)
    # Files that their camera began by itself, because the one before was long enough.
    rests: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        self.stretches = stretches_of(self.films, self.rules)
        self.visits = [visit for work in self.works for visit in visits_of(work, self.rules)]
        self.reasons = defaultdict(dict)
        self.placed = defaultdict(dict)
        self.theirs = Filed(self.stretches, lambda one: one.officer)
        self.units = Filed(self.stretches, lambda one: one.unit)
        self.rests = frozenset(
            shot.footage.id
            for stretch in self.stretches
            for shot in stretch.shots
            if any(self.is_rest(shot, other) for other in stretch.shots)
        )

    def speak(self, shot: Shot | Footage, work: Work, rule: Rule | None, **facts: str | int) -> None:
        """Write a reason down."""
        if rule is not None:
            footage = shot.footage if isinstance(shot, Shot) else shot
            self.reasons[footage.id, work.id][rule.id] = Reason(rule.id, rule.kind, rule.score, facts)

    def scores(self) -> dict[Pair, Score]:
        """What it all comes to."""
        found = {pair: scored(reasons.values()) for pair, reasons in sorted(self.reasons.items())}
        return {pair: score for pair, score in found.items() if score.permille >= self.rules.suggest_at}

    def is_linked(self, shot: Shot, work: Work) -> bool:
        """True when what was said so far links them."""
        told = self.reasons.get((shot.footage.id, work.id))
        return told is not None and scored(told.values()).permille >= self.rules.link_at

    def place(self, shot: Shot, visit: Visit, time: Time) -> None:
        """Footage was filmed by an officer of a visit, at its time."""
        begins, ends = visit.work.start, visit.work.end
        if time.kind is Kind.OFFICER_WINDOW:
            facts = {"officer": shot.footage.officer or "", "window": f"{begins.isoformat()}/{ends.isoformat()}"}
        else:
            facts = {"officer": shot.footage.officer or "", "paper": time.source}
        self.speak(shot, visit.work, self.rules.of(time.kind), **facts)
        self.placed[shot.footage.id][visit.work.id] = time.span

    def placed_at(self, stretch: Stretch, visit: Visit) -> bool:
        """True when a stretch is placed at a visit's case by time."""
        return any(visit.work.id in self.placed.get(shot.footage.id, {}) for shot in stretch.shots)

    def is_free(self, stretch: Stretch) -> bool:
        """True when nothing places any of a stretch by time."""
        return not any(self.placed.get(shot.footage.id) for shot in stretch.shots)

    def near_visit(self, visit: Visit) -> list[Stretch]:
        """What a visit's officers filmed near it."""
        reach = self.rules.reach
        return [one for officer in sorted(visit.officers) for one in self.theirs.near(officer, visit, reach)]

    def is_in(self, shot: Shot, time: Time) -> bool:
        """True when enough of the footage, or of the time, is in both; clocks' doubt included."""
        rule = self.rules.of(time.kind)
        if rule is None:
            return False
        doubt = shot.footage.doubt
        wide = time.span.padded(rule.before + doubt, rule.after + doubt)
        if shot.span.length == 0:
            return wide.shared(shot.span) >= 0
        if time.span.shared(shot.span) <= -(doubt // SECOND):
            return False
        shared = wide.shared(shot.span)
        return shared * 1000 >= min(shot.span.length, time.span.length) * self.rules.share

    def is_rest(self, shot: Shot, other: Shot) -> bool:
        """True when a camera began a file by itself where the other was long enough."""
        return abs(shot.span.start - other.span.end) <= self.rules.cut // SECOND
