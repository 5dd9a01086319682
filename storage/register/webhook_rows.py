# SPDX-License-Identifier: Apache-2.0
"""This is where the programs that are told, their secrets, and what is on its way to them are kept and asked for."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, update

from evidence.errors import NotFound
from storage.register.answers import Page, Place, Row, Stretch, all_rows, one_row, page_of
from storage.register.schema import custody_events
from storage.register.schema_doors import deliveries, webhook_secrets
from storage.register.schema_people import webhooks

WAITING, DELIVERED, FAILED = "waiting", "delivered", "failed"


def webhook(connection: Connection, identifier: str) -> Row:
    """The web hook of this id; `kinds` is a list.

    Raises:
        NotFound: there is none, or it was taken away.
    """
    wanted = select(webhooks).where(webhooks.c.id == identifier, webhooks.c.removed_at.is_(None))
    row = one_row(connection, wanted)
    if row is None:
        raise NotFound(f"no web hook {identifier[:80]!r}", webhook=identifier[:80])
    return _read(row)


def webhooks_page(connection: Connection, *, limit: int | None, after: Place | None = None) -> Page:
    """Web hooks that stand, as they were made."""
    stretch = Stretch(
        select(webhooks).where(webhooks.c.removed_at.is_(None)), webhooks.c.made_at, webhooks.c.id, is_short=True
    )
    page = page_of(connection, [stretch], limit=limit, after=after)
    return Page([_read(row) for row in page.rows], page.after)


def standing(connection: Connection) -> list[Row]:
    """Every web hook that stands, with its sealed `secret` and how far it has read: `read_to`."""
    wanted = select(webhooks, webhook_secrets.c.secret, webhook_secrets.c.read_to).join(
        webhook_secrets, webhook_secrets.c.webhook == webhooks.c.id
    )
    return [_read(row) for row in all_rows(connection, wanted.where(webhooks.c.removed_at.is_(None)))]


def add_secret(connection: Connection, identifier: str, sealed: str) -> None:
    """Keep the secret of a new web hook, which is told what happens from now on."""
    newest = connection.scalar(select(func.max(custody_events.c.id))) or 0
    connection.execute(insert(webhook_secrets).values(webhook=identifier, secret=sealed, read_to=newest))


def forget(connection: Connection, identifier: str) -> None:
    """Take out the secret and the deliveries of a web hook that was taken away."""
    connection.execute(delete(webhook_secrets).where(webhook_secrets.c.webhook == identifier))
    connection.execute(delete(deliveries).where(deliveries.c.webhook == identifier))


def happened(connection: Connection, *, behind: int, limit: int) -> list[Row]:
    """What happened behind a place, in order: number (`id`), kind, stream, seq, at."""
    names = ("id", "kind", "stream", "seq", "at")
    wanted = select(*(custody_events.c[name] for name in names)).where(custody_events.c.id > behind)
    return all_rows(connection, wanted.order_by(custody_events.c.id).limit(limit))


def add_deliveries(
    connection: Connection, identifier: str, rows: Sequence[Mapping[str, Any]], *, was: int, now: int
) -> bool:
    """Take on what is to be sent, and note how far was read; False when another has read on meanwhile."""
    mine = (webhook_secrets.c.webhook == identifier, webhook_secrets.c.read_to == was)
    if connection.execute(update(webhook_secrets).where(*mine).values(read_to=now)).rowcount == 0:
        return False
    if rows:
        connection.execute(insert(deliveries), [dict(row) for row in rows])
    return True


def next_delivery(connection: Connection, identifier: str, *, at: str) -> Row | None:
    """The oldest that waits for a web hook, if it is its time: in order, so none overtakes another."""
    wanted = select(deliveries).where(deliveries.c.webhook == identifier, deliveries.c.state == WAITING)
    row = one_row(connection, wanted.order_by(deliveries.c.at, deliveries.c.id).limit(1))
    return None if row is None or row["due_at"] > at else row


def set_delivery(connection: Connection, identifier: str, **values: Any) -> None:
    """Note what became of one try."""
    connection.execute(update(deliveries).where(deliveries.c.id == identifier).values(**values))


def forget_deliveries(connection: Connection, *, before: str) -> None:
    """Take out what is over for long."""
    over = (deliveries.c.state != WAITING, deliveries.c.at < before)
    connection.execute(delete(deliveries).where(*over))


def deliveries_page(connection: Connection, identifier: str, *, limit: int | None, after: Place | None = None) -> Page:
    """What was sent to a web hook and is to be, oldest first."""
    wanted = select(deliveries).where(deliveries.c.webhook == identifier)
    return page_of(
        connection, [Stretch(wanted, deliveries.c.at, deliveries.c.id, is_short=True)], limit=limit, after=after
    )


def _read(row: Row) -> Row:
    return dict(row) | {"kinds": json.loads(row["kinds"])}
