# SPDX-License-Identifier: Apache-2.0
"""People behind a reverse proxy are told apart by the address that it saw, and nobody else says where they are."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from starlette.types import Message, Receive, Scope, Send

from app.settings import load_settings
from evidence.errors import BadInput
from tests.support.home import open_home
from tests.support.sign_in import Porch, porch
from web.guard.proxies import BehindProxies, behind_proxies, proxies_of

PROXY = "10.0.0.1"
SETTINGS = {"EVIDOCK_TRUSTED_PROXIES": f"{PROXY} fd00::1"}


def told_from(client: str, *headers: str) -> str:
    """Where an application behind our proxies is told that a request comes from."""
    found: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        found.append(scope["client"][0])

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        return None

    lines = [(b"x-forwarded-for", value.encode("latin-1")) for value in headers]
    behind = BehindProxies(app, proxies=proxies_of([PROXY, "fd00::1"]))
    asyncio.run(behind({"type": "http", "client": (client, 5), "headers": lines}, receive, send))
    return found[0]


def test_the_last_hop_counts_and_nothing_before_it() -> None:
    assert told_from(PROXY, "203.0.113.7") == "203.0.113.7"
    assert told_from(PROXY, "198.51.100.1, 10.0.0.1, 203.0.113.7") == "203.0.113.7"
    assert told_from(PROXY, "198.51.100.1", "203.0.113.7") == "203.0.113.7"
    assert told_from("fd00:0::1", "2001:db8::7") == "2001:db8::7"
    assert told_from(f"::ffff:{PROXY}", "203.0.113.7") == "203.0.113.7"


def test_whoever_is_no_proxy_of_ours_says_nothing() -> None:
    assert told_from("10.0.0.2", "203.0.113.7") == "10.0.0.2"


@pytest.mark.parametrize("header", ["", ",", "unknown", "203.0.113.7:80", "1" * 9000, "a\x00b", "203.0.113.7,"])
def test_what_is_no_address_leaves_the_proxys_own(header: str) -> None:
    assert told_from(PROXY, header) == PROXY


@pytest.mark.parametrize("told", ["proxy.example.org", "10.0.0.0/8", "*", "10.0.0.1:80"])
def test_a_proxy_is_named_by_its_exact_address(told: str) -> None:
    with pytest.raises(BadInput, match="EVIDOCK_TRUSTED_PROXIES"):
        proxies_of([told])


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Porch]:
    with open_home(tmp_path_factory.mktemp("proxies") / "home") as home, porch(home) as made:
        behind_proxies(made.app, load_settings(SETTINGS).trusted_proxies)
        yield made


def guess(here: Porch, address: str, login: str, says: str) -> int:
    return int(here.browser(address).sign_in(login, "wrong", **{"X-Forwarded-For": says}).status_code)


def test_one_who_guesses_behind_the_proxy_locks_out_nobody_else(here: Porch) -> None:
    told = [guess(here, PROXY, f"nobody{'abcdef'[number]}", "203.0.113.7") for number in range(6)]
    assert told == [401] * 5 + [429]

    here.add("li")
    assert here.browser(PROXY).sign_in("li", **{"X-Forwarded-For": "203.0.113.8"}).status_code == 201


def test_no_header_makes_a_new_address_for_every_guess(here: Porch) -> None:
    direct = [guess(here, "192.0.2.9", f"noone{'abcdef'[number]}", f"203.0.113.{number + 50}") for number in range(6)]
    behind = [guess(here, PROXY, f"none{'abcdef'[number]}", f"1.2.3.{number}, 203.0.113.9") for number in range(6)]

    assert direct == behind == [401] * 5 + [429]


def test_without_the_setting_no_proxy_is_believed(tmp_path: Path) -> None:
    app = FastAPI()
    behind_proxies(app, load_settings({"EVIDOCK_HOME": str(tmp_path)}).trusted_proxies)

    assert not app.user_middleware
