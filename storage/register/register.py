# SPDX-License-Identifier: Apache-2.0
"""This is where the register is opened: one SQL implementation behind a URL, embedded on SQLite or on PostgreSQL."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress

from sqlalchemy import Connection
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, ProgrammingError, SQLAlchemyError

from evidence.custody import Happening
from evidence.errors import BadInput, Refused
from evidence.note import Signer
from storage.objects import ObjectStore
from storage.register.engine import RegisterEngine, as_ours, revision_of, transaction
from storage.register.facts import Chance, Facts, Rested, rest
from storage.register.migrate import migrate, newest_revision
from storage.register.reach import Sight


class Register:
    """The facts' index. Safe to share between threads; a process opens its own."""

    def __init__(self, engine: RegisterEngine, *, store: ObjectStore, signer: Signer, chance: Chance) -> None:
        self._engine = engine
        self._store = store
        self._signer = signer
        self._chance = chance

    @property
    def is_shared(self) -> bool:
        """True when processes on other machines may use the register too."""
        return self._engine.is_shared

    @contextmanager
    def begin(self) -> Iterator[Facts]:
        """One transaction that writes facts: commits when the block ends, leaves nothing when it raises.

        No other writes facts meanwhile. A connection lost while the commit is under way leaves it open
        whether it took place: who tries again finds out by its job or its offer.

        Raises:
            RegisterUnavailable: the database is down, locked for too long, or full.
        """
        with as_ours(), self._engine.sql.connect() as connection, transaction(connection):
            self._engine.begin_facts(connection)
            yield Facts(connection, store=self._store, signer=self._signer, chance=self._chance)

    @contextmanager
    def leasing(self) -> Iterator[Connection]:
        """One transaction over jobs alone: it waits for no writer of facts where the engine can do that.

        Raises:
            RegisterUnavailable: the database is down, locked for too long, or full.
        """
        with as_ours(), self._engine.sql.connect() as connection, transaction(connection):
            self._engine.begin_jobs(connection)
            yield connection

    @contextmanager
    def view(self, *, is_long: bool = False, seen_by: Sight | None = None) -> Iterator[Connection]:
        """One reading transaction: a single moment of the register.

        `is_long`: between two questions it may be busy elsewhere for minutes; any other is cut off after seconds.
        `seen_by`: where the engine can do that, it shows no more than is within this reach, whatever is asked.

        Raises:
            RegisterUnavailable: the database cannot be read.
        """
        with as_ours(), self._engine.sql.connect() as connection:
            self._engine.begin_view(connection, is_long=is_long)
            if seen_by is not None:
                self._engine.bound(connection, seen_by)
            try:
                yield connection
            finally:
                with suppress(SQLAlchemyError):  # a connection that died reads no more
                    connection.exec_driver_sql("ROLLBACK")

    def rest(self, happening: Happening) -> Rested:
        """Lay down the detail of a happening before the transaction that records it, which then waits for no store.

        Raises:
            StoreUnavailable: it could not be laid down.
        """
        return rest(happening, store=self._store, chance=self._chance)

    def publishing(self) -> AbstractContextManager[None]:
        """Hold the one leave to publish the custody log; others wait. Ends with the process.

        Raises:
            RegisterUnavailable: another process has held it for a minute: frozen, perhaps.
        """
        return self._publishing()

    @contextmanager
    def _publishing(self) -> Iterator[None]:
        with as_ours(), self._engine.publishing():
            yield

    def close(self) -> None:
        """Let go of all connections."""
        self._engine.sql.dispose()


def open_register(url: str, *, store: ObjectStore, signer: Signer, chance: Chance) -> Register:
    """Open the register at `url`, bringing its tables to the newest revision first.

    Raises:
        BadInput: the URL names an engine we do not have.
        RegisterUnavailable: the database cannot be opened.
        Conflict: its tables are of a newer version of evidock.
        Refused: they are of an older one, and this role may not change them.
    """
    engine = open_engine(url)
    try:
        return open_prepared(engine, store=store, signer=signer, chance=chance)
    except BaseException:
        engine.sql.dispose()
        raise


def open_prepared(engine: RegisterEngine, *, store: ObjectStore, signer: Signer, chance: Chance) -> Register:
    """The register on an engine, its tables brought to the newest revision; the engine stays the caller's to close.

    Raises:
        RegisterUnavailable, Conflict, Refused: as `open_register`.
    """
    with as_ours():
        _prepare(engine)
    return Register(engine, store=store, signer=signer, chance=chance)


def open_engine(url: str) -> RegisterEngine:
    """The engine that a URL names; nothing is connected yet.

    Raises:
        BadInput: we have none for it; the message holds no password.
    """
    parsed = _parsed(url)
    backend = parsed.get_backend_name()
    # Only the driver that is used costs its import.
    if backend == "sqlite":
        from storage.register.engine_sqlite import SqliteEngine

        return SqliteEngine(parsed)
    if backend == "postgresql":
        from storage.register.engine_postgres import PostgresEngine

        return PostgresEngine(parsed)
    raise BadInput(f"no register engine for {parsed.render_as_string()} ({_FORMS})", url=parsed.render_as_string())


_FORMS = "write sqlite:///PATH or postgresql://USER:PASSWORD@HOST/DATABASE"


def _parsed(url: str) -> URL:
    try:
        return make_url(url)
    except (ArgumentError, ValueError):
        # What is told of it may be a part of the password: a `@` in one must be written %40.
        raise BadInput(f"the register's URL cannot be read ({_FORMS}; in a password write @ as %40)") from None


def _prepare(engine: RegisterEngine) -> None:
    """Migrate alone: of two processes that start at once, one waits for the other."""
    try:
        with engine.sql.connect() as connection:
            if revision_of(connection) == newest_revision():
                return
        with engine.migrating() as connection:
            migrate(connection)
    except ProgrammingError as error:
        if engine.is_shared and getattr(error.orig, "sqlstate", None) is None:  # no server was asked
            raise BadInput(f"the register's URL cannot be used: {error.orig}") from error
        raise Refused(
            "the register's tables are not of this version, and this role may not change them: "
            "run `evidock register prepare` as their owner"
        ) from error
