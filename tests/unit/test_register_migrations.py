# SPDX-License-Identifier: Apache-2.0
"""The register's tables are made and brought forward whole or not at all, by however many processes at once."""

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from app import clocks
from evidence.errors import Conflict
from storage.register import schema
from storage.register.migrate import newest_revision
from storage.register.register import open_register
from tests.support.home import Home, open_home

ROOT = Path(__file__).parents[2]

# Opens a register; with a number, kills itself before the statement of that number.
OPEN = """
import os, signal, sys
from pathlib import Path
from sqlalchemy import event
from sqlalchemy.engine import Engine
from evidence.note import Signer
from storage.objects_file import DirectoryStore
from storage.register.register import open_register

left = int(sys.argv[2])

def count(*_):
    global left
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    left -= 1

event.listen(Engine, "before_cursor_execute", count)
store = DirectoryStore(Path(sys.argv[1]).parent / "objects")
signer = Signer("test", b"0000", lambda message: b"")
open_register(f"sqlite:///{sys.argv[1]}", store=store, signer=signer, chance=os.urandom).close()
"""


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    with open_home(tmp_path / "home") as opened:
        yield opened


def run_open(path: Path, *, kill_at: int = -1) -> int:
    command = [sys.executable, "-c", OPEN, str(path), str(kill_at)]
    return subprocess.run(command, cwd=ROOT, check=False, env={**os.environ, "PYTHONPATH": "."}).returncode


def tables(path: Path) -> dict[str, str]:
    """The statements that made each table and index."""
    with closing(sqlite3.connect(path)) as connection:
        return dict(connection.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL"))


def test_the_migrations_make_the_tables_that_the_code_names(home: Home) -> None:
    with home.ports.register.view() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, schema.metadata) == []


def test_opening_again_changes_nothing(home: Home) -> None:
    path = home.settings.home / "register.db"
    before = tables(path)
    with open_home(home.settings.home):
        assert tables(path) == before


def test_four_processes_that_start_at_once_make_one_register(tmp_path: Path) -> None:
    path = tmp_path / "register.db"
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda _: run_open(path), range(4))) == [0] * 4
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [(newest_revision(),)]


@pytest.mark.parametrize("statement", [4, 7, 11, 20, 35])
def test_a_migration_that_is_killed_leaves_nothing_and_the_next_start_makes_it(
    home: Home, tmp_path: Path, statement: int
) -> None:
    path = tmp_path / "register.db"
    assert run_open(path, kill_at=statement) == -signal.SIGKILL
    assert tables(path) == {}
    with opened(home, path):
        assert tables(path) == tables(home.settings.home / "register.db")


@contextmanager
def opened(home: Home, path: Path) -> Iterator[None]:
    """A register as it is found, opened by the code under test."""
    ports = home.ports
    register = open_register(f"sqlite:///{path}", store=ports.store, signer=ports.signer, chance=clocks.chance)
    try:
        yield
    finally:
        register.close()


def test_a_register_of_a_newer_evidock_is_left_alone(home: Home, tmp_path: Path) -> None:
    path = tmp_path / "newer.db"
    with opened(home, path):
        pass
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    before = tables(path)
    with pytest.raises(Conflict, match="another version"), opened(home, path):
        pass
    assert tables(path) == before


def test_only_its_owner_may_read_the_register(home: Home) -> None:
    home.add_device("A1")
    files = [path for path in home.settings.home.glob("register.db*") if path.stat().st_size]
    assert {path.name for path in files} >= {"register.db", "register.db-wal"}
    assert [path.name for path in files if path.stat().st_mode & 0o077] == []
