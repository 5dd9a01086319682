# SPDX-License-Identifier: Apache-2.0
"""This is where footage is disposed of: the one step that destroys, after two people, a grace period and a last look.

For each recording, in this order: (1) one transaction looks at everything once more and records `disposing`; from
here there is no way back. (2) The log is published, so that no lost register can forget that. (3) Every version,
replica and derivative is removed, and (4) asked for until all say that it is gone. (5) `disposed` records the
Tombstone. Killed anywhere, the next run goes on where this one was; nothing is disposed of twice.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from evidence import instant
from evidence.custody import Happening
from evidence.disposal import Entry, is_same_person
from evidence.errors import Refused, StillLocked, WrongState
from evidence.ids import stream_of
from evidence.lifecycle import State
from pipeline import spool
from pipeline.disposal_list import DecisionOf, DisposalList, changes, check_same, read_list, refuse_changed
from pipeline.outcome import about
from pipeline.ports import Ports, Progress, unheard
from pipeline.tombstone import Plan, Taken, check_places, plan_of, register_lines, take_away, tombstone_of
from storage.register import ends, search
from storage.register.publisher import publish
from storage.removal import Remover

_AT_ONCE = 16  # so many are irrevocable at a time before their bytes go


@dataclass(frozen=True, slots=True)
class Ran:
    """What a run did. `waiting`: recordings whose bytes the store still locks, each with until when (None: a hold).

    `again`: recordings disposed of before whose bytes were there again, and are gone again.
    """

    disposal: str
    disposed: tuple[str, ...] = ()
    waiting: Mapping[str, datetime | None] = field(default_factory=dict)
    again: tuple[str, ...] = ()
    is_finished: bool = False


def run(
    identifier: str,
    *,
    places: Mapping[str, Remover],
    judge: DecisionOf,
    ports: Ports,
    now: datetime,
    progress: Progress = unheard,
) -> Ran:
    """Carry out an approved disposal list whose grace has passed. `places`: by name, each place where bytes rest.

    `now` is the steady clock: a date that only a clock's jump brought near has not come. Repeat: what is disposed of
    already is left alone, what was begun is finished. Of a list that was carried out, what is there again (a backup
    was restored) is removed again: its Tombstone says that it is gone.

    Raises:
        Refused: it is not approved, its two people are one, or its grace runs still. WrongState: it was withdrawn.
        Conflict: an entry is not as it was approved; nothing (more) was begun.
        StoreUnavailable, RegisterUnavailable: worth another try.
    """
    told = read_list(identifier, ports=ports)
    if told.is_finished:
        return _swept(told, places=places, ports=ports, now=now)
    _check_agreed(told, now)
    with ports.register.view() as connection:
        states = {one.recording: search.recording(connection, one.recording)["state"] for one in told.standing}
        to_begin = [one for one in told.standing if states[one.recording] == State.DUE]
        refuse_changed(told, changes(connection, to_begin, judge=judge))
    to_do = [one for one in told.standing if states[one.recording] != State.DISPOSED]
    done: list[str] = []
    waiting: dict[str, datetime | None] = {}
    for at in range(0, len(to_do), _AT_ONCE):
        batch = to_do[at : at + _AT_ONCE]
        begun, locked = _begin_all(told, batch, places=places, judge=judge, ports=ports, now=now)
        waiting |= locked
        for recording in begun:
            lock = _finish(recording, told, places=places, ports=ports, now=now)
            if lock is None:
                done.append(recording)
            else:
                waiting[recording] = _until(lock)
        progress((at + len(batch)) / len(to_do))
    is_finished = not waiting
    if is_finished:
        _record_finished(told, ports=ports, now=now)
    publish(ports.register, ports.log)
    return Ran(identifier, tuple(done), waiting, is_finished=is_finished)


def _swept(told: DisposalList, *, places: Mapping[str, Remover], ports: Ports, now: datetime) -> Ran:
    """Remove what is there again of a list that was carried out; no event tells of it, as none told that it came."""
    again: list[str] = []
    waiting: dict[str, datetime | None] = {}
    for entry in told.standing:
        with ports.register.view() as connection:
            if search.recording(connection, entry.recording)["state"] != State.DISPOSED:
                continue
            plan = plan_of(connection, entry.recording)
        if not any(remover.traces(key) for remover in places.values() for key in plan.keys):
            continue
        try:
            for name, remover in places.items():
                take_away(plan, name, remover, now=now)
            again.append(entry.recording)
        except StillLocked as error:
            waiting[entry.recording] = _until(error)
    return Ran(told.id, (), waiting, tuple(again), is_finished=True)


def _check_agreed(told: DisposalList, now: datetime) -> None:
    """Two people, an approval that stands, and a grace that has passed."""
    if told.is_withdrawn:
        raise WrongState(f"the disposal list {told.id} was withdrawn", disposal=told.id)
    if told.approved_by is None or told.grace_until is None:
        raise Refused(f"nobody has approved the disposal list {told.id}: `evidock dispose approve {told.id}`")
    if is_same_person(told.proposed_by, told.approved_by):
        raise Refused(f"{told.id} was proposed and approved by one person")
    if now < told.grace_until:
        until = instant.to_text(told.grace_until)
        raise Refused(f"the disposal list {told.id} can be undone until {until}: nothing goes before", until=until)


def _until(lock: StillLocked) -> datetime | None:
    until = lock.values.get("until")
    return until if isinstance(until, datetime) else None


# --- (1) the last look ----------------------------------------------------------------------------


def _begin_all(
    told: DisposalList,
    batch: Sequence[Entry],
    *,
    places: Mapping[str, Remover],
    judge: DecisionOf,
    ports: Ports,
    now: datetime,
) -> tuple[list[str], dict[str, datetime | None]]:
    """Begin each that is free, and publish that; those begun now or before, and those that are locked still."""
    begun: list[str] = []
    locked: dict[str, datetime | None] = {}
    for entry in batch:
        try:
            _begin(entry, told, places=places, judge=judge, ports=ports, now=now)
            begun.append(entry.recording)
        except StillLocked as error:
            locked[entry.recording] = _until(error)
    # (2) Before a byte goes it is public that it goes: a register lost now would take it for whole, and missing.
    publish(ports.register, ports.log)
    return begun, locked


def _begin(
    entry: Entry, told: DisposalList, *, places: Mapping[str, Remover], judge: DecisionOf, ports: Ports, now: datetime
) -> None:
    with ports.register.view() as connection:
        if search.recording(connection, entry.recording)["state"] != State.DUE:
            return  # begun by a run that did not come to its end
        plan = plan_of(connection, entry.recording)
        check_places(connection, entry.recording, places)
    found = {name: _found(plan, remover, now) for name, remover in places.items()}
    detail = {"found": found}
    happening = Happening("disposing", about(entry.recording), facts={"disposal": told.id}, detail=detail)
    rested = ports.register.rest(happening)
    with ports.register.begin() as facts:
        check_same(facts.connection, told)
        if search.recording(facts.connection, entry.recording)["state"] != State.DUE:
            return
        refuse_changed(told, changes(facts.connection, [entry], judge=judge))
        facts.record(rested, actor=ports.actor, at=now)


def _found(plan: Plan, remover: Remover, now: datetime) -> dict[str, list[str]]:
    """What stands in one place, by key; nothing of it is locked."""
    for key in plan.keys:
        remover.check_free(key, now=now)
    stands = {key: list(remover.traces(key)) for key in plan.keys}
    return {key: traces for key, traces in stands.items() if traces}


# --- (3) to (5) ---------------------------------------------------------------------------------


def _finish(
    recording: str, told: DisposalList, *, places: Mapping[str, Remover], ports: Ports, now: datetime
) -> StillLocked | None:
    """Remove what a recording that was begun still has, and record its Tombstone; the lock that stopped it, or None."""
    with ports.register.view() as connection:
        plan = plan_of(connection, recording)
    spool.spooled(ports.spool, recording).clear()
    taken: list[Taken] = []
    for name, remover in places.items():
        try:
            # (3) and (4): each removal asks for what it removed.
            taken += take_away(plan, name, remover, now=now)
        except StillLocked as error:
            return error
    stone = tombstone_of(recording, told, plan, taken, ports=ports, now=now)
    happening = Happening("disposed", about(recording), facts={"disposal": told.id}, detail={"tombstone": stone})
    rested = ports.register.rest(happening)
    with ports.register.begin() as facts:
        # Another run may have been quicker: its Tombstone stands.
        if search.recording(facts.connection, recording)["state"] == State.DISPOSING:
            facts.record(rested, actor=ports.actor, at=now)
    return None


def _record_finished(told: DisposalList, *, ports: Ports, now: datetime) -> None:
    with ports.register.view() as connection:
        lines = register_lines(told, ends.tombstones_of(connection, told.id))
    happening = Happening(
        "disposal-finished", stream_of("disposal", told.id), facts={"digest": told.digest}, detail={"register": lines}
    )
    rested = ports.register.rest(happening)
    with ports.register.begin() as facts:
        row = ends.disposal(facts.connection, told.id)
        if row["finished_at"] is None and row["withdrawn_at"] is None:
            facts.record(rested, actor=ports.actor, at=now)
