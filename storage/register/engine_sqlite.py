# SPDX-License-Identifier: Apache-2.0
"""This is where the register is a file: SQLite in WAL with synchronous=FULL, so that a commit survives a power cut.

Writers queue on `BEGIN IMMEDIATE`. Publication and migration are kept single by file locks, which the
kernel takes back from a process that dies.
"""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from sqlalchemy import Connection, create_engine, event
from sqlalchemy.engine import URL

from evidence.errors import BadInput, RegisterUnavailable
from storage.register.engine import BUSY_S, transaction
from storage.register.reach import Sight


class SqliteEngine:
    """One file of this machine."""

    is_shared = False

    def __init__(self, url: URL) -> None:
        if not url.database:
            raise BadInput("the register's URL names no file (write sqlite:///PATH)")
        self._path = Path(url.database)
        _make_private(self._path)
        self.sql = create_engine(
            url, pool_size=16, max_overflow=240, connect_args={"timeout": BUSY_S, "check_same_thread": False}
        )
        event.listen(self.sql, "connect", _on_connect)

    def begin_facts(self, connection: Connection) -> None:
        """As the protocol says."""
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    begin_jobs = begin_facts

    def begin_view(self, connection: Connection, *, is_long: bool = False) -> None:
        """As the protocol says."""
        connection.exec_driver_sql("BEGIN")

    def bound(self, connection: Connection, sight: Sight) -> None:
        """As the protocol says: SQLite cannot, and the conditions of each question are all there is."""

    @contextmanager
    def publishing(self) -> Iterator[None]:
        """As the protocol says."""
        try:
            lock = Path(f"{self._path}.publish").open("w")  # noqa: SIM115  # closed below, its errors are ours
        except OSError as error:
            raise RegisterUnavailable(f"{self._path}.publish cannot be locked: {error.strerror}") from error
        with lock:
            _take(lock)
            yield

    @contextmanager
    def migrating(self) -> Iterator[Connection]:
        """As the protocol says."""
        with Path(f"{self._path}.migrate").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            with self.sql.connect() as connection:
                connection.exec_driver_sql("PRAGMA journal_mode=WAL")
                # Ours, as everywhere: the driver begins no transaction, and a killed migration must leave nothing.
                with transaction(connection):
                    connection.exec_driver_sql("BEGIN IMMEDIATE")
                    yield connection
        self._path.chmod(0o600)
        _sync_folder(self._path.parent)


def _take(lock: IO[str]) -> None:
    """Take a file lock, waiting no longer than a writer waits for the database."""
    ends = time.monotonic() + BUSY_S
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if time.monotonic() > ends:
                raise RegisterUnavailable(f"{lock.name} is held by another process") from error
            time.sleep(0.02)
        else:
            return


def _make_private(path: Path) -> None:
    """Have a file that only its owner may read: names of people go into it. Its write-ahead log gets the same mode."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise RegisterUnavailable(f"the register cannot be opened at {path}: {error.strerror}") from error


def _on_connect(raw: Any, _: Any) -> None:
    # We write BEGIN ourselves: the driver's own would be deferred.
    raw.isolation_level = None
    for pragma in ("synchronous=FULL", "foreign_keys=ON", "wal_autocheckpoint=1000"):
        raw.execute(f"PRAGMA {pragma}")


def _sync_folder(path: Path) -> None:
    folder = os.open(path, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
