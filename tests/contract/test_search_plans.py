# SPDX-License-Identifier: Apache-2.0
"""No question reads a table from end to end, on either engine: what a register of years would be slow for."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, event, text

from bench.scale.databases import opened, put_rows, settle
from bench.scale.filling import Agency, made_up
from bench.scale.questions import QUESTIONS, Question
from tests.support.postgres import database_url

Filled = tuple[Connection, Agency]
# Found by an index and sorted: a case, what ran over midnight. Sorting more would be reading more than a page.
SHORT = ("case: all its segments, as `case show`", "case: its recordings")


@pytest.fixture(scope="module")
def agency() -> Agency:
    return made_up(3000)


@pytest.fixture(scope="module")
def lite(agency: Agency, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Filled]:
    folder = tmp_path_factory.mktemp("lite")
    yield from filled(f"sqlite:///{folder}/register.db", folder, agency)


@pytest.fixture(scope="module")
def server(agency: Agency, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Filled]:
    yield from filled(database_url(), tmp_path_factory.mktemp("server"), agency)


def filled(url: str, folder: Path, agency: Agency) -> Iterator[Filled]:
    with opened(url, folder) as register:
        with register.begin() as facts:
            for table, (columns, rows) in agency.tables.items():
                put_rows(facts.connection, table, columns, rows)
        settle(url)
        with register.view() as connection:
            yield connection, agency


def plans(question: Question, filled: Filled, explain: str) -> list[list[str]]:
    """What the engine means to do for each statement of one question."""
    connection, agency = filled
    asked = []

    def note(*told: object) -> None:
        asked.append(told[2:4])

    event.listen(connection, "before_cursor_execute", note)
    question.ours(connection, question.draw(random.Random(1), agency))
    event.remove(connection, "before_cursor_execute", note)
    assert asked
    return [
        [str(row[-1]) for row in connection.exec_driver_sql(f"{explain} {statement}", values)]  # type: ignore[arg-type]
        for statement, values in asked
    ]


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda one: one.name)
def test_sqlite_without_statistics_finds_by_an_index_and_sorts_no_long_list(question: Question, lite: Filled) -> None:
    for plan in plans(question, lite, "EXPLAIN QUERY PLAN"):
        scans = [step for step in plan if step.startswith("SCAN")]
        # Turns are counted over the jobs that wait, which an index has found: that many are sorted, by intent.
        is_counted = question.name.startswith("jobs") and any("SEARCH jobs USING INDEX" in step for step in plan)
        assert is_counted or not scans, plan
        if is_counted:
            continue
        is_sorted = any("TEMP B-TREE FOR ORDER BY" in step for step in plan)
        assert not is_sorted or question.name in SHORT or any("over_midnight" in step for step in plan), plan


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda one: one.name)
def test_postgresql_finds_by_an_index(question: Question, server: Filled) -> None:
    # Small tables are read whole because that is quicker; what it would do with large ones is asked.
    server[0].execute(text("SET LOCAL enable_seqscan = off"))
    for plan in plans(question, server, "EXPLAIN"):
        assert not [step for step in plan if "Seq Scan" in step], plan
