# SPDX-License-Identifier: Apache-2.0
"""This is where one decision answers for all that differ from it in dates alone: for a sweep over a million.

What `decide` says depends on a recording's end and on the days its cases were closed only through the instants that
terms are added to. So the bounds of one decision, with the start each is counted from, give the answer for every
recording of the same item, version, conditions, holds and kinds of cases. `decide` stays the one place of the rules.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from evidence.retention import Decision, Outcome
from evidence.term import Term, parse_term


@dataclass(frozen=True, slots=True)
class Pattern:
    """`fixed` is the outcome whatever the dates; None: kept until a date, or due.

    `bounds`: a term, and the place of the case it is counted from the closing of (None: from the recording's end).
    Without a date (`is_dated` false) there are none.
    """

    fixed: Outcome | None
    is_dated: bool
    bounds: tuple[tuple[Term, int | None], ...]

    def answer(
        self, ended: datetime, closed: Sequence[datetime | None], *, now: datetime
    ) -> tuple[Outcome, datetime | None]:
        """Outcome and latest bound, as `decide` would say, for a recording that ended then, its cases closed then."""
        until = self._until(ended, closed) if self.is_dated else None
        if self.fixed is not None or until is None:
            return self.fixed or Outcome.WAITS, until
        return (Outcome.DUE if until <= now else Outcome.KEPT), until

    def _until(self, ended: datetime, closed: Sequence[datetime | None]) -> datetime | None:
        latest = None
        for term, place in self.bounds:
            since = ended if place is None else closed[place]
            end = None if since is None else term.end(max(since, ended))
            if end is not None and (latest is None or end > latest):
                latest = end
        return latest


def pattern_of(decision: Decision, cases: Sequence[str]) -> Pattern:
    """What stays the same of a decision when only dates change; `cases` are the ids it was made with, in order."""
    places = {case: place for place, case in enumerate(cases)}
    bounds = {
        (parse_term(term), None if (case := reason.facts.get("case")) is None else places[case]): None
        for reason in decision.reasons
        if reason.facts.get("until") is not None and (term := reason.facts.get("term")) is not None
    }
    is_open = decision.outcome in (Outcome.KEPT, Outcome.DUE)
    return Pattern(None if is_open else decision.outcome, decision.until is not None, _longest(bounds))


def _longest(bounds: Iterable[tuple[Term, int | None]]) -> tuple[tuple[Term, int | None], ...]:
    """Without the bounds that another of the same start outlasts, whatever the start: fewer months, or fewer days."""
    found: dict[object, tuple[Term, int | None]] = {}
    for term, place in sorted(bounds, key=lambda bound: (bound[0].months, bound[0].days)):
        # Of months and days beside one another the calendar decides which is longer: such a bound stays.
        found[place, term if term.months and term.days else term.months > 0] = (term, place)
    return tuple(found.values())
