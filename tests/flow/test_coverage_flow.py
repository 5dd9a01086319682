# SPDX-License-Identifier: Apache-2.0
"""From footage and papers to what a case lacks; and a made-up agency counted on each engine of the register."""

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from app import clocks
from evidence.agency import Unit
from evidence.case import CaseBody, Document
from evidence.case_told import Delay
from evidence.coverage import cover
from evidence.coverage_matrix import Matrix
from evidence.coverage_terms import Cell, Certificate, CoveredCase, Explained, Filmed, Paper, Status, Yardstick
from pipeline.case_papers import explain_gap, file_document, withdraw_document
from pipeline.casework import explain_delay, link, open_case, revise_case
from pipeline.coverage import case_of, coverage_of_case, matrix_of, yardstick_of
from pipeline.coverage_figures import load_limits
from pipeline.units import register_unit
from storage.register import coverage_rows, search
from storage.register.coverage_rows import Period
from tests.support.agency_rows import fill
from tests.support.agency_year import Agency, SimCase, SimRecording, made_up
from tests.support.cameras import CAMERA, tiny
from tests.support.command import evidock
from tests.support.home import NOON, Home, open_home

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
SUMMER = datetime(2026, 6, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """One installation with one film of two seconds; every test has a case of its own that holds it."""
    with open_home(tmp_path_factory.mktemp("coverage") / "home") as opened:
        opened.add_device(CAMERA.serial)
        opened.add_officer(CAMERA.officer)
        opened.ingest_one(tiny("plain").path)
        yield opened


@pytest.fixture
def number(request: pytest.FixtureRequest, home: Home) -> str:
    """A case of compulsory execution on a public holiday, with its paper and the film."""
    number = f"湘QZ〔2026〕{request.node.name[:80]}"
    body = CaseBody(number, "", (CAMERA.officer,), NOON - HOUR, NOON + HOUR, type="QZ")
    open_case(body, ports=home.ports, now=clocks.now())
    file_document(number, paper(CAMERA.officer), ports=home.ports, now=clocks.now())
    link(number, [film_of(home)], why="test", withdraw=False, ports=home.ports, now=clocks.now())
    return number


def paper(*officers: str) -> Document:
    return Document("现场笔录", "1", "compulsion", "QZ-07", officers, NOON, NOON + 10 * MINUTE)


def film_of(home: Home) -> str:
    return str(home.recordings()[0]["id"])


def only_cell(home: Home, number: str) -> Cell:
    (cell,) = coverage_of_case(number, ports=home.ports, now=clocks.now()).cells
    return cell


def codes(cell: Cell) -> list[str]:
    return [one.code.value for one in cell.findings]


def test_a_filmed_paper_is_present_and_every_fault_of_it_is_named(home: Home, number: str) -> None:
    cell = only_cell(home, number)

    assert (cell.item.id, cell.status, cell.recordings) == ("QZ-07", "present", (film_of(home),))
    assert codes(cell) == ["late", "gap", "document-time", "few-officers", "holiday"]


def test_an_explanation_a_second_officer_and_a_withdrawn_paper_change_the_answer(home: Home, number: str) -> None:
    now, end = clocks.now(), NOON + 10 * MINUTE
    home.add_officer("000002")
    told, _ = file_document(number, paper(CAMERA.officer, "000002"), ports=home.ports, now=now)
    explain_gap(number, start=NOON, end=end, how="spoken", why="battery", ports=home.ports, now=now)

    assert codes(only_cell(home, number)) == ["late", "gap-spoken", "document-time", "holiday"]

    withdraw_document(number, told, why="filed twice", ports=home.ports, now=now)
    assert coverage_of_case(number, ports=home.ports, now=now).cells == ()


def test_a_reason_that_was_told_excuses_what_came_late_until_it_is_taken_back(home: Home, number: str) -> None:
    now = clocks.now()
    explain_delay(number, Delay("异地办案", link="compulsion", returned=now - HOUR), ports=home.ports, now=now)
    revise_case(number, {"title": "told anew"}, ports=home.ports, now=now)
    assert codes(only_cell(home, number))[0] == "extended"

    taken_back = evidock("case", "revise", number, "--clear", "delays", home=home.settings.home)

    assert taken_back.status == 0
    assert codes(only_cell(home, number))[0] == "late"


def test_what_a_person_unlinked_serves_nothing(home: Home, number: str) -> None:
    link(number, [film_of(home)], why="other street", withdraw=True, ports=home.ports, now=clocks.now())

    cell = only_cell(home, number)

    assert (cell.status, cell.recordings) == ("missing", ())


def test_a_link_that_the_case_tells_of_is_asked_for(home: Home, number: str) -> None:
    revise_case(number, {"links": ("hearing",)}, ports=home.ports, now=clocks.now())

    cells = coverage_of_case(number, ports=home.ports, now=clocks.now()).cells

    assert [(cell.item.id, cell.status) for cell in cells] == [("QZ-07", "present"), ("QZ-11", "missing")]


def test_sources_that_disagree_and_a_camera_that_is_off_are_doubted(home: Home, number: str) -> None:
    with home.ports.register.view() as connection:
        (rows,) = coverage_rows.filled(connection, [search.case(connection, number)])
    claims = [*json.loads(rows.recordings[0]["claims"])]
    claims.append({"field": "start", "source": "sidecar", "value": "2026-06-19T12:01:02"})
    off = {
        "offset_ms": 0,
        "clock_basis": json.dumps({"kind": "between", "offset_ms": -61_000}),
    }
    wrong = replace(rows, recordings=[{**rows.recordings[0], "claims": json.dumps(claims), **off}])

    right, doubted = (case_of(one, load_limits()).filmed[0] for one in (rows, wrong))

    assert (right.claims_differ, right.offset) == (False, timedelta(0))
    assert (doubted.claims_differ, doubted.offset) == (True, -timedelta(seconds=61))


# --- the command ------------------------------------------------------------------------------


def test_the_command_tells_of_one_case_in_words_and_in_json(home: Home, number: str) -> None:
    said = evidock("catalog", "coverage", "--case", number, home=home.settings.home)
    told = evidock("catalog", "coverage", "--case", number, "--json", home=home.settings.home).json

    assert said.status == 0
    assert "compulsion on a holiday (2026-06-19)" in said.out
    assert "coverage: 1/1 100.0 %" in said.out
    assert (told["present"], told["demanded"], told["rate_permille"]) == (1, 1, 1000)
    assert told["cells"][0]["recordings"] == [film_of(home)]
    assert {one["code"] for one in told["cells"][0]["findings"]} >= {"late", "gap", "holiday"}


def test_the_command_speaks_chinese(home: Home, number: str) -> None:
    said = evidock("catalog", "coverage", "--case", number, home=home.settings.home, EVIDOCK_LANG="zh-CN")

    assert "法定节假日实施强制" in said.out
    assert "清单覆盖率: 1/1 100.0 %" in said.out


def test_the_matrix_of_a_unit_is_written_as_a_table(home: Home, number: str, tmp_path: Path) -> None:
    register_unit(Unit("02", "二大队"), ports=home.ports, now=clocks.now())
    revise_case(number, {"unit": "02"}, ports=home.ports, now=clocks.now())
    table = tmp_path / "year.csv"

    said = evidock("catalog", "coverage", "--unit", "02", "-o", table, "--json", home=home.settings.home)
    rows = list(csv.reader(io.StringIO(table.read_bytes().decode("utf-8-sig"))))

    assert [(one["type"], one["link"], one["present"]) for one in said.json["cells"]] == [("QZ", "compulsion", 1)]
    assert rows[0][:5] == ["type", "link", "demanded", "present", "missing"]
    assert [row[:4] for row in rows[1:]] == [["行政强制", "行政强制", "1", "1"], ["total", "", "1", "1"]]
    # It is there now, and somebody may have worked on it: it is not written over.
    assert evidock("catalog", "coverage", "-o", table, home=home.settings.home).status == 3


@pytest.mark.parametrize(
    "arguments", [("--case", "none"), ("--unit", "none"), ("--case", "1", "--unit", "1"), ("--from", "May")]
)
def test_what_cannot_be_asked_is_refused(home: Home, arguments: tuple[str, ...]) -> None:
    assert evidock("catalog", "coverage", *arguments, home=home.settings.home).status == 3


# --- many cases -------------------------------------------------------------------------------


def by_hand(agency: Agency, yardstick: Yardstick, *, units: set[str], years: range) -> Matrix:
    """The matrix of a made-up agency without any register between."""
    matrix = Matrix()
    for case in sorted(agency.cases, key=lambda one: one.id):
        if case.unit in units and case.start.year in years:
            matrix.add(cover(covered(case, agency), yardstick, now=SUMMER))
    return matrix


def certificates(agency: Agency) -> dict[str, Certificate]:
    """What each made-up officer may do."""
    return {
        one.number: Certificate(_day(one.valid_from), _day(one.valid_to), frozenset(one.types))
        for one in agency.officers
    }


def _day(text: str | None) -> date | None:
    return None if text is None else date.fromisoformat(text)


def covered(case: SimCase, agency: Agency) -> CoveredCase:
    """A made-up case as coverage sees it."""
    return CoveredCase(
        case.id,
        case.number,
        case.type,
        case.unit,
        case.start,
        case.end,
        officers=case.officers,
        papers=tuple(Paper(one.id, one.link, one.item, one.start, one.end, one.officers) for one in case.papers),
        filmed=tuple(filmed(one) for one in agency.recordings if case.id in one.cases),
        explained=tuple(Explained(one.start, one.end, one.how) for one in case.gaps),
    )


def filmed(one: SimRecording) -> Filmed:
    """A made-up recording as coverage sees it."""
    aside = one.state == "quarantined"
    told = {"officer": one.officer, "latest": one.latest, "is_aside": aside, "problem": one.problem}
    return Filmed(one.id, one.kind, one.item, one.start, one.end, one.arrived, **told)  # type: ignore[arg-type]


def test_an_agency_is_counted_alike_with_and_without_a_register(
    tmp_path: Path, register_settings: dict[str, str]
) -> None:
    with open_home(tmp_path / "home", **register_settings) as home:
        agency = made_up(home.ports.catalog, recordings=400, seed=4)
        with home.ports.register.begin() as facts:
            fill(facts.connection, agency, catalog=home.ports.catalog.id)
        with home.ports.register.view() as connection:
            yardstick = replace(yardstick_of(connection, home.ports.catalog), officers=certificates(agency))
            whole, parts = (list(coverage_rows.rows_of_cases(connection, Period(), at_once=n)) for n in (500, 7))
        assert [one for portion in parts for one in portion] == whole[0]

        heard: list[float] = []
        every = {case.unit for case in agency.cases}
        first, last = datetime(2025, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)
        counted = matrix_of(ports=home.ports, now=SUMMER, progress=heard.append)

        assert counted == by_hand(agency, yardstick, units=every, years=range(1, 9999))
        assert counted.total.demanded > counted.total.must[Status.PRESENT] > 0
        assert (counted.cases, heard[-1]) == (len(agency.cases), 1.0)
        assert matrix_of(ports=home.ports, now=SUMMER, unit="U00") == counted  # the others are below it
        assert matrix_of(ports=home.ports, now=SUMMER, unit="U03", start=first, end=last) == by_hand(
            agency, yardstick, units={"U03"}, years=range(2025, 2026)
        )
