# SPDX-License-Identifier: Apache-2.0
"""This is where two people agree on what goes: a list is proposed by one, approved by another, undone by anybody.

Approval moves what is on the list to *due*; nothing is removed before the grace period has passed, on the steady clock.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from evidence import ids, instant
from evidence.custody import Happening
from evidence.disposal import digest_of, is_same_person
from evidence.errors import BadInput, Conflict, Refused, WrongState
from evidence.ids import stream_of
from evidence.lifecycle import State
from evidence.written import reason
from pipeline.disposal_list import DecisionOf, DisposalList, changes, check_same, entry_now, read_list, refuse_changed
from pipeline.ports import Ports
from storage.register import ends, search
from storage.register.search import Connection


def propose(
    recordings: Sequence[str],
    *,
    why: str,
    judge: DecisionOf,
    most: int,
    grace: timedelta,
    ports: Ports,
    now: datetime,
) -> str:
    """Put recordings on a new disposal list; its id. Nothing is done about them until another person approves it.

    `grace` is the least that whoever approves must leave: neither of the two chooses it alone.

    Raises:
        BadInput: no recordings, more than `most`, one twice, or no reason.
        NotFound: no such recording. WrongState: one is not due, or not appraised for disposal.
        Conflict: one is on another list.
    """
    wanted = sorted(recordings)
    if not wanted:
        raise BadInput("nothing waits for a disposal list: appraise what is due first (`evidock appraise list`)")
    if len(wanted) > most or len(set(wanted)) != len(wanted):
        raise BadInput(f"a disposal list has from 1 to {most} recordings, each once; these are {len(wanted)}")
    identifier = ids.opaque("dis", ports.chance(10))
    with ports.register.begin() as facts:
        for recording in wanted:
            _check_free(facts.connection, recording)
        entries = [entry_now(facts.connection, one, judge=judge) for one in wanted]
        happening = Happening(
            "disposal-proposed",
            stream_of("disposal", identifier),
            facts={"count": len(entries), "digest": digest_of(entries), "grace_s": grace // timedelta(seconds=1)},
            detail={"entries": [one.to_json() for one in entries], "why": reason(why)},
        )
        facts.record(happening, actor=ports.actor, at=now)
    return identifier


def _check_free(connection: Connection, recording: str) -> None:
    row = search.recording(connection, recording)
    if row["state"] not in ends.STANDING:
        raise WrongState(f"{recording} is {row['state']}: it cannot be put on a disposal list", state=row["state"])
    other = ends.list_of(connection, recording)
    if other is not None:
        raise Conflict(f"{recording} is on the disposal list {other} already", disposal=other)


def approve(identifier: str, *, judge: DecisionOf, grace: timedelta, ports: Ports, now: datetime) -> DisposalList:
    """Approve a list as the second person; what it holds can be undone until its grace has passed.

    Raises:
        Refused: it was proposed by this same person.
        Conflict: an entry is not as it was proposed; named in `changed`.
        WrongState: the list is approved already, withdrawn or finished.
    """
    told = read_list(identifier, ports=ports)
    if told.approved_by is not None or told.is_withdrawn or told.is_finished:
        raise WrongState(f"the disposal list {identifier} does not wait for approval any more", disposal=identifier)
    if is_same_person(told.proposed_by, ports.actor):
        raise Refused(f"{identifier} was proposed by {told.proposed_by}: another person must approve it")
    happening = Happening(
        "disposal-approved",
        stream_of("disposal", identifier),
        facts={"digest": told.digest, "grace_until": instant.to_text(now + max(grace, told.grace))},
    )
    with ports.register.begin() as facts:
        check_same(facts.connection, told)
        refuse_changed(told, changes(facts.connection, told.standing, judge=judge))
        facts.record(happening, actor=ports.actor, at=now)
    return read_list(identifier, ports=ports)


def undo(identifier: str, recordings: Sequence[str] | None, *, why: str, ports: Ports, now: datetime) -> DisposalList:
    """Take back a list, or some of its recordings: they are again what they were. Anybody may, and needs no second.

    Raises:
        WrongState: the bytes of one of them are being taken away, or have been.
        NotFound: one is not on the list. BadInput: no reason.
    """
    told = read_list(identifier, ports=ports)
    if told.is_withdrawn or told.is_finished:
        raise WrongState(f"the disposal list {identifier} was withdrawn or finished: there is nothing to undo")
    wanted = told.standing if recordings is None else [told.entry(one) for one in sorted(set(recordings))]
    detail = {
        "recordings": None if recordings is None else [one.recording for one in wanted],
        "why": reason(why),
    }
    with ports.register.begin() as facts:
        check_same(facts.connection, told)
        for one in wanted:
            state = search.recording(facts.connection, one.recording)["state"]
            if state in (State.DISPOSING, State.DISPOSED):
                raise WrongState(f"{one.recording} is {state}: there is no way back", recording=one.recording)
        happening = Happening("disposal-withdrawn", stream_of("disposal", identifier), detail=detail)
        facts.record(happening, actor=ports.actor, at=now)
    return read_list(identifier, ports=ports)
