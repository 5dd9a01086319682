# SPDX-License-Identifier: Apache-2.0
"""This is where a hold is placed and lifted: a reason to keep that beats every rule, for as long as it stands.

A hold on a case holds every recording of which the case holds a part, also one that is linked later. What counts is
the record; a store that knows legal holds is told too, at once, and by each sweep again.
"""

from dataclasses import dataclass
from datetime import datetime

from evidence import ids
from evidence.custody import Happening
from evidence.errors import BadInput, Conflict, Refused
from evidence.ids import stream_of
from evidence.written import reason
from pipeline.outcome import about
from pipeline.ports import Ports
from pipeline.retain import refresh
from storage.register import hold_rows, keeping, search
from storage.register.facts import Facts
from storage.register.search import Connection, Row


@dataclass(frozen=True, slots=True)
class Held:
    """A hold that was placed or lifted, and the recordings it is about."""

    id: str
    recordings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Target:
    """What a hold is on: a recording by its id, or a case by its number."""

    recording: str | None = None
    case: str | None = None


def place(target: Target, *, why: str, authority: str | None, ports: Ports, now: datetime) -> Held:
    """Hold a recording, or a case with all its recordings, until the hold is lifted.

    `now` is steady time. When the store fails after the hold stands, the hold stands: a sweep has the store follow.

    Raises:
        BadInput: no reason is given, or not exactly one target. NotFound: no such recording or case.
        WrongState: the recording's bytes are being taken away, or have been.
        NotProtected, StoreUnavailable: the hold stands, and the store did not take it.
    """
    told = {"why": reason(why, "the reason for a hold"), "authority": authority or None}
    if (target.recording is None) == (target.case is None):
        raise BadInput("a hold is on one recording or on one case: give an id, or --case")
    identifier = ids.opaque("hol", ports.chance(10))
    with ports.register.begin() as facts:
        noun, subject, recordings = _subject(facts.connection, target)
        about_it = {"needs_two": True, "noun": noun, "subject": subject}
        placed = Happening("hold-placed", stream_of("hold", identifier), facts=about_it, detail=told)
        facts.record(placed, actor=ports.actor, at=now)
    refresh(recordings, ports=ports, now=now)
    return Held(identifier, tuple(recordings))


def lift(hold: str, *, why: str, ports: Ports, now: datetime) -> Held:
    """Lift a hold that was placed before lifting needed two people. What another hold is on stays held.

    Raises:
        BadInput: no reason is given. NotFound: no such hold. Conflict: it was lifted already.
        Refused: it is lifted by two people: the act `hold-lift` of `pipeline.approvals`.
        NotProtected, StoreUnavailable: it is lifted, and the store still holds what it was on: a sweep tries again.
    """
    with ports.register.begin() as facts:
        lifted = lift_in(facts, hold, why=why, approval=None, actor=ports.actor, now=now)
    refresh(list(lifted.recordings), ports=ports, now=now, was_held=True)
    return lifted


def lift_in(writing: Facts, hold: str, *, why: str, approval: str | None, actor: str, now: datetime) -> Held:
    """Lift a hold in open facts, by an approval where it needs one; the store is told by a `refresh` after the commit.

    Raises:
        BadInput: no reason is given. NotFound: no such hold. Conflict: it was lifted already.
        Refused: it needs two people, and no approval is named.
    """
    told = {"why": reason(why, "the reason for lifting a hold")}
    row = check_stands(writing.connection, hold)
    if row["needs_two"] and approval is None:
        raise Refused(f"{hold} is lifted by two people: ask with `evidock hold lift {hold} --why …`", hold=hold)
    facts = {} if approval is None else {"approval": approval}
    writing.record(Happening("hold-lifted", stream_of("hold", hold), facts=facts, detail=told), actor=actor, at=now)
    return Held(hold, tuple(_recordings(writing.connection, row["noun"], row["subject"])))


def check_stands(connection: Connection, hold: str) -> Row:
    """The row of a hold that stands.

    Raises:
        NotFound: no such hold. Conflict: it was lifted already.
    """
    row = hold_rows.hold(connection, hold)
    if row["lifted_at"] is not None:
        raise Conflict(f"the hold {hold} was lifted at {row['lifted_at']} by {row['lifted_by']}", hold=hold)
    return row


def review(recording: str, *, why: str, ports: Ports, now: datetime) -> None:
    """Take down that a person has looked at a recording that the camera marked, or whose clock is in doubt.

    Raises:
        BadInput: no reason is given. NotFound: no such recording.
        WrongState: its bytes are being taken away, or have been.
    """
    told = {"why": reason(why, "the reason of a review")}
    with ports.register.begin() as facts:
        keeping.check_there(facts.connection, recording)
        facts.record(Happening("reviewed", about(recording), detail=told), actor=ports.actor, at=now)
    refresh([recording], ports=ports, now=now)


def _subject(connection: Connection, target: Target) -> tuple[str, str, list[str]]:
    if target.recording is not None:
        keeping.check_there(connection, target.recording)
        return "recording", target.recording, [target.recording]
    case = search.case(connection, target.case or "")["id"]
    return "case", case, _recordings(connection, "case", case)


def _recordings(connection: Connection, noun: str, subject: str) -> list[str]:
    return [subject] if noun == "recording" else keeping.recordings_of_case(connection, subject)
