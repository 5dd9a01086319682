# SPDX-License-Identifier: Apache-2.0
"""This is where it is kept what people prove themselves by, what is good once, and which tries failed."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, delete, insert, or_, select, update

from storage.register.answers import Row, all_rows, one_row
from storage.register.schema_doors import credentials, one_time, sign_in_failures

# --- credentials ------------------------------------------------------------------------------------


def credentials_of(connection: Connection, user: str, kind: str | None = None) -> list[Row]:
    """What a user proves themselves by, oldest first."""
    wanted = select(credentials).where(credentials.c.user == user)
    if kind is not None:
        wanted = wanted.where(credentials.c.kind == kind)
    return all_rows(connection, wanted.order_by(credentials.c.made_at, credentials.c.id))


def credential(connection: Connection, identifier: str) -> Row | None:
    """The credential of this id."""
    return one_row(connection, select(credentials).where(credentials.c.id == identifier))


def add_credential(connection: Connection, row: Mapping[str, Any]) -> None:
    """Keep a credential: a row of the table."""
    connection.execute(insert(credentials).values(**row))


def remove_credentials(connection: Connection, user: str, *, kind: str | None = None, only: str | None = None) -> int:
    """Take out what a user proves themselves by: all, of one kind, or one alone; how many that were."""
    wanted = delete(credentials).where(credentials.c.user == user)
    if kind is not None:
        wanted = wanted.where(credentials.c.kind == kind)
    if only is not None:
        wanted = wanted.where(credentials.c.id == only)
    return connection.execute(wanted).rowcount


def use_credential(connection: Connection, identifier: str, *, counter: int, at: str) -> bool:
    """Count a use: the counter must rise, or be 0 for ever for what never counts. False: it was used before."""
    table = credentials.c
    rises = table.counter == 0 if counter == 0 else table.counter < counter
    mine = (table.id == identifier, rises)
    return bool(connection.execute(update(credentials).where(*mine).values(counter=counter, used_at=at)).rowcount)


def set_secret(connection: Connection, identifier: str, *, was: str, secret: str) -> None:
    """Put a secret in the place of `was`, which somebody else may have done meanwhile."""
    mine = (credentials.c.id == identifier, credentials.c.secret == was)
    connection.execute(update(credentials).where(*mine).values(secret=secret))


# --- good once --------------------------------------------------------------------------------------


def add_one_time(connection: Connection, row: Mapping[str, Any], *, forget_before: str) -> None:
    """Keep what is good once; what ran out before an instant is taken out."""
    connection.execute(delete(one_time).where(one_time.c.until_at < forget_before))
    connection.execute(insert(one_time).values(**row))


def one_time_of(connection: Connection, sha256: str, purpose: str, *, at: str) -> Row | None:
    """What is good once, while it is good."""
    return one_row(connection, select(one_time).where(*_good(sha256, purpose, at)))


def use_one_time(connection: Connection, sha256: str, purpose: str, *, at: str) -> Row | None:
    """Use it up: its row for the one who does so first, None for everybody else."""
    changed = connection.execute(update(one_time).where(*_good(sha256, purpose, at)).values(used_at=at))
    return one_row(connection, select(one_time).where(one_time.c.sha256 == sha256)) if changed.rowcount else None


def drop_one_times(connection: Connection, purpose: str, subject: str) -> None:
    """Take out all of a purpose for a subject: none of them is good any more."""
    connection.execute(delete(one_time).where(one_time.c.purpose == purpose, one_time.c.subject == subject))


def _good(sha256: str, purpose: str, at: str) -> tuple[Any, ...]:
    return (
        one_time.c.sha256 == sha256,
        one_time.c.purpose == purpose,
        one_time.c.used_at.is_(None),
        one_time.c.until_at > at,
    )


# --- tries that failed --------------------------------------------------------------------------------


def add_tries(connection: Connection, names: Sequence[str], *, at: str, forget_before: str) -> list[int]:
    """Count a try under each name; the rows, to take them back by. Those before an instant are taken out."""
    connection.execute(delete(sign_in_failures).where(sign_in_failures.c.at < forget_before))
    made = (connection.execute(insert(sign_in_failures).values(name=name, at=at)) for name in names)
    return [one.inserted_primary_key[0] for one in made if one.inserted_primary_key is not None]


def take_back_tries(connection: Connection, numbers: Sequence[int], *, name: str | None = None) -> None:
    """These tries count no longer; with a `name`, none of its tries does."""
    mine = sign_in_failures.c.id.in_(list(numbers))
    connection.execute(
        delete(sign_in_failures).where(mine if name is None else or_(mine, sign_in_failures.c.name == name))
    )


def tries_of(connection: Connection, name: str, *, since: str) -> list[str]:
    """When there were tries under a name after an instant, newest first."""
    wanted = select(sign_in_failures.c.at).where(sign_in_failures.c.name == name, sign_in_failures.c.at > since)
    return list(connection.scalars(wanted.order_by(sign_in_failures.c.at.desc())))
