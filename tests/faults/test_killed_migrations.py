# SPDX-License-Identifier: Apache-2.0
"""F29: an upgrade of the register killed before any of its statements leaves what was there, and is run again."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import Connection, Engine, create_engine, inspect, text
from sqlalchemy.engine import make_url

from evidence.errors import Conflict
from storage.register import migrate as migrations
from storage.register import schema
from storage.register.migrate import newest_revision
from tests.support.chaos import times
from tests.support.command import evidock
from tests.support.dying import Dying, dying
from tests.support.postgres import database_url

pytestmark = pytest.mark.timeout(300)

REVISIONS = sorted(path.name.partition("_")[0] for path in migrations._VERSIONS.glob("[0-9]*.py"))
# What a first evidock left: a job under way, one that waits, and an event, published and signed by somebody.
_ROWS = """
INSERT INTO jobs (id, step, subject, state, attempts, failures, owner, fence, lease_boot, lease_until, due_at,
    progress_permille, created_at) VALUES
    ('seal:rec-a', 'seal', 'rec-a', 'leased', 1, 0, 'host:1', 1, 'boot', 5.5, '2026', 0, '2026'),
    ('stamp:rec-b', 'stamp', 'rec-b', 'runnable', 0, 0, NULL, 0, NULL, NULL, '2026', 0, '2026');
INSERT INTO custody_events (stream, seq, kind, at, actor, note, leaf_hash, leaf_index) VALUES
    ('device/A1', 0, 'registered', '2026', 'test', 'a note', 'ab', 0),
    ('device/A1', 1, 'registered', '2026', 'test', 'a note', 'cd', NULL);
INSERT INTO officers (id, number, name, unit, registered_at) VALUES ('o', '430407', '张三', '执法一中队', '2026')
"""


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where there is no register yet, on each engine."""
    return f"sqlite:///{tmp_path}/register.db" if request.param == "sqlite" else database_url()


@pytest.fixture(scope="module")
def process() -> Iterator[Dying]:
    with dying() as running:
        yield running


@contextmanager
def connected(url: str) -> Iterator[Connection]:
    parsed = make_url(url)
    if parsed.get_backend_name() == "postgresql":
        parsed = parsed.set(drivername="postgresql+psycopg")
    engine: Engine = create_engine(parsed)
    try:
        with closing(engine.connect()) as connection, connection.begin():
            yield connection
    finally:
        engine.dispose()


def upgraded(url: str, revision: str) -> None:
    """Bring the tables to a revision, as an evidock of that day would."""
    config = Config()
    config.set_main_option("script_location", str(migrations._MIGRATIONS))
    with connected(url) as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


def state_of(url: str) -> dict[str, object]:
    """All tables with their columns, indexes and rows."""
    with connected(url) as connection:
        found = inspect(connection)
        return {
            name: (
                sorted(column["name"] for column in found.get_columns(name)),
                sorted(str(index["name"]) for index in found.get_indexes(name)),
                sorted(map(repr, connection.execute(text(f'SELECT * FROM "{name}"')))),  # noqa: S608
            )
            for name in sorted(found.get_table_names())
        }


def killed_everywhere(process: Dying, url: str, tmp_path: Path, check: Callable[[], None]) -> int:
    """Begin the upgrade and kill it before each of its statements in turn, until one is let through; the kills."""
    statement = kills = 0
    while not process.attempt("open", at=statement, url=url, objects=str(tmp_path / "objects")):
        check()
        kills += 1
        # The first and last of a migration matter most: all of the short ones, each seventh of the long.
        statement += times(1 if statement < 6 else 7, 1)
    return kills


def assert_newest(url: str) -> None:
    with connected(url) as connection:
        assert connection.scalar(text("SELECT version_num FROM alembic_version")) == newest_revision()
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, schema.metadata) == []


def test_tables_whose_making_is_killed_at_any_statement_are_made_whole_by_the_next_start(
    process: Dying, url: str, tmp_path: Path
) -> None:
    kills = killed_everywhere(process, url, tmp_path, lambda: _assert_state(url, {}))
    assert_newest(url)
    print(f"{kills} kills")
    assert kills > 10


@pytest.mark.parametrize("old", REVISIONS[:-1])
def test_an_upgrade_killed_at_any_statement_leaves_the_old_tables_and_their_rows(
    process: Dying, url: str, tmp_path: Path, old: str
) -> None:
    upgraded(url, old)
    with connected(url) as connection:
        for statement in _ROWS.split(";\n"):
            connection.execute(text(statement))
    before = state_of(url)
    kills = killed_everywhere(process, url, tmp_path, lambda: _assert_state(url, before))
    assert_newest(url)
    with connected(url) as connection:
        jobs = connection.execute(text("SELECT id, state, fence, lease_s FROM jobs ORDER BY id")).all()
        events = connection.execute(text("SELECT stream, seq, leaf_index FROM custody_events ORDER BY id")).all()
    assert [row.id for row in jobs] == ["seal:rec-a", "stamp:rec-b"]
    assert [tuple(row) for row in events] == [("device/A1", 0, 0), ("device/A1", 1, None)]
    print(f"{kills} kills")
    assert kills > 5


def _assert_state(url: str, wanted: dict[str, object]) -> None:
    assert state_of(url) == wanted


def test_an_older_evidock_leaves_a_newer_register_alone_and_says_so(url: str, tmp_path: Path) -> None:
    told = {"EVIDOCK_REGISTER_URL": url}
    assert evidock("officer", "list", home=tmp_path / "home", **told).status == 0
    with connected(url) as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    before = state_of(url)
    refused = evidock("officer", "list", "--json", home=tmp_path / "home", **told)
    assert (refused.status, refused.json["code"]) == (77, Conflict.code)
    assert "another version" in refused.json["message"]
    assert state_of(url) == before
