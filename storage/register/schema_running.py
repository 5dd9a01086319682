# SPDX-License-Identifier: Apache-2.0
"""This is where the tables of the running system are named: its jobs, its last sweep, its clock. None is a fact."""

from sqlalchemy import BigInteger, Column, Float, Index, Integer, Table

from storage.register.columns import Counter, Text, metadata

jobs = Table(
    "jobs",
    metadata,
    Column("id", Text, primary_key=True),
    Column("step", Text, nullable=False),
    Column("subject", Text, nullable=False, index=True),
    Column("dock", Text, nullable=False, server_default=""),  # whose share the job is of
    Column("place", Text, nullable=False, server_default=""),  # the one installation that can run it; empty: any
    Column("state", Text, nullable=False),  # runnable, leased, done, dead
    Column("attempts", Integer, nullable=False),  # starts, counted before the run
    Column("failures", Integer, nullable=False),  # clean failures, for the backoff
    Column("owner", Text),
    Column("fence", BigInteger, nullable=False),
    Column("lease_boot", Text),
    Column("lease_until", Float),  # seconds of the monotonic clock of boot `lease_boot`
    Column("lease_s", Float),  # the lease's length: how long one of another machine is watched
    Column("due_at", Text, nullable=False),
    Column("progress_permille", Integer, nullable=False),
    Column("error_code", Text),
    Column("error_text", Text),
    Column("created_at", Text, nullable=False),
    Index("ix_jobs_state_dock_created_at", "state", "dock", "created_at"),
)

# What follows from nothing but the running system, beside the jobs. Of keeping: the last answer of a sweep.
retention = Table(
    "retention",
    metadata,
    Column("recording", Text, primary_key=True),
    Column("outcome", Text, nullable=False),
    Column("until", Text),
    Column("swept_at", Text, nullable=False),
    Index("ix_retention_outcome_until", "outcome", "until", "recording"),
)

# How far steady time had come when a boot had run so long: a clock that jumps shows.
clock_marks = Table(
    "clock_marks",
    metadata,
    Column("id", Counter, primary_key=True, autoincrement=True),
    Column("place", Text, nullable=False),
    Column("boot", Text, nullable=False),
    Column("uptime_s", Float, nullable=False),
    Column("at", Text, nullable=False),
    # A person's word that the clock is right.
    Column("is_confirmed", Integer, nullable=False, server_default="0"),
)
