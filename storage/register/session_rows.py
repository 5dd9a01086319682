# SPDX-License-Identifier: Apache-2.0
"""This is where sessions of people are kept and asked for. Of a token only its SHA-256 is here."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from storage.register.answers import Row, all_rows, one_row
from storage.register.schema_doors import sessions
from storage.register.schema_people import users


def add_session(connection: Connection, row: Mapping[str, Any]) -> None:
    """Keep a session: a row of the table."""
    connection.execute(insert(sessions).values(**row))


def session(connection: Connection, sha256: str) -> Row | None:
    """A session that nobody ended, with `state`, `unit` and `officer` of its user; its times are for the caller."""
    wanted = select(sessions, users.c.state, users.c.unit, users.c.officer).join(users, users.c.id == sessions.c.user)
    return one_row(connection, wanted.where(sessions.c.sha256 == sha256, sessions.c.ended_at.is_(None)))


def sessions_of(connection: Connection, user: str) -> list[Row]:
    """The sessions of a user that nobody ended, oldest first; some of them may have run out."""
    wanted = select(sessions).where(sessions.c.user == user, sessions.c.ended_at.is_(None))
    return all_rows(connection, wanted.order_by(sessions.c.made_at, sessions.c.sha256))


def touch_session(connection: Connection, sha256: str, *, at: str) -> None:
    """Somebody used it; never back in time."""
    mine = (sessions.c.sha256 == sha256, sessions.c.seen_at < at)
    connection.execute(update(sessions).where(*mine).values(seen_at=at))


def end_session(connection: Connection, sha256: str, *, at: str) -> bool:
    """End a session; False when it had ended."""
    mine = (sessions.c.sha256 == sha256, sessions.c.ended_at.is_(None))
    return bool(connection.execute(update(sessions).where(*mine).values(ended_at=at)).rowcount)


def end_sessions_of(connection: Connection, user: str, *, at: str, but: str | None = None) -> int:
    """End every session of a user, but the one of digest `but`; how many that were."""
    mine = [sessions.c.user == user, sessions.c.ended_at.is_(None)]
    if but is not None:
        mine.append(sessions.c.sha256 != but)
    return connection.execute(update(sessions).where(*mine).values(ended_at=at)).rowcount


def forget_sessions(connection: Connection, *, before: str) -> None:
    """Take out what ran out before an instant: nothing refers to it."""
    connection.execute(delete(sessions).where(sessions.c.until_at < before))
