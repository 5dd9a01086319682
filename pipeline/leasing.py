# SPDX-License-Identifier: Apache-2.0
"""This is where a running step keeps its lease: a heartbeat renews it and writes down how far the step is."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import Self

from evidence.errors import LeaseLost, RegisterUnavailable
from pipeline.ports import Progress
from storage.register import jobs
from storage.register.jobs import Lease, Tick
from storage.register.register import Register
from storage.register.search import Connection

Look = Callable[[Connection], None]
"""Takes down which leases of other machines stand now, so that a later tick knows which have ended."""


def unwatched(_: Connection) -> None:
    """A look at leases that no other machine can hold."""


@dataclass(frozen=True, slots=True)
class Clock:
    """The clocks of a front door: the wall clock for records, the monotonic one for leases."""

    now: Callable[[], datetime]
    tick: Callable[[], Tick]
    lease_s: float
    look: Look = unwatched


class Heartbeat:
    """While open, renews a lease three times in its length, from a thread of its own.

    A lease that was lost is not noticed by the step: the commit's fence refuses its result.
    """

    def __init__(self, lease: Lease, *, register: Register, clock: Clock, on_progress: Progress) -> None:
        self._lease = lease
        self._register = register
        self._clock = clock
        self._on_progress = on_progress
        self._permille = 0
        self._written = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._beat, name=f"heartbeat {lease.job}", daemon=True)

    def progress(self, fraction: float) -> None:
        """Take down how far the step is; it is written with the next beat."""
        self._permille = min(1000, max(self._permille, int(fraction * 1000)))
        self._on_progress(fraction)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()

    def _beat(self) -> None:
        period, waited = min(1.0, self._clock.lease_s / 3), 0.0
        while not self._ended.wait(period):
            waited += period
            permille = self._permille
            if permille == self._written and waited < self._clock.lease_s / 3:
                continue
            try:
                with self._register.leasing() as connection:
                    jobs.renew(
                        connection,
                        self._lease,
                        tick=self._clock.tick(),
                        lease_s=self._clock.lease_s,
                        permille=permille,
                    )
            except LeaseLost:
                return
            except RegisterUnavailable:
                # The next beat tries again; if none gets through, the lease ends and the fence holds.
                continue
            waited, self._written = 0.0, permille
