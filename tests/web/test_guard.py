# SPDX-License-Identifier: Apache-2.0
"""What every answer says to a browser, and which host a browser may call us by."""

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from web.guard.headers import StrictHeaders
from web.guard.hosts import OwnHosts


def app(*, is_tls: bool = True, hosts: tuple[str, ...] = ("dock.example.org", "[::1]")) -> TestClient:
    def plain(_: object) -> PlainTextResponse:
        return PlainTextResponse("hello", headers={"cache-control": "max-age=60"})

    inner = Starlette(routes=[Route("/", plain)])
    return TestClient(OwnHosts(StrictHeaders(inner, is_tls=is_tls), hosts=hosts), base_url="https://dock.example.org")


def test_an_answer_may_load_run_and_frame_nothing() -> None:
    told = app().get("/").headers
    assert told["x-content-type-options"] == "nosniff"
    assert told["content-security-policy"].startswith("default-src 'none'")
    assert told["x-frame-options"] == "DENY"
    assert told["referrer-policy"] == "no-referrer"
    assert told["strict-transport-security"].startswith("max-age=31536000")


def test_what_a_route_says_itself_stands_and_errors_are_strict_too() -> None:
    assert app().get("/").headers["cache-control"] == "max-age=60"
    assert app().get("/nowhere").headers["cache-control"] == "no-store"


def test_without_tls_nobody_is_told_to_come_back_by_it() -> None:
    assert "strict-transport-security" not in app(is_tls=False).get("/").headers


@pytest.mark.parametrize("host", ["evil.example.net", "dock.example.org.evil.net", "", "dock.example.org@evil.net"])
def test_a_browser_that_was_led_here_under_another_name_gets_no_answer(host: str) -> None:
    answer = app().get("/", headers={"host": host, "sec-fetch-site": "same-origin"})
    assert answer.status_code == 421
    assert answer.json()["code"] == "other-host"


@pytest.mark.parametrize("host", ["dock.example.org", "DOCK.example.org:9443", "[::1]:9443"])
def test_a_browser_under_our_own_name_is_answered(host: str) -> None:
    assert app().get("/", headers={"host": host, "origin": "https://dock.example.org"}).text == "hello"


def test_a_dock_that_pins_our_certificate_may_call_us_by_address() -> None:
    assert app().get("/", headers={"host": "10.1.2.3"}).text == "hello"
