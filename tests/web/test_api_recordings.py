# SPDX-License-Identifier: Apache-2.0
"""This is where recordings, cases and the log are asked over HTTP by people who may see some, all or none of them."""

import json
import os
import re
import subprocess
from collections.abc import Iterator

import pytest

from app.wiring import open_keys
from evidence.access import Role
from evidence.note import open_note
from pipeline import audit
from pipeline.tell import tell_whole
from storage.register import search
from storage.register.publisher import publish
from storage.signing import verifier_of
from tests.support.home import open_home
from tests.support.nursery import ROOT
from tests.support.people import Hall, hall_of_people


@pytest.fixture(scope="module")
def hall(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hall]:
    with open_home(tmp_path_factory.mktemp("api")) as home:
        keys = open_keys(home.settings)
        vkeys = (keys.log.verifier_key, keys.records.verifier_key)
        with hall_of_people(home, proof_keys=vkeys) as made:
            yield made


def ids(answer: object) -> set[str]:
    assert isinstance(answer, dict), answer
    return {one["id"] for one in answer["items"]}


def test_a_recording_is_told_over_http_as_the_register_has_it(hall: Hall) -> None:
    own = hall.recordings["own"]
    told = hall["officer"].get(f"/recordings/{own}")
    assert told.status_code == 200, told.text
    with hall.home.ports.register.view() as connection:
        known = tell_whole(connection, search.recording(connection, own))
    assert {name: told.json()[name] for name in known} == json.loads(json.dumps(known))


def test_lists_show_each_person_what_they_reach_and_nothing_else(hall: Hall) -> None:
    own, other, restricted = (hall.recordings[name] for name in ("own", "other", "restricted"))
    seen = {role: ids(hall[role].get("/recordings").json()) for role in ("officer", "investigator", "auditor")}
    assert seen == {"officer": {own}, "investigator": {own}, "auditor": {own, other, restricted}}
    assert hall["admin"].get("/recordings").status_code == 403


def test_pages_follow_one_another_without_a_loss(hall: Hall) -> None:
    found, after = list[str](), None
    for _ in range(4):
        page = hall["auditor"].get("/recordings", limit=1, **({} if after is None else {"after": after})).json()
        found += [one["id"] for one in page["items"]]
        after = page["next"]
        if after is None:
            break
    assert sorted(found) == sorted(hall.recordings.values())
    assert hall["auditor"].get("/recordings", after="no cursor").status_code == 400


def test_a_search_narrows_by_all_that_is_named(hall: Hall) -> None:
    auditor, own = hall["auditor"], hall.recordings["own"]
    sha256 = auditor.get(f"/recordings/{own}").json()["originals"][0]["sha256"]
    assert ids(auditor.get("/search", sha256=sha256[:10]).json()) == {own}
    assert ids(auditor.get("/search", case="A-own", officer="7").json()) == {own}
    assert ids(auditor.get("/search", case="A-own", officer="8").json()) == set()
    assert ids(auditor.get("/search", least_seconds=999).json()) == set()
    everything = ids(auditor.get("/search", **{"from": "2020-01-01T00:00:00Z", "to": "2030-01-01T00:00:00Z"}).json())
    assert everything == set(hall.recordings.values())
    assert ids(auditor.get("/search", **{"from": "2031-01-01T00:00:00Z"}).json()) == set()


def test_what_is_beyond_reach_is_not_found_and_names_nothing(hall: Hall) -> None:
    for path in ("", "/segments", "/originals", "/remarks", "/series", "/custody"):
        answer = hall["officer"].get(f"/recordings/{hall.recordings['restricted']}{path}")
        assert answer.status_code == 404, path
        assert answer.json()["code"] == "not-found"
    assert hall["officer"].get("/recordings", case="A-other").status_code == 404
    assert hall["officer"].get("/custody", stream=f"case/{hall.cases['other']}").status_code == 404
    assert hall["officer"].get("/custody", stream="user/usr-admin").status_code == 404
    assert hall["auditor"].get("/custody", stream="user/usr-admin").json()["items"]


def test_parts_of_a_recording_are_told_one_kind_at_a_time(hall: Hall) -> None:
    own, officer = hall.recordings["own"], hall["officer"]
    whole = officer.get(f"/recordings/{own}").json()
    assert officer.get(f"/recordings/{own}/segments").json()["items"] == whole["segment_list"]
    assert officer.get(f"/recordings/{own}/originals").json()["items"] == whole["originals"]
    assert officer.get(f"/recordings/{own}/series").json()["items"] == whole["parts"] == []
    custody = officer.get(f"/recordings/{own}/custody", limit=2).json()
    assert [one["kind"] for one in custody["items"]] == [one["kind"] for one in whole["custody"]][:2]
    rest = officer.get(f"/recordings/{own}/custody", after=custody["next"]).json()["items"]
    assert [one["seq"] for one in custody["items"] + rest] == [one["seq"] for one in whole["custody"]]


def test_an_answer_that_the_client_has_is_not_sent_again(hall: Hall) -> None:
    path = f"/recordings/{hall.recordings['own']}"
    first = hall["officer"].get(path)
    tag = first.headers["ETag"]
    again = hall["officer"].ask("GET", path, headers={"If_None_Match": f'"other", W/{tag}'})
    assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", tag)
    assert hall["officer"].ask("GET", path, headers={"If_None_Match": '"other"'}).status_code == 200
    # An answer without a body showed that nothing changed: that is a look, and is told.
    assert len([one for one in hall.accesses(hall["officer"]) if one["subject"] == hall.recordings["own"]]) >= 3


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


