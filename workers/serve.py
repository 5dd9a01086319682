# SPDX-License-Identifier: Apache-2.0
"""This is where a worker process works: its threads are started, watched, and ended in good order."""

import threading
from contextlib import suppress
from functools import partial

import dramatiq

from evidence.errors import LeaseLost, Unavailable
from pipeline import flow
from pipeline.ending import UNOBSERVED, Observer
from pipeline.leasing import Clock
from pipeline.ports import Ports
from storage.register import jobs
from storage.register.publisher import publish
from storage.register.register import Register
from workers.actors import declare
from workers.link import Link
from workers.relay import Relay
from workers.rounds import UNATTENDED, Attendant, Outage, Rounds, Tell
from workers.solitude import Solitude

# How long an idle consumer sleeps between two looks: half of it is what a hint waits on an idle machine.
_IDLE_MS = 50
_PUBLISH_S = 60.0
_SWEEP_S = 3600.0
_STOPPED = "stopped"


class Runner:
    """Runs jobs by their ids, for the actors: what the world being down keeps from being run stays a row."""

    def __init__(
        self,
        ports: Ports,
        link: Link,
        *,
        clock: Clock,
        owner: str,
        stop: threading.Event,
        outage: Outage,
        observer: Observer = UNOBSERVED,
    ) -> None:
        self._run = partial(flow.run, ports=ports, owner=owner, clock=clock, hint=self._hint, observer=observer)
        self._register = ports.register
        self._stop = stop
        self._hints = link.hints
        self._solitude = Solitude()
        self._outage = outage

    def __call__(self, job: str) -> None:
        """Run the job if it can be had now; alone when it is its last start. Nothing new once `stop` is set."""
        try:
            last = self._is_last_start(job)
            if last is None:
                return  # a hint that came twice, or too late
            with self._solitude.alone() if last else self._solitude.together():
                if not self._stop.is_set():
                    self._run(job)
        except Unavailable as error:
            # The register is away: the lease ends by itself and the relay hints again, so only tell it.
            self._outage.goes_on(error)
        else:
            self._outage.is_over()

    def _is_last_start(self, job: str) -> bool | None:
        # None for a job that is finished. Attempts that had an answer are not counted: what is counted here
        # ended with its process.
        subject = job.partition(":")[2]
        with self._register.view() as connection:
            rows = jobs.open_jobs(connection, [subject])
        return next((row.attempts == jobs.MAX_ATTEMPTS - 1 for row in rows if row.id == job), None)

    def _hint(self, job: str) -> None:
        self._hints.send_when_idle(job)


def serve(
    ports: Ports,
    link: Link,
    *,
    clock: Clock,
    owner: str,
    threads: int,
    stop: threading.Event,
    grace_s: float,
    tell: Tell,
    observer: Observer = UNOBSERVED,
    attendant: Attendant = UNATTENDED,
) -> None:
    """Run jobs on `threads` threads until `stop` is set; then end within about `grace_s` seconds.

    Steps under way may end in that time. The leases of those that do not are given back, so that another
    worker goes on at once; what they still do is refused at its end.

    A job that ends this process is no matter here: its lease ends, and its attempts are counted in the row.
    """
    outage = Outage("steps", tell, attendant=attendant)
    run = Runner(ports, link, clock=clock, owner=owner, stop=stop, outage=outage, observer=observer)
    declare(link.broker, steps=list(flow.STEPS), place=ports.place, run=run)
    worker = dramatiq.Worker(link.broker, worker_threads=threads, worker_timeout=_IDLE_MS)
    relay = Relay(ports.register, link, clock=clock, place=ports.place)
    rounds = [
        Rounds("relay", relay, stop=stop, tell=tell, attendant=attendant),
        Rounds("custody log", partial(_publish, ports), stop=stop, tell=tell, attendant=attendant),
        Rounds("leftovers", partial(_sweep, ports, clock), stop=stop, tell=tell, attendant=attendant),
    ]
    worker.start()
    for one in rounds:
        one.start()
    stop.wait()
    worker.stop(timeout=int(grace_s * 1000))
    for one in rounds:
        one.join(1.0)
    _leave(ports, owner=owner, clock=clock, tell=tell)
    for one in rounds:
        if one.failed is not None:
            raise one.failed


def _publish(ports: Ports) -> float:
    publish(ports.register, ports.log)
    return _PUBLISH_S


def _sweep(ports: Ports, clock: Clock) -> float:
    ports.store.sweep(now=clock.now())
    return _SWEEP_S


def _leave(ports: Ports, *, owner: str, clock: Clock, tell: Tell) -> None:
    try:
        for job in release(ports.register, owner=owner, clock=clock):
            tell(f"{job} did not end in time; its lease is given back")
    except Unavailable as error:
        tell(f"leases could not be given back, they end by themselves: {error.message} ({error.code})")


def release(register: Register, *, owner: str, clock: Clock) -> list[str]:
    """Give back every lease that `owner` holds, and return the jobs' ids.

    Raises:
        RegisterUnavailable: they end by themselves.
    """
    released = []
    with register.leasing() as connection:
        for lease in jobs.leases_of(connection, owner):
            with suppress(LeaseLost):
                jobs.put_back(connection, lease, now=clock.now(), code=_STOPPED, text="the worker was stopped")
                released.append(lease.job)
    return released
