# SPDX-License-Identifier: Apache-2.0
"""This is where tests get a server that people sign in at, with a clock that tests turn and browsers at any address."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import httpx2
from fastapi import FastAPI
from starlette.testclient import TestClient

from app import clocks
from evidence.custody import Happening
from pipeline.sign_in_links import issue_link
from pipeline.users import User, give_role, register_user
from storage.secret_box import SecretBox
from tests.support.authenticator import Authenticator
from tests.support.home import NOON, Home
from tests.support.people import context_for
from web.api.app import create_app
from web.api.context import Context
from web.signin.figures import Figures, shipped_figures
from web.signin.means import Means
from web.signin.passwords import Passwords
from web.signin.tries import Failures

HOST = "evidence.example.org"
SITE = f"https://{HOST}"
PASSWORD = "three quiet herons at noon"


def quick_figures() -> Figures:
    """The shipped figures, but for hashing, which costs next to nothing."""
    return replace(shipped_figures(), argon2_memory_kib=64, argon2_passes=1)


@dataclass(slots=True)
class Hands:
    """Clocks that a test turns."""

    at: datetime = NOON

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return self.at.timestamp()

    def on(self, **more: float) -> None:
        """So much later."""
        self.at += timedelta(**more)


class Browser(TestClient):
    """A browser on a page of the server; with a cookie jar of its own."""

    def says(self, method: str, path: str, body: Any = None, **headers: str) -> httpx2.Response:
        told = {"Origin": SITE, "Sec-Fetch-Site": "same-origin"} | headers
        return self.request(method, f"/v1{path}", json=body, headers=told)

    def sign_in(self, login: str, password: str = PASSWORD, code: str = "", **headers: str) -> httpx2.Response:
        return self.says("POST", "/session", {"login": login, "password": password, "code": code}, **headers)

    @property
    def token(self) -> str:
        return self.cookies["__Host-evidock"]


@dataclass(slots=True)
class Porch:
    """The server, and what a test does behind its back."""

    home: Home
    app: FastAPI
    hands: Hands
    means: Means
    _used: int = field(default=0)

    @property
    def context(self) -> Context:
        found = self.app.state.context
        assert isinstance(found, Context)
        return found

    def browser(self, address: str | None = None) -> Browser:
        """A browser at an address of its own, unless it is told."""
        self._used += 1
        return Browser(self.app, base_url=SITE, client=(address or f"10.1.{self._used // 250}.{self._used % 250}", 1))

    def link(self, user: str) -> str:
        """The secret of a link, as made at the machine."""
        ports = replace(self.home.ports, actor="cli:root")
        return issue_link(user, lasts=timedelta(hours=24), ports=ports, now=self.hands.now()).token

    def add(self, login: str, *roles: str, password: str | None = PASSWORD) -> str:
        """A user with ordinary roles and a password; their id."""
        user = register_user(User(login, login.title()), ports=self.home.ports, now=self.hands.now())
        for role in roles:
            give_role(user, role, ports=self.home.ports, now=self.hands.now())
        if password is not None:
            body = {"link": self.link(user), "password": password}
            assert self.browser().says("POST", "/session/link", body).status_code == 201
        return user

    def fresh(self, *roles: str) -> str:
        """The login of a user whom nobody knew before."""
        self._used += 1
        login = "".join(chr(ord("a") + int(digit)) for digit in str(self._used)) + "x"
        self.add(login, *roles)
        return login

    def admin(self, login: str) -> Browser:
        """An administrator who just signed in."""
        user = self.add(login)
        given = Happening("role-given", f"user/{user}", {"role": "admin", "is_founding": True})
        with self.home.ports.register.begin() as facts:
            facts.record(given, actor="cli:test", at=self.hands.now())
        return self.signed_in(login)

    def signed_in(self, login: str, **more: str) -> Browser:
        """A browser in which somebody just signed in."""
        browser = self.browser()
        assert browser.sign_in(login, **more).status_code == 201
        return browser

    def authenticator(self, **changed: Any) -> Authenticator:
        """A passkey that nobody has yet."""
        told = {"origin": SITE, "rp": HOST, "credential": clocks.chance(16)}
        return Authenticator(**told | changed)

    def kinds(self, stream: str) -> list[str]:
        """What happened in a stream."""
        return [event["kind"] for event in self.home.events(stream)]


@contextmanager
def porch(home: Home, **changed: Any) -> Iterator[Porch]:
    """A server in this process; `changed` are other means to sign in with."""
    hands = Hands()
    box = SecretBox.create_or_load(home.settings.keys, chance=clocks.chance)
    figures = quick_figures()
    told: dict[str, Any] = {
        "figures": figures,
        "public_url": SITE,
        "box": box,
        "passwords": Passwords(figures),
        "failures": Failures(hands.monotonic),
        "is_second_factor_asked": False,  # most tests sign people in by password alone
    }
    means = Means(**told | changed)
    app = create_app(context_for(home, now=hands.now, monotonic=hands.monotonic, sign_in=means))
    try:
        yield Porch(home, app, hands, means)
    finally:
        app.state.desk.close()
