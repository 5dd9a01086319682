# SPDX-License-Identifier: Apache-2.0
"""This is where a recording as the register has it meets the rules in force: what `decide` is asked, and how often.

For one recording it is asked in full, reasons and all. A sweep asks it once for all recordings that differ in dates
alone (`evidence/retention_pattern.py`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache

from evidence import instant
from evidence.lifecycle import State
from evidence.retention import (
    Adopted,
    CaseKept,
    Decision,
    Hold,
    Kept,
    Outcome,
    Rule,
    Standing,
    decide,
    rules_in_force,
)
from evidence.retention_pattern import Pattern, pattern_of
from evidence.term import parse_term
from pipeline.catalogs import in_force
from pipeline.ports import Ports
from pipeline.retention_figures import Figures
from storage.register.keeping import CaseOf, Entry
from storage.register.search import Connection

_ON_THE_WAY = frozenset({State.ARRIVED, State.MEASURED, State.SEALED})
_Key = tuple[object, ...]

# The same day closes many cases, and pages repeat their texts.
_moment = lru_cache(1 << 14)(instant.from_text)
_term = lru_cache(256)(parse_term)


@dataclass(frozen=True, slots=True)
class Rulebook:
    """The catalog versions in force or once in force, oldest first, and what each condition (by its code) does."""

    adopted: tuple[Adopted, ...]
    conditions: Mapping[str, tuple[Standing, ...]]

    def rules(self, item: str | None, pinned: str | None) -> tuple[Rule, ...]:
        """What speaks for an item that was classified under a version; nothing for what has no item."""
        return () if item is None else rules_in_force(item, pinned or "", self.adopted)


def rulebook_at(connection: Connection, ports: Ports, now: datetime) -> Rulebook:
    """The rules that count at `now`.

    Raises:
        RecordMalformed: the register holds another text of a catalog than was adopted.
    """
    known = in_force.versions(connection, now, default=ports.catalog)
    return Rulebook(tuple(version.as_adopted() for version in known), in_force.standings(known))


def ended(entry: Entry, figures: Figures) -> tuple[datetime, bool]:
    """From when a recording's keeping is counted, and whether a person must first look at its clock.

    The latest end that its clocks allow; its arrival where that is unknown or not to be believed: too long before
    the arrival (a clock that was reset), or after it (a clock that is ahead), which a person reviews.
    """
    arrived = _moment(entry.arrived_at)
    if entry.end_latest is None:
        return arrived, False
    latest = instant.from_text(entry.end_latest)
    if latest > arrived + figures.after_arrival:
        return arrived, entry.reviewed_at is None
    return (arrived if latest < arrived - figures.before_arrival else latest), False


@dataclass(slots=True)
class Judge:
    """Asks for decisions at one moment, under one rulebook. Not to be shared between threads."""

    rulebook: Rulebook
    figures: Figures
    now: datetime
    _patterns: dict[_Key, Pattern] = field(default_factory=dict)

    def decision(self, entry: Entry) -> Decision:
        """The whole answer, with its reasons."""
        start, is_doubted = ended(entry, self.figures)
        return self._decide(entry, start, self._awaits(entry, is_doubted))

    def answer(self, entry: Entry) -> tuple[Outcome, datetime | None]:
        """Outcome and date alone; the same as `decision` says."""
        start, is_doubted = ended(entry, self.figures)
        awaits = self._awaits(entry, is_doubted)
        kinds = tuple((case.closed_at is None, case.file_term) for case in entry.cases)
        key = (entry.item, entry.catalog, awaits, kinds, entry.conditions, bool(entry.holds))
        pattern = self._patterns.get(key)
        if pattern is None:
            pattern = pattern_of(self._decide(entry, start, awaits), [case.id for case in entry.cases])
            self._patterns[key] = pattern
        closed = [None if case.closed_at is None else _moment(case.closed_at) for case in entry.cases]
        return pattern.answer(start, closed, now=self.now)

    def _decide(self, entry: Entry, start: datetime, awaits: tuple[str, ...]) -> Decision:
        return decide(
            Kept(entry.id, start, awaits),
            self.rulebook.rules(entry.item, entry.catalog),
            [_case(case) for case in entry.cases],
            [one for code in entry.conditions for one in self.rulebook.conditions.get(code, ())],
            [Hold(hold) for hold in entry.holds],
            now=self.now,
        )

    def _awaits(self, entry: Entry, is_doubted: bool) -> tuple[str, ...]:
        if entry.state == State.INDEXED and entry.item and not (entry.is_marked or is_doubted or entry.conditions):
            return ()  # most of a million
        asked: Mapping[str, bool] = {
            "quarantined": entry.state == State.QUARANTINED,
            "unindexed": entry.state in _ON_THE_WAY,
            "unclassified": entry.item is None,
            "marked": entry.is_marked and entry.reviewed_at is None,
            "clock-doubt": is_doubted,
            # What no version explains any more may have been for good.
            "condition-unknown": any(code not in self.rulebook.conditions for code in entry.conditions),
        }
        return tuple(what for what, is_open in asked.items() if is_open)


def _case(case: CaseOf) -> CaseKept:
    closed = None if case.closed_at is None else _moment(case.closed_at)
    return CaseKept(case.id, closed, None if case.file_term is None else _term(case.file_term))
