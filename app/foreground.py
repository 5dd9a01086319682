# SPDX-License-Identifier: Apache-2.0
"""This is where jobs are run by the process that asked for them, as a worker would, without a broker."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass

from app import clocks
from evidence.errors import Unavailable
from pipeline import flow
from pipeline.ports import Ports
from storage.register import jobs
from storage.register.search import Row

# A job that failed this often because the world was down is left to a later run or a worker.
_PATIENCE = 6
_PAUSE_S = 0.05


@dataclass(frozen=True, slots=True)
class Step:
    """One step that ended: which, on what, how, and how long it took."""

    name: str
    subject: str
    result: flow.Result
    seconds: float


def drain(
    subjects: Sequence[str],
    *,
    ports: Ports,
    lease_s: float,
    at_once: int,
    on_step: Callable[[Step], None] = lambda _: None,
) -> None:
    """Run every job of `subjects`, and those that follow, until none is open.

    Jobs that a worker holds are waited for.

    Raises:
        Unavailable: a job failed again and again because the world is down; nothing is lost.
    """
    clock, owner = clocks.clock(lease_s), clocks.owner()
    running: dict[Future[Step], str] = {}

    def run(job: str) -> Step:
        began = time.monotonic()
        result = flow.run(job, ports=ports, owner=owner, clock=clock)
        name, _, subject = job.partition(":")
        return Step(name, subject, result, time.monotonic() - began)

    with ThreadPoolExecutor(at_once, thread_name_prefix="step") as pool:
        while True:
            waiting = _open(subjects, ports)
            if not waiting and not running:
                return
            _give_up_on(waiting)
            for job in _ready(subjects, ports, at_once):
                if job not in running.values() and len(running) < at_once:
                    running[pool.submit(run, job)] = job
            ended, _ = wait(running, timeout=_PAUSE_S, return_when=FIRST_COMPLETED)
            if not running:
                time.sleep(_PAUSE_S)
            for future in ended:
                del running[future]
                on_step(future.result())


def _open(subjects: Sequence[str], ports: Ports) -> list[Row]:
    with ports.register.view() as connection:
        return [dict(row._mapping) for row in jobs.open_jobs(connection, subjects)]


def _ready(subjects: Sequence[str], ports: Ports, at_once: int) -> list[str]:
    with ports.register.view() as connection:
        return jobs.runnable(connection, tick=clocks.tick(), now=clocks.now(), limit=2 * at_once, subjects=subjects)


def _give_up_on(waiting: Sequence[Row]) -> None:
    for row in waiting:
        if row["failures"] >= _PATIENCE and row["state"] == "runnable":
            raise Unavailable(
                f"{row['step']} of {row['subject']} failed {row['failures']} times: {row['error_text']}",
                job=row["id"],
            )
