# SPDX-License-Identifier: Apache-2.0
"""This is where the register is opened: one SQL implementation behind a URL, embedded on SQLite.

SQLite runs in WAL with synchronous=FULL: a commit that returned survives a power cut. Writers
queue on `BEGIN IMMEDIATE`, so that what a transaction has read still holds when it writes.
"""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from sqlalchemy import Connection, Engine, create_engine, event, inspect, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, OperationalError

from evidence.errors import BadInput, RegisterUnavailable
from evidence.note import Signer
from storage.objects import ObjectStore
from storage.register.facts import Chance, Facts
from storage.register.migrate import migrate, newest_revision

_BUSY_S = 60


class Register:
    """The facts' index. Safe to share between threads; a process opens its own."""

    def __init__(self, engine: Engine, *, store: ObjectStore, signer: Signer, chance: Chance) -> None:
        self._engine = engine
        self._store = store
        self._signer = signer
        self._chance = chance

    @contextmanager
    def begin(self) -> Iterator[Facts]:
        """One writing transaction: commits when the block ends, leaves nothing when it raises.

        Raises:
            RegisterUnavailable: the database is down, locked for too long, or full.
        """
        with _ours(), self._engine.connect() as connection:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            try:
                yield Facts(connection, store=self._store, signer=self._signer, chance=self._chance)
                connection.exec_driver_sql("COMMIT")
            except BaseException:
                connection.exec_driver_sql("ROLLBACK")
                raise

    @contextmanager
    def view(self) -> Iterator[Connection]:
        """One reading transaction: a single moment of the register.

        Raises:
            RegisterUnavailable: the database cannot be read.
        """
        with _ours(), self._engine.connect() as connection:
            connection.exec_driver_sql("BEGIN")
            try:
                yield connection
            finally:
                connection.exec_driver_sql("ROLLBACK")

    @contextmanager
    def publishing(self) -> Iterator[None]:
        """Hold the one leave to publish the custody log; others wait. Ends with the process.

        Raises:
            RegisterUnavailable: another process has held it for a minute: frozen, perhaps.
        """
        with Path(f"{self._engine.url.database}.publish").open("w") as lock:
            _take(lock)
            yield

    def close(self) -> None:
        """Let go of all connections."""
        self._engine.dispose()


def _take(lock: IO[str]) -> None:
    """Take a file lock, waiting no longer than a writer waits for the database."""
    ends = time.monotonic() + _BUSY_S
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if time.monotonic() > ends:
                raise RegisterUnavailable(f"{lock.name} is held by another process") from error
            time.sleep(0.02)
        else:
            return


def open_register(url: str, *, store: ObjectStore, signer: Signer, chance: Chance) -> Register:
    """Open the register at `url`, bringing its tables to the newest revision first.

    Raises:
        BadInput: the URL names an engine we do not have.
        RegisterUnavailable: the database cannot be opened.
        Conflict: its tables are of a newer version of evidock.
    """
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite" or not parsed.database:
        raise BadInput(f"no register engine for {parsed.render_as_string()} (write sqlite:///PATH)", url=url)
    path = Path(parsed.database)
    _make_private(path)
    engine = create_engine(
        url, pool_size=16, max_overflow=240, connect_args={"timeout": _BUSY_S, "check_same_thread": False}
    )
    event.listen(engine, "connect", _on_connect)
    try:
        with _ours():
            _prepare(engine, path)
    except BaseException:
        engine.dispose()
        raise
    return Register(engine, store=store, signer=signer, chance=chance)


def _make_private(path: Path) -> None:
    """Have a file that only its owner may read: names of people go into it. Its write-ahead log gets the same mode."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise RegisterUnavailable(f"the register cannot be opened at {path}: {error.strerror}") from error


def _prepare(engine: Engine, path: Path) -> None:
    """Migrate under a file lock: of two processes that start at once, one waits for the other."""
    with engine.connect() as connection:
        if _revision(connection) == newest_revision():
            return
    with Path(f"{path}.migrate").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA journal_mode=WAL")
            # Ours, as everywhere: the driver begins no transaction, and a killed migration must leave nothing.
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            migrate(connection)
            connection.commit()
    path.chmod(0o600)
    _sync_folder(path.parent)


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    revision: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return revision


def _on_connect(raw: Any, _: Any) -> None:
    # We write BEGIN ourselves: the driver's own would be deferred.
    raw.isolation_level = None
    for pragma in ("synchronous=FULL", "foreign_keys=ON", "wal_autocheckpoint=1000"):
        raw.execute(f"PRAGMA {pragma}")


@contextmanager
def _ours() -> Iterator[None]:
    try:
        yield
    except (OperationalError, DBAPIError) as error:
        if error.connection_invalidated or isinstance(error, OperationalError):
            raise RegisterUnavailable(f"the register cannot be used now: {error.orig}") from error
        raise


def _sync_folder(path: Path) -> None:
    folder = os.open(path, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
