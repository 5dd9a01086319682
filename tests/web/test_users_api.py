# SPDX-License-Identifier: Apache-2.0
"""Administrators let people and programs in and shut them out; everybody sees who they are to us."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from evidence.agency import Officer, Unit
from pipeline.people import register_officer
from pipeline.units import register_unit
from tests.support.home import open_home
from tests.support.sign_in import Browser, Porch, porch
from web.api.rates import Rate


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Porch]:
    with open_home(tmp_path_factory.mktemp("users") / "home") as home, porch(home) as made:
        now = made.hands.now()
        for unit in (Unit("01", "First"), Unit("0101", "Below", parent="01"), Unit("02", "Second")):
            register_unit(unit, ports=home.ports, now=now)
        register_officer(Officer("430407"), ports=home.ports, now=now)
        yield made


@pytest.fixture(scope="module")
def signed_in_boss(here: Porch) -> Browser:
    return here.admin("boss")


@pytest.fixture
def boss(here: Porch, signed_in_boss: Browser) -> Browser:
    """An administrator, freshly proved."""
    proved = signed_in_boss.says("POST", "/session/proof", {"password": "three quiet herons at noon"})
    assert proved.status_code == 200, proved.text
    return signed_in_boss


def added(boss: Browser, login: str, **more: Any) -> dict[str, Any]:
    answer = boss.says("POST", "/users", {"login": login, "name": login.title()} | more)
    assert answer.status_code == 201, answer.text
    body: dict[str, Any] = answer.json()
    return body


def test_a_user_is_added_given_a_role_and_signs_in_by_the_link(here: Porch, boss: Browser) -> None:
    body = added(boss, "Li.Na", officer="430407", unit="First")
    assert (body["login"], body["unit"], body["roles"], body["means"]) == ("li.na", "01", [], [])
    assert boss.says("PUT", f"/users/{body['id']}/roles/officer").json()["roles"] == ["officer"]
    link = boss.says("POST", f"/users/{body['id']}/link").json()["link"]
    assert link.startswith("https://evidence.example.org/enrol#")

    browser = here.browser()
    told = {"link": link.partition("#")[2], "password": "three quiet herons at noon"}
    assert browser.says("POST", "/session/link", told).status_code == 201
    me = browser.says("GET", "/me").json()
    assert (me["officer"], me["unit"], me["roles"]) == ("430407", "01", ["officer"])
    assert me["acts"]["recording.read"] == "own"
    assert "user.change" not in me["acts"]
    assert me["means"] == {"password": True, "totp": False, "passkeys": 0}


def test_a_change_is_of_what_was_seen(boss: Browser) -> None:
    body = added(boss, "zhang")
    tag = boss.says("GET", f"/users/{body['id']}").headers["etag"]
    changed = boss.says("PATCH", f"/users/{body['id']}", {"unit": "02"}, **{"If-Match": tag})
    assert (changed.status_code, changed.json()["unit"]) == (200, "02")

    assert boss.says("PATCH", f"/users/{body['id']}", {"unit": None}, **{"If-Match": tag}).status_code == 412
    assert boss.says("PATCH", f"/users/{body['id']}", {"unit": None}).json()["unit"] is None
    assert boss.says("PATCH", f"/users/{body['id']}", {"login": "boss2"}).status_code == 400


@pytest.mark.parametrize(
    ("told", "code"),
    [
        ({"login": "boss"}, "conflict"), ({"login": "ＢＯＳＳ"}, "conflict"), ({"login": "b0ss"}, "conflict"),
        ({"login": "b.o.s.s"}, "conflict"), ({"login": "bоss"}, "bad-input"), ({"login": "bo ss"}, "bad-input"),
        ({"login": "new", "unit": "none"}, "not-found"), ({"login": "new", "officer": "none"}, "not-found"),
        ({"login": "new", "subject": "7"}, "bad-input"), ({"login": "new", "roles": []}, "bad-input"),
    ],
)  # fmt: skip
def test_an_account_that_would_be_taken_for_another_or_for_nobody_is_not_made(
    boss: Browser, told: dict[str, Any], code: str
) -> None:
    assert boss.says("POST", "/users", {"name": "New"} | told).json()["code"] == code


def test_one_person_has_one_account(boss: Browser) -> None:
    elsewhere = {"issuer": "https://id.example", "subject": "7"}
    added(boss, "once", **elsewhere)
    assert boss.says("POST", "/users", {"login": "twice", "name": "Twice"} | elsewhere).json()["code"] == "conflict"


def test_a_privileged_role_is_nobodys_to_give_alone(boss: Browser) -> None:
    user = added(boss, "climber")["id"]
    for role in ("admin", "approver", "auditor"):
        assert boss.says("PUT", f"/users/{user}/roles/{role}").json()["code"] == "refused"
    for role in ("service", "dock", "root"):
        assert boss.says("PUT", f"/users/{user}/roles/{role}").json()["code"] == "bad-input"
    assert boss.says("GET", f"/users/{user}").json()["roles"] == []


def test_the_last_administrator_stays(here: Porch, boss: Browser) -> None:
    user = boss.says("GET", "/session").json()["user"]
    assert boss.says("DELETE", f"/users/{user}/roles/admin").json()["code"] == "refused"
    assert boss.says("POST", f"/users/{user}/disable", {"why": "tired"}).json()["code"] == "refused"


def test_users_are_listed_page_by_page_and_only_for_those_who_may(here: Porch, boss: Browser) -> None:
    here.hands.on(seconds=1)
    added(boss, "later")
    first = boss.says("GET", "/users?limit=1").json()
    rest = boss.says("GET", f"/users?after={first['next']}").json()
    assert len(first["items"]) == 1
    assert rest["items"][-1]["login"] == "later"
    assert "boss" in [item["login"] for item in first["items"] + rest["items"]]

    other = here.signed_in(here.fresh("investigator"))
    assert other.says("GET", "/users").json()["code"] == "not-allowed"


def test_changing_people_wants_a_fresh_proof(here: Porch, boss: Browser) -> None:
    here.hands.on(minutes=5, seconds=1)
    assert boss.says("POST", "/users", {"login": "stale", "name": "Stale"}).json()["code"] == "prove-again"
    assert boss.says("GET", "/users").status_code == 200


def test_a_link_is_not_told_twice_to_whoever_asks_again(boss: Browser) -> None:
    user = added(boss, "patience")["id"]
    told = [boss.says("POST", f"/users/{user}/link", **{"Idempotency-Key": "k-1"}) for _ in range(2)]

    assert told[0].status_code == 201
    assert told[1].json()["code"] == "answer-lost"


def test_whoever_is_shut_out_by_an_administrator_is_out_now(here: Porch, boss: Browser) -> None:
    login = here.fresh("officer")
    browser = here.signed_in(login)
    user = browser.says("GET", "/me").json()["id"]
    body = boss.says("POST", f"/users/{user}/disable", {"why": "left the agency"}).json()
    assert (body["state"], body["sessions"]) == ("disabled", 0)

    assert browser.says("GET", "/me").status_code == 401
    assert boss.says("POST", f"/users/{user}/enable", {"why": "came back"}).json()["state"] == "active"


# --- programs -----------------------------------------------------------------------------------


def made_key(here: Porch, boss: Browser, **more: Any) -> dict[str, Any]:
    until = (here.hands.now() + timedelta(days=30)).isoformat()
    told = {"name": "case system", "acts": ["unit.read", "officer.read"], "until_at": until, "unit": "01"}
    answer = boss.says("POST", "/keys", told | more)
    assert answer.status_code == 201, answer.text
    body: dict[str, Any] = answer.json()
    return body


def asks(here: Porch, key: str, path: str) -> tuple[int, str]:
    answer = here.browser().request("GET", f"/v1{path}", headers={"Authorization": f"Bearer {key}"})
    return answer.status_code, answer.json().get("code", "")


def test_a_key_is_shown_once_and_does_what_it_was_made_for_alone(here: Porch, boss: Browser) -> None:
    made = made_key(here, boss, acts=["unit.read"])
    assert made["key"].startswith("evk_")
    shown = boss.says("GET", f"/keys/{made['id']}").json()
    assert "key" not in shown
    assert "sha256" not in shown

    # It is known, and nothing else than what it was made for is among what it may do: not even what services may.
    assert asks(here, made["key"], "/users") == (403, "not-allowed")
    assert asks(here, made["key"], "/me") == (403, "not-allowed")
    assert asks(here, made["key"], "/keys") == (403, "not-allowed")
    assert asks(here, "evk_" + "x" * 43, "/users") == (401, "not-signed-in")


def test_a_key_tells_when_it_was_last_used_refused_or_not(here: Porch, boss: Browser) -> None:
    made = made_key(here, boss, acts=["unit.read"])
    assert made["last_used_at"] is None
    assert asks(here, made["key"], "/users") == (403, "not-allowed")
    once = boss.says("GET", f"/keys/{made['id']}").json()["last_used_at"]
    assert datetime.fromisoformat(once) >= here.hands.now() - timedelta(seconds=30)
    told = {one["id"]: one["last_used_at"] for one in boss.says("GET", "/keys").json()["items"]}
    assert told[made["id"]] == once


@pytest.mark.parametrize("acts", [["user.change"], ["media.original"], ["approval.decide"], ["nothing"], []])
def test_no_key_is_made_for_what_programs_may_not_do(here: Porch, boss: Browser, acts: list[str]) -> None:
    until = (here.hands.now() + timedelta(days=30)).isoformat()
    answer = boss.says("POST", "/keys", {"name": "x", "acts": acts, "until_at": until})
    assert answer.json()["code"] == "bad-input"


@pytest.mark.parametrize("days", [0, -1, 400])
def test_a_key_has_an_end_that_is_ahead_and_not_far_away(here: Porch, boss: Browser, days: int) -> None:
    until = (here.hands.now() + timedelta(days=days)).isoformat()
    answer = boss.says("POST", "/keys", {"name": "x", "acts": ["unit.read"], "until_at": until})
    assert answer.json()["code"] == "bad-input"


def test_a_key_that_was_revoked_or_ran_out_signs_nobody_in(here: Porch, boss: Browser) -> None:
    soon = (here.hands.now() + timedelta(minutes=1)).isoformat()
    lost, short = made_key(here, boss), made_key(here, boss, until_at=soon)
    assert boss.says("POST", f"/keys/{lost['id']}/revoke", {"why": "lost"}).json()["revoked_at"] is not None
    assert asks(here, lost["key"], "/me")[0] == 401
    assert asks(here, short["key"], "/me")[0] == 403
    here.hands.on(minutes=1)
    assert asks(here, short["key"], "/me")[0] == 401


def test_a_key_asks_so_often_and_not_more(here: Porch, boss: Browser) -> None:
    key = made_key(here, boss)["key"]
    context = here.context
    here.app.state.context = replace(context, rates=replace(context.rates, keys=Rate(3, 60)))
    try:
        assert [asks(here, key, "/me")[0] for _ in range(4)] == [403, 403, 403, 429]
        here.hands.on(seconds=61)
        assert asks(here, key, "/me")[0] == 403
    finally:
        here.app.state.context = context


def test_a_header_counts_more_than_a_cookie(here: Porch, boss: Browser) -> None:
    key = made_key(here, boss)["key"]
    answer = boss.request("GET", "/v1/users", headers={"Authorization": f"Bearer {key}"})
    assert answer.status_code == 403
