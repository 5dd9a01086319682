# SPDX-License-Identifier: Apache-2.0
"""This is where the register is a PostgreSQL database that any number of machines share.

Facts are written one transaction at a time, as on SQLite: an advisory lock is their queue, so that what a
step has read still holds when it writes, and the order of events is the order of their commits. Jobs are
taken and renewed beside it, row by row. A process that freezes inside a transaction is cut off by the
server; one that dies is rolled back by it.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, create_engine, text
from sqlalchemy.engine import URL

from evidence.errors import RegisterUnavailable
from storage.register.engine import BUSY_S, transaction
from storage.register.reach import Sight
from storage.register.walls import SETTINGS, settings_of

# Advisory locks are numbers in one database; these three are evidock's ("evid" and a letter, in ASCII).
_FACTS = 0x65766964_46
_PUBLISH = 0x65766964_50
_MIGRATE = 0x65766964_4D

# A frozen process must not hold up the others: longer than any pause of a live one.
_IDLE_IN_TRANSACTION_S = 10
# Who only reads holds up nobody: it may write what it read to a slow disk meanwhile.
_IDLE_IN_LONG_VIEW_S = 900
# Publication works outside the database meanwhile; two at once write the same bytes, so this may be cut short.
_IDLE_PUBLISHER_S = 120
_CONNECT_S = 10
_SERVER_SETTINGS = {
    "synchronous_commit": "on",
    "idle_in_transaction_session_timeout": f"{_IDLE_IN_TRANSACTION_S}s",
    "lock_timeout": f"{BUSY_S}s",
    "tcp_keepalives_idle": "15",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
    # Keepalives are not sent while an answer is on its way: without this, its session outlives a cut by a quarter hour.
    "tcp_user_timeout": "30s",
    "TimeZone": "UTC",
    # Our questions take milliseconds; compiling one takes a second, and row-level security makes them look costly.
    "jit": "off",
}

_BIND = text("SELECT " + ", ".join(f"set_config('{name}', :{key}, true)" for key, name in SETTINGS.items()))


class PostgresEngine:
    """One database, by psycopg 3."""

    is_shared = True

    def __init__(self, url: URL) -> None:
        self.sql = create_engine(
            url.set(drivername="postgresql+psycopg"),
            # We write BEGIN and COMMIT ourselves, as on SQLite.
            isolation_level="AUTOCOMMIT",
            pool_size=8,
            max_overflow=24,
            pool_timeout=BUSY_S,
            pool_pre_ping=True,
            connect_args={
                "connect_timeout": _CONNECT_S,
                "application_name": "evidock",
                "keepalives_idle": 15,
                "keepalives_interval": 5,
                "keepalives_count": 3,
                "tcp_user_timeout": 30_000,
                "options": " ".join(f"-c {name}={value}" for name, value in _SERVER_SETTINGS.items()),
            },
        )

    def begin_facts(self, connection: Connection) -> None:
        """As the protocol says."""
        # Read committed: each statement after the lock sees all that was committed before it.
        connection.exec_driver_sql("BEGIN ISOLATION LEVEL READ COMMITTED")
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _FACTS})

    def begin_jobs(self, connection: Connection) -> None:
        """As the protocol says."""
        connection.exec_driver_sql("BEGIN ISOLATION LEVEL READ COMMITTED")

    def begin_view(self, connection: Connection, *, is_long: bool = False) -> None:
        """As the protocol says."""
        connection.exec_driver_sql("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        if is_long:
            connection.exec_driver_sql(f"SET LOCAL idle_in_transaction_session_timeout = '{_IDLE_IN_LONG_VIEW_S}s'")

    def bound(self, connection: Connection, sight: Sight) -> None:
        """As the protocol says, by row-level security: its policies read these settings (migration 0007)."""
        connection.execute(_BIND, settings_of(sight))

    @contextmanager
    def publishing(self) -> Iterator[None]:
        """As the protocol says. Held by a session, which the server ends with the process, or when that has frozen."""
        with self.sql.connect() as connection:
            connection.exec_driver_sql(f"SET idle_session_timeout = '{_IDLE_PUBLISHER_S}s'")
            try:
                _take(connection, _PUBLISH)
                yield
            finally:
                # Ends the lock and the timeout, whatever state the session is in.
                connection.invalidate()

    @contextmanager
    def migrating(self) -> Iterator[Connection]:
        """As the protocol says."""
        with self.sql.connect() as connection, transaction(connection):
            connection.exec_driver_sql("BEGIN ISOLATION LEVEL READ COMMITTED")
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATE})
            yield connection


def _take(connection: Connection, key: int) -> None:
    ends = time.monotonic() + BUSY_S
    while not connection.execute(text("SELECT pg_try_advisory_lock(:key)"), {"key": key}).scalar():
        if time.monotonic() > ends:
            raise RegisterUnavailable("another process is publishing the custody log, for longer than that takes")
        time.sleep(0.02)
