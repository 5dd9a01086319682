# SPDX-License-Identifier: Apache-2.0
"""Two people agree over HTTP: who sees what was asked for, who decides it, and what is told of each try."""

from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from app import clocks
from evidence.access import Actor, Role
from evidence.custody import Happening
from pipeline import holds
from tests.support.home import open_home
from tests.support.people import OURS, THEIRS, Hall, Person, add_user, hall_of_people, signed_in
from tests.support.two_people import by

ALARMS: list[str] = []


def _note(event: str, sentence: str, **_: Any) -> None:
    if event == "approval-alarm":
        ALARMS.append(sentence)


@pytest.fixture(scope="module")
def hall(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hall]:
    with open_home(tmp_path_factory.mktemp("hall") / "home") as home, hall_of_people(home, note=_note) as made:
        yield made


def ask(hall: Hall, who: str = "investigator", *, why: str = "court", **changed: Any) -> httpx2.Response:
    body = {"act": "access", "noun": "case", "subject": "A-own", "params": {}, "why": why}
    return hall[who].post("/approvals", body | changed)


def asked(hall: Hall, who: str = "investigator", **changed: Any) -> dict[str, Any]:
    answer = ask(hall, who, **changed)
    assert answer.status_code == 201, answer.text
    body: dict[str, Any] = answer.json()
    assert answer.headers["location"] == f"/v1/approvals/{body['id']}"
    return body


def decide(by_whom: Person, told: dict[str, Any], decision: str = "approved", **changed: Any) -> httpx2.Response:
    body = {"decision": decision, "digest": told["digest"], "why": "seen"} | changed
    return by_whom.post(f"/approvals/{told['id']}/decision", body)


def codes(hall: Hall, person: Person, act: str) -> list[str | None]:
    return [row["code"] for row in hall.accesses(person) if row["act"] == act]


def test_leave_is_asked_for_shown_given_used_and_ended(hall: Hall) -> None:
    told = asked(hall, params={"watermark": True}, hours=5)
    assert (told["state"], told["unit"], told["params"]["user"]) == ("waiting", OURS, "usr-investigator")
    approver = hall["approver"]
    assert told["id"] in [one["id"] for one in approver.get("/approvals", state="waiting").json()["items"]]
    shown = approver.get(f"/approvals/{told['id']}")
    assert shown.json()["context"]["number"] == "A-own"
    assert shown.json()["context"]["roles"] == ["investigator"]
    assert hall["investigator"].get(f"/approvals/{told['id']}").json()["context"] == {}
    again = approver.ask("GET", f"/approvals/{told['id']}", headers={"If-None-Match": shown.headers["etag"]})
    assert again.status_code == 304
    done = decide(approver, shown.json())
    assert (done.status_code, done.json()["state"]) == (200, "approved")
    grant = done.json()["made"]
    (mine,) = [one for one in hall["investigator"].get("/grants").json()["items"] if one["id"] == grant]
    assert (mine["stands"], mine["watermark"], mine["what"]) == (True, True, "view")
    ended = approver.post(f"/grants/{grant}/revocation", {"why": "done"})
    assert (ended.status_code, ended.json()["stands"]) == (200, False)
    assert grant not in [one["id"] for one in hall["investigator"].get("/grants").json()["items"]]
    assert hall["investigator"].get(f"/grants/{grant}").json()["revoked_by"] == "user:usr-approver"
    subjects = [row["subject"] for row in hall.accesses(approver) if row["act"] == "approval.decide"]
    assert told["id"] in subjects


def test_a_hold_is_lifted_by_a_request_and_a_decision(hall: Hall) -> None:
    target = holds.Target(hall.recordings["own"])
    held = holds.place(target, why="w", authority=None, ports=by(hall.home, "cli:li"), now=clocks.now()).id
    told = asked(hall, act="hold-lift", noun="hold", subject=held)
    done = decide(hall["approver"], told)
    assert done.json()["recordings"] == [hall.recordings["own"]]


def test_broken_glass_is_told_to_people_at_once(hall: Hall) -> None:
    told = asked(hall, "auditor", act="break-glass", params={"minutes": 30})
    ALARMS.clear()
    assert decide(hall["approver"], told).status_code == 200
    assert "glass was broken" in ALARMS[0]


@pytest.mark.parametrize("who", ["officer", "investigator", "legal", "auditor", "admin", "service"])
def test_only_an_approver_decides(hall: Hall, who: str) -> None:
    told = asked(hall, "legal", subject="A-own", params={"what": "original"}, why=who)
    assert decide(hall[who], told).status_code == 403
    assert codes(hall, hall[who], "approval.decide")[-1] == "not-allowed"
    withdrawn = hall["legal"].post(f"/approvals/{told['id']}/withdrawal", {})
    assert withdrawn.json()["state"] == "withdrawn"


