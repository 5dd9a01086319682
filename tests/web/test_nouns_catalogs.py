# SPDX-License-Identifier: Apache-2.0
"""The recording catalog, what it asks of cases, and until when recordings are kept, over HTTP: as the commands tell."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from app import clocks
from evidence import instant
from pipeline import retain
from tests.support.command import evidock
from tests.support.home import open_home
from tests.support.people import OURS, THEIRS, Hall, hall_of_people
from tests.support.rule_changes import LONGER, SHORTER, catalog_text


@pytest.fixture(scope="module")
def hall(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hall]:
    with open_home(tmp_path_factory.mktemp("rules") / "home") as home, hall_of_people(home) as hall:
        yield hall


def said(hall: Hall, *arguments: str) -> dict[str, Any]:
    """What the command line tells of the same installation."""
    return evidock(*arguments, "--json", home=Path(hall.home.settings.home)).json


def address(version: str) -> str:
    """The address of a version of the catalog."""
    return f"/catalogs/{quote(version, safe='')}"


def proposal(version: str, **more: Any) -> dict[str, Any]:
    """A proposal to let a catalog count in a month."""
    at = instant.to_text(clocks.now() + timedelta(days=30))
    classes = more.pop("classes", None)
    text = catalog_text(version, classes=classes).decode()
    return {"text": text, "effective_from": at, "why": "annual revision"} | more


# --- the catalog ----------------------------------------------------------------------------------


def test_a_catalog_is_proposed_looked_at_and_approved_by_another_person(hall: Hall) -> None:
    legal, approver = hall["legal"], hall["approver"]
    before = legal.get("/catalogs").json()
    assert before == said(hall, "catalog", "versions")
    first = legal.post("/catalogs", proposal("1"), Idempotency_Key="first")
    assert (first.status_code, first.json()["adopted"]) == (201, True), first.text
    assert legal.post("/catalogs", proposal("1"), Idempotency_Key="again").status_code == 409

    later = instant.to_text(clocks.now() + timedelta(days=60))
    second = legal.post("/catalogs", proposal("2", classes=LONGER, effective_from=later)).json()
    assert (second["adopted"], [one["item"] for one in second["change"]["changed"]]) == (False, ["JC-01"])
    at = address(second["catalog"])
    assert legal.post(f"{at}/approve", {}).status_code == 403
    assert approver.get(f"{at}/review").json()["change"] == second["change"]
    approved = approver.post(f"{at}/approve", {"why": "as agreed"})
    assert (approved.status_code, approved.json()["adopted"]) == (200, True), approved.text

    filed = legal.post(f"{at}/filing", {"status": "已备案", "on": "2026-12-03", "body": "市司法局"})
    assert filed.status_code == 200, filed.text
    assert legal.get("/catalogs").json() == said(hall, "catalog", "versions")
    assert legal.post(f"{at}/withdraw", {"why": "too early"}).json()["withdrawn"] is True


def test_a_catalog_that_shortens_is_stopped_by_the_brake_and_the_cool_off(hall: Hall) -> None:
    legal, quarter = hall["legal"], instant.to_text(clocks.now() + timedelta(days=90))
    told = proposal("9", classes=SHORTER, shorten=["JC-01"], effective_from=quarter)
    stopped = legal.post("/catalogs", told)
    assert (stopped.status_code, stopped.json()["code"]) == (409, "refused"), stopped.text
    assert "brake" in stopped.json()["detail"]
    soon = legal.post("/catalogs", told | {"over_brake": "a ruling", "effective_from": instant.to_text(clocks.now())})
    assert (soon.status_code, soon.json()["code"]) == (400, "bad-input"), soon.text
    made = legal.post("/catalogs", told | {"over_brake": "a ruling"})
    assert made.status_code == 201, made.text
    assert made.json()["adopted"] is False
    other = {"over_brake": "the same", "shorter": 1}
    assert hall["approver"].post(f"{address(made.json()['catalog'])}/approve", other).status_code == 409


def test_the_text_of_a_catalog_is_given_as_it_was_proposed(hall: Hall) -> None:
    configured = hall["officer"].get("/catalogs").json()["configured"]
    shown = hall["officer"].get(address(configured))
    assert shown.json()["text"].encode() == hall.home.ports.catalog_text
    again = hall["officer"].ask("GET", address(configured), headers={"If-None-Match": shown.headers["etag"]})
    assert again.status_code == 304
    assert hall["officer"].get(address("avcat-none@1")).status_code == 404


@pytest.mark.parametrize("text", ["no: catalog", "a: &a [*a]", "!!python/object/apply:os.system ['true']", "\x00"])
def test_what_is_no_catalog_is_refused_and_changes_nothing(hall: Hall, text: str) -> None:
    before = hall["legal"].get("/catalogs").json()
    refused = hall["legal"].post("/catalogs", proposal("3") | {"text": text})
    assert refused.status_code in (400, 422), refused.text
    assert hall["legal"].get("/catalogs").json() == before


# --- coverage -------------------------------------------------------------------------------------


def test_coverage_of_a_case_is_what_the_command_tells(hall: Hall) -> None:
    told = said(hall, "catalog", "coverage", "--case", "A-own")
    for role in ("officer", "investigator", "auditor"):
        assert hall[role].get("/coverage/cases/A-own").json() == told, role
    assert hall["investigator"].get("/coverage/cases/A-other").status_code == 404
    assert hall["officer"].get("/coverage/cases/A-restricted").status_code == 404


def test_the_matrix_counts_no_case_that_is_out_of_reach(hall: Hall) -> None:
    everything = hall["auditor"].get("/coverage").json()
    assert everything == said(hall, "catalog", "coverage")
    assert everything["cases"] == 3
    ours = hall["investigator"].get("/coverage").json()
    assert (ours["cases"], [one["unit"] for one in ours["units"]]) == (1, [OURS])
    assert hall["investigator"].get("/coverage", unit=THEIRS).json()["cases"] == 0
    assert hall["auditor"].get("/coverage", unit="99").status_code == 404
    assert hall["auditor"].get("/coverage", **{"from": "2099-01-01T00:00:00Z"}).json()["cases"] == 0


# --- keeping --------------------------------------------------------------------------------------


def test_why_a_recording_is_kept_is_told_as_the_command_tells_it(hall: Hall) -> None:
    own = hall.recordings["own"]
    told = said(hall, "retention", "explain", own)
    shown = hall["officer"].get(f"/retention/{own}").json()
    assert shown["recomputes"] is True
    assert {**shown, "now": ""} == {**told, "now": ""}
    assert hall["officer"].get(f"/retention/{hall.recordings['other']}").status_code == 404


def test_what_is_due_is_listed_only_within_reach(hall: Hall) -> None:
    assert hall["auditor"].get("/retention").json()["swept"] is None
    retain.sweep(hall.home.ports, clocks.now() + timedelta(days=365 * 40))
    everything = hall["auditor"].get("/retention").json()
    assert everything["items"] == said(hall, "retention", "due")["due"]
    found = {one["id"] for one in hall["investigator"].get("/retention").json()["items"]}
    assert found <= {hall.recordings["own"]}
    assert hall["auditor"].get("/retention", until="1999-01-01T00:00:00Z").json()["items"] == []
