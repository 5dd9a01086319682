# SPDX-License-Identifier: Apache-2.0
"""This is where the store's own locks follow what was decided: extended, never shortened, and held while a hold stands.

What is kept until a date is locked until then. What is kept without one (for good, for an open case) is locked some
way ahead, and again before that runs out. A store without locks is asked once, and left alone.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from evidence import instant
from evidence.custody import Happening
from evidence.errors import EvidockError, Unavailable
from evidence.lifecycle import State
from evidence.retention import Outcome
from pipeline.outcome import about
from pipeline.ports import Ports
from pipeline.retention_figures import Figures
from storage import layout
from storage.objects import ObjectStore
from storage.register import ends, keeping, search
from storage.register.keeping import GONE, Entry

_NOT_AT_REST = frozenset({State.ARRIVED, State.MEASURED, *GONE})


def locked_keys(recording: str, *, ports: Ports) -> Iterator[tuple[ObjectStore, str]]:
    """What is locked of a recording, store by store: original, its tables, its receipt; also in the archive."""
    with ports.register.view() as connection:
        originals = search.originals_of(connection, recording)
        archived = ends.archive_of(connection, recording)
    stores = [ports.store]
    if ports.cold is not None and archived is not None and archived["place"] == ports.cold.place:
        stores.append(ports.cold.store)
    for original in originals:
        for key_of in (layout.chunks_key, layout.packets_key, layout.receipt_key, layout.original_key):
            key = key_of(original["sha256"])
            yield from ((store, key) for store in stores if store.exists(key))


def lock_wanted(
    entry: Entry, outcome: Outcome, until: datetime | None, *, now: datetime, figures: Figures
) -> datetime | None:
    """Until when the store should lock a recording from now on; None when what it promised is enough."""
    if outcome is Outcome.DUE or entry.state in _NOT_AT_REST:
        return None
    if outcome is Outcome.KEPT:
        wanted = needed = until or now
    else:
        wanted, needed = (max(until or now, now + ahead) for ahead in (figures.lock_step, figures.lock_renew))
    has = None if entry.locked_until is None else instant.from_text(entry.locked_until)
    return wanted if has is None or has < needed else None


@dataclass(slots=True)
class Locksmith:
    """Sets locks and holds in one sweep. What could not be set is remembered: the sweep goes on, and says so."""

    ports: Ports
    figures: Figures
    now: datetime
    extended: int = 0
    failed: EvidockError | None = None
    _has_locks: bool = field(default=True)

    def may_forget_hold(self, entry: Entry, outcome: Outcome) -> bool:
        """Let the store let go of what is held no more; False when it could not, so that it is tried again."""
        if outcome is Outcome.HELD or entry.was is None or entry.was[0] != Outcome.HELD.value:
            return True
        return self._tried(lambda: self._let_go(entry.id))

    def look_after(self, entry: Entry, outcome: Outcome, until: datetime | None) -> None:
        """Hold what is held, and extend the lock where it ends before what was decided."""
        if not self._has_locks:
            return
        if outcome is Outcome.HELD and entry.state not in _NOT_AT_REST:
            self._tried(lambda: set_hold(entry.id, is_held=True, ports=self.ports))
        wanted = lock_wanted(entry, outcome, until, now=self.now, figures=self.figures)
        if wanted is not None and self._has_locks:
            self._tried(lambda: self._extend(entry.id, wanted))

    def _tried(self, act: Callable[[], bool]) -> bool:
        """True when it was done, or when the store knows no locks; what `act` returns says whether it does."""
        if not self._has_locks:
            return self.failed is None
        try:
            self._has_locks = act()
        except EvidockError as error:
            self.failed = self.failed or error
            # A store that is down is not asked a million times; one bad object keeps no other from its lock.
            self._has_locks = not isinstance(error, Unavailable)
            return False
        return True

    def _let_go(self, recording: str) -> bool:
        set_hold(recording, is_held=False, ports=self.ports)
        with self.ports.register.view() as connection:
            is_held = bool(keeping.entry(connection, recording).holds)
        # A hold that was placed meanwhile may have told the store before we did.
        return set_hold(recording, is_held=True, ports=self.ports) if is_held else True

    def _extend(self, recording: str, until: datetime) -> bool:
        locked = [store.protect(key, until=until) for store, key in locked_keys(recording, ports=self.ports)]
        if not locked:
            return True
        promised = [(one.until, one.mode) for one in locked if one.until is not None and one.mode is not None]
        if not promised:
            return False
        # What is recorded is what all of them are locked for.
        shortest, mode = min(promised)
        self._record(recording, mode, shortest)
        return True

    def _record(self, recording: str, mode: str, until: datetime) -> None:
        told = {"mode": mode, "until": instant.to_text(until)}
        with self.ports.register.begin() as facts:
            row = search.recording(facts.connection, recording)
            if row["state"] in GONE or (row["locked_until"] or "") >= told["until"]:
                return  # another sweep was quicker, or a disposal has begun
            happening = Happening("lock-extended", about(recording), facts=told)
            facts.record(happening, actor=self.ports.actor, at=self.now)
        self.extended += 1


def set_hold(recording: str, *, is_held: bool, ports: Ports) -> bool:
    """Have the store hold what rests of a recording, or let it go; False when it cannot hold anything.

    Raises:
        NotProtected: the store was to hold and does not. StoreUnavailable: worth another try.
    """
    told = [store.hold(key, is_held=is_held) for store, key in locked_keys(recording, ports=ports)]
    # A store that locks says of what it was to let go the same as one that never held anything.
    return not is_held or not told or any(one.is_held for one in told)
