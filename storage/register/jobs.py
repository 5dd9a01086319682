# SPDX-License-Identifier: Apache-2.0
"""This is where jobs are held: who may run a step now, how often it was tried, how far it is.

The row is the truth and a broker's message only a hint. A worker takes the lease first; the
fencing token grows with each lease, and a step's transaction is refused when another lease has
been given since. An attempt is counted before the run, so that a job that kills its worker is
known by its count. Leases are on the monotonic clock of one boot: setting a clock loses none.
On an embedded register a lease from before a reboot has ended; on one that machines share, a lease
of another machine has ended when nobody renewed it for its length (see `lease_watch`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, false, func, insert, or_, select, update

from evidence import ids, instant
from evidence.errors import LeaseLost
from storage.register.schema import jobs

MAX_ATTEMPTS = 3
OPEN = ("runnable", "leased")
_BACKOFF_LIMIT_S = 30


@dataclass(frozen=True, slots=True)
class Held:
    """One lease as it stood at a moment: it has moved when any of these has."""

    job: str
    fence: int
    until: float


@dataclass(frozen=True, slots=True)
class Tick:
    """A moment of the monotonic clock of one boot of one machine, and the leases of others known to have ended.

    `strangers` is None where no other machine can hold a lease: what another boot held has ended.
    """

    boot: str
    seconds: float
    strangers: frozenset[Held] | None = None


@dataclass(frozen=True, slots=True)
class Lane:
    """Where a job belongs: the dock whose share it is, and the one installation that can run it, if only one can."""

    dock: str | None = None
    place: str | None = None


ANYWHERE = Lane()


@dataclass(frozen=True, slots=True)
class Lease:
    """Leave to run one job until its deadline; `fence` tells it from every other lease of the job."""

    job: str
    step: str
    subject: str
    owner: str
    fence: int
    attempts: int
    dock: str = ""


def enqueue(connection: Connection, step: str, subject: str, *, now: datetime, lane: Lane = ANYWHERE) -> str:
    """Have the job that runs `step` on `subject`; one that stands already is left as it is."""
    job = ids.job_id(step, subject)
    if connection.scalar(select(jobs.c.id).where(jobs.c.id == job)) is None:
        moment = instant.to_text(now)
        connection.execute(
            insert(jobs).values(
                id=job,
                step=step,
                subject=subject,
                dock=lane.dock or "",
                place=lane.place or "",
                state="runnable",
                attempts=0,
                failures=0,
                fence=0,
                due_at=moment,
                progress_permille=0,
                created_at=moment,
            )
        )
    return job


def revive(connection: Connection, step: str, subject: str, *, now: datetime, lane: Lane = ANYWHERE) -> str:
    """Make the job runnable again from its first attempt, whatever became of it."""
    job = enqueue(connection, step, subject, now=now, lane=lane)
    connection.execute(
        update(jobs)
        .where(jobs.c.id == job)
        .values(
            state="runnable",
            attempts=0,
            failures=0,
            due_at=instant.to_text(now),
            owner=None,
            dock=lane.dock or "",
            place=lane.place or "",
        )
    )
    return job


def _is_due(now: datetime) -> ColumnElement[bool]:
    """Rows that wait for nothing but a worker."""
    # A pause never reaches further than this: what lies beyond was written by a clock that has been set since.
    pause_ends = instant.to_text(now + timedelta(seconds=2 * _BACKOFF_LIMIT_S))
    due = or_(jobs.c.due_at <= instant.to_text(now), jobs.c.due_at > pause_ends)
    return and_(jobs.c.state == "runnable", due)


def _has_ended(tick: Tick) -> ColumnElement[bool]:
    """Rows whose lease has ended without an answer."""
    return and_(jobs.c.state == "leased", _lease_is_over(tick))


def _lease_is_over(tick: Tick) -> ColumnElement[bool]:
    ours = and_(jobs.c.lease_boot == tick.boot, jobs.c.lease_until <= tick.seconds)
    if tick.strangers is None:
        return or_(jobs.c.lease_boot != tick.boot, ours)
    seen = [
        and_(jobs.c.id == held.job, jobs.c.fence == held.fence, jobs.c.lease_until == held.until)
        for held in tick.strangers
    ]
    return or_(ours, and_(jobs.c.lease_boot != tick.boot, or_(false(), *seen)))


def _here(place: str) -> ColumnElement[bool]:
    """Jobs that this installation can run: those of any, and those whose bytes wait in its spool."""
    return jobs.c.place.in_(("", place))


def take(
    connection: Connection,
    job: str,
    *,
    owner: str,
    tick: Tick,
    now: datetime,
    lease_s: float,
    place: str = "",
) -> Lease | None:
    """Take the lease of `job`, counting the attempt, or None when it is not to be had now.

    Of several who ask at once one gets it, and the others wait for nobody. The caller looks at `attempts`:
    past MAX_ATTEMPTS the job has killed its workers and is not run.
    """
    # An engine without row locks has one writer at a time, and drops the words.
    may = or_(_is_due(now), _has_ended(tick))
    free = select(jobs.c.id).where(jobs.c.id == job, may, _here(place)).with_for_update(skip_locked=True)
    taken = connection.execute(
        update(jobs)
        .where(jobs.c.id == free.scalar_subquery())
        .values(
            state="leased",
            owner=owner,
            fence=jobs.c.fence + 1,
            attempts=jobs.c.attempts + 1,
            lease_boot=tick.boot,
            lease_until=tick.seconds + lease_s,
            lease_s=lease_s,
            progress_permille=0,
        )
        .returning(jobs.c.step, jobs.c.subject, jobs.c.fence, jobs.c.attempts, jobs.c.dock)
    ).first()
    if taken is None:
        return None
    return Lease(job=job, owner=owner, **taken._mapping)


def renew(connection: Connection, lease: Lease, *, tick: Tick, lease_s: float, permille: int) -> None:
    """Move the lease's deadline and say how far the step is.

    Raises:
        LeaseLost: the lease ended and another was given; the caller stops without recording.
    """
    values = {"lease_until": tick.seconds + lease_s, "lease_s": lease_s, "progress_permille": permille}
    _held(connection, lease, values)


def finish(connection: Connection, lease: Lease) -> None:
    """Close the job in the transaction that records its result.

    Raises:
        LeaseLost: another lease has been given since; the transaction must not commit.
    """
    _held(
        connection,
        lease,
        {"state": "done", "progress_permille": 1000, "error_code": None, "error_text": None},
    )


def kill(connection: Connection, lease: Lease, *, code: str, text: str) -> None:
    """Close the job for good without a result.

    Raises:
        LeaseLost: another lease has been given since.
    """
    _held(connection, lease, {"state": "dead", "error_code": code, "error_text": text})


def forgive(connection: Connection, lease: Lease) -> None:
    """Take back the attempt of a lease that was lost to another while its worker lived."""
    connection.execute(
        update(jobs)
        .where(jobs.c.id == lease.job, jobs.c.state.in_(OPEN), jobs.c.fence > lease.fence, jobs.c.attempts > 0)
        .values(attempts=jobs.c.attempts - 1)
    )


def put_back(
    connection: Connection, lease: Lease, *, now: datetime, code: str, text: str, is_death: bool = False
) -> None:
    """Give the job back after a failure, due again after a growing pause (at most 30 s).

    A clean failure does not count against MAX_ATTEMPTS; the death of a program that worked for it does.

    Raises:
        LeaseLost: another lease has been given since.
    """
    failures = connection.scalar(select(jobs.c.failures).where(jobs.c.id == lease.job)) or 0
    # The exponent has an end, too: after a night without a store it is larger than a float can hold.
    pause = min(2 ** min(failures, 16) * 0.25, _BACKOFF_LIMIT_S)
    values = {
        "state": "runnable",
        "attempts": jobs.c.attempts - (0 if is_death else 1),
        "failures": failures + 1,
        "due_at": instant.to_text(now + timedelta(seconds=pause)),
        "error_code": code,
        "error_text": text,
    }
    _held(connection, lease, values)


def _held(connection: Connection, lease: Lease, values: dict[str, Any]) -> None:
    same = (jobs.c.id == lease.job, jobs.c.state == "leased", jobs.c.fence == lease.fence)
    if connection.execute(update(jobs).where(*same).values(**values)).rowcount != 1:
        raise LeaseLost(f"{lease.job} is no longer held by {lease.owner}", job=lease.job, fence=lease.fence)


def runnable(
    connection: Connection,
    *,
    tick: Tick,
    now: datetime,
    limit: int,
    subjects: Sequence[str] | None = None,
    place: str = "",
) -> list[str]:
    """Ids of jobs that may be taken now: each dock's first, then each dock's second, and so on.

    A dock that brings ten thousand files thereby holds up no other. Of one dock's jobs the oldest go first, but before
    them those that lead to a receipt, which a camera waits for. With `subjects`, of those only.
    """
    wanted = [or_(_is_due(now), _has_ended(tick)), _here(place)]
    if subjects is not None:
        wanted.append(jobs.c.subject.in_(subjects))
    turn = func.row_number().over(partition_by=jobs.c.dock, order_by=(jobs.c.place == "", jobs.c.created_at, jobs.c.id))
    queued = select(jobs.c.id, jobs.c.created_at, turn.label("turn")).where(*wanted).subquery()
    fair = select(queued.c.id).order_by(queued.c.turn, queued.c.created_at, queued.c.id).limit(limit)
    return list(connection.scalars(fair))


def open_jobs(connection: Connection, subjects: Sequence[str] | None = None) -> list[Row[Any]]:
    """Rows of all jobs that are neither done nor dead; of `subjects` only, when given."""
    wanted = select(jobs).where(jobs.c.state.in_(OPEN)).order_by(jobs.c.created_at)
    if subjects is not None:
        wanted = wanted.where(jobs.c.subject.in_(subjects))
    return list(connection.execute(wanted))


def leases_of(connection: Connection, owner: str) -> list[Lease]:
    """The leases that stand for an owner, whatever their clocks say; few, however long the queue is."""
    told = (jobs.c.step, jobs.c.subject, jobs.c.owner, jobs.c.fence, jobs.c.attempts, jobs.c.dock)
    wanted = select(jobs.c.id.label("job"), *told).where(jobs.c.state == "leased", jobs.c.owner == owner)
    return [Lease(**row._mapping) for row in connection.execute(wanted)]


def jobs_of(connection: Connection, subject: str) -> list[Row[Any]]:
    """Rows of all jobs of a subject, oldest first: which step stands where, for anyone to read."""
    return list(connection.execute(select(jobs).where(jobs.c.subject == subject).order_by(jobs.c.created_at)))


def counts(connection: Connection) -> dict[str, int]:
    """Number of jobs by state."""
    rows = connection.execute(select(jobs.c.state, func.count().label("number")).group_by(jobs.c.state))
    return {row.state: row.number for row in rows}
