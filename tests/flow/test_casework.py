# SPDX-License-Identifier: Apache-2.0
"""Cases from opening to closing and back: what is written, what is refused, on each engine of the register."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from evidence.agency import Officer, Unit
from evidence.case import CaseBody, CaseKind, Document
from evidence.case_told import Delay, Draw, Party, Place
from evidence.errors import BadInput, Conflict, NotFound
from evidence.term import parse_term
from pipeline import case_papers, casework, conditions
from pipeline.people import register_officer
from pipeline.units import case_counts, register_unit
from storage.register import casebook, search
from tests.support.command import evidock
from tests.support.home import NOON, Home, dsj_name, open_home, track

HOUR = timedelta(hours=1)
NOW = NOON + timedelta(days=30)
CASE = CaseBody("2026-1", "检查", ("000007",), NOON - HOUR, NOON + HOUR)


@dataclass(frozen=True, slots=True)
class Desk:
    """An installation, and the shortest way to say what a person does there."""

    home: Home

    def do(self, act: Any, *told: Any, now: datetime = NOW, **more: Any) -> Any:
        return act(*told, **more, ports=self.home.ports, now=now)

    def case(self, number: str = "2026-1") -> dict[str, Any]:
        with self.home.ports.register.view() as connection:
            return dict(search.case(connection, number))

    def story(self, number: str = "2026-1") -> list[str]:
        return [event["kind"] for event in self.home.events(f"case/{self.case(number)['id']}")]

    def rebuilds(self) -> bool:
        """True when a register remade from the store alone holds the same."""
        self.home.publish()
        return bool(self.home.rebuilt()[1] == self.home.facts())


@pytest.fixture
def desk(tmp_path: Path, register_settings: dict[str, str]) -> Iterator[Desk]:
    with open_home(tmp_path / "home", **register_settings) as home:
        yield Desk(home)


@pytest.fixture
def quick(tmp_path: Path) -> Iterator[Desk]:
    with open_home(tmp_path / "home") as home:
        yield Desk(home)


# --- opening and revising -------------------------------------------------------------------------


def test_everything_told_of_a_case_and_its_papers_comes_back_and_rebuilds(desk: Desk) -> None:
    desk.do(register_unit, Unit("01", "市住建局"))
    desk.do(register_unit, Unit("0101", "执法一大队", "01"))
    officer = Officer("000007", "张三", "执法一大队", "队员", ("JC",), "城东", date(2026, 1, 1), None)
    desk.do(register_officer, officer)
    whole = replace(
        CASE,
        kind=CaseKind.TASK,
        item="JC-01",
        unit="0101",
        file_term=parse_term("P30Y"),
        source="csv",
        source_key="9",
        links=("site_inspection",),
        parties=(Party("某某", "123", "当事人"),),
        place=Place("28.2", "112.9", 200, "某路"),
        draw=Draw(subjects=("某某",), ratio="5%"),
    )
    desk.do(casework.open_case, whole)
    paper = Document("现场检查笔录", "1", "site_inspection", None, ("000007",), NOON, NOON + HOUR / 2)
    first, is_new = desk.do(case_papers.file_document, "2026-1", paper)
    assert (first, False) == desk.do(case_papers.file_document, "2026-1", paper)
    assert is_new
    window: dict[str, Any] = {"start": NOON, "end": NOON + HOUR / 6, "how": "spoken", "why": "换电池"}
    desk.do(case_papers.explain_gap, "2026-1", **window)
    desk.do(conditions.set_condition, "case", "2026-1", "PC-EVID", why="court")

    with desk.home.ports.register.view() as connection:
        assert casework.body_of(connection, desk.case()) == replace(whole, type="JC")
        assert search.officer(connection, "000007")["unit"] == "0101"  # type: ignore[index]
        assert [row["why"] for row in casebook.gaps_of(connection, desk.case()["id"])] == ["换电池"]
    assert desk.rebuilds()


def test_a_revised_case_links_what_its_wider_window_reaches_and_nothing_twice(quick: Desk, tmp_path: Path) -> None:
    quick.home.add_device("C1")
    taken = quick.home.ingest(
        *(track(tmp_path, dsj_name("C1", at=NOON + at * HOUR, officer="000007"), number=at) for at in (0, 3))
    )
    early, late = (one["id"] for one in taken["recordings"])
    assert quick.do(casework.open_case, CASE) == 1
    assert quick.home.cases_of(late) == set()
    assert quick.do(casework.revise_case, "2026-1", {"end": NOON + 4 * HOUR})
    assert quick.home.cases_of(early) == quick.home.cases_of(late) == {"2026-1"}
    assert quick.story() == ["case-opened", "case-linked", "case-revised", "case-linked"]


def test_a_link_that_a_person_withdrew_is_not_made_again_by_a_revision(quick: Desk, tmp_path: Path) -> None:
    quick.home.add_device("C1")
    recording = quick.home.ingest_one(track(tmp_path, dsj_name("C1", officer="000007")))["id"]
    quick.do(casework.open_case, CASE)
    quick.do(casework.link, "2026-1", [recording], why="other street", withdraw=True)
    quick.do(casework.revise_case, "2026-1", {"end": NOON + 2 * HOUR})
    assert quick.home.cases_of(recording) == set()


def test_telling_a_case_what_it_was_told_already_writes_nothing(quick: Desk) -> None:
    quick.do(casework.open_case, CASE)
    assert not quick.do(casework.revise_case, "2026-1", {"title": CASE.title, "officers": CASE.officers})
    assert quick.story() == ["case-opened"]


def test_a_number_that_another_unit_has_is_refused_and_the_unit_named(desk: Desk) -> None:
    desk.do(register_unit, Unit("01", "市住建局"))
    desk.do(casework.open_case, replace(CASE, unit="01"))
    with pytest.raises(Conflict, match=r"taken by a case of unit 01 \(市住建局\)"):
        desk.do(casework.open_case, CASE)
    desk.do(casework.open_case, replace(CASE, number="2026-2"))
    with pytest.raises(Conflict, match=r"taken by a case of unit 01 \(市住建局\)"):
        desk.do(casework.revise_case, "2026-2", {"number": "2026-1"})
    assert desk.story("2026-2") == ["case-opened"]


def test_a_case_of_a_unit_that_nobody_registered_is_refused(quick: Desk) -> None:
    with pytest.raises(NotFound, match="no unit '09'"):
        quick.do(casework.open_case, replace(CASE, unit="09"))


def test_a_case_of_an_unknown_type_or_link_is_refused(quick: Desk) -> None:
    with pytest.raises(BadInput, match="no type of the catalog"):
        quick.do(casework.open_case, replace(CASE, type="XX"))
    with pytest.raises(BadInput, match="no link of the catalog"):
        quick.do(casework.open_case, replace(CASE, links=("XX",)))


# --- closing and reopening ------------------------------------------------------------------------


def test_a_case_is_closed_as_of_an_earlier_moment_and_reopened_for_a_reason(desk: Desk) -> None:
    desk.do(casework.open_case, CASE)
    desk.do(casework.close_case, "2026-1", closed_at=NOON + 2 * HOUR)
    assert desk.case()["closed_at"] == "2026-06-19T06:00:00.000000Z"
    with pytest.raises(Conflict, match="was closed"):
        desk.do(casework.close_case, "2026-1")
    desk.do(casework.reopen_case, "2026-1", why="review")
    assert desk.case()["closed_at"] is None
    with pytest.raises(Conflict, match="is open"):
        desk.do(casework.reopen_case, "2026-1", why="review")
    desk.do(casework.close_case, "2026-1")
    assert desk.case()["closed_at"] == "2026-07-19T04:00:00.000000Z"
    assert desk.rebuilds()


def test_a_case_cannot_be_closed_in_the_future_or_before_it_began(quick: Desk) -> None:
    quick.do(casework.open_case, CASE)
    with pytest.raises(BadInput, match="in the future"):
        quick.do(casework.close_case, "2026-1", closed_at=NOW + HOUR)
    with pytest.raises(BadInput, match="before it began"):
        quick.do(casework.close_case, "2026-1", closed_at=CASE.start - HOUR)
    assert quick.case()["closed_at"] is None


def test_a_case_that_was_reopened_is_not_closed_as_of_before_that(quick: Desk) -> None:
    """Its terms begin anew with the reopening: a closing of years ago would end them at once."""
    quick.do(casework.open_case, CASE)
    quick.do(casework.close_case, "2026-1", closed_at=NOON + HOUR)
    quick.do(casework.reopen_case, "2026-1", why="review", now=NOW + HOUR)
    with pytest.raises(BadInput, match="before that"):
        quick.do(casework.close_case, "2026-1", closed_at=NOON + HOUR, now=NOW + 2 * HOUR)
    quick.do(casework.close_case, "2026-1", closed_at=NOW + HOUR, now=NOW + 2 * HOUR)


def test_a_case_is_not_reopened_without_a_reason(quick: Desk) -> None:
    quick.do(casework.open_case, CASE)
    quick.do(casework.close_case, "2026-1")
    with pytest.raises(BadInput, match="say why"):
        quick.do(casework.reopen_case, "2026-1", why=" ")


def test_the_file_of_a_closed_case_is_not_kept_shorter_without_reopening(quick: Desk) -> None:
    quick.do(casework.open_case, replace(CASE, file_term=parse_term("P30Y")))
    quick.do(casework.close_case, "2026-1")
    for shorter in (parse_term("P10Y"), None):
        with pytest.raises(Conflict, match="reopen it first"):
            quick.do(casework.revise_case, "2026-1", {"file_term": shorter})
    assert quick.do(casework.revise_case, "2026-1", {"file_term": parse_term("permanent")})
    quick.do(casework.reopen_case, "2026-1", why="wrong term")
    assert quick.do(casework.revise_case, "2026-1", {"file_term": parse_term("P10Y")})


def test_nothing_is_linked_by_rule_to_a_closed_case_and_all_of_it_once_it_is_reopened(
    quick: Desk, tmp_path: Path
) -> None:
    quick.do(casework.open_case, CASE)
    quick.do(casework.close_case, "2026-1")
    quick.home.add_device("C1")
    recording = quick.home.ingest_one(track(tmp_path, dsj_name("C1", officer="000007")))["id"]
    assert quick.home.cases_of(recording) == set()
    quick.do(casework.reopen_case, "2026-1", why="late footage")
    assert quick.home.cases_of(recording) == {"2026-1"}


# --- papers, gaps, conditions ---------------------------------------------------------------------


def test_a_document_of_the_same_number_is_changed_not_doubled_and_withdrawn_for_a_reason(quick: Desk) -> None:
    quick.do(casework.open_case, CASE)
    first, _ = quick.do(case_papers.file_document, "2026-1", Document("笔录", "1", start=NOON))
    again, is_new = quick.do(case_papers.file_document, "2026-1", Document("笔录", "1", start=NOON + HOUR))
    other, _ = quick.do(case_papers.file_document, "2026-1", Document("笔录", "2"))
    assert (again, is_new) == (first, True)
    assert other != first
    assert quick.do(case_papers.withdraw_document, "2026-1", "1", why="wrong case") == first
    with pytest.raises(NotFound, match="no document '1'"):
        quick.do(case_papers.withdraw_document, "2026-1", "1", why="wrong case")
    with quick.home.ports.register.view() as connection:
        assert [row["id"] for row in casebook.documents_of(connection, quick.case()["id"])] == [other]
    assert quick.rebuilds()


def test_numbers_of_cases_and_documents_are_not_in_the_public_log(quick: Desk) -> None:
    quick.do(casework.open_case, replace(CASE, number="长建罚字7"))
    quick.do(case_papers.file_document, "长建罚字7", Document("笔录", "长建罚字7"))
    public = "".join(event["note"] for event in quick.home.events(f"case/{quick.case('长建罚字7')['id']}"))
    assert "document-filed" in public
    assert "长建罚字" not in public


def test_a_document_with_a_code_the_catalog_lacks_is_refused(quick: Desk) -> None:
    quick.do(casework.open_case, CASE)
    with pytest.raises(BadInput, match="no link"):
        quick.do(case_papers.file_document, "2026-1", Document("笔录", link="XX"))


def test_the_same_interruption_is_not_explained_twice(quick: Desk) -> None:
    quick.do(casework.open_case, CASE)
    told: dict[str, Any] = {"start": NOON, "end": NOON + HOUR, "how": "written", "why": "换电池"}
    quick.do(case_papers.explain_gap, "2026-1", **told)
    with pytest.raises(Conflict, match="already"):
        quick.do(case_papers.explain_gap, "2026-1", **told)
    with pytest.raises(BadInput, match="spoken or written"):
        quick.do(case_papers.explain_gap, "2026-1", **told | {"how": "sung"})
    with pytest.raises(BadInput, match="has not ended"):
        quick.do(case_papers.explain_gap, "2026-1", **told | {"end": NOW + HOUR})


def test_a_delay_is_explained_once_and_by_codes_of_the_catalog(quick: Desk) -> None:
    quick.do(casework.open_case, CASE)
    told = Delay("异地办案", link="site_inspection", returned=NOON)
    quick.do(casework.explain_delay, "2026-1", told)
    with pytest.raises(Conflict, match="already"):
        quick.do(casework.explain_delay, "2026-1", told)
    with pytest.raises(BadInput, match="still to come"):
        quick.do(casework.explain_delay, "2026-1", replace(told, returned=NOW + HOUR))
    for wrong, word in ((Delay("x", item="XX-1"), "no item"), (Delay("x", link="XX"), "no link")):
        with pytest.raises(BadInput, match=word):
            quick.do(casework.explain_delay, "2026-1", wrong)
    quick.do(casework.revise_case, "2026-1", {"title": "x"})
    assert json.loads(quick.case()["told"]) == {
        "delays": [{"link": "site_inspection", "returned_at": "2026-06-19T04:00:00.000000Z", "why": "异地办案"}]
    }


def test_a_condition_is_set_and_lifted_for_a_reason_on_a_case_or_a_recording(quick: Desk, tmp_path: Path) -> None:
    quick.do(casework.open_case, CASE)
    recording = quick.home.ingest_one(track(tmp_path))["id"]
    for noun, name in (("case", "2026-1"), ("recording", recording)):
        quick.do(conditions.set_condition, noun, name, "PC-EVID", why="court")
        with pytest.raises(Conflict, match="stands"):
            quick.do(conditions.set_condition, noun, name, "PC-EVID", why="court")
        with pytest.raises(BadInput, match="no condition of the catalog"):
            quick.do(conditions.set_condition, noun, name, "PC-NONE", why="court")
        with pytest.raises(BadInput, match="say why"):
            quick.do(conditions.lift_condition, noun, name, "PC-EVID", why="")
        quick.do(conditions.lift_condition, noun, name, "PC-EVID", why="settled")
        with pytest.raises(NotFound, match="does not stand"):
            quick.do(conditions.lift_condition, noun, name, "PC-EVID", why="settled")
    assert quick.rebuilds()


# --- units ----------------------------------------------------------------------------------------


def test_a_unit_may_be_renamed_and_moved_but_never_under_itself(quick: Desk) -> None:
    quick.do(register_unit, Unit("01", "局"))
    quick.do(register_unit, Unit("02", "大队", "01"))
    assert not quick.do(register_unit, Unit("02", "大队", "01"))
    assert quick.do(register_unit, Unit("02", "一大队", "01"))
    with pytest.raises(Conflict, match="circle"):
        quick.do(register_unit, Unit("01", "局", "02"))
    with pytest.raises(BadInput, match="not registered"):
        quick.do(register_unit, Unit("03", "队", "09"))
    assert quick.rebuilds()


def test_cases_are_counted_up_the_tree_of_units(desk: Desk) -> None:
    for unit in (Unit("01", "局"), Unit("0101", "一大队", "01"), Unit("0102", "二大队", "01")):
        desk.do(register_unit, unit)
    for number, unit_code in enumerate(("01", "0101", "0101", "0102")):
        kind = CaseKind.TASK if number == 1 else CaseKind.CASE
        desk.do(casework.open_case, replace(CASE, number=str(number), unit=unit_code, kind=kind))
    desk.do(casework.close_case, "3")
    with desk.home.ports.register.view() as connection:
        assert case_counts(connection) == {"01": (3, 1, 3), "0101": (1, 1, 2), "0102": (1, 0, 0)}
        assert case_counts(connection, start=NOON)["01"] == (0, 0, 0)


# --- the command line -----------------------------------------------------------------------------


def test_the_commands_tell_the_whole_life_of_a_case(tmp_path: Path) -> None:
    home = tmp_path / "home"

    def run(*words: str, status: int = 0) -> dict[str, Any]:
        said = evidock(*words, "--json", home=home)
        assert said.status == status, said.err
        return said.json

    run("unit", "add", "01", "市住建局")
    run("unit", "add", "0101", "执法一大队", "--parent", "01")
    run(
        "officer",
        "add",
        "7",
        "--name",
        "张三",
        "--unit",
        "执法一大队",
        "--type",
        "行政检查",
        "--valid-to",
        "2027-12-31",
    )
    run("officer", "add", "7", "--post", "队长")
    (officer,) = run("officer", "list")["officers"]
    assert (officer["name"], officer["unit"], officer["post"], officer["types"]) == ("张三", "0101", "队长", ["JC"])
    window = ("--from", "2026-06-19T10:00:00+08:00", "--to", "2026-06-19T12:00:00+08:00")
    told = ("--unit", "执法一大队", "--type", "行政检查", "--link", "现场检查", "--party", "某某;123")
    run("case", "new", "2026-1", "--officer", "7", *window, *told, "--place", "28.2;112.9;200;某路")
    assert run("case", "revise", "2026-1", "--file-term", "30年", "--clear", "parties")["changed"]
    assert not run("case", "revise", "2026-1", "--file-term", "30年")["changed"]
    assert "emptied" in run("case", "revise", "2026-1", "--clear", "number", status=3)["message"]
    paper = run("case", "document", "2026-1", "笔录", "--number", "1", "--link", "现场检查", *window)["document"]
    run("case", "gap", "2026-1", *window, "--why", "换电池", "--how", "spoken")
    run("case", "delay", "2026-1", "--link", "现场检查", "--why", "异地", "--returned", "2026-06-21T09:00:00+08:00")
    run("case", "condition", "2026-1", "PC-EVID", "--why", "court")
    run("case", "close", "2026-1", "--at", "2026-06-30T10:00:00+08:00")
    run("case", "reopen", "2026-1", "--why", "申诉")
    run("case", "document", "2026-1", paper, "--withdraw", "--why", "双份")
    shown = run("case", "show", "2026-1")
    assert (shown["unit"], shown["type"], shown["file_term"], shown["closed_at"]) == ("0101", "JC", "P30Y", None)
    assert shown["told"]["place"] == {"lat": "28.2", "lon": "112.9", "name": "某路", "radius_m": 200}
    assert "parties" not in shown["told"]
    said = " ".join(evidock("case", "show", "2026-1", home=home).out.split())
    assert "condition PC-EVID, cli:" in said
    assert "handed in late site_inspection: 异地 (back at 2026-06-21 09:00:00+08:00)" in said
    assert "place 某路 28.2, 112.9, 200 m" in said
    assert (shown["documents"], len(shown["gaps"]), shown["conditions"][0]["code"]) == ([], 1, "PC-EVID")
    assert [one["number"] for one in run("case", "list", "--unit", "01", "--open")["cases"]] == ["2026-1"]
    assert run("case", "list", "--closed")["cases"] == []
    assert [one["cases"] for one in run("unit", "tree", "--cases")["units"]] == [1, 1]
    assert evidock("unit", "tree", "--cases", home=home).status == 0
