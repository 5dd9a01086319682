# SPDX-License-Identifier: Apache-2.0
"""A year of an agency: 10 units, 200 officers, 60 000 recordings, all six types; each answer is computed twice."""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from sqlalchemy import select

from evidence import instant
from evidence.coverage_terms import Cell
from pipeline import coverage, retain
from pipeline.catalogs.load import DEFAULT
from pipeline.retain import Swept
from storage.register import schema
from storage.register.coverage_rows import Period
from tests.support import agency_brute_force, agency_rows, agency_year, coverage_brute_force
from tests.support.agency_year import Agency, SimRecording
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


def told(cell: Cell) -> coverage_brute_force.Cell:
    codes = Counter(finding.code.value for finding in cell.findings)
    return cell.item.id, cell.status.value, tuple(sorted(codes.items()))


def test_the_coverage_of_every_case_of_a_year_is_what_a_second_computation_by_hand_says(
    year: tuple[Home, Agency, Swept],
) -> None:
    home, agency, _ = year
    books = coverage_brute_force.Books.of(DEFAULT, agency)
    held: dict[str, list[SimRecording]] = {case.id: [] for case in agency.cases}
    for one in agency.recordings:
        for case in one.cases:
            held[case].append(one)
    by_hand = {case.id: coverage_brute_force.cells(case, held[case.id], books, NOW) for case in agency.cases}
    with home.ports.register.view() as connection:
        yardstick = coverage.yardstick_now(connection, ports=home.ports, now=NOW)
        said = {
            one.case.id: [told(cell) for cell in one.cells]
            for one in coverage.coverages(connection, Period(), yardstick, now=NOW)
        }
    assert {case: (said.get(case), cells) for case, cells in by_hand.items() if said.get(case) != cells} == {}
    counts = Counter(status for cells in said.values() for _, status, _ in cells)
    findings = Counter(code for cells in said.values() for _, _, codes in cells for code, _ in codes)
    assert min(counts[status] for status in ("present", "missing", "invalid")) > 0, "a year in which too little happens"
    assert len(findings) > 10, findings


def test_the_matrix_of_a_unit_and_those_below_it_counts_the_cells_that_were_found_by_hand(
    year: tuple[Home, Agency, Swept],
) -> None:
    home, agency, _ = year
    books = coverage_brute_force.Books.of(DEFAULT, agency)
    here: dict[str, list[SimRecording]] = {case.id: [] for case in agency.cases if case.unit == "U03"}
    for one in agency.recordings:
        for case in set(one.cases) & set(here):
            here[case].append(one)
    cells = [
        (books.items[item]["type"], books.items[item]["link"], status)
        for case in agency.cases
        if case.id in here
        for item, status, _ in coverage_brute_force.cells(case, here[case.id], books, NOW)
        if books.items[item]["obligation"] == "must"
    ]
    matrix = coverage.matrix_of(ports=home.ports, now=NOW, unit="U03")
    said = {
        (*place, status.value): number for place, tally in matrix.cells.items() for status, number in tally.must.items()
    }
    assert {cell: number for cell, number in said.items() if number} == Counter(cells)
    assert coverage.matrix_of(ports=home.ports, now=NOW, unit="U00").cases == len(agency.cases)
