# SPDX-License-Identifier: Apache-2.0
"""This is where cases are opened, changed and linked over HTTP, once however often it is asked, and never unseen."""

from collections.abc import Iterator

import pytest

from app.wiring import open_keys
from tests.support.home import open_home
from tests.support.people import Hall, hall_of_people


@pytest.fixture(scope="module")
def hall(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hall]:
    with open_home(tmp_path_factory.mktemp("api")) as home:
        keys = open_keys(home.settings)
        vkeys = (keys.log.verifier_key, keys.records.verifier_key)
        with hall_of_people(home, proof_keys=vkeys) as made:
            yield made


def test_a_change_of_what_changed_meanwhile_is_refused(hall: Hall) -> None:
    person = hall["investigator"]
    case = person.post("/cases", new_case("M-1")).json()["id"]
    tag = person.get(f"/cases/{case}").headers["ETag"]
    first = person.ask("PATCH", f"/cases/{case}", json={"title": "one"}, headers={"If_Match": tag})
    assert first.json() == {"id": case, "changed": True}
    second = person.ask("PATCH", f"/cases/{case}", json={"title": "two"}, headers={"If_Match": tag})
    assert (second.status_code, second.json()["code"]) == (412, "changed-meanwhile")
    assert person.get(f"/cases/{case}").json()["title"] == "one"


def test_a_repeat_with_the_same_key_is_done_once(hall: Hall) -> None:
    person = hall["investigator"]
    made = [person.post("/cases", new_case("K-1"), Idempotency_Key="k-1") for _ in range(2)]
    assert [one.status_code for one in made] == [201, 201]
    assert made[0].content == made[1].content
    assert made[0].headers["Location"] == made[1].headers["Location"]
    assert "Idempotency-Replayed" not in made[0].headers
    assert made[1].headers["Idempotency-Replayed"] == "true"
    other = person.post("/cases", new_case("K-2"), Idempotency_Key="k-1")
    assert (other.status_code, other.json()["code"]) == (422, "key-reused")
    assert len(person.get("/cases", number="K-1").json()["items"]) == 1


def test_a_key_is_of_one_person(hall: Hall) -> None:
    first = hall["investigator"].post("/cases", new_case("K-3"), Idempotency_Key="shared")
    other = hall["officer"].post("/cases", new_case("K-4"), Idempotency_Key="shared")
    assert (first.status_code, other.status_code) == (201, 201)
    assert other.json()["number"] == "K-4"


def test_what_was_refused_may_be_asked_again_with_its_key(hall: Hall) -> None:
    person = hall["investigator"]
    refused = person.post("/cases", new_case("K-5", item="XX-99"), Idempotency_Key="k-5")
    assert (refused.status_code, refused.json()["code"]) == (400, "bad-input")
    assert person.post("/cases", new_case("K-5"), Idempotency_Key="k-5").status_code == 201


def test_a_repeat_while_the_first_is_under_way_is_told_so(hall: Hall) -> None:
    from storage.register import idempotency_rows

    person, asked = hall["investigator"], new_case("K-6")
    assert person.post("/cases", asked, Idempotency_Key="k-6").status_code == 201
    with hall.home.ports.register.leasing() as connection:  # as if its answer had not been kept
        connection.exec_driver_sql("UPDATE idempotency SET status = NULL, body = NULL WHERE key = 'k-6'")
    again = person.post("/cases", asked, Idempotency_Key="k-6")
    assert (again.status_code, again.json()["code"]) == (409, "under-way")
    with hall.home.ports.register.leasing() as connection:
        connection.exec_driver_sql("UPDATE idempotency SET at = '2020-01-01T00:00:00.000000Z' WHERE key = 'k-6'")
        old = idempotency_rows.reserve(
            connection, "user:usr-x", "y", request_sha256="", at="2020-01-02", forgotten_before="2020"
        )
        assert old is None


def test_a_case_is_opened_told_linked_closed_and_reopened(hall: Hall) -> None:
    person, own = hall["investigator"], hall.recordings["own"]
    made = person.post("/cases", new_case("L-1", title="A shop", parties=[{"name": "Li"}]))
    assert made.status_code == 201, made.text
    case = made.json()["id"]
    assert made.headers["Location"] == f"/v1/cases/{case}"
    linked = person.post(f"/cases/{case}/links", {"things": [own], "why": "same shop"})
    assert linked.json()["segments"], linked.text
    links = person.get(f"/cases/{case}/links").json()["items"]
    assert {one["recording"] for one in links} == {own}
    assert links[0]["reason"] == {"rule": "person", "why": "same shop"}
    paper = person.post(
        f"/cases/{case}/papers", {"name": "Notes", "number": "1", "from": "2026-06-19T10:00:00Z"}
    ).json()["document"]
    gap = {"from": "2026-06-19T10:00:00Z", "to": "2026-06-19T10:01:00Z", "why": "battery"}
    assert person.post(f"/cases/{case}/gaps", gap).status_code == 200
    lines = person.get(f"/cases/{case}/timeline").json()["items"]
    assert {one["what"] for one in lines} == {"recording", "document", "gap"}
    assert person.post(f"/cases/{case}/papers/{paper}/withdraw", {"why": "wrong case"}).status_code == 200
    assert person.get(f"/cases/{case}/papers").json()["items"] == []
    assert person.post(f"/cases/{case}/close", {}).status_code == 200
    assert person.get(f"/cases/{case}").json()["closed"] is True
    assert person.post(f"/cases/{case}/close", {}).json()["code"] == "conflict"
    assert person.post(f"/cases/{case}/reopen", {"why": "review"}).status_code == 403
    assert hall["approver"].post(f"/cases/{case}/reopen", {"why": "review"}).status_code == 200
    kinds = [one["kind"] for one in person.get(f"/cases/{case}/custody").json()["items"]]
    assert kinds[0] == "case-opened"
    assert kinds[-2:] == ["case-closed", "case-reopened"]
    events = person.get(f"/cases/{case}/custody").json()["items"]
    assert {one["actor"] for one in events[1:-1]} == {"user:usr-investigator"}


def test_nobody_links_or_opens_what_they_do_not_reach(hall: Hall) -> None:
    person = hall["investigator"]
    case = person.post("/cases", new_case("N-1")).json()["id"]
    hidden = {"things": [hall.recordings["restricted"]], "why": "to see it"}
    assert person.post(f"/cases/{case}/links", hidden).status_code == 404
    assert person.post(f"/cases/{hall.cases['other']}/close", {}).status_code == 404
    there = person.post("/cases", new_case("N-2", unit="02"))
    assert (there.status_code, there.json()["code"]) == (403, "not-allowed")
    moved = person.ask("PATCH", f"/cases/{case}", json={"unit": "02"})
    assert (moved.status_code, moved.json()["code"]) == (403, "not-allowed")
    not_mine = hall["officer"].post("/cases", new_case("N-3", officers=["8"]))
    assert (not_mine.status_code, not_mine.json()["code"]) == (403, "not-allowed")


def new_case(number: str, **more: object) -> dict[str, object]:
    told: dict[str, object] = {"number": number, "officers": ["7"]}
    return told | {"from": "2020-01-01T00:00:00Z", "to": "2020-01-01T01:00:00Z"} | more
