# SPDX-License-Identifier: Apache-2.0
"""People sign in with login and password: what a session is, how long it lasts, and what ends it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from evidence.custody import Happening
from pipeline.users import disable_user, enable_user
from storage.register import session_rows
from tests.support.home import open_home
from tests.support.sign_in import PASSWORD, Browser, Porch, porch


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Porch]:
    with open_home(tmp_path_factory.mktemp("sign-in") / "home") as home, porch(home) as made:
        yield made


def test_a_session_is_a_cookie_that_no_script_reads_and_no_other_host_sets(here: Porch) -> None:
    user, browser = here.add("li", "officer"), here.browser()
    answer = browser.sign_in("Li")  # whatever its case

    assert answer.status_code == 201, answer.text
    assert (answer.json()["user"], answer.json()["how"]) == (user, "password")
    cookie = answer.headers["set-cookie"].lower()
    assert cookie.startswith("__host-evidock=")
    assert {part.strip() for part in cookie.split(";")[1:]} == {"httponly", "path=/", "samesite=lax", "secure"}
    assert answer.headers["cache-control"] == "no-store"
    assert browser.says("GET", "/me").json()["roles"] == ["officer"]
    assert here.kinds(f"user/{user}")[-1] == "signed-in"


def test_on_plain_loopback_the_cookie_has_a_name_that_claims_nothing(here: Porch, tmp_path: Path) -> None:
    with open_home(tmp_path / "home") as home, porch(home, public_url="") as plain:
        browser = plain.browser()
        plain.add("li")
        browser.base_url = "http://127.0.0.1:9443"
        answer = browser.sign_in("li", Origin="http://127.0.0.1:9443", Host="127.0.0.1:9443")

    cookie = answer.headers["set-cookie"].lower()
    assert cookie.startswith("evidock=")
    assert "secure" not in cookie


def test_the_register_holds_no_token_and_no_password(here: Porch) -> None:
    here.add("gao")
    browser = here.signed_in("gao")
    home = here.home.settings.home
    kept = b"".join(path.read_bytes() for path in home.rglob("*") if path.is_file())

    assert browser.token.encode() not in kept
    assert PASSWORD.encode() not in kept


def test_a_session_that_was_planted_before_signing_in_is_worth_nothing_after(here: Porch) -> None:
    here.add("fang")
    browser = here.browser()
    planted = "p" * 43
    browser.cookies.set("__Host-evidock", planted, domain="evidence.example.org")
    browser.sign_in("fang")

    attacker = here.browser()
    attacker.cookies.set("__Host-evidock", planted)
    assert attacker.says("GET", "/session").status_code == 401
    assert browser.token != planted


def test_each_proof_gives_a_new_token_and_the_one_before_ends(here: Porch) -> None:
    here.add("hua", "legal")
    browser = here.signed_in("hua")
    stolen = here.browser()
    stolen.cookies.set("__Host-evidock", browser.token)
    begun = browser.says("GET", "/session").json()
    here.hands.on(minutes=10)

    assert browser.says("POST", "/session/proof", {"password": PASSWORD}).status_code == 200
    assert stolen.says("GET", "/session").status_code == 401
    proved = browser.says("GET", "/session").json()
    assert proved["proved_at"] > begun["proved_at"]
    assert proved["until_at"] == begun["until_at"]  # nobody stays for ever by proving who they are


def test_a_stolen_cookie_is_worth_nothing_after_signing_out(here: Porch) -> None:
    user = here.add("jin")
    browser, thief = here.signed_in("jin"), here.browser()
    thief.cookies.set("__Host-evidock", browser.token)
    assert thief.says("GET", "/session").status_code == 200

    assert browser.says("DELETE", "/session").status_code == 204
    assert thief.says("GET", "/session").status_code == 401
    assert here.kinds(f"user/{user}")[-1] == "signed-out"


def test_a_session_that_nobody_uses_ends_after_half_an_hour(here: Porch) -> None:
    here.add("kong")
    browser = here.signed_in("kong")
    here.hands.on(minutes=29)
    assert browser.says("GET", "/session").status_code == 200
    here.hands.on(minutes=29)
    assert browser.says("GET", "/session").status_code == 200
    here.hands.on(minutes=31)
    answer = browser.says("GET", "/session")

    assert (answer.status_code, answer.json()["code"]) == (401, "not-signed-in")


def test_a_session_ends_after_twelve_hours_however_busy(here: Porch) -> None:
    here.add("mei")
    browser = here.signed_in("mei")
    for _ in range(35):
        here.hands.on(minutes=20)
        assert browser.says("GET", "/session").status_code == 200
    here.hands.on(minutes=20)
    assert browser.says("GET", "/session").status_code == 401


def test_whoever_is_shut_out_is_out_at_once_and_stays_out_when_let_in_again(here: Porch) -> None:
    user = here.add("niu")
    browser = here.signed_in("niu")
    disable_user(user, why="left", ports=here.home.ports, now=here.hands.now())

    assert browser.says("GET", "/session").status_code == 401
    assert here.browser().sign_in("niu").status_code == 401
    enable_user(user, why="came back", ports=here.home.ports, now=here.hands.now())
    assert browser.says("GET", "/session").status_code == 401
    assert here.browser().sign_in("niu").status_code == 201


def test_a_session_that_nobody_ended_is_none_of_somebody_who_was_shut_out(here: Porch) -> None:
    user = here.add("bao")
    browser = here.signed_in("bao")
    with here.home.ports.register.begin() as facts:
        told = Happening("user-disabled", f"user/{user}", {}, {"why": "left"})
        facts.record(told, actor="cli:test", at=here.hands.now())

    assert browser.says("GET", "/session").status_code == 401


def test_a_person_sees_and_ends_their_other_sessions_and_nobody_elses(here: Porch) -> None:
    here.add("ou", "officer"), here.add("pan", "officer")
    one, other, strange = here.signed_in("ou"), here.signed_in("ou"), here.signed_in("pan")
    [first] = [item for item in other.says("GET", "/me/sessions").json()["items"] if item["is_this"]]
    assert first["id"] in {item["id"] for item in one.says("GET", "/me/sessions").json()["items"]}

    assert strange.says("DELETE", f"/me/sessions/{first['id']}").status_code == 404
    assert one.says("DELETE", f"/me/sessions/{first['id']}").status_code == 204
    assert other.says("GET", "/session").status_code == 401
    assert one.says("GET", "/session").status_code == 200


def test_a_person_has_so_many_sessions_and_the_oldest_makes_room(here: Porch) -> None:
    user = here.add("qin")
    browsers = [here.signed_in("qin") for _ in range(here.means.figures.sessions_per_user + 1)]

    with here.home.ports.register.view() as connection:
        assert len(session_rows.sessions_of(connection, user)) == here.means.figures.sessions_per_user
    assert browsers[-1].says("GET", "/session").status_code == 200


def test_a_new_password_ends_the_other_sessions_and_wants_a_fresh_proof(here: Porch) -> None:
    here.add("rong", "officer")
    browser, other = here.signed_in("rong"), here.signed_in("rong")
    here.hands.on(minutes=6)
    new = {"password": "nine slow herons at dusk"}
    assert browser.says("POST", "/me/password", new).json()["code"] == "prove-again"

    browser.says("POST", "/session/proof", {"password": PASSWORD})
    assert browser.says("POST", "/me/password", new).status_code == 204
    assert other.says("GET", "/session").status_code == 401
    assert browser.says("GET", "/session").status_code == 200
    assert here.browser().sign_in("rong").status_code == 401
    assert here.browser().sign_in("rong", new["password"]).status_code == 201


def test_a_proof_of_another_person_proves_nothing(here: Porch) -> None:
    here.add("song"), here.add("tang", password="seven loud herons at dawn")
    browser = here.signed_in("song")

    assert browser.says("POST", "/session/proof", {"password": "seven loud herons at dawn"}).status_code == 401


@pytest.fixture(scope="module")
def careless(here: Porch) -> Browser:
    """Somebody signed in, to whom other sites send requests."""
    here.add("careless", "officer")
    return here.signed_in("careless")


@pytest.mark.parametrize(
    "headers",
    [{"Origin": "https://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}],
    ids=["origin", "no-origin", "site"],
)
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/session"), ("DELETE", "/session"), ("POST", "/session/proof"), ("POST", "/session/passkey"),
        ("POST", "/session/passkey/options"), ("POST", "/session/link"), ("POST", "/session/link/look"),
        ("POST", "/me/password"), ("DELETE", "/me/totp"),
    ],
)  # fmt: skip
def test_no_other_site_signs_somebody_in_or_out_or_changes_what_they_sign_in_with(
    careless: Browser, method: str, path: str, headers: dict[str, str]
) -> None:
    body = {
        "/session": {"login": "careless", "password": PASSWORD},
        "/session/proof": {"password": PASSWORD},
        "/session/passkey": {"passkey": {}},
        "/session/link": {"link": "x", "password": PASSWORD},
        "/session/link/look": {"link": "x"},
        "/me/password": {"password": PASSWORD},
    }.get(path)
    answer = careless.says(method, path, body if method == "POST" else None, **headers)

    assert answer.json()["code"] == "not-allowed"
    assert careless.says("GET", "/session").status_code == 200
