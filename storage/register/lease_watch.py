# SPDX-License-Identifier: Apache-2.0
"""This is where leases of other machines end: when nobody has renewed one for its length, as seen from here.

Clocks of two machines are never compared. An observer notes, on its own monotonic clock, since when a lease
has stood unmoved between two looks; a live owner renews three times in that length. Its source is the way
leader election is kept safe from clock skew in Kubernetes (client-go, package leaderelection).
"""

from dataclasses import dataclass

from sqlalchemy import Connection, select

from storage.register.jobs import Held
from storage.register.schema import jobs


@dataclass(frozen=True, slots=True)
class _Seen:
    first: float
    last: float
    lease_s: float


class LeaseWatch:
    """What one process has seen of the leases of others. Threads may share it."""

    def __init__(self) -> None:
        self._seen: dict[Held, _Seen] = {}

    def look(self, connection: Connection, *, boot: str, seconds: float) -> None:
        """Take down which leases of other boots stand at this moment of our clock."""
        rows = connection.execute(
            select(jobs.c.id, jobs.c.fence, jobs.c.lease_until, jobs.c.lease_s).where(
                jobs.c.state == "leased", jobs.c.lease_boot != boot
            )
        )
        seen = {}
        for row in rows:
            held = Held(row.id, row.fence, row.lease_until)
            known = self._seen.get(held)
            seen[held] = _Seen(seconds if known is None else known.first, seconds, row.lease_s)
        self._seen = seen

    def ended(self) -> frozenset[Held]:
        """Leases that have not moved for their length, between looks of ours."""
        return frozenset(held for held, seen in self._seen.items() if seen.last - seen.first >= seen.lease_s)
