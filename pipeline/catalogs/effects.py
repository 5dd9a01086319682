# SPDX-License-Identifier: Apache-2.0
"""This is where it is reckoned what a change of rules would do to every recording that is kept: a dry run, no change.

Each recording's last day is reckoned twice, by the versions that count without the new one, and with it. Nothing that
may pass hides an effect: open cases count as closed on the day of reckoning, holds and open questions are left out.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from evidence import instant
from evidence.retention import Outcome
from pipeline.catalogs.in_force import Version, standings
from pipeline.judging import Judge, Rulebook
from pipeline.ports import Ports, Progress
from pipeline.retention_figures import figures
from storage.register import catalogs, keeping
from storage.register.keeping import Entry

_PAGE = 2000
_BEFORE_ALL = datetime.min.replace(tzinfo=UTC)

KINDS = ("shorter", "due", "longer")
"""Effects that examples are given of. What becomes due at once also gets shorter."""


@dataclass(frozen=True, slots=True)
class Change:
    """What becomes of one recording. Instants as text; None: for good, or nothing is known to count from."""

    recording: str
    item: str
    old: str | None
    new: str | None
    reasons: tuple[Mapping[str, Any], ...]

    def to_json(self) -> dict[str, Any]:
        """As a mapping for a record."""
        return {
            "recording": self.recording,
            "item": self.item,
            "old": self.old,
            "new": self.new,
            "reasons": [dict(reason) for reason in self.reasons],
        }


@dataclass(slots=True)
class Tally:
    """How many recordings of an item are concerned, and how; `bytes` are of those that get shorter."""

    longer: int = 0
    shorter: int = 0
    same: int = 0
    due: int = 0
    bytes: int = 0

    def to_json(self) -> dict[str, int]:
        """As a mapping for a record."""
        return {name: getattr(self, name) for name in ("longer", "shorter", "same", "due", "bytes")}


@dataclass(frozen=True, slots=True)
class Effects:
    """What a change does to what is kept. `at` is the instant of reckoning: the day it takes effect."""

    at: datetime
    items: Mapping[str, Tally] = field(default_factory=dict)
    examples: Mapping[str, Sequence[Change]] = field(default_factory=dict)

    def count(self, name: str) -> int:
        """All recordings that get `longer`, `shorter`, stay the `same`, become `due` at once; or `bytes`."""
        return sum(int(getattr(tally, name)) for tally in self.items.values())

    @property
    def entries(self) -> int:
        """All recordings that a rule speaks of."""
        return self.count("longer") + self.count("shorter") + self.count("same")

    def trips(self, brake_permille: int) -> bool:
        """True when more than this share of what is kept gets shorter."""
        return self.count("shorter") * 1000 > brake_permille * self.entries

    def to_json(self) -> dict[str, Any]:
        """As a mapping for a record: counts in all and per item, and the examples."""
        counts = {name: self.count(name) for name in ("longer", "shorter", "same", "due", "bytes")}
        changed = {item: tally.to_json() for item, tally in sorted(self.items.items()) if tally.longer or tally.shorter}
        examples = {kind: [one.to_json() for one in self.examples.get(kind, ())] for kind in KINDS}
        return {"at": instant.to_text(self.at), **counts, "items": changed, "examples": examples}


def dry_run(
    before: Sequence[Version], after: Sequence[Version], *, at: datetime, ports: Ports, progress: Progress
) -> Effects:
    """What it does to every recording that rules are `after` instead of `before`, as of `at`. Nothing is written.

    Memory does not grow with the register: pages are read one by one, each of one moment.
    """
    reckoning = Reckoning(before, after, at=at, examples=ports.keeping.examples)
    with ports.register.view() as connection:
        total = keeping.count(connection)
    last, done = "", 0
    while True:
        with ports.register.view() as connection:
            found = keeping.page(connection, after=last, limit=_PAGE)
            if not found:
                return reckoning.effects()
            reckoning.add(found, lambda: catalogs.bytes_between(connection, found[0].id, found[-1].id))  # noqa: B023
        last, done = found[-1].id, done + len(found)
        progress(min(done / max(total, 1), 1.0))


_Answer = tuple[Outcome, datetime | None]


class Reckoning:
    """The counts so far: pages are added one by one. `before` and `after` are the versions that count, oldest first."""

    def __init__(self, before: Sequence[Version], after: Sequence[Version], *, at: datetime, examples: int) -> None:
        self._at = at
        self._at_text = instant.to_text(at)
        self._most = examples
        self._old, self._new = (Judge(_rulebook(side), figures(), at) for side in (before, after))
        self._items: dict[str, Tally] = {}
        self._examples: dict[str, list[Change]] = {kind: [] for kind in KINDS}

    def effects(self) -> Effects:
        """What they say."""
        return Effects(self._at, self._items, self._examples)

    def add(self, entries: Iterable[Entry], sizes: Callable[[], Mapping[str, int]]) -> None:
        """Reckon a page; `sizes` is asked only when something in it gets shorter."""
        kept = (entry for entry in entries if entry.item is not None and entry.state not in keeping.GONE)
        shorter = [entry for entry in kept if self._reckon(self._laid_open(entry)) == "shorter"]
        if shorter:
            known = sizes()
            for entry in shorter:
                self._items[str(entry.item)].bytes += known.get(entry.id, 0)

    def _laid_open(self, entry: Entry) -> Entry:
        """The entry without what holds it for a while."""
        if not entry.holds and all(case.closed_at is not None for case in entry.cases):
            return entry
        cases = (replace(case, closed_at=case.closed_at or self._at_text) for case in entry.cases)
        return replace(entry, holds=(), cases=tuple(cases))

    def _reckon(self, entry: Entry) -> str:
        item = str(entry.item)
        tally = self._items.setdefault(item, Tally())
        old, new = self._old.answer(entry), self._new.answer(entry)
        way = _way(old, new)
        setattr(tally, way, getattr(tally, way) + 1)
        is_due = way == "shorter" and new[1] is not None and new[1] <= self._at
        tally.due += is_due
        for kind in (way, *(("due",) if is_due else ())):
            if kind in self._examples and len(self._examples[kind]) < self._most:
                reasons = tuple(reason.to_json() for reason in self._new.decision(entry).reasons)
                self._examples[kind].append(Change(entry.id, item, _text(old), _text(new), reasons))
        return way


def _rulebook(known: Sequence[Version]) -> Rulebook:
    return Rulebook(tuple(one.as_adopted() for one in known), standings(known))


def _way(old: _Answer, new: _Answer) -> str:
    before, after = _order(old), _order(new)
    return "same" if before == after else "shorter" if after < before else "longer"


def _order(answer: _Answer) -> tuple[bool, datetime]:
    outcome, until = answer
    return outcome is Outcome.PERMANENT, until or _BEFORE_ALL


def _text(answer: _Answer) -> str | None:
    return None if answer[1] is None else instant.to_text(answer[1])
