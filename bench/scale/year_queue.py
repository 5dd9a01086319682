# SPDX-License-Identifier: Apache-2.0
"""This is where jobs queue for workers, first come, first served, and where the queue is held to what theory says.

An event-driven simulation of k servers (Kiefer and Wolfowitz 1955). Three checks: Little's law, by a count that
knows nothing of waits; Erlang's C for exponential work, and Allen and Cunneen's approximation for other work; and
at every arrival the fluid bound, between which and the wait lies no more than the longest job.
"""

import heapq
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bench.scale.year_model import Numbers


@dataclass(frozen=True, slots=True)
class Check:
    """One comparison of the simulation with theory."""

    name: str
    simulated: float
    theory: float
    tolerance: float

    @property
    def holds(self) -> bool:
        """Whether they agree."""
        return abs(self.simulated - self.theory) <= self.tolerance * abs(self.theory)


def waits(at: Numbers, work: Numbers, workers: int) -> Numbers:
    """How long each job waits for a worker; `at` is in order."""
    free = [0.0] * workers
    begun = np.empty(len(at))
    replace = heapq.heapreplace
    for number, (arrived, needed) in enumerate(zip(at.tolist(), work.tolist(), strict=True)):
        start = max(free[0], arrived)
        replace(free, start + needed)
        begun[number] = start
    found: Numbers = begun - at
    return found


def fluid(at: Numbers, work: Numbers, workers: int) -> Numbers:
    """The wait of each job if work were a fluid that all workers drain at once."""
    before = np.concatenate([[0.0], np.cumsum(work)[:-1]])
    level = before - workers * (at - at[0])
    held: Numbers = (level - np.minimum.accumulate(np.minimum(level, 0.0))) / workers
    return held


def is_within_fluid(at: Numbers, work: Numbers, workers: int, found: Numbers) -> bool:
    """Whether no wait is further from the fluid's than the longest job."""
    return bool(np.max(np.abs(found - fluid(at, work, workers))) <= np.max(work) + 1e-6)


def little(at: Numbers, work: Numbers, found: Numbers) -> Check:
    """Jobs in the system on average, counted event by event, against arrivals a second times the mean stay."""
    left = np.sort(at + found + work)
    moments = np.concatenate([at, left])
    steps = np.concatenate([np.ones(len(at)), -np.ones(len(left))])
    order = np.lexsort((steps, moments))
    inside = np.cumsum(steps[order])
    length = float(left[-1] - at[0])
    counted = float(np.sum(inside[:-1] * np.diff(moments[order]))) / length
    return Check("Little's law: jobs in the system", counted, len(at) / length * float(np.mean(found + work)), 1e-6)


def erlang_c(offered: float, workers: int) -> float:
    """The share of jobs that wait at all in M/M/k. Source: Erlang 1917."""
    blocked = 1.0
    for number in range(1, workers + 1):
        blocked = offered * blocked / (number + offered * blocked)
    busy = offered / workers
    return blocked / (1 - busy * (1 - blocked))


def theory_checks(*, seed: int, jobs: int = 400_000, workers: int = 20, busy: float = 0.85) -> Sequence[Check]:
    """The same simulation, fed with what theory has answers for."""
    chance = np.random.default_rng(seed)
    at = np.cumsum(chance.exponential(1 / (workers * busy), jobs))
    exact = erlang_c(workers * busy, workers) / (workers * (1 - busy))
    exponential = float(np.mean(waits(at, chance.exponential(1.0, jobs), workers)))
    at_load = f"{workers} at {busy:.0%}: mean wait"
    checks = [Check(f"M/M/{at_load} (Erlang C)", exponential, exact, 0.10)]
    # The approximation is rougher the more the work varies; lengths in the model have a sigma of 1.
    for sigma, tolerance in ((0.5, 0.10), (1.0, 0.20)):
        work = chance.lognormal(-(sigma**2) / 2, sigma, jobs)
        # Mean 1, squared variation e^σ² - 1: Allen and Cunneen scale the exponential's wait by (1 + c²) / 2.
        near = exact * math.exp(sigma**2) / 2
        found = float(np.mean(waits(at, work, workers)))
        checks.append(Check(f"M/G/{at_load}, σ = {sigma:g} (Allen, Cunneen)", found, near, tolerance))
    return checks
