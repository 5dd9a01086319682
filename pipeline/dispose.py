# SPDX-License-Identifier: Apache-2.0
"""This is where footage is disposed of: the one step that destroys, after two people, a grace period and a last look.

For each recording, in this order: (1) one transaction looks at everything once more and records `disposing`; from
here there is no way back. (2) The log is published, so that no lost register can forget that. (3) Every version,
replica and derivative is removed, and (4) asked for until all say that it is gone. (5) `disposed` records the
Tombstone. Killed anywhere, the next run goes on where this one was; nothing is disposed of twice.
"""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime

from evidence import instant
from evidence.custody import Happening, parse_event
from evidence.disposal import Entry, is_same_person
from evidence.errors import LogInconsistent, Refused, StillLocked, WrongState
from evidence.ids import stream_of
from evidence.lifecycle import State
from evidence.note import open_note
from pipeline import receive, scratch, spool
from pipeline.disposal_list import DecisionOf, DisposalList, changes, check_same, read_list, refuse_changed
from pipeline.outcome import about
from pipeline.ports import Ports, Progress, unheard
from pipeline.tombstone import Plan, check_places, plan_of, register_lines, take_away, tombstone_of
from storage.register import ends, search
from storage.register.publisher import publish
from storage.register.search import Connection
from storage.removal import Remover

_GOING = (State.DISPOSING, State.DISPOSED)
_HANDS = 4
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


@dataclass(frozen=True, slots=True)
class _Order:
    """What a run carries out, and with what."""

    told: DisposalList
    places: Mapping[str, Remover]
    judge: DecisionOf
    ports: Ports
    now: datetime


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
    scratch.sweep(ports.spool)  # what killed steps left of it
    order = _Order(told, places, judge, ports, now)
    if told.is_finished:
        return _swept(order)
    _check_agreed(told, now)
    to_do = _still_to_do(order)
    waiting: dict[str, datetime | None] = {}
    # Stores are far away: several recordings at once. The register takes their transactions one by one.
    with ThreadPoolExecutor(_HANDS) as pool:
        for at in range(0, len(to_do), _AT_ONCE):
            batch = to_do[at : at + _AT_ONCE]
            locks = dict(zip(_names(batch), pool.map(lambda entry: _begin(entry, order), batch), strict=True))
            # (2) Before a byte goes it is public that it goes: a register lost now would call it stolen.
            publish(ports.register, ports.log)
            free = [entry for entry in batch if locks[entry.recording] is None]
            locks |= zip(_names(free), pool.map(lambda entry: _finish(entry, order), free), strict=True)
            waiting |= {name: _until(lock) for name, lock in locks.items() if lock is not None}
            progress((at + len(batch)) / len(to_do))
    if not waiting:
        _record_finished(told, ports=ports, now=now)
    publish(ports.register, ports.log)
    done = tuple(name for name in _names(to_do) if name not in waiting)
    return Ran(identifier, done, waiting, is_finished=not waiting)


def _names(entries: Sequence[Entry]) -> list[str]:
    return [entry.recording for entry in entries]


def _still_to_do(order: _Order) -> list[Entry]:
    """The entries that are not carried out yet; those not begun are what was agreed on, every one."""
    told = order.told
    with order.ports.register.view() as connection:
        states = {one.recording: search.recording(connection, one.recording)["state"] for one in told.standing}
        begun = [one for one in told.standing if states[one.recording] in _GOING]
        refuse_changed(told, changes(connection, [one for one in told.standing if one not in begun], judge=order.judge))
    return [one for one in told.standing if states[one.recording] != State.DISPOSED]


def _swept(order: _Order) -> Ran:
    """Remove what is there again of a list that was carried out; no event tells of it, as none told that it came."""
    told, again = order.told, list[str]()
    waiting: dict[str, datetime | None] = {}
    for entry in told.standing:
        with order.ports.register.view() as connection:
            if search.recording(connection, entry.recording)["state"] != State.DISPOSED:
                continue
            plan = plan_of(connection, entry.recording)
        if not any(remover.traces(key) for remover in order.places.values() for key in plan.keys):
            continue
        try:
            for name, remover in order.places.items():
                take_away(plan, name, remover, now=order.now)
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


