# SPDX-License-Identifier: Apache-2.0
"""This is where a person has a job tried again at once: one that was given up, or that waits after a failure."""

from datetime import datetime

from evidence.errors import WrongState
from pipeline.ports import Ports
from storage.register import jobs, registry_lists
from storage.register.jobs import Lane


def retry_job(job: str, *, ports: Ports, now: datetime) -> None:
    """Make a job runnable from its first attempt; what is recorded of its subject stays as it is.

    Raises:
        NotFound: there is none. WrongState: it is done, or runs now.
    """
    with ports.register.begin() as facts:
        row = registry_lists.job(facts.connection, job)
        if row["state"] not in ("dead", "runnable"):
            raise WrongState(f"{job} is {row['state']}: there is nothing to try again", state=row["state"])
        lane = Lane(row["dock"] or None, row["place"] or None)
        jobs.revive(facts.connection, row["step"], row["subject"], now=now, lane=lane)
