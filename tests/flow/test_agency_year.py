# SPDX-License-Identifier: Apache-2.0
"""A year of an agency: 10 units, 200 officers, 60 000 recordings, all six types; each answer is computed twice."""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from sqlalchemy import select

from evidence import instant
from pipeline import retain
from pipeline.catalogs.load import DEFAULT
from pipeline.retain import Swept
from storage.register import schema
from tests.support import agency_brute_force, agency_rows, agency_year
from tests.support.agency_year import Agency
from tests.support.home import Home, open_home

NOW = datetime(2028, 6, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def year(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Home, Agency, Swept]]:
    with open_home(tmp_path_factory.mktemp("agency") / "home") as home:
        catalog = home.ports.catalog
        agency = agency_year.made_up(catalog)
        with home.ports.register.begin() as facts:
            agency_rows.fill(facts.connection, agency, catalog=catalog.id)
        yield home, agency, retain.sweep(home.ports, NOW)


def test_the_due_list_of_a_year_is_what_a_second_computation_by_hand_says(year: tuple[Home, Agency, Swept]) -> None:
    home, agency, swept = year
    by_hand = agency_brute_force.due_list(agency, DEFAULT, NOW)
    assert {answer.value: number for answer, number in swept.outcomes.items()} == Counter(
        o for o, _ in by_hand.values()
    )
    with home.ports.register.view() as connection:
        table = schema.retention.c
        rows = connection.execute(select(table.recording, table.outcome, table.until)).all()
    said = {row.recording: (row.outcome, None if row.until is None else instant.from_text(row.until)) for row in rows}
    assert {one: said.get(one) for one in by_hand if said.get(one) != by_hand[one]} == {}


def test_a_second_sweep_of_the_year_changes_nothing(year: tuple[Home, Agency, Swept]) -> None:
    home, _, _ = year
    assert retain.sweep(home.ports, NOW).changed == 0
