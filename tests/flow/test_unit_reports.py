# SPDX-License-Identifier: Apache-2.0
"""Units report to the unit above in two steps: what was handed in is accepted, on each engine of the register.

All tests of an engine share one installation; each has a year of its own, in which nothing else is reported.
"""

import csv
import io
import itertools
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, insert, select, update

from evidence import instant
from evidence.agency import Unit
from evidence.case import CaseBody, CaseKind, Document
from evidence.custody import Happening
from evidence.disposal import is_same_person
from evidence.errors import BadInput, Conflict, LogInconsistent, NotFound, Refused, WrongState
from pipeline import casework, unit_reports
from pipeline.case_papers import file_document
from pipeline.coverage import matrix_of
from pipeline.ports import Ports
from pipeline.unit_report_body import rate_of
from pipeline.unit_report_record import UnitReport, digest_of
from pipeline.units import register_unit
from storage.register.schema import unit_reports as table
from tests.support.command import evidock
from tests.support.home import Home, open_home
from tests.support.postgres import database_url

HOUR = timedelta(hours=1)
NOW = datetime(2026, 8, 1, tzinfo=UTC)
APRIL, MAY, JUNE, JULY = (datetime(2026, month, 1, tzinfo=UTC) for month in (4, 5, 6, 7))


@dataclass(frozen=True, slots=True)
class Agency:
    """An installation with a bureau 01, an office 0101, teams 010101 and 010102 below it; and a year that is free."""

    home: Home
    year: int

    def at(self, moment: datetime) -> datetime:
        """A moment in this test's own year."""
        return moment.replace(year=self.year)

    def text(self, moment: datetime) -> str:
        return instant.to_text(self.at(moment))

    def by(self, person: str) -> Ports:
        return replace(self.home.ports, actor=f"cli:{person}")

    def submit(
        self, unit: str, start: datetime = APRIL, end: datetime = JULY, *, by: str = "li", **more: Any
    ) -> UnitReport:
        ports = self.by(by)
        return unit_reports.submit(unit, start=self.at(start), end=self.at(end), ports=ports, now=NOW, **more)

    def accept(self, report: UnitReport, *, by: str = "wang", digest: str | None = None) -> UnitReport:
        return unit_reports.accept(report.id, digest=digest, ports=self.by(by), now=NOW)

    def send_back(self, report: UnitReport, why: str = "a case is missing") -> UnitReport:
        return unit_reports.send_back(report.id, why=why, ports=self.by("wang"), now=NOW)

    def show(self, report: UnitReport) -> UnitReport:
        return unit_reports.show(report.id, ports=self.home.ports)

    def summed(self, unit: str, start: datetime = APRIL, end: datetime = JULY) -> unit_reports.Sum:
        return unit_reports.summed(unit, start=self.at(start), end=self.at(end), ports=self.home.ports)

    def open_case(self, number: str, unit: str, start: datetime, **more: Any) -> str:
        number, start = f"{number}-{self.year}", self.at(start)
        body = CaseBody(number, "", ("7",), start, start + HOUR, unit=unit, **more)
        casework.open_case(body, ports=self.home.ports, now=NOW)
        return number

    def open_cases(self) -> None:
        """Cases of all units of the office, of which one has something that had to be recorded."""
        self.open_case("A-2", "010101", MAY, type="JC", kind=CaseKind.TASK)
        closed = self.open_case("B-1", "010102", APRIL, type="CF")
        casework.close_case(closed, ports=self.home.ports, now=NOW)
        self.open_case("C-1", "0101", JUNE)
        self.open_case("D-1", "0102", APRIL, type="JC")
        self.open_case("E-1", "010101", JULY, type="JC")
        checked, start = self.open_case("A-1", "010101", APRIL, type="JC"), self.at(APRIL)
        paper = Document("现场检查笔录", "1", "site_inspection", "JC-01", ("7",), start, start + HOUR)
        file_document(checked, paper, ports=self.home.ports, now=NOW)

    @contextmanager
    def tampered(self, report: UnitReport, **values: str) -> Iterator[None]:
        """Change a report's row as somebody who may write rows would, or take it away; put back at the end."""
        mine = table.c.id == report.id
        with self.home.ports.register.begin() as facts:
            row = dict(facts.connection.execute(select(table).where(mine)).mappings().one())
            facts.connection.execute(
                update(table).where(mine).values(**values) if values else delete(table).where(mine)
            )
        yield
        with self.home.ports.register.begin() as facts:
            facts.connection.execute(delete(table).where(mine))
            facts.connection.execute(insert(table).values(**row))

    def story(self, report: UnitReport) -> list[str]:
        return [event["kind"].removeprefix("unit-report-") for event in self.home.events(f"unit-report/{report.id}")]


