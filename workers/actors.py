# SPDX-License-Identifier: Apache-2.0
"""This is where each step gets its actor: it takes the id of a job, and `flow.run` does the rest."""

from collections.abc import Callable, Sequence
from typing import Any

import dramatiq
from dramatiq.brokers.redis import RedisBroker

from workers.broker import actor_name, queue_of

Run = Callable[[str], None]
"""Runs the job of this id if it can be had now."""


def declare(broker: RedisBroker, *, steps: Sequence[str], place: str, run: Run) -> None:
    """Declare one actor for each step on the given broker.

    Of the hints that a worker has at hand, earlier steps go first: what is not sealed yet can still be lost
    with its camera.
    """
    for priority, step in enumerate(steps):
        _declare(broker, step, run, queue=queue_of(step, place), priority=priority)


def _declare(broker: RedisBroker, step: str, run: Run, *, queue: str, priority: int) -> "dramatiq.Actor[Any, Any]":
    @dramatiq.actor(broker=broker, actor_name=actor_name(step), queue_name=queue, priority=priority)
    def run_job(job: str) -> None:
        run(job)

    return run_job
