# SPDX-License-Identifier: Apache-2.0
"""People sign in by passkeys: what is signed is ours, here, now, once, and by the one that has counted furthest."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from pipeline.users import disable_user
from tests.support.authenticator import Authenticator, b64
from tests.support.home import open_home
from tests.support.sign_in import HOST, PASSWORD, SITE, Browser, Porch, porch


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Porch]:
    with open_home(tmp_path_factory.mktemp("passkeys") / "home") as home, porch(home) as made:
        yield made


@pytest.fixture
def li(here: Porch) -> tuple[str, Authenticator]:
    """A user who began with a passkey: their id, and it."""
    login, passkey = here.fresh("officer"), here.authenticator()
    user = here.browser().sign_in(login).json()["user"]
    link = here.link(user)
    asked = here.browser().says("POST", "/session/link/look", {"link": link}).json()["passkey"]
    assert asked["user"]["name"] == login
    begun = here.browser().says("POST", "/session/link", {"link": link, "passkey": passkey.make(asked), "label": "key"})
    assert (begun.status_code, begun.json()["how"]) == (201, "passkey"), begun.text
    return user, passkey


def asked(browser: Browser) -> dict[str, Any]:
    options: dict[str, Any] = browser.says("POST", "/session/passkey/options").json()["options"]
    return options


def signed(browser: Browser, passkey: Authenticator) -> tuple[int, str]:
    """What comes of signing in with a passkey: the status, and the code of the problem."""
    answer = browser.says("POST", "/session/passkey", {"passkey": passkey.sign(asked(browser))})
    return answer.status_code, answer.json().get("code", "")


def test_a_passkey_signs_its_user_in_without_a_login(here: Porch, li: tuple[str, Authenticator]) -> None:
    user, passkey = li
    browser = here.browser()
    options = asked(browser)
    answer = browser.says("POST", "/session/passkey", {"passkey": passkey.turned(1).sign(options)})

    assert (answer.status_code, answer.json()["user"], answer.json()["how"]) == (201, user, "passkey")
    assert options["userVerification"] == "required"
    assert options["allowCredentials"] == []  # it names nobody
    assert here.kinds(f"user/{user}")[-2:] == ["signed-in", "signed-in"]


def test_a_passkey_takes_the_place_of_what_was_there_before_the_link(
    here: Porch, li: tuple[str, Authenticator]
) -> None:
    with here.home.ports.register.view() as connection:
        from storage.register import user_rows

        login = user_rows.user(connection, li[0])["login"]
    assert here.browser().sign_in(login, PASSWORD).status_code == 401


@pytest.mark.parametrize(
    "origin", ["https://evil.example", f"http://{HOST}", f"{SITE}:8443", f"https://{HOST}.evil.example"]
)
def test_what_was_signed_on_another_page_signs_nobody_in(
    here: Porch, li: tuple[str, Authenticator], origin: str
) -> None:
    assert signed(here.browser(), replace(li[1], origin=origin, counter=1)) == (401, "not-signed-in")


def test_what_was_signed_for_another_server_signs_nobody_in(here: Porch, li: tuple[str, Authenticator]) -> None:
    assert signed(here.browser(), replace(li[1], rp="evil.example", counter=1)) == (401, "not-signed-in")


def test_a_challenge_signs_in_once(here: Porch, li: tuple[str, Authenticator]) -> None:
    browser = here.browser()
    options = asked(browser)
    first = browser.says("POST", "/session/passkey", {"passkey": li[1].turned(1).sign(options)})
    again = browser.says("POST", "/session/passkey", {"passkey": li[1].turned(2).sign(options)})

    assert (first.status_code, again.status_code) == (201, 401)


def test_a_challenge_that_was_answered_wrongly_is_used_up_too(here: Porch, li: tuple[str, Authenticator]) -> None:
    browser = here.browser()
    options = asked(browser)
    wrong = here.authenticator(credential=li[1].credential)  # another key under the same name
    told = [browser.says("POST", "/session/passkey", {"passkey": one.sign(options)}) for one in (wrong, li[1])]

    assert [answer.status_code for answer in told] == [401, 401]


def test_a_challenge_is_good_for_minutes(here: Porch, li: tuple[str, Authenticator]) -> None:
    browser = here.browser()
    options = asked(browser)
    here.hands.on(minutes=5, seconds=1)
    answer = browser.says("POST", "/session/passkey", {"passkey": li[1].turned(1).sign(options)})

    assert answer.status_code == 401


def test_a_challenge_that_we_never_gave_signs_nobody_in(here: Porch, li: tuple[str, Authenticator]) -> None:
    options = {"challenge": b64(bytes(32))}
    answer = here.browser().says("POST", "/session/passkey", {"passkey": li[1].turned(1).sign(options)})

    assert answer.status_code == 401


def test_a_copy_of_a_passkey_is_found_by_its_counter(here: Porch, li: tuple[str, Authenticator]) -> None:
    assert signed(here.browser(), li[1].turned(7))[0] == 201
    assert signed(here.browser(), li[1].turned(7)) == (401, "not-signed-in")
    assert signed(here.browser(), li[1].turned(3)) == (401, "not-signed-in")
    assert signed(here.browser(), li[1].turned(0)) == (401, "not-signed-in")
    assert signed(here.browser(), li[1].turned(8))[0] == 201


def test_a_passkey_that_never_counts_signs_in_again_and_again(here: Porch, li: tuple[str, Authenticator]) -> None:
    assert [signed(here.browser(), li[1])[0] for _ in range(2)] == [201, 201]


def test_a_passkey_whose_person_was_not_verified_signs_nobody_in(here: Porch, li: tuple[str, Authenticator]) -> None:
    assert signed(here.browser(), replace(li[1], is_verified=False, counter=1)) == (401, "not-signed-in")


def test_another_key_under_the_name_of_a_passkey_signs_nobody_in(here: Porch, li: tuple[str, Authenticator]) -> None:
    assert signed(here.browser(), here.authenticator(credential=li[1].credential, counter=1))[0] == 401


def test_a_passkey_of_somebody_who_was_shut_out_signs_nobody_in(here: Porch, li: tuple[str, Authenticator]) -> None:
    disable_user(li[0], why="left", ports=here.home.ports, now=here.hands.now())
    assert signed(here.browser(), li[1].turned(1)) == (401, "not-signed-in")


@pytest.mark.parametrize(
    "told",
    [
        {},
        {"id": "x"},
        {"id": 7, "response": []},
        {"id": "x", "response": {"clientDataJSON": "AAAA"}},
        {"id": "x", "response": {"clientDataJSON": b64(b'{"challenge": 7}')}},
        {"id": "x", "response": {"clientDataJSON": b64(b"[" * 100_000)}},
        {"id": "\x00", "rawId": None, "type": [], "response": {"clientDataJSON": "\ud800"}},
    ],
)
def test_what_no_browser_would_send_is_refused_like_any_wrong_passkey(here: Porch, told: Any) -> None:
    import json

    body = json.dumps({"passkey": told}).encode()
    answer = here.browser().request(
        "POST", "/v1/session/passkey", content=body, headers={"Content-Type": "application/json"}
    )

    assert (answer.status_code, answer.json()["code"]) == (401, "not-signed-in")


def test_a_person_adds_and_removes_passkeys_and_never_the_last_of_all(here: Porch) -> None:
    login = here.fresh("officer")
    browser, passkey = here.signed_in(login), here.authenticator()
    options = browser.says("POST", "/me/passkeys/options").json()["options"]
    kept = browser.says("POST", "/me/passkeys", {"passkey": passkey.make(options), "label": "钥匙"})
    assert (kept.status_code, kept.json()["label"]) == (201, "钥匙")
    again = browser.says("POST", "/me/passkeys/options").json()["options"]
    assert [one["id"] for one in again["excludeCredentials"]] == [b64(passkey.credential)]

    assert signed(here.browser(), passkey.turned(1))[0] == 201
    assert browser.says("DELETE", f"/me/passkeys/{kept.json()['id']}").status_code == 204
    assert signed(here.browser(), passkey.turned(2))[0] == 401


def test_the_last_of_all_that_somebody_signs_in_with_stays(here: Porch, li: tuple[str, Authenticator]) -> None:
    browser = here.browser()
    browser.says("POST", "/session/passkey", {"passkey": li[1].turned(1).sign(asked(browser))})

    assert browser.says("DELETE", f"/me/passkeys/{b64(li[1].credential)}").json()["code"] == "refused"


def test_a_challenge_for_one_person_makes_no_passkey_of_another(here: Porch) -> None:
    one, other = here.signed_in(here.fresh("officer")), here.signed_in(here.fresh("officer"))
    options = one.says("POST", "/me/passkeys/options").json()["options"]
    answer = other.says("POST", "/me/passkeys", {"passkey": here.authenticator().make(options)})

    assert (answer.status_code, answer.json()["code"]) == (400, "bad-input")


def test_a_passkey_proves_a_person_anew(here: Porch, li: tuple[str, Authenticator]) -> None:
    browser = here.browser()
    browser.says("POST", "/session/passkey", {"passkey": li[1].turned(1).sign(asked(browser))})
    here.hands.on(minutes=6)
    assert browser.says("POST", "/me/passkeys/options").json()["code"] == "prove-again"
    proof = {"passkey": li[1].turned(2).sign(asked(browser))}

    assert browser.says("POST", "/session/proof", proof).status_code == 200
    assert browser.says("POST", "/me/passkeys/options").status_code == 200


def test_a_passkey_of_another_person_proves_nothing(here: Porch, li: tuple[str, Authenticator]) -> None:
    browser = here.signed_in(here.fresh("officer"))
    here.hands.on(minutes=6)
    proof = {"passkey": li[1].turned(1).sign(asked(browser))}

    assert browser.says("POST", "/session/proof", proof).status_code == 401
    assert browser.says("POST", "/me/passkeys/options").json()["code"] == "prove-again"


def test_of_a_passkey_and_its_copy_that_sign_at_once_one_is_believed(
    here: Porch, li: tuple[str, Authenticator]
) -> None:
    browsers = [here.browser() for _ in range(6)]
    answers = [li[1].turned(1).sign(asked(browser)) for browser in browsers]
    with ThreadPoolExecutor(6) as pool:
        told = list(
            pool.map(
                lambda browser, answer: browser.says("POST", "/session/passkey", {"passkey": answer}).status_code,
                browsers,
                answers,
            )
        )

    assert (told.count(201), told.count(401)) == (1, 5)


def test_challenges_are_given_to_an_address_so_often(here: Porch) -> None:
    browser = here.browser()
    told = [
        browser.says("POST", "/session/passkey/options").status_code for _ in range(here.means.figures.challenges + 1)
    ]

    assert told == [200] * here.means.figures.challenges + [429]
