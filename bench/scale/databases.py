# SPDX-License-Identifier: Apache-2.0
"""This is where a register gets a database of its own to be large in: a SQLite file, or a private PostgreSQL.

The server listens on a unix socket in a temporary folder only, runs as nobody when we are root, and is gone
with the block. It keeps its defaults but one: 256 MiB of shared buffers, where the default is 128.
"""

import os
import pwd
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import Connection

from bench.timing import run_program
from evidence.errors import ToolMissing
from evidence.note import Signer
from storage.objects_file import DirectoryStore
from storage.register.register import Register, open_register

ENGINES = ("sqlite", "postgresql")
_PORT = 5432
Ask = Callable[[str, Sequence[Any]], list[Any]]


@contextmanager
def database(engine: str, folder: Path) -> Iterator[str]:
    """The URL of a new and empty database, gone when the block ends."""
    if engine == "sqlite":
        yield f"sqlite:///{folder}/register.db"
        return
    with _server() as socket:
        yield f"postgresql+psycopg://bench@/bench?host={socket}&port={_PORT}"


@contextmanager
def opened(url: str, folder: Path) -> Iterator[Register]:
    """The register at a URL, as every process of evidock opens it."""
    store = DirectoryStore(folder / "objects")
    # Nothing is recorded through this register, so nothing is signed.
    signer = Signer("bench", 0, lambda message: b"")
    register = open_register(url, store=store, signer=signer, chance=os.urandom)
    try:
        yield register
    finally:
        register.close()


@contextmanager
def bare(url: str) -> Iterator[Ask]:
    """A connection of the driver itself, for questions in SQL written by hand; `?` stands for a value."""
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as lite:
            yield lambda sql, values: lite.execute(sql, values).fetchall()
        return
    with psycopg.connect(_plain(url), autocommit=True) as server:
        yield lambda sql, values: server.execute(_with_percent(sql), values, prepare=True).fetchall()


def settle(url: str) -> None:
    """What the database does by itself in quiet hours: PostgreSQL's daemon vacuums and counts, SQLite does nothing."""
    if not url.startswith("sqlite"):
        with psycopg.connect(_plain(url), autocommit=True) as server:
            server.execute("VACUUM ANALYZE")


def size_bytes(url: str) -> int:
    """Bytes on disk."""
    if url.startswith("sqlite"):
        return Path(url.removeprefix("sqlite:///")).stat().st_size
    with psycopg.connect(_plain(url), autocommit=True) as server:
        found = server.execute("SELECT pg_database_size(current_database())").fetchone()
        return 0 if found is None else int(found[0])


def put_rows(connection: Connection, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Write rows in the fastest way the driver has."""
    raw, names = connection.connection.cursor(), ", ".join(f'"{name}"' for name in columns)
    with closing(raw):
        if connection.dialect.name == "sqlite":
            places = ", ".join("?" * len(columns))
            raw.executemany(f'INSERT INTO "{table}" ({names}) VALUES ({places})', rows)  # noqa: S608
            return
        with raw.copy(f'COPY "{table}" ({names}) FROM STDIN') as copy:
            for row in rows:
                copy.write_row(row)


def _plain(url: str) -> str:
    return url.replace("postgresql+psycopg", "postgresql")


def _with_percent(sql: str) -> Any:
    return sql.replace("?", "%s")


@contextmanager
def _server() -> Iterator[Path]:
    programs = max(Path("/usr/lib/postgresql").glob("*/bin"), default=None)
    if programs is None:
        raise ToolMissing("PostgreSQL's server is needed (Debian: apt-get install postgresql)")
    # Short: a unix socket's path may have 107 bytes.
    home = Path(tempfile.mkdtemp(prefix="evidock-pg-", dir="/tmp"))
    as_nobody = _hand_over(home)
    data, control = home / "data", str(programs / "pg_ctl")
    options = f"-k {home} -p {_PORT} -c listen_addresses='' -c shared_buffers=256MB"
    try:
        run_program([*as_nobody, str(programs / "initdb"), "-D", str(data), "-U", "bench", "-E", "UTF8", "--locale=C"])
        run_program([*as_nobody, control, "-D", str(data), "-w", "-l", str(home / "log"), "-o", options, "start"])
        run_program([str(programs / "createdb"), "-h", str(home), "-p", str(_PORT), "-U", "bench", "bench"])
        yield home
    finally:
        if (data / "postmaster.pid").exists():
            run_program([*as_nobody, control, "-D", str(data), "-w", "-m", "immediate", "stop"])
        shutil.rmtree(home, ignore_errors=True)


def _hand_over(home: Path) -> list[str]:
    """Words before a command that run it as nobody, who owns `home` from now on; none when we are not root."""
    if os.geteuid():
        return []
    nobody = pwd.getpwnam("nobody")
    os.chown(home, nobody.pw_uid, nobody.pw_gid)
    return ["setpriv", f"--reuid={nobody.pw_uid}", f"--regid={nobody.pw_gid}", "--clear-groups", "--"]
