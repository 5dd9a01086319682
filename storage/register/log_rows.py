# SPDX-License-Identifier: Apache-2.0
"""This is where custody events are read page by page: of one stream, or in the order of the public log."""

from sqlalchemy import Connection, select

from storage.register.answers import Row, all_rows
from storage.register.schema import custody_events


def events_behind(connection: Connection, stream: str, *, limit: int, after: int | None) -> list[Row]:
    """At most `limit` events of a stream, those behind number `after` (None: from the first)."""
    wanted = select(custody_events).where(custody_events.c.stream == stream)
    if after is not None:
        wanted = wanted.where(custody_events.c.seq > after)
    return all_rows(connection, wanted.order_by(custody_events.c.seq).limit(limit))


def leaves_from(connection: Connection, first: int, *, limit: int) -> list[Row]:
    """At most `limit` published events from leaf `first` on, by their place in the log."""
    wanted = select(custody_events).where(custody_events.c.leaf_index >= first)
    return all_rows(connection, wanted.order_by(custody_events.c.leaf_index).limit(limit))


def events_of_kind(connection: Connection, stream: str, kind: str, *, limit: int, after: int | None) -> list[Row]:
    """At most `limit` events of a kind of a stream, those behind number `after` (None: from the first)."""
    wanted = select(custody_events).where(custody_events.c.stream == stream, custody_events.c.kind == kind)
    if after is not None:
        wanted = wanted.where(custody_events.c.seq > after)
    return all_rows(connection, wanted.order_by(custody_events.c.seq).limit(limit))
