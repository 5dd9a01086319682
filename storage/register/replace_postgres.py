# SPDX-License-Identifier: Apache-2.0
"""This is where a register on PostgreSQL is remade beside the old one and takes its place: schemas change names.

One that is empty is filled where it is: so whoever may make no schema gets the new register in another database.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, event, text
from sqlalchemy.exc import ProgrammingError

from evidence.errors import InUse, Refused
from evidence.note import Signer
from storage.objects import ObjectStore
from storage.register import portable
from storage.register.engine import RegisterEngine, as_ours, revision_of, transaction
from storage.register.facts import Chance
from storage.register.rebuild import Rebuilt
from storage.register.register import Register, open_engine, open_prepared

_FRESH = "evidock_rebuilt"
# The server needs a moment to notice that a process has gone.
_GONE_S = 3.0
_OTHERS = text(
    "SELECT count(*) FROM pg_stat_activity"
    " WHERE datname = current_database() AND application_name = 'evidock' AND pid <> pg_backend_pid()"
)

Fill = Callable[[Register], Rebuilt]


def replace_register(
    url: str, fill: Fill, *, store: ObjectStore, signer: Signer, chance: Chance, now: datetime
) -> tuple[Rebuilt, str | None]:
    """Put a register that `fill` filled in the place of the one at `url`; the schema that keeps the old one, if any.

    Repeat: what a kill left is dropped; until the one transaction at the end the old register stands.

    Raises:
        InUse: other processes of evidock are connected to the database, or recorded into the register meanwhile.
        Refused: this role may make no schema, and the register is not empty.
        RegisterUnavailable: the database cannot be used. Whatever `fill` raises: nothing was replaced.
    """
    with _engine(url) as engine, as_ours(), engine.sql.connect() as connection:
        _check_alone(connection)
        place = str(connection.scalar(text("SELECT current_schema()")))
        is_empty = _is_empty(connection)
        before = None
        if not is_empty:
            before = portable.extent(connection)
            _make_schema(connection)
    # An empty one is filled where it is: there is nothing to keep, and perhaps no leave to make a schema.
    with _engine(url, schema=None if is_empty else _FRESH) as engine:
        found = fill(open_prepared(engine, store=store, signer=signer, chance=chance))
    return found, None if before is None else _swap(url, place, f"before_{now:%Y%m%dt%H%M%S%f}", before)


def _swap(url: str, place: str, kept: str, before: portable.Extent) -> str:
    """Give the new schema the old one's name, and the old one another, at once."""
    with _engine(url) as engine, as_ours(), engine.sql.connect() as connection, transaction(connection):
        connection.exec_driver_sql("BEGIN")
        _check_alone(connection)
        if portable.extent(connection) != before:
            raise InUse("somebody recorded into the register while it was remade: nothing was replaced, run it again")
        connection.exec_driver_sql(f'ALTER SCHEMA "{place}" RENAME TO {kept}')
        connection.exec_driver_sql(f'ALTER SCHEMA {_FRESH} RENAME TO "{place}"')
    return kept


@contextmanager
def _engine(url: str, *, schema: str | None = None) -> Iterator[RegisterEngine]:
    """The engine at a URL, whose names are those of `schema`."""
    engine = open_engine(url)

    def enter(raw: Any, _: Any) -> None:
        raw.execute(f"SET search_path TO {schema}")
        raw.commit()

    if schema is not None:
        event.listen(engine.sql, "connect", enter)
    try:
        yield engine
    finally:
        engine.sql.dispose()


def _make_schema(connection: Connection) -> None:
    """Have the new schema, empty; what a kill left of an earlier one goes."""
    try:
        connection.exec_driver_sql(f"DROP SCHEMA IF EXISTS {_FRESH} CASCADE")
        connection.exec_driver_sql(f"CREATE SCHEMA {_FRESH}")
    except ProgrammingError as error:
        raise Refused(
            "this role may not make a schema in the register's database, so the register there cannot be replaced: "
            "make an empty database, point EVIDOCK_REGISTER_URL at it, and run this again"
        ) from error


def _is_empty(connection: Connection) -> bool:
    return revision_of(connection) is None or not any(portable.counts(connection).values())


def _check_alone(connection: Connection) -> None:
    """A process that records meanwhile would record into what is put aside."""
    ends = time.monotonic() + _GONE_S
    while others := connection.scalar(_OTHERS):
        if time.monotonic() > ends:
            raise InUse(f"{others} connections of evidock's processes are open to the register: stop them first")
        time.sleep(0.1)
