# SPDX-License-Identifier: Apache-2.0
"""This is where a step writes: its custody events, what they change, and the next jobs, in one transaction.

`Facts` is alive inside `Register.begin()`. Nothing it did is seen before the commit, and all of
it is gone when the block raises. The one thing written outside the transaction is the detail
object, before its event: an orphan detail harms nothing, an event without its detail could not be read.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select

from evidence.custody import CustodyEvent, Happening, detail_bytes
from evidence.note import Signer, sign_note
from storage import layout
from storage.objects import ObjectStore
from storage.register import jobs, projection, schema
from storage.register.jobs import ANYWHERE, Lane

Chance = Callable[[int], bytes]


@dataclass(frozen=True, slots=True)
class Rested:
    """A happening whose detail rests in the store already."""

    happening: Happening
    detail_sha256: str | None


def rest(happening: Happening, *, store: ObjectStore, chance: Chance) -> Rested:
    """Lay down the detail of a happening, salted, under its digest.

    Raises:
        StoreUnavailable: it could not be laid down.
    """
    if happening.detail is None:
        return Rested(happening, None)
    data = detail_bytes(happening.detail, salt=chance(16))
    sha256 = hashlib.sha256(data).hexdigest()
    store.put_bytes_once(layout.detail_key(sha256), data)
    return Rested(happening, sha256)


class Facts:
    """An open transaction of the register."""

    def __init__(self, connection: Connection, *, store: ObjectStore, signer: Signer, chance: Chance) -> None:
        self.connection = connection
        self._store = store
        self._signer = signer
        self._chance = chance

    def record(self, happening: Happening | Rested, *, actor: str, at: datetime) -> CustodyEvent:
        """Write the next custody event of a stream and let it change the register.

        Raises:
            WrongState, Conflict: the happening contradicts what the register holds.
            StoreUnavailable: its detail could not be laid down.
        """
        if isinstance(happening, Happening):
            happening = rest(happening, store=self._store, chance=self._chance)
        event = self._place(happening, actor=actor, at=at)
        note = sign_note(event.to_text(), [self._signer])
        projection.take_down(self.connection, event, note=note, detail=happening.happening.detail)
        return event

    def _place(self, rested: Rested, *, actor: str, at: datetime) -> CustodyEvent:
        table, happening = schema.custody_events, rested.happening
        last = self.connection.execute(
            select(table.c.seq, table.c.leaf_hash)
            .where(table.c.stream == happening.stream)
            .order_by(table.c.seq.desc())
            .limit(1)
        ).first()
        newest = self.connection.execute(
            select(schema.checkpoints.c.size, schema.checkpoints.c.root)
            .order_by(schema.checkpoints.c.size.desc())
            .limit(1)
        ).first()
        return CustodyEvent(
            stream=happening.stream,
            seq=0 if last is None else last.seq + 1,
            prev=None if last is None else last.leaf_hash,
            kind=happening.kind,
            at=at,
            actor=actor,
            facts=happening.facts,
            detail_sha256=rested.detail_sha256,
            anchor=None if newest is None else (newest.size, newest.root),
        )

    def enqueue(self, step: str, subject: str, *, now: datetime, lane: Lane = ANYWHERE) -> str:
        """Have the job that runs `step` on `subject`; repeats change nothing."""
        return jobs.enqueue(self.connection, step, subject, now=now, lane=lane)

    def revive(self, step: str, subject: str, *, now: datetime, lane: Lane = ANYWHERE) -> str:
        """Have the job run from its first attempt, whatever became of it before."""
        return jobs.revive(self.connection, step, subject, now=now, lane=lane)
