# SPDX-License-Identifier: Apache-2.0
"""People sign in at an OpenID provider: at a certified one as a process, and not at one that lies."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest

from app import clocks
from pipeline.users import User, change_user, disable_user, give_role, register_user
from tests.support.home import Home, open_home
from tests.support.openid import (
    CLIENT,
    SECRET,
    Browser,
    LyingProvider,
    lying_provider,
    provider_process,
    provider_script,
)
from tests.support.people import context_for
from web.api.app import create_app
from web.oidc.provider import Provider, Registration
from web.outbound.allowed import Allowed
from web.outbound.client import Outbound
from web.outbound.transport import Gate
from web.server.listening import bound, listening
from web.signin.means import Means

Claims = dict[str, Any]


@dataclass(slots=True)
class Ours:
    """Our server, and the provider that it sends people to."""

    home: Home
    address: str
    provider: Provider
    ahead: timedelta = timedelta()

    @property
    def host(self) -> str:
        return urlsplit(self.address).netloc

    def start(self, onward: str = "/case/1") -> str:
        return f"{self.address}/v1/oidc/start?next={onward}"

    def account(self, login: str, *, subject: str | None = None) -> str:
        """An account that is tied to the provider."""
        user = User(login, login.title(), issuer=self.provider.registration.issuer, subject=subject)
        made = register_user(user, ports=self.home.ports, now=clocks.now())
        give_role(made, "officer", ports=self.home.ports, now=clocks.now())
        return made

    def sign_in(self, browser: Browser, login: str = "li") -> httpx2.Response:
        return browser.follow(self.start(), login=login, until_host=self.host)

    def is_in(self, browser: Browser) -> bool:
        return browser.get(f"{self.address}/v1/me").status_code == 200


@contextmanager
def ours(folder: Path, issuer: Callable[[str], Any]) -> Iterator[Ours]:
    """A server of ours; `issuer` starts the provider for our callback, as a context that gives its issuer."""
    with open_home(folder) as home, bound("127.0.0.1", 0) as listener:
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with issuer(f"{address}/v1/oidc/callback") as told:
            outbound = Outbound(Gate(Allowed.of(["127.0.0.1"])))
            provider = Provider(Registration(told, CLIENT, SECRET), outbound, time.monotonic)
            made = Ours(home, address, provider)
            context = context_for(
                home, sign_in=Means(public_url=address, oidc=provider), now=lambda: datetime.now(UTC) + made.ahead
            )
            app = create_app(context)
            with listening(app, listener, identity=None, grace_s=1.0):
                yield made
            app.state.desk.close()


@pytest.fixture(scope="module")
def certified(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ours]:
    script = provider_script(tmp_path_factory)
    folder = tmp_path_factory.mktemp("certified")
    with ours(folder, lambda redirect: provider_process(script, redirect=redirect)) as made:
        yield made


@pytest.fixture(scope="module")
def lied_to(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Ours, LyingProvider]]:
    with lying_provider() as liar:

        @contextmanager
        def issuer(_: str) -> Iterator[str]:
            yield liar.issuer

        with ours(tmp_path_factory.mktemp("liar"), issuer) as made:
            made.account("li", subject="subject-of-li")
            yield made, liar


@pytest.fixture
def liar(lied_to: tuple[Ours, LyingProvider]) -> Iterator[LyingProvider]:
    made, liar = lied_to
    honest = liar.lie
    yield liar
    liar.lie, liar.iss_told, made.ahead = honest, None, timedelta()


# --- the certified one --------------------------------------------------------------------------


def test_somebody_whom_the_provider_knows_is_signed_in_and_goes_on(certified: Ours) -> None:
    certified.account("wang", subject="wang")
    browser = Browser()
    answer = certified.sign_in(browser, "wang")
    assert answer.status_code == 303
    assert answer.headers["location"] == "/case/1"
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    told = browser.get(f"{certified.address}/v1/me").json()
    assert told["login"] == "wang"


def test_the_first_time_a_login_ties_the_account_to_its_subject(certified: Ours) -> None:
    user = certified.account("zhao")
    assert certified.sign_in(Browser(), "zhao").status_code == 303
    assert not change_user(user, {"subject": "zhao"}, ports=certified.home.ports, now=clocks.now())


def test_nobody_without_an_account_is_let_in_and_none_is_made(certified: Ours) -> None:
    browser = Browser()
    answer = certified.sign_in(browser, "stranger")
    assert answer.status_code == 401
    assert not certified.is_in(browser)


def test_an_account_that_is_not_tied_to_the_provider_is_not_opened_by_it(certified: Ours) -> None:
    register_user(User("qian", "Qian"), ports=certified.home.ports, now=clocks.now())
    assert certified.sign_in(Browser(), "qian").status_code == 401


def test_a_disabled_account_is_not_opened(certified: Ours) -> None:
    user = certified.account("sun", subject="sun")
    disable_user(user, why="left", ports=certified.home.ports, now=clocks.now())
    assert certified.sign_in(Browser(), "sun").status_code == 401


def test_an_answer_that_is_brought_twice_counts_once(certified: Ours) -> None:
    certified.account("wu", subject="wu")
    browser = Browser()
    certified.sign_in(browser, "wu")
    again = next(one for one in reversed(browser.visited) if "/v1/oidc/callback" in one)
    assert Browser(cookies=browser.cookies).get(again).status_code == 401


def test_an_answer_in_another_browser_signs_nobody_in(certified: Ours) -> None:
    certified.account("zheng", subject="zheng")
    mine, victim = Browser(), Browser()
    asked = mine.get(certified.start())
    # What the attacker's own sign-in ends with, before it is opened.
    elsewhere = urlsplit(asked.headers["location"]).netloc
    mine.follow(asked.headers["location"], login="zheng", until_host=elsewhere, limit=1)
    state = parse_qs(urlsplit(asked.headers["location"]).query)["state"][0]
    answer = victim.get(f"{certified.address}/v1/oidc/callback?code=any&state={state}")
    assert answer.status_code == 401
    assert not certified.is_in(victim)


# --- where a browser is sent --------------------------------------------------------------------


@pytest.mark.parametrize(
    "onward",
    ["https://evil.example", "//evil.example", "/\\evil.example", "/%0d%0aSet-Cookie:a=b", "javascript:alert(1)",
     "/\t/evil.example", "", "evil", "/a\r\nb"],
)  # fmt: skip
def test_nobody_is_sent_on_to_another_site(certified: Ours, onward: str) -> None:
    answer = httpx2.get(f"{certified.address}/v1/oidc/start", params={"next": onward}, trust_env=False)
    assert answer.status_code == 400 or (
        onward == "/%0d%0aSet-Cookie:a=b" and answer.status_code == 303 and "evil" not in answer.headers["location"]
    )


def test_what_is_asked_of_the_provider_has_a_challenge_and_no_secret(certified: Ours) -> None:
    where = Browser().get(certified.start()).headers["location"]
    asked = parse_qs(urlsplit(where).query)
    assert asked["code_challenge_method"] == ["S256"]
    assert len(asked["code_challenge"][0]) == 43
    assert SECRET not in where


# --- one that lies ------------------------------------------------------------------------------


def by_other_key(liar: LyingProvider, claims: Claims) -> str:
    from joserfc.jwk import RSAKey

    return LyingProvider(liar.issuer, RSAKey.generate_key(2048, auto_kid=True)).token(claims)


LIES: dict[str, Callable[[LyingProvider, Claims], str]] = {
    "nobody's signature": lambda liar, claims: liar.by_nobody(claims),
    "a signature made with the public key": lambda liar, claims: liar.by_public_key(claims),
    "another key": by_other_key,
    "another sign-in's nonce": lambda liar, claims: liar.token(claims | {"nonce": "other"}),
    "no nonce": lambda liar, claims: liar.token({name: value for name, value in claims.items() if name != "nonce"}),
    "another audience": lambda liar, claims: liar.token(claims | {"aud": "somebody-else"}),
    "several audiences": lambda liar, claims: liar.token(claims | {"aud": [CLIENT, "somebody-else"]}),
    "asked for by somebody else": lambda liar, claims: liar.token(claims | {"azp": "somebody-else"}),
    "another issuer": lambda liar, claims: liar.token(claims | {"iss": "https://evil.example"}),
    "over": lambda liar, claims: liar.token(claims | {"exp": claims["iat"] - 3600}),
    "of tomorrow": lambda liar, claims: liar.token(claims | {"iat": claims["iat"] + 86400}),
    "no end": lambda liar, claims: liar.token({name: value for name, value in claims.items() if name != "exp"}),
    "no subject": lambda liar, claims: liar.token(claims | {"sub": ""}),
    "a number for a subject": lambda liar, claims: liar.token(claims | {"sub": 7}),
    "no token at all": lambda liar, claims: "not.a.token",
    "rubbish": lambda liar, claims: "x" * 5000,
}


def test_an_honest_word_signs_in(lied_to: tuple[Ours, LyingProvider], liar: LyingProvider) -> None:
    browser = Browser()
    assert lied_to[0].sign_in(browser).status_code == 303
    assert lied_to[0].is_in(browser)


@pytest.mark.parametrize("lie", LIES)
def test_a_word_that_does_not_hold_signs_nobody_in(
    lied_to: tuple[Ours, LyingProvider], liar: LyingProvider, lie: str
) -> None:
    browser, liar.lie = Browser(), LIES[lie]
    answer = lied_to[0].sign_in(browser)
    assert answer.status_code == 401, answer.text
    assert answer.json()["code"] == "not-signed-in"
    assert not lied_to[0].is_in(browser)


def test_an_answer_that_names_another_issuer_is_refused(
    lied_to: tuple[Ours, LyingProvider], liar: LyingProvider
) -> None:
    browser, liar.iss_told = Browser(), "https://evil.example"
    assert lied_to[0].sign_in(browser).status_code == 401


def test_an_answer_that_comes_too_late_is_refused(lied_to: tuple[Ours, LyingProvider], liar: LyingProvider) -> None:
    made, browser = lied_to[0], Browser()
    asked = browser.get(made.start())
    made.ahead = timedelta(minutes=11)
    answer = browser.follow(asked.headers["location"], login="li", until_host=made.host)
    assert answer.status_code == 401
