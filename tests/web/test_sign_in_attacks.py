# SPDX-License-Identifier: Apache-2.0
"""What is tried against signing in: guessing, stuffing, replaying codes, telling logins apart. Nothing of it works."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pyotp
import pytest

from evidence.errors import Overloaded
from storage.register import credential_rows
from tests.support.home import open_home
from tests.support.sign_in import PASSWORD, Browser, Porch, porch, quick_figures
from web.signin.passwords import Passwords
from web.signin.tries import trying


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Porch]:
    with open_home(tmp_path_factory.mktemp("attacks") / "home") as home, porch(home) as made:
        yield made


def with_codes(here: Porch, login: str) -> pyotp.TOTP:
    """A user with codes; what makes them."""
    here.add(login, "officer")
    browser = here.signed_in(login)
    offer = browser.says("POST", "/me/totp").json()
    totp = pyotp.TOTP(offer["secret"])
    body = {"offer": offer["offer"], "code": totp.at(here.hands.now())}
    assert browser.says("POST", "/me/totp/confirm", body).status_code == 204
    here.hands.on(minutes=2)
    return totp


# --- guessing ---------------------------------------------------------------------------------


def test_of_guesses_at_an_account_five_in_a_quarter_of_an_hour_are_heard_wherever_they_come_from(here: Porch) -> None:
    here.add("li")
    told = [here.browser().sign_in("li", f"wrong {number}") for number in range(8)]

    assert [answer.status_code for answer in told] == [401] * 5 + [429] * 3
    assert {answer.json()["code"] for answer in told[5:]} == {"too-many-tries"}
    assert 0 < int(told[-1].headers["retry-after"]) <= 15 * 60 + 1


def test_while_an_account_is_locked_the_right_password_is_answered_as_a_wrong_one_is(here: Porch) -> None:
    here.add("wang")
    for number in range(5):
        here.browser().sign_in("wang", f"wrong {number}")
    worked = here.means.passwords.worked
    right, wrong = here.browser().sign_in("wang"), here.browser().sign_in("wang", "wrong again")

    assert (right.status_code, right.json()) == (wrong.status_code, wrong.json()) == (429, wrong.json())
    assert here.means.passwords.worked == worked  # nothing was compared
    here.hands.on(minutes=15, seconds=1)
    assert here.browser().sign_in("wang").status_code == 201


def test_a_lock_does_not_get_longer_by_being_tried(here: Porch) -> None:
    here.add("zhao")
    for number in range(5):
        here.browser().sign_in("zhao", f"wrong {number}")
    for _ in range(7):
        here.hands.on(minutes=2)
        assert here.browser().sign_in("zhao").status_code == 429
    here.hands.on(minutes=1, seconds=1)
    assert here.browser().sign_in("zhao").status_code == 201


def test_stuffing_many_accounts_from_one_address_ends_after_five(here: Porch) -> None:
    for login in ("aaab", "aaac", "aaad"):
        here.add(login)
    told = [here.browser("203.0.113.9").sign_in(f"nobody{number + 2}").status_code for number in range(5)]
    told += [here.browser("203.0.113.9").sign_in(login).status_code for login in ("aaab", "aaac")]

    assert told == [401] * 5 + [429] * 2
    assert here.browser("203.0.113.10").sign_in("aaab").status_code == 201


def test_one_account_of_ones_own_does_not_clear_the_address_for_guessing_at_others(here: Porch) -> None:
    here.add("mallory")
    told = []
    for number in range(6):
        told.append(here.browser("203.0.113.20").sign_in(f"victim{number + 2}", "guess").status_code)
        here.browser("203.0.113.20").sign_in("mallory")

    assert told == [401] * 5 + [429]


def test_all_addresses_of_one_customer_of_ipv6_count_as_one(here: Porch) -> None:
    told = [here.browser(f"2001:db8:1:2::{number + 2}").sign_in(f"none{number + 2}").status_code for number in range(6)]

    assert told == [401] * 5 + [429]
    assert here.browser("2001:db8:1:3::2").sign_in("none9").status_code == 401


def test_of_many_guesses_at_once_no_more_are_heard(here: Porch) -> None:
    here.add("chen")
    browsers = [here.browser() for _ in range(20)]
    with ThreadPoolExecutor(20) as pool:
        told = list(pool.map(lambda browser: browser.sign_in("chen", "guess").status_code, browsers))

    assert set(told) <= {401, 429}
    assert told.count(401) <= 5


def test_what_breaks_on_our_side_counts_as_no_wrong_try(here: Porch) -> None:
    told: dict[str, Any] = {"ports": here.home.ports, "figures": here.means.figures, "now": here.hands.now()}
    for _ in range(7):
        with pytest.raises(Overloaded), trying("yang", "203.0.113.30", **told):
            raise Overloaded("too many sign in")


def test_a_right_try_clears_the_account_of_wrong_ones(here: Porch) -> None:
    here.add("huang")
    for _ in range(3):
        for number in range(4):
            assert here.browser().sign_in("huang", f"wrong {number}").status_code == 401
        assert here.browser().sign_in("huang").status_code == 201


# --- telling logins apart -----------------------------------------------------------------------


@pytest.mark.parametrize("login", ["nobodyhere", "", "не я", "'; drop table users; --", "\u202e", "disabled"])
def test_a_login_that_nobody_has_costs_the_same_work_and_gets_the_same_answer(here: Porch, login: str) -> None:
    if login == "disabled":
        from pipeline.users import disable_user

        disable_user(here.add("disabled"), why="left", ports=here.home.ports, now=here.hands.now())
    known = here.fresh()
    here.means.passwords.is_right(None, "so that what nobody has is made")
    before = here.means.passwords.worked
    wrong = here.browser().sign_in(known, "wrong")
    between = here.means.passwords.worked
    nobody = here.browser().sign_in(login, "wrong")

    assert (nobody.status_code, nobody.json()) == (wrong.status_code, wrong.json())
    assert here.means.passwords.worked - between == between - before == 1


def test_a_user_with_passkeys_alone_has_no_password_that_could_be_guessed(here: Porch) -> None:
    here.add("zhou", password=None)
    assert here.browser().sign_in("zhou", "").status_code == 401
    assert here.browser().sign_in("zhou", "nobody's").status_code == 401


def test_no_password_is_right_where_there_is_none(here: Porch) -> None:
    assert not here.means.passwords.is_right(None, "nobody's")
    assert not here.means.passwords.is_right("no hash at all", "nobody's")


def test_a_wrong_password_and_a_wrong_code_are_answered_alike(here: Porch) -> None:
    totp = with_codes(here, "wu")
    code = totp.at(here.hands.now())
    told = [
        here.browser().sign_in("wu", "wrong", code),
        here.browser().sign_in("wu", PASSWORD, f"{(int(code) + 1) % 1_000_000:06}"),
        here.browser().sign_in("wu", PASSWORD),
    ]

    assert {(answer.status_code, answer.text) for answer in told} == {(401, told[0].text)}


# --- codes ----------------------------------------------------------------------------------------


def test_a_code_signs_in_once_and_not_again(here: Porch) -> None:
    totp = with_codes(here, "xu")
    code = totp.at(here.hands.now())

    assert here.browser().sign_in("xu", PASSWORD, code).json()["how"] == "password+totp"
    assert here.browser().sign_in("xu", PASSWORD, code).status_code == 401


def test_a_code_of_before_does_not_sign_in_after_a_later_one(here: Porch) -> None:
    totp = with_codes(here, "sun")
    earlier = totp.at(here.hands.now())
    here.hands.on(seconds=30)

    assert here.browser().sign_in("sun", PASSWORD, totp.at(here.hands.now())).status_code == 201
    assert here.browser().sign_in("sun", PASSWORD, earlier).status_code == 401


@pytest.mark.parametrize("away_s", [-90, 90])
def test_a_code_of_another_minute_is_none(here: Porch, away_s: int) -> None:
    login = {-90: "mao", 90: "hu"}[away_s]
    totp = with_codes(here, login)
    code = totp.at(here.hands.now().timestamp() + away_s)

    assert here.browser().sign_in(login, PASSWORD, code).status_code == 401


def test_a_wrong_password_uses_up_no_code(here: Porch) -> None:
    totp = with_codes(here, "zhu")
    code = totp.at(here.hands.now())
    here.browser().sign_in("zhu", "wrong", code)

    assert here.browser().sign_in("zhu", PASSWORD, code).status_code == 201


def test_one_code_sent_many_times_at_once_signs_in_once(here: Porch) -> None:
    totp = with_codes(here, "gaoyu")
    code = totp.at(here.hands.now())
    browsers = [here.browser() for _ in range(5)]
    with ThreadPoolExecutor(5) as pool:
        told = list(pool.map(lambda browser: browser.sign_in("gaoyu", PASSWORD, code).status_code, browsers))

    assert told.count(201) == 1


def test_the_secret_of_codes_rests_sealed_and_opens_for_its_user_alone(here: Porch) -> None:
    totp = with_codes(here, "lin")
    other = here.add("he")
    with here.home.ports.register.begin() as facts:
        user = facts.connection.exec_driver_sql("select id from users where login = 'lin'").scalar_one()
        [row] = credential_rows.credentials_of(facts.connection, user, "totp")
        assert totp.secret not in row["secret"]
        moved = dict(row) | {"id": "crd-moved", "user": other}
        credential_rows.add_credential(facts.connection, moved)

    assert here.browser().sign_in("he", PASSWORD, totp.at(here.hands.now())).status_code == 503


# --- passwords ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("login", "password", "says"),
    [
        ("tooshort", "short but good", "15 to 256"),
        ("toolong", "x" * 257, "15 to 256"),
        ("common", "Password-2024-2024", "tried first"),
        ("jiaoyang", "jiaoyang-20240101", "tried first"),
    ],
)
def test_a_password_that_is_short_or_tried_first_is_refused_and_the_link_stays_good(
    here: Porch, login: str, password: str, says: str
) -> None:
    user = here.add(login, password=None)
    link = here.link(user)
    answer = here.browser().says("POST", "/session/link", {"link": link, "password": password})

    assert (answer.status_code, answer.json()["code"]) == (400, "bad-input")
    assert says in answer.json()["detail"]
    assert password not in answer.text
    assert here.browser().says("POST", "/session/link", {"link": link, "password": PASSWORD}).status_code == 201


def test_beside_codes_a_shorter_password_does_and_the_codes_stay_as_long_as_it_does(here: Porch) -> None:
    totp = with_codes(here, "guo")
    browser = here.browser()
    browser.sign_in("guo", PASSWORD, totp.at(here.hands.now()))

    assert browser.says("POST", "/me/password", {"password": "heronsky"}).status_code == 204
    assert browser.says("DELETE", "/me/totp").json()["code"] == "refused"
    assert browser.says("POST", "/me/password", {"password": PASSWORD}).status_code == 204
    assert browser.says("DELETE", "/me/totp").status_code == 204


def test_a_hash_is_made_anew_when_the_figures_have_risen(here: Porch) -> None:
    user = here.add("ma")
    figures = replace(quick_figures(), argon2_memory_kib=128)
    stronger = replace(here.means, figures=figures, passwords=Passwords(figures))
    context, here.app.state.context = here.context, replace(here.context, sign_in=stronger)
    try:
        assert here.browser().sign_in("ma").status_code == 201
        with here.home.ports.register.view() as connection:
            [row] = credential_rows.credentials_of(connection, user, "password")
        assert "m=128," in row["secret"]
        assert here.browser().sign_in("ma").status_code == 201
    finally:
        here.app.state.context = context


def test_the_shipped_figures_hash_with_what_is_asked_for_at_the_least() -> None:
    assert Passwords().hash("x").startswith("$argon2id$v=19$m=19456,t=2,p=1$")


# --- on record ------------------------------------------------------------------------------------


def test_wrong_tries_are_on_record_folded_and_hold_nothing_that_was_typed(here: Porch) -> None:
    here.add("luo")
    here.hands.on(minutes=20)
    stream = "door/sign-in"
    before = len(here.home.events(stream))
    here.browser().sign_in("luo", "wrong")
    for _ in range(3):
        here.browser().sign_in("luo", "wrong")
    here.browser().sign_in("My Secret Typed Into The Wrong Field", "wrong")
    here.hands.on(minutes=1)
    here.browser().sign_in("luo", "wrong")

    told = here.home.events(stream)[before:]
    assert [event["kind"] for event in told] == ["sign-in-failed"] * len(told)
    assert 2 <= len(told) <= 4
    kept = b"".join(path.read_bytes() for path in here.home.settings.home.rglob("*") if path.is_file())
    assert b"My Secret" not in kept
    assert b"my secret" not in kept


def test_a_browser_that_is_no_browser_of_ours_is_as_welcome(here: Porch) -> None:
    here.add("deng")
    bare = Browser(here.app, base_url="https://evidence.example.org", client=("198.51.100.1", 1))
    answer = bare.request("POST", "/v1/session", json={"login": "deng", "password": PASSWORD})

    assert answer.status_code == 201