@pytest.fixture(scope="module")
def homes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Home]]:
    """One installation for each engine, once it is asked for."""
    with ExitStack() as stack:

        @cache
        def home_on(engine: str) -> Home:
            settings = {} if engine == "sqlite" else {"register_url": database_url()}
            home = stack.enter_context(open_home(tmp_path_factory.mktemp(engine) / "home", **settings))
            for code, above in (("01", None), ("0101", "01"), ("010101", "0101"), ("010102", "0101"), ("0102", "01")):
                register_unit(Unit(code, f"单位{code}", above), ports=home.ports, now=NOW)
            return home

        yield home_on


@pytest.fixture(scope="module")
def years() -> Iterator[int]:
    return itertools.count(2026, -1)


@pytest.fixture(params=["sqlite", "postgresql"])
def agency(request: pytest.FixtureRequest, homes: Callable[[str], Home], years: Iterator[int]) -> Agency:
    return Agency(homes(request.param), next(years))


@pytest.fixture
def quick(homes: Callable[[str], Home], years: Iterator[int]) -> Agency:
    return Agency(homes("sqlite"), next(years))


# --- handing in, accepting, sending back ------------------------------------------------------------


def test_a_report_goes_up_two_steps_and_a_rebuild_brings_it_back(agency: Agency) -> None:
    agency.open_cases()
    first = agency.submit("010101")
    assert (first.above, first.state, first.steps) == ("0101", "submitted", 1)
    assert agency.accept(first, digest=first.digest.upper()).state == "accepted"
    sent = agency.submit("010102")
    assert agency.send_back(sent).why == "a case is missing"

    office = agency.submit("0101", by="wang")
    assert [one["number"] for one in office.body["cases"]] == [
        f"{name}-{agency.year}" for name in ("A-1", "A-2", "B-1", "C-1")
    ]
    assert [(one["id"], one["digest"], one["unit"]) for one in office.body["below"]] == [
        (first.id, first.digest, "010101")
    ]
    agency.accept(office, by="zhang")

    again = agency.submit("010102")
    assert (again.id, again.state, again.decided_by, again.why) == (sent.id, "submitted", None, None)
    assert agency.story(again) == ["submitted", "returned", "submitted"]
    agency.home.publish()
    assert agency.home.rebuilt()[1] == agency.home.facts()


def test_a_body_holds_the_cases_of_the_units_below_their_counts_and_their_coverage(quick: Agency) -> None:
    quick.open_cases()
    body = quick.submit("0101").body
    start, end = quick.at(APRIL), quick.at(JULY)
    matrix = matrix_of(ports=quick.home.ports, now=NOW, unit="0101", start=start, end=end)

    assert digest_of(json.loads(json.dumps(body))) == digest_of(body)
    assert body["by_type"] == [
        {"type": "CF", "cases": 1, "tasks": 0, "open": 0},
        {"type": "JC", "cases": 1, "tasks": 1, "open": 2},
        {"type": None, "cases": 1, "tasks": 0, "open": 1},
    ]
    assert [(one["unit"], one["cases"], one["rate"]) for one in body["by_unit"]] == [
        ("0101", 1, None),
        ("010101", 1, "0/1"),
        ("010102", 1, None),
    ]
    told = {"demanded": 1, "present": 0, "missing": 1, "invalid": 0, "awaited": 0, "late": 0, "extended": 0}
    assert body["coverage"] == {**told, "rate": "0/1"}
    assert (matrix.cases, matrix.total.demanded, matrix.total.rate) == (4, 1, Fraction(0))
    assert body["cases"][0] | {"id": ""} == {
        "id": "",
        "number": f"A-1-{quick.year}",
        "unit": "010101",
        "kind": "case",
        "type": "JC",
        "start_at": quick.text(APRIL),
        "state": "open",
        "rate": "0/1",
    }


def test_a_rate_says_of_how_many_and_is_not_reduced() -> None:
    assert rate_of({"present": 12, "demanded": 12}) == "12/12"
    assert rate_of({"present": 0, "demanded": 0}) is None


def test_whoever_handed_in_a_report_cannot_accept_it_under_another_spelling(agency: Agency) -> None:
    report = agency.submit("010101", by="Li")

    with pytest.raises(Refused, match="another person must accept"):
        agency.accept(report, by="ｌi")
    assert agency.story(report) == ["submitted"]


@pytest.mark.parametrize("start", [APRIL, JUNE], ids=["the same period", "a part of it"])
def test_a_period_is_reported_once(agency: Agency, start: datetime) -> None:
    report = agency.submit("010101")
    with pytest.raises(Conflict, match=f"{report.id} that is submitted"):
        agency.submit("010101", start)
    agency.accept(report)
    with pytest.raises(Conflict, match="accepted"):
        agency.submit("010101", start)


def test_the_next_period_begins_where_the_last_one_ended(quick: Agency) -> None:
    assert quick.submit("010101", APRIL, MAY).id != quick.submit("010101", MAY, JUNE).id


