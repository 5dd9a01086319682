# SPDX-License-Identifier: Apache-2.0
"""The console's files over HTTP: what a browser is given, what a program is not, and that nothing else is reached."""

import http.client
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from email.message import Message
from pathlib import Path

import pytest

from tests.support.home import open_home
from tests.support.people import Hall, hall_of_people
from web.pages.site import FOLDER, encoding_for, load_site

BROWSER = {"Accept": "text/html,*/*;q=0.8", "Sec-Fetch-Mode": "navigate"}


@pytest.fixture(scope="module")
def hall(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hall]:
    with open_home(tmp_path_factory.mktemp("files") / "home") as home, hall_of_people(home, is_filled=False) as hall:
        yield hall


@dataclass(frozen=True, slots=True)
class Answer:
    """What came."""

    status: int
    headers: Message
    body: bytes


def ask(hall: Hall, path: str, method: str = "GET", **headers: str) -> Answer:
    """What the server says to an address as it is written, with nothing put straight by a client."""
    at = hall.nobody.base_url
    with closing(http.client.HTTPConnection(at.host, at.port, timeout=20)) as line:
        line.putrequest(method, path, skip_accept_encoding=True)
        for name, value in headers.items():
            line.putheader(name.replace("_", "-"), value)
        line.endheaders()
        answer = line.getresponse()
        return Answer(answer.status, answer.headers, answer.read())


def test_the_console_was_built() -> None:
    assert load_site(FOLDER).entry is not None, "make console builds it; make test does so by itself"


@pytest.mark.parametrize("path", ["/", "/cases/A-1", "/wall?kiosk=1", "/enrol"])
def test_whoever_goes_to_a_page_gets_the_console(hall: Hall, path: str) -> None:
    answer = ask(hall, path, **BROWSER)
    assert (answer.status, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    policy = str(answer.headers["content-security-policy"])
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("path", ["/cases/A-1", "/nothing.js", "/assets/none-00000000.js", "/v1/none", "/axis/v1/none"])
def test_a_program_is_told_that_there_is_nothing(hall: Hall, path: str) -> None:
    assert ask(hall, path, Accept="application/json").status in (401, 404)


@pytest.mark.parametrize(
    "path",
    [
        "/../pyproject.toml",
        "/assets/../../pyproject.toml",
        "/..%2f..%2fetc%2fpasswd",
        "//etc/passwd",
        "/%2e%2e/%2e%2e/",
    ],
)
def test_no_address_leads_out_of_the_console(hall: Hall, path: str) -> None:
    answer = ask(hall, path, Accept="*/*", Sec_Fetch_Mode="no-cors")
    assert answer.status in (400, 404)
    assert b"root:" not in answer.body


def test_files_are_kept_by_browsers_and_asked_for_anew_by_their_digest(hall: Hall) -> None:
    script = next(name for name in load_site(FOLDER).assets if name.endswith(".js"))
    first = ask(hall, f"/{script}", Accept="*/*", Accept_Encoding="br")
    assert (first.status, first.headers["content-encoding"]) == (200, "br")
    assert "immutable" in (str(first.headers["cache-control"]))
    tag = str(first.headers["etag"])
    again = ask(hall, f"/{script}", Accept="*/*", Accept_Encoding="br", If_None_Match=tag)
    assert (again.status, again.body) == (304, b"")
    plain = ask(hall, f"/{script}", method="HEAD", Accept="*/*")
    assert (plain.status, plain.headers["content-encoding"], plain.body) == (200, None, b"")
    assert plain.headers["etag"] != tag
    assert ask(hall, "/", **BROWSER).headers["cache-control"] == "no-cache"


def test_the_first_load_is_small() -> None:
    site = load_site(FOLDER)
    assert site.entry is not None
    page = site.entry.plain.decode()
    named = [one for name, one in site.assets.items() if f"/{name}" in page]
    size = sum(len(one.packed.get("gzip", one.plain)) for one in (site.entry, *named))
    print(f"{len(named) + 1} files, {size} bytes packed")
    assert size <= 300 << 10
    assert sum(len(one.packed.get("gzip", one.plain)) for one in site.assets.values()) <= 300 << 10, "even all pages"


def test_what_is_no_file_of_the_build_is_no_file_of_the_site(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("<!doctype html>")
    (tmp_path / "secret").symlink_to("/etc/passwd")
    assert set(load_site(tmp_path).assets) == {"index.html"}
    assert load_site(tmp_path / "none").entry is None


@pytest.mark.parametrize(
    ("accepted", "chosen"),
    [("br, gzip", "br"), ("gzip;q=0.5", "gzip"), ("br;q=0", None), ("*", "br"), (None, None), ("br;q=x;;", None)],
)
def test_what_a_browser_unpacks_is_sent_packed(accepted: str | None, chosen: str | None) -> None:
    assert encoding_for(accepted, ["br", "gzip"]) == chosen
