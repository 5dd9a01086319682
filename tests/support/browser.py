# SPDX-License-Identifier: Apache-2.0
"""This is where tests get a browser: Debian's Chromium without a screen, driven by Playwright, and signed-in people."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.support.footage import missing
from tests.support.people import Person

_QUIET = ("background-networking", "component-update", "sync", "quic", "gpu")
PICTURES = Path(os.environ.get("EVIDOCK_TEST_PICTURES", "build/pictures"))
AXE = Path(__file__).parents[2] / "web/console/node_modules/axe-core/axe.min.js"
WAIT_MS = 20_000


@contextmanager
def browser() -> Iterator[Browser]:
    """One browser, gone at the end; nothing it does leaves the machine."""
    program = shutil.which("chromium")
    if program is None:
        missing("chromium", remedy="apt-get install chromium fonts-noto-cjk")
    told = ["--no-first-run", *(f"--disable-{name}" for name in _QUIET)]
    if os.getuid() == 0:
        told.append("--no-sandbox")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=program, args=told)
        try:
            yield opened
        finally:
            opened.close()


@contextmanager
def visiting(
    opened: Browser, person: Person | None, address: str, *, language: str = "zh-CN", dark: bool = False
) -> Iterator[Page]:
    """A page of `address`, as `person` sees it; what the page says it met with is a failure of the test."""
    context: BrowserContext = opened.new_context(
        viewport={"width": 1440, "height": 1000},
        locale=language,
        timezone_id="Asia/Shanghai",
        color_scheme="dark" if dark else "light",
        reduced_motion="reduce",
    )
    if person is not None:
        name, _, value = person.headers["Cookie"].partition("=")
        context.add_cookies([{"name": name, "value": value, "url": address}])
    page = context.new_page()
    page.set_default_timeout(WAIT_MS)
    thrown: list[str] = []
    page.on("pageerror", lambda error: thrown.append(str(error)))
    page.on("console", lambda said: thrown.append(said.text) if "Content Security Policy" in said.text else None)
    try:
        yield page
        assert not thrown, thrown
    finally:
        context.close()


def picture(page: Page, name: str) -> None:
    """Keep what is on the screen, for people."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=PICTURES / f"{name}.png")


def barriers(page: Page) -> list[str]:
    """What of a page keeps people out, seriously or worse, as axe finds it."""
    page.evaluate(AXE.read_text("utf-8"))
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{one['id']}: {node['target']} {node['failureSummary']}"
        for one in found["violations"]
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"][:3]
    ]
