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
