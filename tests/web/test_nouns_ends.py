# SPDX-License-Identifier: Apache-2.0
"""What is due is appraised, put on a list by one person, agreed to by another and taken back, over HTTP."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from app import clocks
from pipeline import agree, holds, retain
from pipeline.appraise import Wish, appraise
from pipeline.deciding import judge_at
from pipeline.holds import Target
from tests.support.command import evidock
from tests.support.home import open_home
from tests.support.people import OFFICER, STRANGER, Hall, hall_of_people
from tests.support.rule_changes import SHORTER, adopt_first, fill


@dataclass(frozen=True, slots=True)
class Ending:
    """An installation where recordings are due: `ours` of our officer, `theirs` of another unit."""

    hall: Hall
    ours: list[str]
    theirs: list[str]

    def said(self, *arguments: str) -> dict[str, Any]:
        """What the command line tells of the same installation."""
        return evidock(*arguments, "--json", home=Path(self.hall.home.settings.home)).json

    def appraised(self, names: list[str]) -> None:
        """They are appraised for disposal, by who may see them."""
        told = {"decision": "dispose", "recordings": names, "why": "no longer of use"}
        made = self.hall["legal"].post("/appraisals", told)
        assert made.status_code == 201, made.text

    def proposed(self, names: list[str]) -> dict[str, Any]:
        """They are on a list that waits for another person."""
        self.appraised(names)
        made = self.hall["legal"].post("/disposals", {"why": "terms are over", "recordings": names})
        assert made.status_code == 201, made.text
        return dict(made.json())


@pytest.fixture(scope="module")
def ending(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ending]:
    with open_home(tmp_path_factory.mktemp("ends") / "home") as home:
        catalog = adopt_first(home, classes=SHORTER, now=clocks.now() - timedelta(days=1))
        with hall_of_people(home) as hall:
            ours = fill(home, 8, catalog=catalog, officer=OFFICER)
            theirs = fill(home, 2, catalog=catalog, officer=STRANGER)
            retain.sweep(home.ports, clocks.now())
            yield Ending(hall, ours, theirs)


def test_what_is_due_is_listed_within_reach_as_the_command_lists_it(ending: Ending) -> None:
    everything = ending.hall["auditor"].get("/appraisals").json()["items"]
    assert everything == ending.said("appraise", "list")["due"]
    assert {one["id"] for one in everything} == {*ending.ours, *ending.theirs}
    within = {one["id"] for one in ending.hall["legal"].get("/appraisals").json()["items"]}
    assert within == set(ending.ours)


def test_nobody_appraises_what_is_out_of_reach_or_without_a_reason(ending: Ending) -> None:
    told = {"decision": "dispose", "recordings": [ending.ours[0], ending.theirs[0]], "why": "old"}
    assert ending.hall["legal"].post("/appraisals", told).status_code == 404
    assert ending.hall["officer"].post("/appraisals", told | {"recordings": ending.ours[:1]}).status_code == 403
    assert ending.hall["legal"].post("/appraisals", told | {"why": ""}).status_code == 400
    own = told | {"recordings": ending.ours[:1], "decision": "keep"}
    assert ending.hall["legal"].post("/appraisals", own).status_code == 400, "keeping needs a date"
    assert ending.said("appraise", "list")["due"], "nothing was decided"


def test_a_list_is_proposed_by_one_person_approved_by_another_and_taken_back(ending: Ending) -> None:
    legal, approver = ending.hall["legal"], ending.hall["approver"]
    made = ending.proposed(ending.ours[:2])
    at = f"/disposals/{made['id']}"
    assert legal.post(f"{at}/approve", {}).status_code == 403, "whoever proposes approves nothing"
    tag = approver.get(at).headers["etag"]
    agreed, again = (approver.post(f"{at}/approve", {}, If_Match=tag, Idempotency_Key="agreed") for _ in range(2))
    assert agreed.status_code == 200, agreed.text
    assert (again.status_code, again.json()) == (200, agreed.json()), "an answer that got lost is given again"
    assert agreed.json()["approved_by"] == approver.actor.id
    assert approver.post(f"{at}/approve", {}).status_code == 409, "nothing waits any more"
    told = ending.said("dispose", "show", made["id"])
    assert ending.hall["auditor"].get(at).json() == told
    assert legal.get(f"{at}/register").json() == {"disposal": made["id"], "is_finished": False, "lines": []}

    some = legal.post(f"{at}/undo", {"why": "a complaint", "recordings": ending.ours[:1]})
    assert some.json()["withdrawn"] == ending.ours[:1], some.text
    assert legal.post(f"{at}/undo", {"why": "all of it"}).json()["is_withdrawn"] is True
    assert legal.post(f"{at}/undo", {"why": "again"}).status_code == 409


def test_a_hold_that_came_later_stops_the_approval(ending: Ending) -> None:
    made = ending.proposed(ending.ours[2:4])
    target = Target(ending.ours[2], None)
    ports = ending.hall.home.ports
    holds.place(target, why="a lawsuit", authority="a court", ports=ports, now=clocks.now())
    stopped = ending.hall["approver"].post(f"/disposals/{made['id']}/approve", {})
    assert (stopped.status_code, stopped.json()["code"]) == (409, "conflict"), stopped.text


def test_a_list_without_names_is_of_all_that_is_appraised_within_reach(ending: Ending) -> None:
    ending.appraised(ending.ours[7:8])
    made = ending.hall["legal"].post("/disposals", {"why": "all of it"})
    assert made.status_code == 201, made.text
    assert ending.ours[7] in {one["recording"] for one in made.json()["entries"]}
    assert not {one["recording"] for one in made.json()["entries"]} & set(ending.theirs)
    undone = ending.hall["legal"].post(f"/disposals/{made.json()['id']}/undo", {"why": "not yet"})
    assert undone.status_code == 200, undone.text
    nothing = ending.hall["legal"].post("/disposals", {"why": "again", "recordings": []})
    assert nothing.status_code == 400, nothing.text


def test_what_is_not_appraised_is_on_no_list(ending: Ending) -> None:
    refused = ending.hall["legal"].post("/disposals", {"why": "old", "recordings": ending.ours[4:5]})
    assert refused.status_code == 409, refused.text
    for role in ("officer", "investigator", "auditor", "admin"):
        assert ending.hall[role].post("/disposals", {"why": "old"}).status_code == 403, role


def test_lists_tell_nobody_of_what_is_out_of_reach(ending: Ending) -> None:
    made = ending.proposed(ending.ours[5:6])
    listed = ending.hall["officer"].get("/disposals").json()["items"]
    assert made["id"] in {one["id"] for one in listed}
    assert [one["id"] for one in ending.hall["auditor"].get("/disposals").json()["items"]] == [
        one["id"] for one in reversed(ending.said("dispose", "list")["lists"])
    ]
    unknown = ending.hall["officer"].get("/disposals/dis-aaaaaaaaaaaaaaaa")
    assert unknown.status_code == 404


def test_a_list_over_two_units_shows_each_what_is_theirs_and_is_approved_by_nobody_who_sees_half(
    ending: Ending,
) -> None:
    mixed, hall = [ending.ours[6], ending.theirs[0]], ending.hall
    told = {"decision": "dispose", "why": "no longer of use"}
    ending.appraised(mixed[:1])
    ports, now = hall.home.with_ports(actor="cli:ann").ports, clocks.now()
    appraise(mixed[1:], Wish.DISPOSE, why="old", judge=judge_at(ports, now), ports=ports, now=now)
    refused = hall["legal"].post("/disposals", {"why": "old", "recordings": mixed})
    assert refused.status_code == 404, "nobody proposes what they do not see"
    assert hall["legal"].post("/appraisals", told | {"recordings": mixed}).status_code == 404
    grace, most = ports.keeping.grace, ports.keeping.largest_list
    made = agree.propose(mixed, why="old", judge=judge_at(ports, now), most=most, grace=grace, ports=ports, now=now)
    shown = hall["approver"].get(f"/disposals/{made}")
    assert [one["recording"] for one in shown.json()["entries"]] == mixed[:1]
    assert [one["count"] for one in hall["approver"].get("/disposals").json()["items"] if one["id"] == made] == [1]
    tag = shown.headers["etag"]
    half = hall["approver"].post(f"/disposals/{made}/approve", {}, If_Match=tag)
    assert (half.status_code, half.json()["code"]) == (409, "refused"), half.text
