# SPDX-License-Identifier: Apache-2.0
"""This is where jobs are run by the process that asked for them, as a worker would, without a broker."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass

from app import clocks
from evidence.errors import Unavailable
from pipeline import flow
from pipeline.leasing import Clock
from pipeline.ports import Ports
from storage.register import jobs
from storage.register.search import Row

# A job that failed this often in one run because the world was down is left to a later run or a worker.
_PATIENCE = 6
_PAUSE_S = 0.05
# As many recordings at a time: an engine takes only so many names in one question.
_SLICE = 500


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

    Jobs that a worker holds are waited for. A job that cannot be done while the world is down keeps no
    other from being done.

    Raises:
        Unavailable: a job failed again and again because the world is down; nothing is lost.
    """
    clock, owner = clocks.clock(lease_s, is_shared=ports.register.is_shared), clocks.owner()

    def run(job: str) -> Step:
        began = time.monotonic()
        result = flow.run(job, ports=ports, owner=owner, clock=clock)
        name, _, subject = job.partition(":")
        return Step(name, subject, result, time.monotonic() - began)

    given_up: list[Row] = []
    with ThreadPoolExecutor(at_once, thread_name_prefix="step") as pool:
        for start in range(0, len(subjects), _SLICE):
            some = subjects[start : start + _SLICE]
            waiting = _Waiting(some, ports, clock)
            given_up += _drain(waiting, lambda job: pool.submit(run, job), at_once=at_once, on_step=on_step)
    for row in given_up:
        told = f"{row['step']} of {row['subject']} failed {row['failures']} times: {row['error_text']}"
        raise Unavailable(told, job=row["id"])


@dataclass(frozen=True, slots=True)
class _Waiting:
    """The jobs of some subjects, as the register has them when asked."""

    subjects: Sequence[str]
    ports: Ports
    clock: Clock

    def open(self) -> list[Row]:
        with self.ports.register.view() as connection:
            return [dict(row._mapping) for row in jobs.open_jobs(connection, self.subjects)]

    def ready(self, limit: int) -> list[str]:
        with self.ports.register.view() as connection:
            self.clock.look(connection)
            return jobs.runnable(
                connection,
                tick=self.clock.tick(),
                now=self.clock.now(),
                limit=limit,
                subjects=self.subjects,
                place=self.ports.place,
            )


def _drain(
    jobs_of: _Waiting,
    start: Callable[[str], Future[Step]],
    *,
    at_once: int,
    on_step: Callable[[Step], None],
) -> list[Row]:
    """Run the jobs until all that are open have failed too often; those."""
    failed_before = {row["id"]: row["failures"] for row in jobs_of.open()}
    running: dict[Future[Step], str] = {}
    while True:
        waiting = jobs_of.open()
        hopeless = [row for row in waiting if _is_hopeless(row, failed_before.get(row["id"], 0))]
        if len(hopeless) == len(waiting) and not running:
            return hopeless
        not_now = {row["id"] for row in hopeless} | set(running.values())
        ready = [job for job in jobs_of.ready(at_once + len(not_now)) if job not in not_now]
        for job in ready[: at_once - len(running)]:
            running[start(job)] = job
        ended, _ = wait(running, timeout=_PAUSE_S, return_when=FIRST_COMPLETED)
        if not running:
            time.sleep(_PAUSE_S)
        for future in ended:
            del running[future]
            on_step(future.result())


def _is_hopeless(row: Row, failed_before: int) -> bool:
    return bool(row["state"] == "runnable" and row["failures"] - failed_before >= _PATIENCE)