def test_of_several_that_were_sent_back_each_is_handed_in_for_its_own_period(quick: Agency) -> None:
    both = [quick.send_back(quick.submit("010101", *period)) for period in ((APRIL, MAY), (MAY, JUNE))]

    with pytest.raises(Conflict, match="each for its own period"):
        quick.submit("010101", APRIL, JUNE)
    assert quick.submit("010101", MAY, JUNE).id == both[1].id
    assert quick.submit("010101", APRIL, MAY).id == both[0].id


def test_a_report_that_was_handed_in_anew_is_not_the_one_that_was_looked_at(quick: Agency) -> None:
    seen = quick.submit("010101")
    quick.send_back(seen)
    quick.open_case("A-3", "010101", MAY)
    again = quick.submit("010101")

    with pytest.raises(Conflict, match="not what you looked at"):
        quick.accept(again, digest=seen.digest)
    assert quick.accept(again, digest=again.digest).state == "accepted"


def test_only_what_waits_can_be_accepted_and_nothing_is_sent_back_twice(quick: Agency) -> None:
    report = quick.submit("010101")
    quick.accept(report)
    with pytest.raises(WrongState, match="is accepted"):
        quick.accept(report)
    quick.send_back(report)
    with pytest.raises(WrongState, match="is returned"):
        quick.accept(report)
    with pytest.raises(WrongState, match="already"):
        quick.send_back(report)


def test_of_two_who_decide_at_once_the_second_must_look_again(agency: Agency, monkeypatch: pytest.MonkeyPatch) -> None:
    report, compare = agency.submit("010101"), is_same_person

    def and_then(one: str, other: str) -> bool:
        monkeypatch.undo()
        agency.send_back(report)
        return compare(one, other)

    monkeypatch.setattr(unit_reports, "is_same_person", and_then)
    with pytest.raises(Conflict, match="meanwhile: look at it again"):
        agency.accept(report)
    assert agency.story(report) == ["submitted", "returned"]


def test_what_the_report_above_counts_is_not_sent_back_under_it(quick: Agency) -> None:
    report = quick.submit("010101")
    quick.accept(report)
    office = quick.submit("0101", by="wang")

    with pytest.raises(Conflict, match=f"counted in the report {office.id}"):
        quick.send_back(report)
    quick.send_back(office)
    assert quick.send_back(report).state == "returned"
    assert quick.submit("0101").body["below"] == []


def refused(act: Callable[[], object], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        act()


def test_what_cannot_be_reported_is_refused_in_words(quick: Agency) -> None:
    refused(lambda: quick.submit("01"), BadInput, "at the top: there is no unit above it to report to")
    refused(lambda: quick.submit("77"), NotFound, "no unit '77'")
    refused(lambda: quick.submit("0101", JULY, APRIL), BadInput, "must end after it starts")
    later = replace(quick, year=NOW.year)
    refused(lambda: later.submit("0101", JULY, NOW.replace(day=2)), BadInput, "not over before 2026-08-02")
    refused(lambda: quick.send_back(quick.submit("0101"), "  "), BadInput, "say why")
    refused(lambda: unit_reports.show("rep-none", ports=quick.home.ports), NotFound, "no report 'rep-none'")


def test_units_that_change_while_a_report_is_counted_make_it_be_counted_again(quick: Agency) -> None:
    def move(_: float = 0.0, *, above: str = "01") -> None:
        register_unit(Unit("010201", "单位", above), ports=quick.home.ports, now=NOW)

    move(above="0102")
    quick.open_case("F-1", "010201", MAY)

    with pytest.raises(Conflict, match="changed meanwhile"):
        quick.submit("010201", progress=move)


# --- tampering --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "values",
    [
        {"body": '{"cases": []}'},
        {"body": "no JSON"},
        {"digest": "0" * 64},
        {"state": "accepted"},
        {"submitted_by": "cli:somebody"},
        {"above": "01"},
        {"end_at": "2026-06-01T00:00:00.000000Z"},
    ],
    ids=lambda values: "-".join(values) + f"-{len(str(values))}",
)
def test_a_changed_row_is_noticed_before_anything_is_decided(agency: Agency, values: dict[str, str]) -> None:
    report = agency.submit("010101")

    with agency.tampered(report, **values):
        for act in (agency.accept, agency.send_back, agency.show):
            with pytest.raises(LogInconsistent, match=next(iter(values))):
                act(report)
    assert agency.story(report) == ["submitted"]


def test_a_report_that_was_taken_out_of_the_rows_is_missed(quick: Agency) -> None:
    report = quick.submit("010101")

    with quick.tampered(report), pytest.raises(LogInconsistent, match="has no row"):
        quick.accept(report)


