# SPDX-License-Identifier: Apache-2.0
"""This is where recordings and cases come in any order and change, and the links follow; a person's word stands."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from app import clocks
from devices.simulator.filming import TINY
from evidence.agency import Officer
from evidence.case import Document
from pipeline import case_papers, casework
from pipeline.linking import suggestions
from pipeline.people import register_officer
from storage.register import search
from tests.support.cameras import CAMERA
from tests.support.command import evidock
from tests.support.home import NOON, Home, dsj_name, open_home, track

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    with open_home(tmp_path / "home") as home:
        home.add_device("C1")
        home.add_device("C2")
        yield home


@dataclass(frozen=True, slots=True)
class Link:
    """One standing link, as the register holds it."""

    case: str
    reason: dict[str, Any]


def links(home: Home, recording: str) -> list[Link]:
    with home.ports.register.view() as connection:
        rows = search.links_of_recording(connection, recording)
    return [Link(row["case"], json.loads(row["reason"])) for row in rows]


def film(home: Home, at: datetime, *, officer: str = "000007", number: int = 0) -> str:
    name = dsj_name("C1", at=at, officer=officer)
    identifier: str = home.ingest_one(track(home.settings.home.parent / f"card{number}", name, number=number))["id"]
    return identifier


def shot(home: Home, *, officer: str, serial: str) -> str:
    """Four seconds of video at noon: cameras ran together only where they ran for a while."""
    camera = replace(CAMERA, serial=serial, officer=officer)
    folder = home.settings.home.parent / serial
    made = camera.record(folder, at=NOON, seconds=4, rate=Fraction(5), quality=TINY, has_sound=False)
    identifier: str = home.ingest_one(made.path, device=serial)["id"]
    return identifier


def revise(home: Home, number: str, **changes: Any) -> None:
    assert casework.revise_case(number, changes, ports=home.ports, now=clocks.now())


def unlink(home: Home, number: str, recording: str) -> None:
    casework.link(number, [recording], why="other street", withdraw=True, ports=home.ports, now=clocks.now())


def test_a_link_holds_its_rule_its_score_and_its_facts(home: Home) -> None:
    home.open_case("2026-1", "000007", start=NOON - HOUR, end=NOON + HOUR)
    [link] = links(home, film(home, NOON))
    assert link.reason["rule"] == "officer-window"
    assert link.reason["score"] == 930
    assert link.reason["officer"] == "000007"
    assert [one["rule"] for one in link.reason["reasons"]] == ["officer-window"]


def test_footage_that_was_indexed_before_its_case_is_linked_when_the_case_is_opened(home: Home) -> None:
    recording = film(home, NOON)
    assert home.open_case("2026-1", "000007", start=NOON - HOUR, end=NOON + HOUR) == 1
    assert home.cases_of(recording) == {"2026-1"}


def test_a_revised_window_takes_back_what_the_rule_linked_and_may_link_it_again(home: Home) -> None:
    home.open_case("2026-1", "000007", start=NOON - HOUR, end=NOON + HOUR)
    recording = film(home, NOON)
    revise(home, "2026-1", start=NOON + 5 * HOUR, end=NOON + 6 * HOUR)
    assert home.cases_of(recording) == set()
    assert home.unfiled() == [recording]
    revise(home, "2026-1", start=NOON - HOUR, end=NOON + HOUR)
    assert home.cases_of(recording) == {"2026-1"}
    with home.ports.register.view() as connection:
        story = [row["kind"] for row in search.events_of(connection, f"case/{search.case(connection, '2026-1')['id']}")]
    assert story == ["case-opened", "case-linked", "case-revised", "case-unlinked", "case-revised", "case-linked"]


def test_what_a_person_unlinked_is_linked_by_no_rule_again(home: Home) -> None:
    home.open_case("2026-1", "000007", start=NOON - HOUR, end=NOON + HOUR)
    recording = film(home, NOON)
    unlink(home, "2026-1", recording)
    revise(home, "2026-1", end=NOON + 2 * HOUR)
    film(home, NOON + HOUR, number=1)  # a neighbour that makes the rules think again
    assert home.cases_of(recording) == set()
    with home.ports.register.view() as connection:
        assert suggestions(connection, recording) == []


def test_what_a_person_linked_is_taken_back_by_no_rule(home: Home) -> None:
    home.open_case("2026-1", "000007", start=NOON + 5 * HOUR, end=NOON + 6 * HOUR)
    recording = film(home, NOON)
    assert home.cases_of(recording) == set()
    casework.link("2026-1", [recording], why="same shop", withdraw=False, ports=home.ports, now=clocks.now())
    revise(home, "2026-1", end=NOON + 7 * HOUR)
    assert home.cases_of(recording) == {"2026-1"}


def test_a_rule_that_took_back_its_link_and_a_person_who_took_another_are_told_apart(home: Home) -> None:
    home.open_case("2026-1", "000007", start=NOON - HOUR, end=NOON + HOUR)
    one, other = film(home, NOON), film(home, NOON + 20 * MINUTE, number=1)
    unlink(home, "2026-1", other)
    revise(home, "2026-1", start=NOON + 5 * HOUR, end=NOON + 6 * HOUR)
    revise(home, "2026-1", start=NOON - HOUR, end=NOON + HOUR)
    assert home.cases_of(one) == {"2026-1"}
    assert home.cases_of(other) == set()


def test_a_closed_case_gains_and_loses_nothing(home: Home) -> None:
    home.open_case("2026-1", "000007", start=NOON - HOUR, end=NOON + HOUR)
    recording = film(home, NOON)
    casework.close_case("2026-1", ports=home.ports, now=clocks.now())
    revise(home, "2026-1", start=NOON + 5 * HOUR, end=NOON + 6 * HOUR)
    film(home, NOON + 5 * HOUR, number=1)
    assert home.cases_of(recording) == {"2026-1"}


def test_a_paper_that_is_filed_later_finds_footage_that_the_window_did_not(home: Home) -> None:
    home.open_case("2026-1", "000007", start=NOON + 5 * HOUR, end=NOON + 6 * HOUR)
    recording = film(home, NOON)
    told = Document("现场检查笔录", number="1", start=NOON - MINUTE, end=NOON + MINUTE, officers=("000007",))
    paper, _ = case_papers.file_document("2026-1", told, ports=home.ports, now=clocks.now())
    assert {link.reason["rule"] for link in links(home, recording)} == {"officer-paper"}
    case_papers.withdraw_document("2026-1", paper, why="of another case", ports=home.ports, now=clocks.now())
    assert home.cases_of(recording) == set()


def test_a_second_case_of_an_hour_that_fits_better_takes_the_footage_over(home: Home) -> None:
    home.open_case("2026-1", "000007", start=NOON - 10 * MINUTE, end=NOON + HOUR)
    recording = film(home, NOON)
    home.open_case("2026-2", "000007", start=NOON - MINUTE, end=NOON + MINUTE)
    assert home.cases_of(recording) == {"2026-2"}


def test_a_colleagues_camera_beside_a_linked_one_is_linked_when_either_comes_last(home: Home) -> None:
    for number in ("000007", "000008"):
        officer = Officer(number, name=f"o{number}", unit="一中队")
        register_officer(officer, ports=home.ports, now=clocks.now())
    home.open_case("2026-1", "000007", "000009", start=NOON - HOUR, end=NOON + HOUR)
    beside = shot(home, officer="000008", serial="C2")
    assert home.cases_of(beside) == set()
    own = shot(home, officer="000007", serial="C1")
    assert home.cases_of(own) == home.cases_of(beside) == {"2026-1"}
    assert {link.reason["rule"] for link in links(home, beside)} == {"sibling"}


def test_footage_whose_officer_and_time_are_unknown_is_unfiled_and_breaks_nothing(home: Home) -> None:
    home.open_case("2026-1", "000007", start=NOON - HOUR, end=NOON + HOUR)
    recording = home.ingest_one(track(home.settings.home.parent / "card", "walk.nmea"))["id"]
    assert home.cases_of(recording) == set()


# --- the inbox ------------------------------------------------------------------------------------


def inbox(home: Home, *options: str) -> dict[str, Any]:
    said = evidock("inbox", *options, "--json", home=home.settings.home)
    assert said.status == 0, said.err
    return said.json


def waiting(home: Home) -> str:
    """A recording that is suggested for case 2026-1."""
    home.open_case("2026-1", "000007", start=NOON + 20 * MINUTE, end=NOON + 21 * MINUTE)
    return film(home, NOON)


def test_the_inbox_lists_what_no_case_holds_with_the_likeliest_case_and_why(home: Home) -> None:
    recording = waiting(home)
    [one] = inbox(home)["recordings"]
    assert one["id"] == recording
    assert [(it["case"], it["score"]) for it in one["suggestions"]] == [("2026-1", 500)]
    assert [it["rule"] for it in one["suggestions"][0]["reasons"]] == ["officer-near"]
    assert "near its time" in evidock("inbox", home=home.settings.home).out


def test_an_accepted_suggestion_is_a_persons_link(home: Home) -> None:
    recording = waiting(home)
    assert evidock("inbox", "accept", recording, "2026-1", home=home.settings.home).status == 0
    assert [link.reason["rule"] for link in links(home, recording)] == ["person"]
    assert inbox(home)["recordings"] == []


def test_a_dismissed_suggestion_is_made_no_more_and_linked_by_no_rule(home: Home) -> None:
    recording = waiting(home)
    done = evidock("inbox", "dismiss", recording, "2026-1", "--why", "a button test", home=home.settings.home)
    assert done.status == 0
    [one] = inbox(home)["recordings"]
    assert one["suggestions"] == []
    revise(home, "2026-1", start=NOON - MINUTE)
    assert home.cases_of(recording) == set()


def test_what_nothing_suggests_cannot_be_dismissed(home: Home) -> None:
    recording = film(home, NOON)
    home.open_case("2026-1", "000099", start=NOON + 5 * HOUR, end=NOON + 6 * HOUR)
    said = evidock("inbox", "dismiss", recording, "2026-1", "--why", "no", home=home.settings.home)
    assert "nothing suggests" in said.err


def test_the_inbox_is_given_out_page_by_page_and_by_unit(home: Home) -> None:
    register_officer(Officer("000007", name="o", unit="一中队"), ports=home.ports, now=clocks.now())
    theirs = [film(home, NOON + at * HOUR, number=at) for at in range(3)]
    other = film(home, NOON + 4 * HOUR, officer="000009", number=4)
    first = inbox(home, "--limit", "2", "--unit", "一中队")
    rest = inbox(home, "--limit", "2", "--unit", "一中队", "--after", first["next"])
    assert [one["id"] for one in (*first["recordings"], *rest["recordings"])] == theirs
    assert "next" not in rest
    assert [one["id"] for one in inbox(home)["recordings"]] == [*theirs, other]
