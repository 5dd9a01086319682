# SPDX-License-Identifier: Apache-2.0
"""What everybody saw and was refused is on record before they are answered, and auditors read it and take it away."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from evidence.access import Role
from evidence.note import open_note
from pipeline import memberships
from tests.support.home import open_home
from tests.support.people import Hall, hall_of_people


@pytest.fixture(scope="module")
def hall(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hall]:
    folder: Path = tmp_path_factory.mktemp("accesses")
    with open_home(folder / "home") as home, hall_of_people(home) as hall:
        yield hall


def newest(hall: Hall, role: str) -> dict[str, Any]:
    return hall.accesses(hall[role])[-1]


def test_what_somebody_saw_is_on_record(hall: Hall) -> None:
    assert hall["officer"].get(f"/cases/{hall.cases['own']}/members").status_code == 200
    told = newest(hall, "officer")
    assert (told["act"], told["noun"], told["subject"]) == ("case.read", "case", hall.cases["own"])
    assert (told["outcome"], told["code"]) == ("allowed", None)


def test_what_is_hidden_is_not_there_and_the_try_is_on_record(hall: Hall) -> None:
    for kind in ("other", "restricted"):
        assert hall["officer"].get(f"/cases/{hall.cases[kind]}/members").status_code == 404
        told = newest(hall, "officer")
        assert (told["subject"], told["outcome"], told["code"]) == (hall.cases[kind], "refused", "not-found")


def test_nobody_can_tell_what_is_hidden_from_what_is_not_there(hall: Hall) -> None:
    hidden = hall["officer"].get(f"/cases/{hall.cases['restricted']}/members")
    absent = hall["officer"].get("/cases/cas-aaaaaaaaaaaaaaaa/members")
    assert hidden.json() == absent.json()
    assert newest(hall, "officer")["subject"] == "cas-aaaaaaaaaaaaaaaa"


def test_an_act_that_is_not_theirs_is_refused_and_told_with_its_subject(hall: Hall) -> None:
    answer = hall["admin"].get(f"/recordings/{hall.recordings['own']}/accesses")
    assert (answer.status_code, answer.json()["code"]) == (403, "not-allowed")
    told = newest(hall, "admin")
    assert (told["act"], told["subject"]) == ("access.read", hall.recordings["own"])


def test_words_that_are_no_id_are_not_kept_for_ever(hall: Hall) -> None:
    assert hall["officer"].get("/cases/li-wei-the-thief/members").status_code == 404
    assert "thief" not in json.dumps(hall.accesses(hall["officer"]))


def test_strangers_are_refused_once_a_minute_in_one_event(hall: Hall) -> None:
    for _ in range(5):
        assert hall.nobody.get("/v1/accesses").status_code == 401
    hall.app.state.desk.fold_now()
    events = hall.home.events("door/api")
    assert [event["kind"] for event in events] == ["accessed"]
    assert '"count":5' in events[0]["note"]


def test_another_site_changes_nothing_in_a_persons_name(hall: Hall) -> None:
    person, case = hall["investigator"], hall.cases["own"]
    for headers in ({"Origin": "https://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}):
        told = {"restricted": True, "why": "x"}
        answer = person.ask("PUT", f"/cases/{case}/restriction", json=told, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (403, "not-allowed"), headers
    without = {"Cookie": person.headers["Cookie"]}
    assert person.client.put(f"/v1/cases/{case}/restriction", json=told, headers=without).status_code == 403


def test_auditors_read_by_person_object_act_and_outcome(hall: Hall) -> None:
    hall["officer"].get(f"/cases/{hall.cases['own']}/members")
    by = {"by": "user/usr-officer", "subject": hall.cases["own"], "act": "case.read", "outcome": "allowed"}
    items = hall["auditor"].get("/accesses", **by).json()["items"]
    assert items
    assert all(one["stream"] == "user/usr-officer" and one["subject"] == hall.cases["own"] for one in items)


def test_pages_of_accesses_lose_nothing_and_give_nothing_twice(hall: Hall) -> None:
    for _ in range(3):
        hall["legal"].get(f"/cases/{hall.cases['own']}/members")
    asked: dict[str, Any] = {"by": "user/usr-legal", "limit": 1}
    found = []
    while True:
        page = hall["auditor"].get("/accesses", **asked).json()
        found += [one["seq"] for one in page["items"]]
        if page["next"] is None:
            break
        asked["after"] = page["next"]
    assert found == sorted(set(found))
    assert len(found) == len(hall.accesses(hall["legal"]))


def test_a_person_reads_their_own_and_nobody_elses(hall: Hall) -> None:
    items = hall["legal"].get("/me/accesses").json()["items"]
    assert {one["stream"] for one in items} == {"user/usr-legal"}
    assert hall["legal"].get("/accesses").status_code == 403


def test_an_export_of_accesses_is_checked_by_openssl_alone(hall: Hall, tmp_path: Path) -> None:
    answer = hall["auditor"].get("/accesses/export", by="user/usr-officer")
    assert answer.status_code == 200, answer.text
    note = open_note(answer.text, hall.home.ports.verifiers)
    form, head, *lines = note.text.splitlines()
    assert (form, json.loads(head)["lines"]) == ("evidock/accesses/v1", len(lines))
    assert json.loads(head)["asked"]["by"] == "user/usr-officer"
    assert [json.loads(line)["seq"] for line in lines] == sorted(json.loads(line)["seq"] for line in lines)
    assert _openssl(hall, answer.text, tmp_path)
    assert not _openssl(hall, answer.text.replace("case.read", "case.link", 1), tmp_path)


def _openssl(hall: Hall, text: str, folder: Path) -> bool:
    """As docs/formats.md has an outsider do it."""
    key = next(one.to_text() for one in hall.home.ports.keys if one.name.endswith("/records"))
    script = r"""
    { printf '\060\052\060\005\006\003\053\145\160\003\041\000'
      echo "$1" | cut -d+ -f3- | base64 -d | tail -c +2; } | openssl pkey -pubin -inform DER > key.pem
    sed '/^$/q' note | sed '$d' > note.text
    tail -n 1 note | cut -d' ' -f3 | base64 -d | tail -c +5 > note.sig
    openssl pkeyutl -verify -rawin -pubin -inkey key.pem -in note.text -sigfile note.sig
    """
    (folder / "note").write_text(text)
    return subprocess.run(["/bin/bash", "-c", script, "-", key], cwd=folder, capture_output=True).returncode == 0


def test_a_member_is_let_in_and_out_of_a_restricted_case(hall: Hall) -> None:
    ports = hall.home.ports
    case = f"/cases/{hall.cases['restricted']}/members"
    assert hall["investigator"].get(case).status_code == 404
    memberships.add_member("A-restricted", "usr-investigator", ports=ports, now=hall.app.state.context.now())
    assert [one["user"] for one in hall["investigator"].get(case).json()["items"]] == ["usr-investigator"]
    assert hall["legal"].get(case).status_code == 404
    # They are the last who see it: it may not be left with nobody.
    answer = hall["investigator"].ask("DELETE", f"{case}/usr-investigator")
    assert (answer.status_code, answer.json()["code"]) == (409, "conflict")
    assert hall["investigator"].post(case, {"user": "usr-legal"}).status_code == 200
    assert hall["legal"].get(case).status_code == 200
    assert hall["investigator"].ask("DELETE", f"{case}/usr-investigator").status_code == 200
    assert hall["investigator"].get(case).status_code == 404


def test_a_case_is_restricted_and_opened_again(hall: Hall) -> None:
    case = hall.cases["own"]
    told = {"restricted": True, "why": "a minor"}
    assert hall["investigator"].ask("PUT", f"/cases/{case}/restriction", json=told).status_code == 200
    assert hall["investigator"].get(f"/cases/{case}/members").status_code == 404
    assert hall["officer"].get(f"/cases/{case}/members").status_code == 200
    memberships.restrict(
        "A-own", is_restricted=False, why="done", ports=hall.home.ports, now=hall.app.state.context.now()
    )
    assert hall["investigator"].get(f"/cases/{case}/members").status_code == 200


@pytest.mark.parametrize("role", list(Role)[1:])
def test_everybody_is_known_by_their_role(hall: Hall, role: Role) -> None:
    assert hall.people[role].get("/me/accesses").status_code == (403 if role is Role.SERVICE else 200)
