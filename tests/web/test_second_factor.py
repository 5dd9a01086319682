# SPDX-License-Identifier: Apache-2.0
"""People whose roles two people give act with two factors: what is refused before, and what is enough."""

from collections.abc import Iterator
from pathlib import Path

import pyotp
import pytest
from sqlalchemy import select

from app.settings import load_settings
from app.signing_in import means_of
from evidence.custody import Happening
from storage.register.schema import accesses
from tests.support.home import open_home
from tests.support.sign_in import PASSWORD, Browser, Porch, porch

KEY = {"name": "p", "acts": ["case.read"], "until_at": "2026-06-30T00:00:00Z"}


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Porch]:
    with (
        open_home(tmp_path_factory.mktemp("factors") / "home") as home,
        porch(home, is_second_factor_asked=True) as made,
    ):
        yield made


def code_for(here: Porch, browser: Browser) -> str:
    """Add codes in a browser; one that was not used yet."""
    offer = browser.says("POST", "/me/totp").json()
    totp = pyotp.TOTP(offer["secret"])
    body = {"offer": offer["offer"], "code": totp.at(here.hands.now())}
    assert browser.says("POST", "/me/totp/confirm", body).status_code == 204
    here.hands.on(minutes=2)
    return totp.at(here.hands.now())


def test_an_administrator_with_a_password_alone_does_nothing_that_matters(here: Porch) -> None:
    browser = here.admin("yi")
    answer = browser.says("POST", "/keys", KEY)

    assert (answer.status_code, answer.json()["code"]) == (403, "second-factor")
    assert browser.says("GET", "/keys").status_code == 200, "what is only read is not stopped"
    with here.home.ports.register.view() as connection:
        told = connection.execute(select(accesses).where(accesses.c.act == "key.change")).mappings().all()
    assert [(row["outcome"], row["code"]) for row in told] == [("refused", "second-factor")]


def test_they_add_codes_prove_themselves_and_go_on(here: Porch) -> None:
    browser = here.admin("er")
    code = code_for(here, browser)
    assert browser.says("POST", "/keys", KEY).json()["code"] == "second-factor", "having codes is not using them"

    assert browser.says("POST", "/session/proof", {"password": PASSWORD, "code": code}).status_code == 200
    assert browser.says("POST", "/keys", KEY).status_code == 201


def test_a_proof_without_a_code_is_none_once_there_are_codes(here: Porch) -> None:
    browser = here.admin("san")
    code_for(here, browser)

    assert browser.says("POST", "/session/proof", {"password": PASSWORD}).status_code == 401
    assert browser.says("POST", "/keys", KEY).json()["code"] == "second-factor"


def test_a_passkey_is_enough(here: Porch) -> None:
    browser, device = here.admin("si"), here.authenticator()
    options = browser.says("POST", "/me/passkeys/options").json()["options"]
    assert browser.says("POST", "/me/passkeys", {"passkey": device.make(options)}).status_code == 201
    assert browser.says("POST", "/keys", KEY).json()["code"] == "second-factor"

    asked = browser.says("POST", "/session/passkey/options").json()["options"]
    assert browser.says("POST", "/session/proof", {"passkey": device.sign(asked)}).status_code == 200
    assert browser.says("POST", "/keys", KEY).status_code == 201


@pytest.mark.parametrize("role", ["approver", "auditor"])
def test_it_is_asked_of_every_role_that_two_people_give(here: Porch, role: str) -> None:
    user = here.add(f"wu{role}")
    given = Happening("role-given", f"user/{user}", {"role": role, "is_founding": True})
    with here.home.ports.register.begin() as facts:
        facts.record(given, actor="cli:test", at=here.hands.now())
    browser = here.signed_in(f"wu{role}")
    path = "/approvals/apr-x/decision" if role == "approver" else "/accesses/export"
    answer = browser.says("POST" if role == "approver" else "GET", path, {} if role == "approver" else None)

    assert answer.json()["code"] == "second-factor", answer.text


def test_it_is_not_asked_of_others(here: Porch) -> None:
    here.add("liu", "legal")
    answer = here.signed_in("liu").says("POST", "/exports", {})

    assert answer.json()["code"] != "second-factor", answer.text


def test_the_setting_decides_and_is_on_unless_it_is_switched_off(tmp_path: Path) -> None:
    told = {"EVIDOCK_HOME": str(tmp_path)}
    assert means_of(load_settings(told)).is_second_factor_asked
    assert not means_of(load_settings(told | {"EVIDOCK_SECOND_FACTOR": "off"})).is_second_factor_asked
