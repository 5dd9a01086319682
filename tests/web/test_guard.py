# SPDX-License-Identifier: Apache-2.0
"""What every answer says to a browser, and which host a browser may call us by."""

import asyncio
from pathlib import Path

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.types import ASGIApp

from tests.support.home import open_home
from tests.support.people import hall_of_people
from web.guard.headers import StrictHeaders
from web.guard.hosts import OwnHosts


def app(*, is_tls: bool = True, hosts: tuple[str, ...] = ("dock.example.org", "[::1]")) -> ASGIApp:
    def plain(_: object) -> PlainTextResponse:
        return PlainTextResponse("hello", headers={"cache-control": "max-age=60"})

    inner = Starlette(routes=[Route("/", plain)])
    return OwnHosts(StrictHeaders(inner, is_tls=is_tls), hosts=hosts)


def get(asked: ASGIApp, path: str = "/", **headers: str) -> httpx2.Response:
    async def once() -> httpx2.Response:
        transport = httpx2.ASGITransport(asked)
        async with httpx2.AsyncClient(transport=transport, base_url="https://dock.example.org") as client:
            return await client.get(path, headers={name.replace("_", "-"): value for name, value in headers.items()})

    return asyncio.run(once())


def test_an_answer_may_load_run_and_frame_nothing() -> None:
    told = get(app()).headers
    assert told["x-content-type-options"] == "nosniff"
    assert told["content-security-policy"].startswith("default-src 'none'")
    assert told["x-frame-options"] == "DENY"
    assert told["referrer-policy"] == "no-referrer"
    assert told["strict-transport-security"].startswith("max-age=31536000")


def test_what_a_route_says_itself_stands_and_errors_are_strict_too() -> None:
    assert get(app()).headers["cache-control"] == "max-age=60"
    assert get(app(), "/nowhere").headers["cache-control"] == "no-store"


def test_without_tls_nobody_is_told_to_come_back_by_it() -> None:
    assert "strict-transport-security" not in get(app(is_tls=False)).headers


@pytest.mark.parametrize("host", ["evil.example.net", "dock.example.org.evil.net", "", "dock.example.org@evil.net"])
def test_a_browser_that_was_led_here_under_another_name_gets_no_answer(host: str) -> None:
    answer = get(app(), host=host, sec_fetch_site="same-origin")
    assert answer.status_code == 421
    assert answer.json()["code"] == "other-host"


@pytest.mark.parametrize("host", ["dock.example.org", "DOCK.example.org:9443", "[::1]:9443"])
def test_a_browser_under_our_own_name_is_answered(host: str) -> None:
    assert get(app(), host=host, origin="https://dock.example.org").text == "hello"


def test_a_dock_that_pins_our_certificate_may_call_us_by_address() -> None:
    assert get(app(), host="10.1.2.3").text == "hello"


def test_the_server_itself_is_strict_whatever_it_answers(tmp_path: Path) -> None:
    with open_home(tmp_path) as home, hall_of_people(home, is_filled=False) as hall:
        for path in ("/v1/me", "/v1/openapi.json", "/nowhere", "/v1/session"):
            told = hall.nobody.get(path).headers
            assert told["x-content-type-options"] == "nosniff", path
            assert told["content-security-policy"].startswith("default-src 'none'"), path
