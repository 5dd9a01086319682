# SPDX-License-Identifier: Apache-2.0
"""This is where Dramatiq is set up to carry hints: it takes them around and decides nothing.

The register counts attempts, ends leases and brings jobs back (see the decision record "messages are
hints"), so none of Dramatiq's own retries, age limits or time limits is on. What is measured about the rest:

- A worker that dies keeps what it fetched until its heartbeat is old and somebody tidies up. With
  maintenance at every command (a chance of a million in a million) that is `HEARTBEAT_MS`; with the
  defaults it was minutes, or never on an idle queue.
- The heartbeat rides on the commands of consumer threads. A consumer whose prefetch is full sends none, but
  the one of the delay queue, which we never fill, goes on asking. A call that holds the interpreter lock for
  longer than the heartbeat makes others run the same message: steps run their long work in child processes.
"""

from collections.abc import Iterable
from contextlib import suppress
from time import sleep

import redis
from dramatiq import Message
from dramatiq.broker import Consumer, MessageProxy
from dramatiq.brokers.redis import RedisBroker
from dramatiq.errors import ConnectionClosed

from pipeline.flow import SPOOLING

QUEUE = "steps"
HEARTBEAT_MS = 15_000
_ALWAYS = 1_000_000
_DEAD_LETTERS_MS = 60_000
_AWAY_PAUSE_S = 0.25
_HARDLY_ANYTHING = 4
_AWAY = (redis.RedisError, ConnectionClosed)


class HintBroker(RedisBroker):
    """A broker on `server`, apart from those of other namespaces, that takes an absent server for an empty one.

    It is not made Dramatiq's global one.
    """

    def __init__(self, server: redis.Redis, *, namespace: str) -> None:
        super().__init__(  # type: ignore[no-untyped-call]
            client=server,
            namespace=namespace,
            middleware=[],
            heartbeat_timeout=HEARTBEAT_MS,
            maintenance_chance=_ALWAYS,
            dead_message_ttl=_DEAD_LETTERS_MS,
        )

    def consume(self, queue_name: str, prefetch: int = 1, timeout: int = 5000) -> Consumer:
        """A consumer of the queue that raises nothing when the server is away."""
        return _PatientConsumer(super().consume(queue_name, prefetch, timeout))


class _PatientConsumer(Consumer):
    """Dramatiq's own consumer, with every failure of the server read as "no hint now".

    Left to itself it would hold the worker's thread until an acknowledgement gets through. One that is lost
    costs a message that comes again and finds its job taken or done.
    """

    def __init__(self, inner: Consumer) -> None:
        self._inner = inner

    def __next__(self) -> MessageProxy | None:
        try:
            return next(self._inner)
        except _AWAY:
            sleep(_AWAY_PAUSE_S)
            return None

    def ack(self, message: MessageProxy) -> None:
        with suppress(*_AWAY):
            self._inner.ack(message)

    def nack(self, message: MessageProxy) -> None:
        with suppress(*_AWAY):
            self._inner.nack(message)

    def requeue(self, messages: Iterable[MessageProxy]) -> None:
        with suppress(*_AWAY):
            self._inner.requeue(messages)

    def close(self) -> None:
        self._inner.close()


class Hints:
    """The sending side of a broker. Threads may share it; nothing is raised when the server is away."""

    def __init__(self, broker: RedisBroker, *, place: str) -> None:
        self._broker = broker
        self._place = place

    def send(self, job: str) -> bool:
        """Say that `job` can be run; False when that could not be said. The relay says it again."""
        try:
            self._broker.enqueue(message_for(job, place=self._place))
        except _AWAY:
            return False
        return True

    def send_when_idle(self, job: str) -> bool:
        """Say it now when hardly anything waits; else leave it to the relay, which gives every dock its turn."""
        waiting = self.waiting()
        return waiting is not None and waiting < _HARDLY_ANYTHING and self.send(job)

    def waiting(self) -> int | None:
        """How many hints are queued or being worked on; None when the server is away."""
        try:
            return sum(int(self._broker.do_qsize(queue)) for queue in (QUEUE, f"{QUEUE}.{self._place}"))
        except _AWAY:
            return None


def actor_name(step: str) -> str:
    """What the actor of a step is called in messages; the number changes when their meaning does."""
    return f"{step}.v1"


def queue_of(step: str, place: str) -> str:
    """The queue of a step: steps that work in a spool have one for each installation, all others share one."""
    return f"{QUEUE}.{place}" if step in SPOOLING else QUEUE


def message_for(job: str, *, place: str) -> Message[None]:
    """The message that carries the id of `job`, and nothing else, to the actor of its step at `place`."""
    step = job.partition(":")[0]
    return Message(queue_name=queue_of(step, place), actor_name=actor_name(step), args=(job,), kwargs={}, options={})
