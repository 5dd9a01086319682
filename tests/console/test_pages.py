# SPDX-License-Identifier: Apache-2.0
"""Every page of the console in both languages: it opens, keeps nobody out, and shows no page of another role."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from app import clocks
from evidence.device import Device
from pipeline.devices_register import register_device
from pipeline.docks import Invitation, invite
from tests.support.browser import barriers, browser, picture, visiting
from tests.support.home import open_home
from tests.support.people import OURS, Hall, hall_of_people
from tests.support.plugged import plug_in

LISTED = Path(__file__).parents[2] / "web/console/src/pages/list.ts"
PAGES = [path for path in re.findall(r"page\('([^']+)'", LISTED.read_text("utf-8")) if ":" not in path]
HAN = re.compile(r"[\u4e00-\u9fff]")


@pytest.fixture(scope="module")
def opened() -> Iterator[Browser]:
    with browser() as one:
        yield one


@pytest.fixture(scope="module")
def hall(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hall]:
    with open_home(tmp_path_factory.mktemp("pages") / "home") as home, hall_of_people(home) as hall:
        register_device(Device("CAM-1", unit=OURS), ports=home.ports, now=clocks.now())
        invite(Invitation("Station 1", unit=OURS), ports=home.ports, now=clocks.now())
        yield hall


def address(hall: Hall) -> str:
    """Where the console is."""
    return str(hall.nobody.base_url).rstrip("/").removesuffix("/v1")


@pytest.mark.parametrize("path", ["/", *PAGES])
def test_a_page_opens_in_both_languages_and_keeps_nobody_out(opened: Browser, hall: Hall, path: str) -> None:
    who = hall["investigator" if path in ("/cases", "/unfiled") else "admin"]
    for language, dark in (("zh-CN", True), ("en", False)):
        with visiting(opened, who, address(hall), language=language, dark=dark) as page:
            page.goto(address(hall) + path)
            expect(page.locator("main h1").first).to_be_visible()
            page.wait_for_timeout(300)
            assert page.get_by_role("alert").count() == 0, page.locator("main").inner_text()
            assert barriers(page) == [], language
            told = page.locator("main h1").first.inner_text()
            assert bool(HAN.search(told)) is (language == "zh-CN"), told
            picture(page, f"page-{path.strip('/') or 'home'}-{language}")


def test_nobody_is_asked_to_sign_in_and_finds_the_way_by_keys(opened: Browser, hall: Hall) -> None:
    with visiting(opened, None, address(hall), language="en") as page:
        page.goto(f"{address(hall)}/cases")
        expect(page.get_by_role("button", name="Sign in")).to_be_visible()
        assert barriers(page) == []
        page.get_by_label("Password").fill("a password that nobody has")
        page.keyboard.press("Enter")
        picture(page, "sign-in-en")


def test_the_language_is_changed_on_the_spot_and_kept(opened: Browser, hall: Hall) -> None:
    with visiting(opened, hall["admin"], address(hall)) as page:
        page.goto(f"{address(hall)}/cases")
        expect(page.locator("main h1")).to_have_text("案件")
        page.get_by_role("button", name="English").click()
        expect(page.locator("main h1")).to_have_text("Cases")
        page.reload()
        expect(page.locator("main h1")).to_have_text("Cases")
        assert page.locator("html").get_attribute("lang") == "en"


def test_keys_go_from_page_to_page_and_tell_themselves(opened: Browser, hall: Hall) -> None:
    with visiting(opened, hall["admin"], address(hall), language="en") as page:
        page.goto(address(hall))
        expect(page.locator("nav")).to_be_visible()
        page.keyboard.press("g")
        page.keyboard.press("d")
        expect(page.locator("main h1")).to_have_text("Devices")
        expect(page.get_by_role("grid")).to_contain_text("CAM-1")
        page.keyboard.press("?")
        expect(page.get_by_role("dialog")).to_be_visible()
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog")).to_have_count(0)


def test_the_wall_shows_a_device_the_moment_it_is_plugged_in(opened: Browser, hall: Hall) -> None:
    with visiting(opened, hall["officer"], address(hall)) as page:
        page.goto(f"{address(hall)}/wall?kiosk=1")
        expect(page.locator("main")).to_contain_text("实时")
        expect(page.locator("main")).to_contain_text("Station 1")
        dock = hall["officer"].get("/docks/wall").json()["docks"][0]["id"]
        plug_in(hall, dock, "CAM-1", "dkg-wall")
        expect(page.locator("main")).to_contain_text("采集中", timeout=5000)
        expect(page.locator("main")).to_contain_text("CAM-1")
        assert barriers(page) == []
        picture(page, "wall-live-zh")


def test_a_page_of_another_role_is_not_in_the_navigation(opened: Browser, hall: Hall) -> None:
    with visiting(opened, hall["officer"], address(hall), language="en") as page:
        page.goto(address(hall))
        expect(page.locator("nav")).to_contain_text("Cases")
        assert "Jobs" not in page.locator("nav").inner_text()
