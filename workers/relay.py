# SPDX-License-Identifier: Apache-2.0
"""This is where hints are sent for jobs that can be run: new ones, those due again, and those whose worker died.

The register alone says which these are, so whatever a broker lost, doubled or never got comes back here.
"""

import time

from pipeline.leasing import Clock
from storage.register import jobs
from storage.register.register import Register
from workers.link import Link

# Enough to keep workers busy between two rounds; few, because what is queued is past the docks' turns.
_AT_HAND = 24
# A job that is runnable still, this long after its hint: the hint was lost, or waits behind long steps.
_AGAIN_S = 10.0
_BUSY_S, _IDLE_S = 0.1, 1.0


class Relay:
    """Sends hints, and remembers for some seconds which. Every worker has one; they need not agree."""

    def __init__(self, register: Register, link: Link, *, clock: Clock, place: str) -> None:
        self._place = place
        self._register = register
        self._link = link
        self._clock = clock
        self._told: dict[str, float] = {}

    def __call__(self) -> float:
        """One round, and the seconds until the next is wanted.

        Raises:
            Unavailable: the register or the broker is away; nothing is lost.
        """
        self._link.ensure()
        return _BUSY_S if self.send_due() else _IDLE_S

    def send_due(self) -> int:
        """Send hints for jobs that may be taken now and were not told lately; returns how many."""
        waiting = self._link.hints.waiting()
        if waiting is None:
            return 0
        now = time.monotonic()
        # Nothing queued and nothing worked on: what was told is done, or was lost with the server's memory.
        self._told = {job: at for job, at in self._told.items() if waiting and now - at < _AGAIN_S}
        sent = 0
        for job in self._due(limit=max(0, _AT_HAND - waiting)):
            if not self._link.hints.send(job):
                break
            self._told[job] = now
            sent += 1
        return sent

    def _due(self, *, limit: int) -> list[str]:
        if limit == 0:
            return []
        with self._register.view() as connection:
            self._clock.look(connection)
            found = jobs.runnable(
                connection,
                tick=self._clock.tick(),
                now=self._clock.now(),
                limit=limit + len(self._told),
                place=self._place,
            )
        return [job for job in found if job not in self._told][:limit]