def test_a_program_asks_for_nothing(hall: Hall) -> None:
    assert ask(hall, "service", params={"user": "officer"}).status_code == 403


def test_nobody_decides_their_own_request(hall: Hall) -> None:
    told = asked(hall, "approver", params={"user": "officer"})
    answer = decide(hall["approver"], told)
    assert (answer.status_code, answer.json()["code"]) == (409, "refused")
    assert codes(hall, hall["approver"], "approval.decide")[-1] == "refused"


def test_an_approver_of_another_unit_sees_and_decides_nothing(hall: Hall) -> None:
    told = asked(hall, "officer", params={"what": "original"})
    user = add_user(hall.home.ports, "afar", Role.APPROVER, unit=THEIRS)
    actor = Actor(f"user:{user}", frozenset({Role.APPROVER}), THEIRS, (THEIRS,))
    afar = signed_in(hall.home.ports, user, hall.nobody, actor)
    assert afar.get("/approvals").json()["items"] == []
    for answer in (afar.get(f"/approvals/{told['id']}"), decide(afar, told)):
        assert answer.status_code == 404
    assert codes(hall, afar, "approval.decide") == ["not-found"]


def test_what_others_asked_for_is_not_seen(hall: Hall) -> None:
    told = asked(hall, "legal")
    for who, status in (("officer", 404), ("investigator", 404), ("legal", 200), ("approver", 200), ("auditor", 200)):
        assert hall[who].get(f"/approvals/{told['id']}").status_code == status, who
        assert (told["id"] in [one["id"] for one in hall[who].get("/approvals").json()["items"]]) == (status == 200)
    assert hall["officer"].post(f"/approvals/{told['id']}/withdrawal", {}).status_code == 404
    assert [one["id"] for one in hall["approver"].get("/approvals", mine=True).json()["items"]] != [told["id"]]


def test_what_was_not_shown_is_not_agreed_on(hall: Hall) -> None:
    told = asked(hall, "officer", act="disclosure")
    answer = decide(hall["approver"], told, digest="0" * 64)
    assert (answer.status_code, answer.json()["code"]) == (409, "conflict")
    assert decide(hall["approver"], told, "refused", why=None).status_code == 400
    assert decide(hall["approver"], told, "refused").json()["state"] == "refused"
    assert decide(hall["approver"], told).json()["code"] == "wrong-state"


def test_a_repeat_of_a_request_is_one_request(hall: Hall) -> None:
    body = {"act": "access", "noun": "case", "subject": "A-own", "params": {"user": "officer"}, "why": "w"}
    first, second = (hall["legal"].post("/approvals", body, Idempotency_Key="one") for _ in range(2))
    assert first.json() == second.json()


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({"act": "dispose"}, 400),
        ({"subject": "A-none"}, 404),
        ({"subject": "A\u0000own"}, 400),
        ({"params": {"until": "soon"}}, 400),
        ({"params": {"user": [1]}}, 400),
        ({"params": {"user": "nobody"}}, 404),
        ({"params": {"surprise": True}}, 400),
        ({"more": 1}, 400),
        ({"hours": 0}, 400),
        ({"why": ""}, 400),
    ],
)
def test_what_cannot_be_asked_for_is_refused(hall: Hall, changed: dict[str, Any], status: int) -> None:
    assert ask(hall, "legal", **changed).status_code == status


def test_who_is_not_signed_in_sees_nothing(hall: Hall) -> None:
    assert hall.nobody.get("/v1/approvals").status_code == 401
    assert hall.nobody.get("/v1/grants").status_code == 401


def test_what_other_doors_decide_is_told_to_approvers_on_the_first_page(hall: Hall) -> None:
    facts = {"count": 1, "digest": "0" * 64, "grace_s": 0}
    entry = {"recording": hall.recordings["own"], "until": "2026", "reasons": [], "sha256": "0" * 64, "size_bytes": 1}
    proposed = Happening("disposal-proposed", "disposal/dis-a", facts, {"entries": [entry], "why": "over"})
    with hall.home.ports.register.begin() as writing:
        writing.record(proposed, actor="cli:li", at=clocks.now())
    (told,) = hall["approver"].get("/approvals", state="waiting").json()["elsewhere"]
    assert (told["kind"], told["act"], told["subject"]) == ("told", "dispose", "dis-a")
    assert hall["officer"].get("/approvals").json()["elsewhere"] == []
