# SPDX-License-Identifier: Apache-2.0
"""Devices, officers, units, docks, jobs, what was put aside, and holds over HTTP: as the command line tells them."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from app import clocks
from evidence.device import Device
from pipeline.devices_register import register_device
from pipeline.docks import Invitation, invite
from storage.register import jobs
from tests.support.command import evidock
from tests.support.home import open_home
from tests.support.people import OFFICER, OURS, STRANGER, THEIRS, Hall, Person, hall_of_people

OUR_DEVICE, THEIR_DEVICE = "CAM-OURS", "CAM-THEIRS"


@pytest.fixture(scope="module")
def hall(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hall]:
    with open_home(tmp_path_factory.mktemp("nouns") / "home") as home, hall_of_people(home) as hall:
        for serial, unit in ((OUR_DEVICE, OURS), (THEIR_DEVICE, THEIRS)):
            register_device(Device(serial, unit=unit), ports=home.ports, now=clocks.now())
            invite(Invitation(f"dock of {serial}", unit=unit), ports=home.ports, now=clocks.now())
        garbage = Path(home.settings.home) / "cards" / "broken.mp4"
        garbage.write_bytes(b"no film at all" * 99)
        assert home.ingest(garbage)["quarantined"]
        yield hall


def said(hall: Hall, *arguments: str) -> dict[str, Any]:
    """What the command line tells of the same installation."""
    return evidock(*arguments, "--json", home=Path(hall.home.settings.home)).json


def items(person: Person, path: str, **params: Any) -> list[dict[str, Any]]:
    """All of a list, two at a time."""
    found: list[dict[str, Any]] = []
    after: dict[str, Any] = {}
    while True:
        answer = person.get(path, limit=2, **params, **after)
        assert answer.status_code == 200, answer.text
        found += answer.json()["items"]
        if answer.json()["next"] is None:
            return found
        after = {"after": answer.json()["next"]}


def as_told(told: dict[str, Any], shown: dict[str, Any]) -> dict[str, Any]:
    """The same fields of both; the command line writes some truths as numbers."""
    return {name: bool(told[name]) if isinstance(shown[name], bool) else told[name] for name in shown if name in told}


# --- what is told is what the command line tells ------------------------------------------------


@pytest.mark.parametrize(
    ("path", "command", "key"),
    [
        ("/devices", "device", "serial"),
        ("/officers", "officer", "number"),
        ("/units", "unit", "code"),
        ("/docks", "dock", "id"),
    ],
)
def test_a_list_is_what_the_command_line_lists(hall: Hall, path: str, command: str, key: str) -> None:
    told = {one[key]: one for one in said(hall, command, "list")[path.strip("/")]}
    shown = items(hall["admin"], path)
    assert [one[key] for one in shown] == sorted(told)
    for one in shown:
        assert as_told(told[one[key]], one) == {name: one[name] for name in one if name in told[one[key]]}


def test_a_device_is_told_as_the_command_line_tells_it(hall: Hall) -> None:
    told, shown = said(hall, "device", "show", OUR_DEVICE), hall["admin"].get(f"/devices/{OUR_DEVICE}").json()
    assert as_told(told, shown) == shown


def test_how_units_are_equipped_is_told_as_the_command_line_tells_it(hall: Hall) -> None:
    told = said(hall, "device", "ratio", "--on", "2026-06-19")
    assert hall["admin"].get("/equipment", on="2026-06-19").json() == told


def test_a_dock_is_told_with_what_became_of_it(hall: Hall) -> None:
    [dock] = [one for one in items(hall["admin"], "/docks") if one["unit"] == OURS][:1]
    told, shown = said(hall, "dock", "show", dock["id"]), hall["admin"].get(f"/docks/{dock['id']}").json()
    assert shown["custody"] == told["custody"]
    assert shown["dockings"] == []


# --- what is not within reach is not there --------------------------------------------------------


@pytest.mark.parametrize("role", ["officer", "investigator", "legal", "approver", "service"])
def test_nobody_is_shown_devices_docks_or_officers_of_another_unit(hall: Hall, role: str) -> None:
    person = hall[role]
    assert {one["unit"] for one in items(person, "/devices")} == {OURS}
    assert {one["unit"] for one in items(person, "/docks")} == {OURS}
    assert {one["unit"] for one in items(person, "/officers")} == {OURS}
    assert {one["unit"] for one in person.get("/equipment").json()["ratios"]} == {OURS}


def test_what_is_of_another_unit_is_not_found_and_that_is_told(hall: Hall) -> None:
    theirs = next(one["id"] for one in items(hall["admin"], "/docks") if one["unit"] == THEIRS)
    for path in (f"/devices/{THEIR_DEVICE}", f"/docks/{theirs}", f"/officers/{STRANGER}"):
        answer, nothing = hall["investigator"].get(path), hall["investigator"].get(f"{path}-and-none")
        assert answer.status_code == nothing.status_code == 404
        assert answer.json()["detail"] == nothing.json()["detail"], "nobody can tell which it is"
    assert {one["outcome"] for one in hall.accesses(hall["investigator"])[-6:]} == {"refused"}


def test_what_was_put_aside_is_listed_with_its_reason(hall: Hall) -> None:
    shown = items(hall["admin"], "/quarantine")
    assert [one["name"] for one in shown] == ["broken.mp4"]
    assert shown[0]["problem_code"] == hall.home.recording(shown[0]["id"])["problem_code"] is not None
    assert items(hall["investigator"], "/quarantine") == [], "it is of no unit that is known"


# --- changes --------------------------------------------------------------------------------------


def test_a_device_is_added_changed_issued_returned_and_lost(hall: Hall) -> None:
    admin = hall["admin"]
    made = admin.post("/devices", {"serial": "CAM-NEW", "unit": OURS, "label": "No. 9"})
    assert made.status_code == 201, made.text
    assert made.headers["location"] == "/v1/devices/CAM-NEW"
    assert admin.post("/devices", {"serial": "CAM-NEW"}).status_code == 409

    tag = admin.get("/devices/CAM-NEW").headers["etag"]
    changed = admin.ask("PATCH", "/devices/CAM-NEW", json={"label": "No. 10"}, headers={"If-Match": tag})
    assert (changed.json()["label"], changed.json()["unit"]) == ("No. 10", OURS)
    late = admin.ask("PATCH", "/devices/CAM-NEW", json={"label": "No. 11"}, headers={"If-Match": tag})
    assert late.status_code == 412

    start = (clocks.now() - timedelta(hours=1)).isoformat()
    issued = admin.post("/devices/CAM-NEW/issue", {"officer": OFFICER, "from_at": start})
    assert [one["end_at"] for one in issued.json()["ledger"]] == [None], issued.text
    back = admin.post("/devices/CAM-NEW/return", {"note": "lens scratched"})
    assert back.json()["ledger"][0]["end_at"] is not None, back.text
    assert admin.post("/devices/CAM-NEW/forbid").json()["is_allowed"] is False
    assert admin.post("/devices/CAM-NEW/allow").json()["is_allowed"] is True
    assert admin.post("/devices/CAM-NEW/lose", {"why": "left in a taxi"}).json()["status"] == "lost"
    assert said(hall, "device", "show", "CAM-NEW")["status"] == "lost"


def test_a_device_that_is_added_twice_with_one_key_is_added_once(hall: Hall) -> None:
    first, again = (
        hall["admin"].post("/devices", {"serial": "CAM-ONCE", "unit": OURS}, Idempotency_Key="once") for _ in range(2)
    )
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    assert again.headers["idempotency-replayed"] == "true"


def test_officers_and_units_are_added_and_changed(hall: Hall) -> None:
    admin = hall["admin"]
    assert admin.post("/units", {"code": "0103", "name": "Third", "parent": OURS}).status_code == 201
    assert admin.post("/units", {"code": "0103", "name": "Third"}).status_code == 409
    assert admin.ask("PUT", "/units/0103", json={"name": "Third squad", "parent": OURS}).json()["name"] == "Third squad"
    assert admin.ask("PUT", "/units/0999", json={"name": "None"}).status_code == 404
    assert admin.post("/officers", {"number": "55", "name": "张三", "unit": "0103"}).status_code == 201
    changed = admin.ask("PATCH", "/officers/55", json={"post": "队长", "valid_to": "2030-01-01"})
    assert (changed.json()["name"], changed.json()["post"]) == ("张三", "队长")
    assert admin.ask("PATCH", "/officers/55", json={"valid_to": None}).json()["valid_to"] is None


def test_a_dock_is_invited_switched_and_revoked(hall: Hall) -> None:
    admin = hall["admin"]
    invited = admin.post("/docks", {"name": "一大队采集站", "unit": OURS}, Idempotency_Key="dock")
    assert invited.status_code == 201, invited.text
    assert len(invited.json()["code"]) == 19
    assert admin.post("/docks", {"name": "一大队采集站", "unit": OURS}, Idempotency_Key="dock").status_code == 409
    dock = invited.json()["dock"]
    assert admin.post(f"/docks/{dock}/invite", {}).json()["code"] != invited.json()["code"]
    assert admin.post(f"/docks/{dock}/erasing", {"erases": True, "why": "order 3"}).json()["erases"] is True
    assert admin.post(f"/docks/{dock}/revoke", {"why": "stolen"}).json()["state"] == "revoked"
    assert "code" not in admin.get(f"/docks/{dock}").text.replace("problem_code", "")


def test_a_job_that_was_given_up_is_tried_again_by_hand(hall: Hall) -> None:
    register, subject = hall.home.ports.register, hall.recordings["own"]
    hall.home.drain()
    done = next(one["id"] for one in items(hall["admin"], "/jobs", subject=subject) if one["state"] == "done")
    assert hall["admin"].post(f"/jobs/{done}/retry").status_code == 409
    with register.begin() as facts:
        job = jobs.revive(facts.connection, "fixity", subject, now=clocks.now())
    with register.begin() as facts:
        lease = jobs.take(
            facts.connection, job, owner="test", tick=jobs.Tick("boot", 1.0), now=clocks.now(), lease_s=9.0
        )
        assert lease is not None
        jobs.kill(facts.connection, lease, code="tried", text="given up by the test")

    assert hall["admin"].get(f"/jobs/{job}").json()["state"] == "dead"
    assert hall["auditor"].post(f"/jobs/{job}/retry").status_code == 403
    again = hall["admin"].post(f"/jobs/{job}/retry")
    assert (again.status_code, again.json()["attempts"], again.json()["state"]) == (200, 0, "runnable"), again.text


# --- holds ----------------------------------------------------------------------------------------


def test_a_hold_is_placed_seen_within_reach_and_lifted_by_two_people(hall: Hall) -> None:
    legal = hall["legal"]
    held = legal.post("/holds", {"recording": hall.recordings["own"], "why": "lawsuit", "authority": "a court"})
    assert held.status_code == 201, held.text
    assert held.json()["needs_two"] is True
    on_case = legal.post("/holds", {"case": "A-own", "why": "lawsuit"})
    assert on_case.json()["case"] == "A-own"
    identifiers = [held.json()["id"], on_case.json()["id"]]
    assert [one["id"] for one in said(hall, "hold", "list")["holds"]] == identifiers
    assert [one["id"] for one in items(hall["officer"], "/holds")] == identifiers

    asked = legal.post(f"/holds/{identifiers[0]}/lift", {"why": "withdrawn"})
    assert asked.status_code == 202, asked.text
    waiting = hall["approver"].get(f"/approvals/{asked.json()['approval']}").json()
    decision = {"decision": "approved", "digest": waiting["digest"], "why": "agreed"}
    decided = hall["approver"].post(f"/approvals/{waiting['id']}/decision", decision)
    assert decided.status_code == 200, decided.text
    assert hall["legal"].get(f"/holds/{identifiers[0]}").json()["approval"] == waiting["id"]
    assert [one["id"] for one in items(legal, "/holds")] == identifiers[1:]
    assert [one["id"] for one in items(legal, "/holds", lifted=True)] == identifiers


@pytest.mark.parametrize("kind", ["other", "restricted"])
def test_a_hold_on_what_is_hidden_is_hidden_and_cannot_be_placed(hall: Hall, kind: str) -> None:
    from pipeline import holds

    for target in (holds.Target(hall.recordings[kind]), holds.Target(case=f"A-{kind}")):
        placed = holds.place(target, why="x", authority=None, ports=hall.home.ports, now=clocks.now())
        for role in ("officer", "investigator", "legal", "approver", "service"):
            assert placed.id not in {one["id"] for one in items(hall[role], "/holds")}
            assert hall[role].get(f"/holds/{placed.id}").status_code == 404
        assert hall["auditor"].get(f"/holds/{placed.id}").status_code == 200
        assert hall["legal"].post(f"/holds/{placed.id}/lift", {"why": "x"}).status_code == 404
    for body in ({"recording": hall.recordings[kind]}, {"case": f"A-{kind}"}):
        assert hall["legal"].post("/holds", body | {"why": "x"}).status_code == 404