def recorded(agency: Agency, report: UnitReport, kind: str, **told: Any) -> None:
    """Write an event as a program that is not ours would."""
    happening = Happening(kind, f"unit-report/{report.id}", facts={"digest": told["digest"]}, detail=told.get("detail"))
    with agency.home.ports.register.begin() as facts:
        facts.record(happening, actor="cli:eve", at=NOW)


def test_an_acceptance_of_another_digest_accepts_nothing(agency: Agency) -> None:
    report = agency.submit("010101")
    recorded(agency, report, "unit-report-accepted", digest="0" * 64)

    with pytest.raises(LogInconsistent, match="not what was handed in"):
        agency.summed("0101")


def test_a_body_that_is_not_of_its_digest_or_of_another_unit_is_refused(quick: Agency) -> None:
    report = quick.submit("010101")
    about = {"unit": "010101", "above": "0101", "start_at": report.body["start_at"], "end_at": report.body["end_at"]}
    smaller = {**report.body, "by_type": [{"type": "JC", "cases": 9, "tasks": 0, "open": 0}]}

    recorded(quick, report, "unit-report-submitted", digest=report.digest, detail={**about, "body": smaller})
    with pytest.raises(LogInconsistent, match="not the one whose digest"):
        quick.accept(report)
    other = {"digest": report.digest, "detail": {**about, "unit": "010102", "body": dict(report.body)}}
    recorded(quick, report, "unit-report-submitted", **other)
    with pytest.raises(LogInconsistent, match="of another unit or period"):
        quick.accept(report)


# --- the sum ------------------------------------------------------------------------------------------


def test_a_sum_counts_what_was_accepted_and_names_who_has_not_reported(agency: Agency) -> None:
    agency.open_cases()
    for month, end in ((APRIL, MAY), (JUNE, JULY)):
        agency.accept(agency.submit("010101", month, end))
    waits = agency.submit("010102")

    found = agency.summed("0101")
    assert {name: found.total[name] for name in ("cases", "tasks", "open", "rate")} == {
        "cases": 1,
        "tasks": 0,
        "open": 1,
        "rate": "0/1",
    }
    assert found.by_type == ({"type": "JC", "cases": 1, "tasks": 0, "open": 1},)
    assert found.unreported == ("010101", "010102")
    assert [one.missing for one in found.units] == [
        ((agency.at(MAY), agency.at(JUNE)),),
        ((agency.at(APRIL), agency.at(JULY)),),
    ]

    agency.accept(agency.submit("010101", MAY, JUNE))
    agency.accept(waits)
    whole = agency.summed("0101")
    assert (whole.unreported, whole.total["cases"], whole.total["tasks"]) == ((), 2, 1)
    # A report of a quarter says nothing of one of its months.
    assert agency.summed("0101", MAY, JUNE).unreported == ("010102",)


# --- the commands -------------------------------------------------------------------------------------


def test_reports_on_the_command_line(quick: Agency, tmp_path: Path) -> None:
    quick.open_cases()
    home, file, sums = quick.home.settings.home, tmp_path / "report.csv", tmp_path / "sum.csv"
    period = ("--from", quick.text(APRIL), "--to", quick.text(JULY))

    def run(*words: str | Path, by: str, **more: str) -> Any:
        return evidock("unit", "report", *words, home=home, LOGNAME=by, **more)

    report = run("submit", "单位010101", *period, "--json", by="li").json
    assert run("accept", report["id"], by="li").status == 77
    assert run("accept", report["id"], "--digest", "0" * 64, by="wang").status == 77
    accepted = run("accept", report["id"], "--digest", report["digest"], by="wang", EVIDOCK_LANG="zh-CN")
    assert (accepted.status, "已审核通过" in accepted.out) == (0, True)

    listed = run("list", "--above", "0101", "--state", "accepted", "--json", by="li").json["reports"]
    assert (report["id"], "cli:wang") in [(one["id"], one["decided_by"]) for one in listed]
    assert run("list", "--state", "lost", by="li").status == 3
    shown = run("show", report["id"], "-o", file, by="li")
    assert (shown.status, "0/1" in shown.out) == (0, True)
    rows = list(csv.reader(io.StringIO(file.read_text("utf-8-sig"))))
    assert [row[0] for row in rows] == ["number", f"A-1-{quick.year}", f"A-2-{quick.year}"]
    assert run("show", report["id"], "-o", file, by="li").status == 3

    total = run("sum", "0101", *period, "--json", "-o", sums, by="li").json
    assert (total["total"]["cases"], total["unreported"]) == (1, ["010102"])
    assert "010102" in run("sum", "0101", *period, by="li").out
    assert sums.read_text("utf-8-sig").splitlines()[-1].startswith("in all,1,1,2,1,0,1,0,0,0/1")
    back = run("return", report["id"], "--why", "recount", by="wang")
    assert (back.status, "recount" in back.out) == (0, True)
