# SPDX-License-Identifier: Apache-2.0
"""This is where proxies go before their originals do: what can be made again, by the catalog's own rule.

`derivative-removed` is recorded first, the bytes go after it: a kill between leaves bytes that nobody reads, which the
next run removes, and never a record of something that is not there.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from evidence import instant
from evidence.custody import Happening
from evidence.errors import StillLocked
from evidence.term import Term
from pipeline.outcome import about
from pipeline.ports import Ports
from storage import layout
from storage.register import ends, keeping, search
from storage.register.search import Connection, Row
from storage.removal import Remover

KINDS = ("proxy",)
_AT_ONCE = 64


@dataclass(frozen=True, slots=True)
class Pruned:
    """How many derivatives were removed, their bytes, and how many the store locks still."""

    removed: int = 0
    size_bytes: int = 0
    locked: int = 0


Told = Callable[[Pruned], None]


def prune(term: Term | None, remover: Remover, *, ports: Ports, now: datetime, told: Told = lambda _: None) -> Pruned:
    """Remove the proxies of recordings that ended longer ago than `term`; nothing without one. `now`: the steady clock.

    `told` hears the counts after each batch.

    Repeat: what an earlier run recorded and did not come to remove is removed now.

    Raises:
        StoreUnavailable, RegisterUnavailable: worth another try.
    """
    before = _begin_of(term, now)
    if before is None:
        return Pruned()
    with ports.register.view() as connection:
        left_behind = ends.pruned_last(connection, _AT_ONCE)
    _take_away(left_behind, remover, ports=ports, now=now)
    total, after = Pruned(), None
    while batch := _batch(before, after, ports):
        free = [one for one in batch if _is_free(one, remover, now)]
        recorded = [one for one in free if _record(one, ports, now)]
        _take_away(recorded, remover, ports=ports, now=now)
        total = Pruned(
            total.removed + len(recorded),
            total.size_bytes + sum(one["size_bytes"] for one in recorded),
            total.locked + len(batch) - len(free),
        )
        after = (batch[-1]["ended"], batch[-1]["recording"])
        told(total)
    return total


def _begin_of(term: Term | None, now: datetime) -> str | None:
    """The instant before which every span of this term has ended by `now`; None when none ever does."""
    if term is None or term.is_permanent:
        return None
    # A month back from the 31st is the last day of a shorter one: earlier, so that nothing goes too soon.
    begin = Term(months=-term.months, days=-term.days).end(now)
    return None if begin is None else instant.to_text(begin)


def _batch(before: str, after: tuple[str, str] | None, ports: Ports) -> list[Row]:
    with ports.register.view() as connection:
        return ends.prunable(connection, KINDS, before=before, after=after, limit=_AT_ONCE)


def _keys(sha256: str) -> list[str]:
    key = layout.derivative_key(sha256)
    envelope = layout.envelope_key_of(key)
    return [key] if envelope is None else [envelope, key]


def _is_free(row: Row, remover: Remover, now: datetime) -> bool:
    try:
        for key in _keys(row["sha256"]):
            remover.check_free(key, now=now)
    except StillLocked:
        return False
    return True


def _record(row: Row, ports: Ports, now: datetime) -> bool:
    """Record that a derivative goes; False when it is not to, any more."""
    facts = {"derivative": row["kind"], "sha256": row["sha256"]}
    happening = Happening("derivative-removed", about(row["recording"]), facts=facts, detail={"removed": []})
    rested = ports.register.rest(happening)
    with ports.register.begin() as writing:
        made = search.derivatives_of(writing.connection, row["recording"])
        state = search.recording(writing.connection, row["recording"])["state"]
        stands = any(one["kind"] == row["kind"] and one["removed_at"] is None for one in made)
        if not stands or state not in ends.STANDING or _must_stay(writing.connection, row["recording"]):
            return False
        writing.record(rested, actor=ports.actor, at=now)
    return True


def _must_stay(connection: Connection, recording: str) -> bool:
    """True while a hold stands or a case is open: until then nothing of it goes, not even what can be made again."""
    entry = keeping.entry(connection, recording)
    return bool(entry.holds) or any(case.closed_at is None for case in entry.cases)


def _take_away(rows: Sequence[Row], remover: Remover, *, ports: Ports, now: datetime) -> None:
    """Remove the bytes of derivatives that are recorded as removed, but what another recording has too."""
    for row in rows:
        with ports.register.view() as connection:
            others = ends.living_holders(connection, row["sha256"], but=row["recording"])
        for key in () if others else _keys(row["sha256"]):
            remover.remove(key, now=now)