def _begin(entry: Entry, order: _Order) -> StillLocked | None:
    """Record that an entry's disposal begins, unless it has begun; the lock that stands against it, or None."""
    ports, recording = order.ports, entry.recording
    with ports.register.view() as connection:
        if search.recording(connection, recording)["state"] in _GOING:
            return None  # by a run that did not come to its end, or another one just now
        plan = plan_of(connection, recording)
        resting = check_places(connection, recording, order.places)
    try:
        found = {name: _found(plan, remover, order.now) for name, remover in order.places.items()}
    except StillLocked as error:
        return error
    _check_there(plan, resting, found)
    facts = {"disposal": order.told.id}
    rested = ports.register.rest(Happening("disposing", about(recording), facts=facts, detail={"found": found}))
    with ports.register.begin() as writing:
        check_same(writing.connection, order.told)
        if search.recording(writing.connection, recording)["state"] in _GOING:
            return None  # by another run, just now
        refuse_changed(order.told, changes(writing.connection, [entry], judge=order.judge))
        writing.record(rested, actor=ports.actor, at=order.now)
    return None


def _check_there(plan: Plan, resting: Sequence[str], found: Mapping[str, Mapping[str, list[str]]]) -> None:
    """Refuse what is not where it should rest: it may be there all the same, when the disk is mounted again.

    Raises:
        WrongState: the original was not found in one of the places that hold it by the records.
    """
    recording = plan.recording["id"]
    for place in resting:
        if plan.keys[-1] not in found[place]:
            raise WrongState(
                f"the bytes of {recording} are not in {place}, where they should rest: nobody could say that they are "
                f"gone. Is all of {place} there? (`evidock verify {recording}`)",
                recording=recording,
                place=place,
            )


def _found(plan: Plan, remover: Remover, now: datetime) -> dict[str, list[str]]:
    """What stands in one place, by key; nothing of it is locked."""
    for key in plan.keys:
        remover.check_free(key, now=now)
    stands = {key: list(remover.traces(key)) for key in plan.keys}
    return {key: traces for key, traces in stands.items() if traces}


# --- (3) to (5) ---------------------------------------------------------------------------------


def _finish(entry: Entry, order: _Order) -> StillLocked | None:
    """Remove what a recording that was begun still has, and record its Tombstone; the lock that stopped it, or None."""
    ports, recording = order.ports, entry.recording
    with ports.register.view() as connection:
        if search.recording(connection, recording)["state"] == State.DISPOSED:
            return None  # by another run, just now
        _check_begun(connection, entry, order)
        plan = plan_of(connection, recording)
    spool.spooled(ports.spool, recording).clear()
    receive.forget(recording, ports=ports)
    try:
        # (3) and (4): each removal asks for what it removed.
        taken = [one for name, door in order.places.items() for one in take_away(plan, name, door, now=order.now)]
    except StillLocked as error:
        return error
    stone = tombstone_of(recording, order.told, plan, taken, ports=ports, now=order.now)
    facts = {"disposal": order.told.id}
    rested = ports.register.rest(Happening("disposed", about(recording), facts=facts, detail={"tombstone": stone}))
    with ports.register.begin() as writing:
        # Another run may have been quicker: its Tombstone stands.
        if search.recording(writing.connection, recording)["state"] == State.DISPOSING:
            writing.record(rested, actor=ports.actor, at=order.now)
    return None


def _check_begun(connection: Connection, entry: Entry, order: _Order) -> None:
    """Be sure that a signed record says that this list began it: a row that says so destroys nothing.

    Raises:
        NotFound, SignatureInvalid, RecordMalformed, LogInconsistent: none does; a person must look.
    """
    row = search.event_of_kind(connection, about(entry.recording), "disposing")
    begun = parse_event(open_note(row["note"], order.ports.verifiers).text)
    said = (begun.stream, begun.kind, begun.facts.get("disposal"))
    if said != (about(entry.recording), "disposing", order.told.id):
        raise LogInconsistent(f"no record says that {order.told.id} began the disposal of {entry.recording}")
    original = search.original(connection, entry.recording)
    if (original["sha256"], original["size_bytes"]) != (entry.sha256, entry.size_bytes):
        raise LogInconsistent(f"the register names other bytes for {entry.recording} than were agreed on")


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
