# SPDX-License-Identifier: Apache-2.0
"""This is where a step writes: its custody events, what they change, and the next jobs, in one transaction.

`Facts` is alive inside `Register.begin()`. Nothing it did is seen before the commit, and all of
it is gone when the block raises. The one thing written outside the transaction is the detail
object, before it: an orphan detail harms nothing, an event without its detail could not be read.
"""

import hashlib
from collections.abc import Callable
from datetime import datetime

from sqlalchemy import Connection, select

from evidence.custody import CustodyEvent, Happening, detail_bytes
from evidence.note import Signer, sign_note
from storage import layout
from storage.objects import ObjectStore
from storage.register import jobs, projection, schema

Chance = Callable[[int], bytes]


class Facts:
    """An open transaction of the register."""

    def __init__(self, connection: Connection, *, store: ObjectStore, signer: Signer, chance: Chance) -> None:
        self.connection = connection
        self._store = store
        self._signer = signer
        self._chance = chance

    def record(self, happening: Happening, *, actor: str, at: datetime) -> CustodyEvent:
        """Write the next custody event of a stream and let it change the register.

        Raises:
            WrongState, Conflict: the happening contradicts what the register holds.
            StoreUnavailable: its detail could not be laid down.
        """
        event = self._place(happening, actor=actor, at=at)
        note = sign_note(event.to_text(), [self._signer])
        projection.take_down(self.connection, event, note=note, detail=happening.detail)
        return event

    def _place(self, happening: Happening, *, actor: str, at: datetime) -> CustodyEvent:
        table = schema.custody_events
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
            detail_sha256=self._rest_detail(happening),
            anchor=None if newest is None else (newest.size, newest.root),
        )

    def _rest_detail(self, happening: Happening) -> str | None:
        if happening.detail is None:
            return None
        data = detail_bytes(happening.detail, salt=self._chance(16))
        sha256 = hashlib.sha256(data).hexdigest()
        self._store.put_bytes_once(layout.detail_key(sha256), data)
        return sha256

    def enqueue(self, step: str, subject: str, *, now: datetime) -> str:
        """Have the job that runs `step` on `subject`; repeats change nothing."""
        return jobs.enqueue(self.connection, step, subject, now=now)

    def revive(self, step: str, subject: str, *, now: datetime) -> str:
        """Have the job run from its first attempt, whatever became of it before."""
        return jobs.revive(self.connection, step, subject, now=now)
