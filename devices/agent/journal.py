# SPDX-License-Identifier: Apache-2.0
"""This is where a dock's journal is opened: one small SQLite file, used by every thread of the agent.

A write is there for every thread when it returns, and for the next process after a kill. It outlives a power
cut once `make_durable` returned; what a power cut takes is the latest writes, never the order of them.
"""

import sqlite3
import threading
from collections.abc import Sequence
from pathlib import Path

from evidence.errors import StoreUnavailable

Value = str | int | None
Row = sqlite3.Row

_SCHEMA = """
CREATE TABLE IF NOT EXISTS files (
    offer TEXT PRIMARY KEY, device TEXT NOT NULL, docking TEXT NOT NULL, port TEXT NOT NULL,
    path TEXT NOT NULL, name TEXT NOT NULL, size_bytes INTEGER NOT NULL, mtime_ns INTEGER NOT NULL,
    claims TEXT NOT NULL, is_priority INTEGER NOT NULL DEFAULT 0,
    sha256 TEXT, tail TEXT, read_in TEXT,
    boot TEXT, kept_bytes INTEGER NOT NULL DEFAULT 0, upload_url TEXT, uploaded_bytes INTEGER NOT NULL DEFAULT 0,
    recording TEXT, is_receipted INTEGER NOT NULL DEFAULT 0, is_backed_up INTEGER NOT NULL DEFAULT 0,
    is_resting INTEGER NOT NULL DEFAULT 1, is_erased INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS files_waiting ON files (is_receipted, is_resting);
CREATE INDEX IF NOT EXISTS files_docking ON files (docking);
CREATE TABLE IF NOT EXISTS dockings (docking TEXT PRIMARY KEY, device TEXT, is_ended INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS taken (docking TEXT, offer TEXT, PRIMARY KEY (docking, offer)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS devices (serial TEXT PRIMARY KEY);
"""


class Journal:
    """Safe to use from several threads; one process at a time."""

    def __init__(self, path: Path) -> None:
        """Open the journal at `path`, made when it is not there.

        Raises:
            StoreUnavailable: it cannot be opened, or is no journal.
        """
        self._lock = threading.Lock()
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._base = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=30.0)
            self._base.row_factory = sqlite3.Row
            # WAL and NORMAL: no wait for the disk at each write; see the module's promise.
            self._base.executescript(f"PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; {_SCHEMA}")
        except (sqlite3.Error, OSError) as error:
            raise StoreUnavailable(f"the dock's journal cannot be opened: {error}", path=str(path)) from error

    def rows(self, question: str, values: Sequence[Value] = ()) -> list[Row]:
        """The answer to a question, whole. Raises: StoreUnavailable."""
        with self._lock:
            try:
                return self._base.execute(question, values).fetchall()
            except sqlite3.Error as error:
                raise StoreUnavailable(f"the dock's journal cannot be read: {error}") from error

    def write(self, statement: str, values: Sequence[Value] = ()) -> int:
        """Write, and tell how many rows that changed. Raises: StoreUnavailable, for a full disk too."""
        with self._lock:
            try:
                return self._base.execute(statement, values).rowcount
            except sqlite3.Error as error:
                raise StoreUnavailable(f"the dock's journal cannot be written: {error}") from error

    def write_many(self, statement: str, rows: Sequence[Sequence[Value]]) -> None:
        """Write all of it or, should that fail, nothing. Raises: StoreUnavailable, for a full disk too."""
        with self._lock:
            try:
                self._base.execute("BEGIN IMMEDIATE")
                try:
                    self._base.executemany(statement, rows)
                    self._base.execute("COMMIT")
                finally:
                    if self._base.in_transaction:
                        self._base.execute("ROLLBACK")
            except sqlite3.Error as error:
                raise StoreUnavailable(f"the dock's journal cannot be written: {error}") from error

    def make_durable(self) -> None:
        """Return when all that was written outlives a power cut. Raises: StoreUnavailable."""
        with self._lock:
            try:
                self._base.execute("PRAGMA wal_checkpoint(FULL)").fetchall()
            except sqlite3.Error as error:
                raise StoreUnavailable(f"the dock's journal cannot be made durable: {error}") from error

    def close(self) -> None:
        """The journal is not used any more. Safe to repeat."""
        with self._lock:
            self._base.close()
