# SPDX-License-Identifier: Apache-2.0
"""This is where the register is counted, for those who watch an installation: cheap questions, asked again and again.

Each is answered from an index, or from few rows: large registers are asked every few seconds.
"""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import Connection, func, select, text

from evidence import instant
from storage.register.jobs import OPEN
from storage.register.schema import jobs, offers, recordings

_TOLD = (*OPEN, "dead")


def jobs_by_state_and_step(connection: Connection) -> Mapping[tuple[str, str], int]:
    """Number of jobs that are not done, by state (runnable, leased, dead) and step."""
    wanted = (
        select(jobs.c.state, jobs.c.step, func.count())
        .where(jobs.c.state.in_(_TOLD))
        .group_by(jobs.c.state, jobs.c.step)
    )
    return {(state, step): number for state, step, number in connection.execute(wanted)}


def open_jobs(connection: Connection) -> int:
    """Number of jobs that wait or run."""
    return connection.scalar(select(func.count()).select_from(jobs).where(jobs.c.state.in_(OPEN))) or 0


def oldest_due(connection: Connection) -> datetime | None:
    """Since when the job that has waited longest could have been run; None when none waits."""
    due = connection.scalar(select(func.min(jobs.c.due_at)).where(jobs.c.state == "runnable"))
    return None if due is None else instant.from_text(due)


def recordings_by_state(connection: Connection) -> Mapping[str, int]:
    """Number of recordings in each state that one is in."""
    wanted = select(recordings.c.state, func.count()).group_by(recordings.c.state)
    return {row[0]: row[1] for row in connection.execute(wanted)}


def bytes_to_come(connection: Connection, *, place: str) -> int:
    """Bytes of files taken down at `place` whose copying into its spool is not done: room that is spoken for."""
    wanted = (
        select(func.sum(offers.c.size_bytes))
        .select_from(jobs.join(offers, offers.c.recording == jobs.c.subject))
        .where(
            jobs.c.step == "fixity",
            jobs.c.state.in_(OPEN),
            jobs.c.place.in_(("", place)),
            offers.c.outcome == "taken",
        )
    )
    return int(connection.scalar(wanted) or 0)


def clock_of(connection: Connection) -> datetime | None:
    """What time the register's machine has; None when the register is a file of this machine."""
    if connection.dialect.name != "postgresql":
        return None
    now: datetime | None = connection.scalar(text("SELECT clock_timestamp()"))
    return now
