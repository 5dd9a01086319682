# SPDX-License-Identifier: Apache-2.0
"""This is where answers are kept for a client that asks the same again: reserved first, written when known.

A row without a status is of a request that is being answered, or that died under way.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, delete, insert, select, update

from storage.register.answers import one_row
from storage.register.schema_doors import idempotency


@dataclass(frozen=True, slots=True)
class Kept:
    """What is known of an earlier request with the same key. `status` None: nothing of its answer."""

    request_sha256: str
    status: int | None
    body: str | None
    headers: Mapping[str, str]
    at: str


def reserve(
    connection: Connection, actor: str, key: str, *, request_sha256: str, at: str, forgotten_before: str
) -> Kept | None:
    """Take the key for a request: None when it is taken now; else what the earlier request left.

    What the actor asked before `forgotten_before` (an instant as text) is forgotten first. Call it in open
    facts: of two requests at once with one key, the second waits until the first has it.
    """
    connection.execute(delete(idempotency).where(idempotency.c.actor == actor, idempotency.c.at < forgotten_before))
    mine = (idempotency.c.actor == actor, idempotency.c.key == key)
    row = one_row(connection, select(idempotency).where(*mine))
    if row is not None:
        headers = {} if row["headers"] is None else json.loads(row["headers"])
        return Kept(row["request_sha256"], row["status"], row["body"], headers, row["at"])
    connection.execute(insert(idempotency).values(actor=actor, key=key, request_sha256=request_sha256, at=at))
    return None


def keep(
    connection: Connection, actor: str, key: str, *, status: int, body: str | None, headers: Mapping[str, str]
) -> None:
    """Keep the answer of a request that holds the key. `body` None: it is not to be told again."""
    mine = (idempotency.c.actor == actor, idempotency.c.key == key)
    told = json.dumps(dict(headers), sort_keys=True)
    connection.execute(update(idempotency).where(*mine).values(status=status, body=body, headers=told))


def release(connection: Connection, actor: str, key: str) -> None:
    """Give a key back whose request did nothing."""
    mine = (idempotency.c.actor == actor, idempotency.c.key == key, idempotency.c.status.is_(None))
    connection.execute(delete(idempotency).where(*mine))