def test_conditions_and_reviews_are_put_on_record_in_the_persons_name(hall: Hall) -> None:
    person, own = hall["investigator"], hall.recordings["own"]
    code = {"code": "PC-EVID", "why": "kept for court"}
    assert person.post(f"/recordings/{own}/conditions", code).status_code == 200
    assert person.post(f"/recordings/{own}/conditions", code).json()["code"] == "conflict"
    assert person.post(f"/recordings/{own}/conditions/lift", code).status_code == 200
    assert person.post(f"/recordings/{own}/review", {"why": "looked"}).status_code == 200
    assert person.post(f"/recordings/{own}/release", {"why": "go on"}).json()["code"] == "wrong-state"
    events = person.get(f"/recordings/{own}/custody").json()["items"]
    ours = [(one["kind"], one["actor"]) for one in events if one["actor"] == person.actor.id]
    assert [kind for kind, _ in ours] == ["condition-set", "condition-lifted", "reviewed"]


def test_the_log_is_told_so_that_anybody_can_check_it(hall: Hall) -> None:
    publish(hall.home.ports.register, hall.home.ports.log)
    person = hall["officer"]
    newest = person.get("/log/checkpoint").json()
    keys = person.get("/log/keys").json()["keys"]
    opened = open_note(newest["checkpoint"], [verifier_of(open_keys(hall.home.settings).log.verifier_key)])
    assert str(newest["size"]) in opened.text
    assert len(keys) == 2
    entries = person.get("/log/entries", limit=3).json()
    assert [one["index"] for one in entries["items"]] == [0, 1, 2]
    more = person.get("/log/entries", limit=2, after=entries["next"]).json()["items"]
    assert [one["index"] for one in more] == [3, 4]
    proven = person.get("/log/entries/1").json()
    assert proven["entry"] == entries["items"][1]["entry"]
    assert proven["proof"]
    assert person.get("/log/entries/999999").status_code == 404


def test_a_recording_is_verified_on_demand_and_damage_is_named(hall: Hall) -> None:
    publish(hall.home.ports.register, hall.home.ports.log)
    person, own = hall["officer"], hall.recordings["own"]
    report = person.post("/verify", {"recording": own})
    assert report.json()["verdict"] == "proven", report.text
    assert report.json() == audit.to_json(audit.verify_recording(hall.home.ports, own))
    assert person.post("/verify", {"recording": hall.recordings["other"]}).status_code == 404
    looks = [one for one in hall.accesses(person) if one["act"] == "verify"]
    assert [one["outcome"] for one in looks] == ["allowed", "refused"]


def test_a_problem_is_told_in_the_language_the_client_asks_for(hall: Hall) -> None:
    from app.words import word_in
    from tests.support.people import context_for
    from web.api.problems import answer_to

    context = context_for(hall.home, words=word_in)
    from evidence.errors import NotFound

    titles = [
        json.loads(bytes(answer_to(NotFound("x"), context, language=one).body))["title"] for one in ("en", "zh-CN")
    ]
    assert titles[0] == word_in("en", "error", "not-found") != titles[1] == word_in("zh-CN", "error", "not-found")


def test_an_address_with_a_zero_character_is_refused(hall: Hall) -> None:
    for path in ("/recordings/%00", "/recordings?case=%00", "/cases/a%0ab", "/nothing/%00"):
        answer = hall["officer"].ask("GET", path)
        assert (answer.status_code, answer.json().get("code")) == (400, "bad-input"), path


def test_every_role_meets_an_answer_and_none_a_defect(hall: Hall) -> None:
    paths = ("/recordings", "/cases", "/search", "/log/checkpoint", "/log/keys", "/log/entries")
    for role in Role:
        if role is Role.DOCK:
            continue
        for path in paths:
            assert hall[role].get(path).status_code in (200, 403), (role, path)


def new_case(number: str, **more: object) -> dict[str, object]:
    told: dict[str, object] = {"number": number, "officers": ["7"]}
    return told | {"from": "2020-01-01T00:00:00Z", "to": "2020-01-01T01:00:00Z"} | more


def test_every_example_of_the_page_about_the_api_runs_as_it_is_written(hall: Hall) -> None:
    page = (ROOT / "docs" / "operate" / "api.md").read_text("utf-8")
    blocks = re.findall(r"```sh\n(.*?)```", page, re.DOTALL)
    settings = {
        "EVIDOCK": str(hall.nobody.base_url).rstrip("/"),
        "KEY": hall["service"].headers["Authorization"].removeprefix("Bearer "),
        "SESSION": hall["investigator"].headers["Cookie"],
        "RECORDING": hall.recordings["own"],
    }
    told = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", "\n".join(blocks)],  # noqa: S607 - whichever the machine has
        env={"PATH": os.environ["PATH"], **settings},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert told.returncode == 0, told
    assert len(blocks) == 4
    assert "304" in told.stdout
    assert '"verdict":"proven"' in told.stdout
    assert '"number":"2026-018"' in told.stdout
