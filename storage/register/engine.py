# SPDX-License-Identifier: Apache-2.0
"""This is where a register's engine is a promise: how its transactions begin, and who may publish or migrate.

Everything else is one SQL implementation. An engine that several machines share says so: leases of
other machines then end by observation, and not by this machine's clock.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Protocol

from sqlalchemy import Connection, Engine, inspect, text
from sqlalchemy.exc import (
    DataError,
    DBAPIError,
    InterfaceError,
    InternalError,
    OperationalError,
    PendingRollbackError,
    SQLAlchemyError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeout

from evidence.errors import BadInput, RegisterUnavailable
from storage.register.reach import Sight

BUSY_S = 60
"""How long a writer waits for another before it says that the register is unavailable."""

_NOT_ALLOWED = "42501"
"""What PostgreSQL calls it when a role may not do something."""


class RegisterEngine(Protocol):
    """What differs from engine to engine."""

    is_shared: bool
    """True when processes on several machines use the register at once."""

    sql: Engine

    def begin_facts(self, connection: Connection) -> None:
        """Begin a transaction that no other of its kind runs beside: what it has read still holds when it writes."""
        ...

    def begin_jobs(self, connection: Connection) -> None:
        """Begin a transaction over rows of jobs, beside which others run."""
        ...

    def begin_view(self, connection: Connection, *, is_long: bool = False) -> None:
        """Begin a transaction that reads a single moment of the register; `is_long`: it may rest for minutes."""
        ...

    def bound(self, connection: Connection, sight: Sight) -> None:
        """Show no more than is within a reach, until the transaction ends, where the engine can do that by itself."""
        ...

    def publishing(self) -> AbstractContextManager[None]:
        """Hold the one leave to publish; it ends with the process.

        Raises:
            RegisterUnavailable: another holds it for as long as a writer waits.
        """
        ...

    def migrating(self) -> AbstractContextManager[Connection]:
        """A transaction in which the tables may be changed while no other process does; it commits at the end."""
        ...


@contextmanager
def as_ours() -> Iterator[None]:
    """Turn what a database says when it is down, full, restarting, too busy or closed to us into RegisterUnavailable.

    Raises:
        RegisterUnavailable: worth another try. What is a defect of ours passes through.
        BadInput: the engine cannot hold a value, as PostgreSQL no zero character.
    """
    try:
        yield
    except (OperationalError, InterfaceError, InternalError) as error:
        raise RegisterUnavailable(f"the register cannot be used now: {_words(error)}") from error
    except DataError as error:
        raise BadInput(f"the register cannot hold this text: {_words(error)}") from error
    except DBAPIError as error:
        # A role that lost a grant must not make any recording look bad: work waits until it has it again.
        if error.connection_invalidated or getattr(error.orig, "sqlstate", None) == _NOT_ALLOWED:
            raise RegisterUnavailable(f"the register cannot be used now: {_words(error)}") from error
        # SQLite says so of a damaged file, and of a disk that could not be read for a moment.
        if str(getattr(error.orig, "sqlite_errorname", "")).startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
            advice = "if it stays so, run `evidock doctor --rebuild-register`"
            raise RegisterUnavailable(f"the register cannot be read: {_words(error)}; {advice}") from error
        raise
    except (PoolTimeout, PendingRollbackError) as error:
        raise RegisterUnavailable(f"the register cannot be used now: {error}") from error


def _words(error: DBAPIError) -> str:
    return " ".join(str(error.orig).split())


@contextmanager
def transaction(connection: Connection) -> Iterator[None]:
    """Commit what the block did after it began a transaction; when it raises, leave nothing of it.

    Raises:
        RegisterUnavailable: nothing was committed, for a statement had failed and the block went on.
    """
    try:
        yield
        _check_sound(connection)
        connection.exec_driver_sql("COMMIT")
    except BaseException:
        # A connection that died has rolled back already.
        with suppress(SQLAlchemyError):
            connection.exec_driver_sql("ROLLBACK")
        raise


def _check_sound(connection: Connection) -> None:
    # PostgreSQL answers the COMMIT of a transaction in which something failed by rolling it back, without an error.
    told = getattr(connection.connection.dbapi_connection, "info", None)
    if told is not None and told.transaction_status.name == "INERROR":
        raise RegisterUnavailable("the register takes nothing of a transaction in which a statement has failed")


def revision_of(connection: Connection) -> str | None:
    """The revision the tables are of, None while there are none."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    revision: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return revision
