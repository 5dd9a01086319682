# SPDX-License-Identifier: Apache-2.0
"""This is where the order of the steps is written, and the only place where a step's answer becomes record.

One way for everyone, worker or foreground: take the job's lease, run the step, and commit its
custody events, its job and the next jobs in one transaction that the lease's fencing token guards.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import Protocol

from evidence.custody import Happening
from evidence.errors import Conflict, EvidockError, LeaseLost, ToolKilled, Unavailable
from evidence.lifecycle import State
from pipeline.classify import classify
from pipeline.ending import UNOBSERVED, Ending, Observer
from pipeline.ending import Result as Result
from pipeline.export import failed as export_failed
from pipeline.export import step as export
from pipeline.fingerprint import fingerprint
from pipeline.fixity import fixity
from pipeline.index import index
from pipeline.leasing import Clock, Heartbeat
from pipeline.outcome import Done, about
from pipeline.ports import Ports, Progress, unheard
from pipeline.repair import DAMAGE, helped_by, repair
from pipeline.seal import seal
from pipeline.segment import segment
from pipeline.stamp import stamp
from pipeline.transcode import transcode
from storage.register import jobs, search
from storage.register.facts import Facts, Rested
from storage.register.jobs import Lane, Lease


class Step(Protocol):
    """What every step is called with."""

    def __call__(self, recording: str, *, ports: Ports, now: datetime, progress: Progress) -> Done:
        """Do the step for one recording."""
        ...


STEPS: Mapping[str, Step] = {
    "fixity": fixity,
    "seal": seal,
    "stamp": stamp,
    "transcode": transcode,
    "fingerprint": fingerprint,
    "segment": segment,
    "classify": classify,
    "index": index,
    "repair": repair,
    "export": export,
}

# Steps of another noun than a recording: what is recorded when one has failed for good, from subject, code, reason.
FAILURES: Mapping[str, Callable[[str, str, str], Happening]] = {"export": export_failed}

# What follows what. Nothing is derived before it is sealed.
AFTER: Mapping[str, tuple[str, ...]] = {
    "fixity": ("seal",),
    "seal": ("segment", "stamp", "transcode"),
    "segment": ("classify",),
    "classify": ("index",),
    "transcode": ("fingerprint",),
}
# What these steps make says nothing of the bytes: where one cannot do its work (an authority answers with
# tokens that do not hold, a codec does not decode), the recording is flagged and goes on.
FLAGS = frozenset({"transcode", "fingerprint", "stamp", "repair"})
# These work in the spool of the installation that took the file in; all others work from the store, anywhere.
SPOOLING = frozenset({"fixity", "seal"})
# A recording that is put aside still gets its time token: its bytes are evidence all the same.
AFTER_QUARANTINE: Mapping[str, tuple[str, ...]] = {"seal": ("stamp",)}
# One that its camera could not finish gets a copy that plays, too, if one can be made.
AFTER_DAMAGE: Mapping[str, tuple[str, ...]] = {"seal": ("stamp", "repair")}


Hint = Callable[[str], None]
"""Told the id of a job that has become runnable. Losing a hint loses nothing."""


def run(
    job: str,
    *,
    ports: Ports,
    owner: str,
    clock: Clock,
    hint: Hint | None = None,
    on_progress: Progress = unheard,
    observer: Observer = UNOBSERVED,
) -> Result:
    """Run one job if it can be had now, and record what it did.

    Raises:
        RegisterUnavailable: nothing could be recorded; the lease ends by itself.
    """
    with ports.register.leasing() as connection:
        lease = jobs.take(
            connection,
            job,
            owner=owner,
            tick=clock.tick(),
            now=clock.now(),
            lease_s=clock.lease_s,
            place=ports.place,
        )
    if lease is None:
        return Result.NOT_NOW
    observer.started(lease)
    try:
        ending = _attempt(lease, ports=ports, clock=clock, hint=hint, on_progress=on_progress)
    except BaseException as error:
        observer.broke_off(lease, error)
        raise
    observer.ended(lease, ending)
    return ending.result


def _attempt(lease: Lease, *, ports: Ports, clock: Clock, hint: Hint | None, on_progress: Progress) -> Ending:
    if lease.attempts > jobs.MAX_ATTEMPTS:
        return _poisoned(lease, ports=ports, clock=clock)
    try:
        with Heartbeat(lease, register=ports.register, clock=clock, on_progress=on_progress) as beat:
            done = STEPS[lease.step](lease.subject, ports=ports, now=clock.now(), progress=beat.progress)
        opened, recorded = _commit(lease, done, ports=ports, clock=clock)
    except EvidockError as error:
        return _failed(lease, error, ports=ports, clock=clock)
    if done.then is not None:
        done.then()
    if hint is not None:
        for following in opened:
            hint(following)
    return Ending(Result.DONE, recorded=recorded)


def _failed(lease: Lease, error: EvidockError, *, ports: Ports, clock: Clock) -> Ending:
    if isinstance(error, LeaseLost):
        return _lost(lease, error, ports=ports)
    # A conflict is another worker that was quicker with the same bytes: the next try sees it.
    if isinstance(error, Unavailable | Conflict):
        return _put_back(lease, error, ports=ports, clock=clock)
    return _aside(lease, error.code, error.message, ports=ports, clock=clock)


def _lost(lease: Lease, error: LeaseLost, *, ports: Ports) -> Ending:
    """Take back the attempt of a worker that was slow or frozen, and lives: only deaths are counted."""
    with suppress(Unavailable), ports.register.leasing() as connection:
        jobs.forgive(connection, lease)
    return Ending(Result.LOST, error.code)


def _commit(lease: Lease, done: Done, *, ports: Ports, clock: Clock) -> tuple[list[str], list[Happening]]:
    """Record what the step did; the jobs that were opened by it, and the events."""
    now = clock.now()
    rested = [ports.register.rest(happening) for happening in done.happenings]
    with ports.register.begin() as facts:
        # The fence first: a worker that lost its lease must not even try to record.
        jobs.finish(facts.connection, lease)
        decided = done.decide(facts.connection) if done.decide is not None else ()
        recorded: list[Happening | Rested] = [*rested, *decided]
        for one in recorded:
            facts.record(one, actor=ports.actor, at=now)
        happenings = [*done.happenings, *decided]
        opened = open_released(facts, happenings, now=now) + _open_repairs(facts, happenings, now=now)
        if not done.halt:
            opened = opened + _open_next(facts, lease, happenings, ports=ports, now=now)
    return opened, happenings


def lane_of(step: str, *, dock: str, place: str) -> Lane:
    """Where a step of a recording belongs; `place` is the installation whose spool has its bytes, if that is known."""
    return Lane(dock, place if step in SPOOLING else None)


def _open_next(
    facts: Facts, lease: Lease, happenings: Sequence[Happening], *, ports: Ports, now: datetime
) -> list[str]:
    following = _after(happenings).get(lease.step, ())
    # What was measured anew is sealed anew, also when an earlier arrival of it had been given up.
    have = facts.revive if lease.step == "fixity" else facts.enqueue
    return [
        have(step, lease.subject, now=now, lane=lane_of(step, dock=lease.dock, place=ports.place)) for step in following
    ]


def _after(happenings: Sequence[Happening]) -> Mapping[str, tuple[str, ...]]:
    codes = {happening.facts["code"] for happening in happenings if happening.kind == "quarantined"}
    if codes & DAMAGE:
        return AFTER_DAMAGE
    return AFTER_QUARANTINE if codes else AFTER


def open_released(facts: Facts, happenings: Sequence[Happening], *, now: datetime) -> list[str]:
    """Open the jobs of recordings that were put aside and are released now: those that follow sealing."""
    released = [h.stream.partition("/")[2] for h in happenings if h.kind == "released"]
    return [
        facts.enqueue(step, recording, now=now, lane=Lane(search.recording(facts.connection, recording)["dock"]))
        for recording in released
        for step in AFTER["seal"]
    ]


def _open_repairs(facts: Facts, happenings: Sequence[Happening], *, now: datetime) -> list[str]:
    """Have another try at what a camera could not finish, once there is a whole recording of it to help."""
    indexed = [h.stream.partition("/")[2] for h in happenings if h.kind == "indexed"]
    return [
        facts.revive("repair", one["id"], now=now, lane=Lane(one["dock"]))
        for recording in indexed
        for one in helped_by(facts.connection, recording)
    ]


def _put_back(lease: Lease, error: EvidockError, *, ports: Ports, clock: Clock) -> Ending:
    # What kills our programs may kill them for ever, as what kills its worker does.
    is_death = isinstance(error, ToolKilled)
    try:
        with ports.register.leasing() as connection:
            jobs.put_back(connection, lease, now=clock.now(), code=error.code, text=error.message, is_death=is_death)
    except LeaseLost as lost:
        return _lost(lease, lost, ports=ports)
    return Ending(Result.AGAIN, error.code)


def _poisoned(lease: Lease, *, ports: Ports, clock: Clock) -> Ending:
    text = f"{lease.step} ended its worker or its program {jobs.MAX_ATTEMPTS} times without an answer"
    return _aside(lease, "poison", text, ports=ports, clock=clock)


def _aside(lease: Lease, code: str, text: str, *, ports: Ports, clock: Clock) -> Ending:
    """Close the job and put the recording aside, or flag it when it is too far on to be put aside."""
    if lease.step in FAILURES:
        return _given_up(lease, code, text, ports=ports, clock=clock)
    aside = Happening("quarantined", about(lease.subject), facts={"code": code}, detail={"reason": text})
    try:
        rested = ports.register.rest(aside)
    except Unavailable as error:
        return _put_back(lease, error, ports=ports, clock=clock)
    try:
        with ports.register.begin() as facts:
            jobs.kill(facts.connection, lease, code=code, text=text)
            state = search.recording(facts.connection, lease.subject)["state"]
            if state == State.QUARANTINED:
                return Ending(Result.ASIDE, code)  # by another step, whose reason stands
            if lease.step in FLAGS or state not in (State.ARRIVED, State.MEASURED, State.SEALED):
                aside = replace(aside, kind="flagged")
            facts.record(replace(rested, happening=aside), actor=ports.actor, at=clock.now())
    except LeaseLost as error:
        return _lost(lease, error, ports=ports)
    return Ending(Result.ASIDE, code, (aside,))


def _given_up(lease: Lease, code: str, text: str, *, ports: Ports, clock: Clock) -> Ending:
    """Close the job of another noun than a recording, and record that it failed."""
    happening = FAILURES[lease.step](lease.subject, code, text)
    try:
        with ports.register.begin() as facts:
            jobs.kill(facts.connection, lease, code=code, text=text)
            facts.record(happening, actor=ports.actor, at=clock.now())
    except LeaseLost as error:
        return _lost(lease, error, ports=ports)
    except Unavailable as error:
        return _put_back(lease, error, ports=ports, clock=clock)
    return Ending(Result.ASIDE, code, (happening,))
