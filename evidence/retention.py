# SPDX-License-Identifier: Apache-2.0
"""This is where it is decided until when a recording is kept: a pure function, and its reasons in order.

Every rule in force gives a bound; the latest wins. A hold, an open case, or a question that only a person can answer
beats every bound: then there is no date at all. Counting starts at the *later* bound of what is known, so that doubt
about a clock never shortens. The reasons hold all that the answer was made of: `recompute` makes it from them alone.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from evidence import instant
from evidence.catalog import Condition, Effect, RetentionClass, Starts
from evidence.term import Term


class Outcome(StrEnum):
    """What may become of a recording as far as its keeping goes."""

    HELD = "held"
    """A hold stands."""
    WAITS = "waits"
    """A case is open, a dispute runs, or a person must answer first."""
    PERMANENT = "permanent"
    """It is kept for good."""
    KEPT = "kept"
    """It is kept until a date that is still to come."""
    DUE = "due"
    """Its date has passed: a person may appraise it. Nothing is removed by this alone."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What keeping must know of a recording. `ended` is the latest moment it can have ended (UTC).

    `awaits` are questions only a person can answer: `unclassified`, `marked` (the camera's mark, not reviewed),
    `quarantined`, `unindexed`.
    """

    id: str
    ended: datetime
    awaits: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rule:
    """A catalog version's word on an item: the retention class it had there."""

    catalog: str
    item: str
    retention: RetentionClass


@dataclass(frozen=True, slots=True)
class CaseKept:
    """What keeping must know of a case: when it was closed (None: open), and its file's own term, if it has one."""

    id: str
    closed: datetime | None
    file_term: Term | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """A condition that stands on a recording or on a case of it; `floor` is the class that a floor names."""

    condition: Condition
    floor: RetentionClass | None = None


@dataclass(frozen=True, slots=True)
class Hold:
    """A reason to keep that beats every rule, until somebody lifts it."""

    id: str


@dataclass(frozen=True, slots=True)
class Reason:
    """One step of the answer: a code for words, and the facts in it (text only, for JSON and for recomputing)."""

    code: str
    facts: Mapping[str, str | None] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """As a mapping for JSON: `code` and the facts."""
        return {"code": self.code, **self.facts}


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer: `until` is the latest bound when there is one, also when something else keeps it longer."""

    outcome: Outcome
    until: datetime | None
    reasons: tuple[Reason, ...]


def decide(
    entry: Kept,
    rules: Sequence[Rule],
    cases: Sequence[CaseKept],
    conditions: Sequence[Standing],
    holds: Sequence[Hold],
    *,
    now: datetime,
) -> Decision:
    """Until when a recording is kept, at `now`; `rules` are those in force for it (`rules_in_force`).

    Same arguments, same answer. Without a rule it waits for a person.
    """
    reasons = [
        *(Reason("held", {"hold": hold.id}) for hold in holds),
        *(Reason("awaits", {"what": what}) for what in entry.awaits),
        *([] if rules else [Reason("awaits", {"what": "unclassified"})] if "unclassified" not in entry.awaits else []),
        *(Reason("case-open", {"case": case.id}) for case in cases if case.closed is None),
        *_standing_holds(conditions),
    ]
    for rule in rules:
        reasons.append(_floor(entry, rule))
        reasons += _terms(entry, rule.retention, cases, source=rule.item, catalog=rule.catalog)
    for standing in conditions:
        reasons += _of_condition(entry, standing, cases)
    outcome, until = recompute([reason.to_json() for reason in reasons], now=now)
    return Decision(outcome, until, tuple(reasons))


_WAITING = frozenset({"awaits", "case-open", "dispute"})


def recompute(reasons: Iterable[Mapping[str, Any]], *, now: datetime) -> tuple[Outcome, datetime | None]:
    """The answer that follows from reasons alone: what an explanation is checked with.

    Raises:
        KeyError, ValueError: these are no reasons of ours.
    """
    told = list(reasons)
    codes = {one["code"] for one in told}
    bounds = [instant.from_text(one["until"]) for one in told if one.get("until") is not None]
    until = max(bounds, default=None)
    is_permanent = any(one.get("term") == "permanent" for one in told)
    if "held" in codes:
        return Outcome.HELD, None if is_permanent else until
    if is_permanent:
        return Outcome.PERMANENT, None
    if codes & _WAITING or until is None:
        return Outcome.WAITS, until
    return (Outcome.DUE if until <= now else Outcome.KEPT), until


def _standing_holds(conditions: Sequence[Standing]) -> list[Reason]:
    return [Reason("dispute", {"condition": s.condition.id}) for s in conditions if s.condition.effect is Effect.HOLD]


def _floor(entry: Kept, rule: Rule) -> Reason:
    facts = {"catalog": rule.catalog, "item": rule.item, "class": rule.retention.id}
    return _bound("floor", rule.retention.floor, entry.ended, **facts, starts=Starts.RECORDING_END.value)


def _terms(
    entry: Kept, kept: RetentionClass, cases: Sequence[CaseKept], *, source: str, catalog: str | None = None
) -> list[Reason]:
    """The bounds of a retention class: one for each closed case it counts from, or one from the recording's end."""
    facts = {"catalog": catalog, "item": source, "class": kept.id}
    if kept.term is not None and (kept.term.is_permanent or kept.starts is not Starts.CASE_CLOSED):
        return [_bound("term", kept.term, entry.ended, **facts, starts=Starts.RECORDING_END.value)]
    if not cases:
        # Nobody filed it: what counts from a case counts from its own end, with the class's own length.
        term = kept.term or kept.fallback or kept.floor
        return [_bound("term-without-case", term, entry.ended, **facts, starts=Starts.RECORDING_END.value)]
    return [
        _bound(
            "term" if kept.term is not None else "same-as-case-file",
            kept.term or case.file_term or kept.fallback or kept.floor,
            max(case.closed, entry.ended),
            **facts,
            case=case.id,
            starts=Starts.CASE_CLOSED.value,
        )
        for case in cases
        if case.closed is not None
    ]


def _of_condition(entry: Kept, standing: Standing, cases: Sequence[CaseKept]) -> list[Reason]:
    condition = standing.condition
    match condition.effect:
        case Effect.PERMANENT:
            return [Reason("condition-permanent", {"condition": condition.id, "term": "permanent"})]
        case Effect.CASE_FILE:
            return [
                _bound(
                    "condition-case-file",
                    case.file_term,
                    max(case.closed, entry.ended),
                    condition=condition.id,
                    case=case.id,
                )
                for case in cases
                if case.closed is not None and case.file_term is not None
            ]
        case Effect.FLOOR if standing.floor is not None:
            return _terms(entry, standing.floor, cases, source=condition.id)
        case _:
            return []


def _bound(code: str, term: Term, start: datetime, **facts: str | None) -> Reason:
    end = term.end(start)
    return Reason(
        code,
        {
            **facts,
            "term": term.to_text(),
            "from": instant.to_text(start),
            "until": None if end is None else instant.to_text(end),
        },
    )


@dataclass(frozen=True, slots=True)
class Adopted:
    """A catalog version that an agency adopted, as keeping sees it: the class of each item.

    `shortens` are the items that this version was expressly approved to shorten for recordings that were
    classified before it: for them, older versions say nothing any more.
    """

    catalog: str
    classes: Mapping[str, RetentionClass]
    shortens: frozenset[str] = frozenset()


def rules_in_force(item: str, pinned: str, adopted: Sequence[Adopted]) -> tuple[Rule, ...]:
    """What speaks for an entry of an item that was classified under version `pinned`.

    `adopted` are the versions in force or once in force, oldest first. The pinned version speaks, and every later
    one: what lengthens counts for all, what shortens only for recordings classified from then on, unless it was
    approved by name. An item that a later version no longer has keeps the word of the last one that had it. A pinned
    version that is not among them gives no rule of its own; every version that is then speaks.
    """
    first = next((place for place, version in enumerate(adopted) if version.catalog == pinned), 0)
    speaking = [version for version in adopted[first:] if item in version.classes]
    last = max((place for place, version in enumerate(speaking) if item in version.shortens), default=0)
    return tuple(Rule(version.catalog, item, version.classes[item]) for version in speaking[last:])
