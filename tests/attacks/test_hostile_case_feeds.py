# SPDX-License-Identifier: Apache-2.0
"""A case system that lies, stalls, floods or leads elsewhere costs little, changes nothing it may not, and is told."""

import gzip
import json
import os
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from app import case_pull
from evidence.errors import BadInput, EvidockError, NotFound, SourceUnavailable
from pipeline.case_import import Did, Imported
from pipeline.casefeed import Feed, Pace
from pipeline.casefeed_http import LARGEST_PAGE, Address, ask
from storage.register import casebook, search
from tests.support.case_system import Says, case_system, page, told
from tests.support.command import evidock
from tests.support.home import NOON, Home, open_home
from tests.support.servers import until

NOW = NOON + timedelta(days=30)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    with open_home(tmp_path_factory.mktemp("feeds")) as home:
        yield home


def pull(home: Home, url: str, *, token: str | None = None, timeout_s: float = 5, **pace: Any) -> Imported:
    bookmark = home.settings.home / "feed.json"
    bookmark.unlink(missing_ok=True)
    paced = Pace(**{"tries": 1} | pace)
    return Feed(Address(url, token, timeout_s), bookmark, lambda _: False, paced).pull(ports=home.ports, now=NOW)


def events(home: Home) -> int:
    with home.ports.register.view() as connection:
        return len(search.every(connection, "custody_events"))


def refused(home: Home, says: Says, word: str, error: type[EvidockError] = SourceUnavailable, **how: Any) -> None:
    """An answer is refused in these words, and nothing was written."""
    before = events(home)
    with case_system(lambda _: says) as system, pytest.raises(error, match=word):
        pull(home, system.url, **how)
    assert events(home) == before
    assert not (home.settings.home / "feed.json").exists()


def text(body: str) -> Says:
    return Says(body.encode())


# --- the wire -------------------------------------------------------------------------------------


def test_an_answer_that_breaks_off_is_no_answer(home: Home) -> None:
    refused(home, Says(b'{"cases": []', length=5000), "did not answer whole")


def test_an_answer_without_end_is_read_no_further_than_a_page(home: Home) -> None:
    says = Says(b'{"cases": [' + b" " * (LARGEST_PAGE + 10))
    refused(home, says, "more than 8 MiB")


def test_an_answer_drop_by_drop_is_ended_in_time(home: Home) -> None:
    began = time.monotonic()
    refused(home, Says(b" " * 10_000, drip_s=0.02), "did not answer whole", timeout_s=0.5)
    assert time.monotonic() - began < 5


def test_a_system_that_never_answers_is_left_in_time(home: Home) -> None:
    held = threading.Event()

    def say(_: object) -> Says:
        held.wait(10)
        return page()

    with case_system(say) as system:
        began = time.monotonic()
        with pytest.raises(SourceUnavailable, match="did not answer"):
            pull(home, system.url, timeout_s=0.3)
        assert time.monotonic() - began < 5
        held.set()


def test_a_redirect_is_not_followed_and_the_token_goes_nowhere_else(home: Home) -> None:
    with case_system(lambda _: page(told("stolen"))) as thief:
        refused(home, Says(status=302, headers={"Location": thief.url}), "HTTP 302", token="secret")
        refused(home, Says(status=308, headers={"Location": "file:///etc/passwd"}), "HTTP 308", token="secret")
        assert thief.asked == []


def test_a_packed_answer_that_could_unfold_without_end_is_refused(home: Home) -> None:
    bomb = gzip.compress(b" " * 1_000_000)
    refused(home, Says(bomb, headers={"Content-Encoding": "gzip"}), "packs its answers")


def test_a_login_page_is_not_taken_for_cases(home: Home) -> None:
    refused(home, Says(b"<html>", headers={"Content-Type": "text/html"}), "answered text/html")


def test_a_refusal_is_told_and_not_repeated(home: Home) -> None:
    with case_system(lambda _: Says(status=401)) as system:
        with pytest.raises(SourceUnavailable, match="HTTP 401"):
            pull(home, system.url, tries=5)
        assert len(system.asked) == 1


def test_headers_without_end_are_refused(home: Home) -> None:
    says = Says(b"{}", headers={f"X-{n}": "x" for n in range(200)})
    refused(home, says, "did not answer whole")


# --- the page -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "word"),
    [
        pytest.param("", "not JSON", id="nothing"),
        pytest.param("{", "not JSON", id="half"),
        pytest.param("[]", "is an object", id="a-list"),
        pytest.param('{"cases": {}}', "are a list", id="cases-that-are-no-list"),
        pytest.param('{"pages": []}', "no 'pages'", id="another-form"),
        pytest.param('{"cases": [], "cases": []}', "names a key twice", id="a-key-twice"),
        pytest.param('{"cases": [], "next_page": 1}', "after page 1 comes 1", id="the-same-page-next"),
        pytest.param('{"cases": [], "next_page": true}', "after page 1", id="a-page-of-true"),
        pytest.param('{"cases": [], "next_page": 2.0}', "no whole number", id="a-page-of-two-point-nought"),
        pytest.param('{"cases": [], "next_page": ' + "9" * 5000 + "}", "5000 digits", id="a-number-without-end"),
        pytest.param('{"cases": [], "cursor": NaN}', "no whole number", id="not-a-number"),
        pytest.param('{"cases": [], "cursor": "' + "c" * 501 + '"}', "cursor", id="a-cursor-without-end"),
        pytest.param('{"cases": [], "cursor": 7}', "cursor", id="a-cursor-that-is-a-number"),
        pytest.param("[" * 100_000, "not JSON|deep|object", id="a-bottomless-list"),
        pytest.param('{"cases": [' + ",".join(["{}"] * 5001) + "]}", "at most 5000", id="too-many-cases"),
    ],
)
def test_a_page_of_another_form_is_refused_as_a_whole(home: Home, body: str, word: str) -> None:
    refused(home, text(body), word, BadInput)


def test_a_page_that_is_no_text_is_refused(home: Home) -> None:
    refused(home, Says(b"\xff\xfe{}"), "UTF-8", BadInput)


def test_pages_without_end_come_to_an_end(home: Home) -> None:
    with case_system(lambda asked: page(next_page=int(asked.query["page"]) + 1)) as system:
        with pytest.raises(SourceUnavailable, match="more than 5 pages"):
            pull(home, system.url, most_pages=5)
        assert len(system.asked) == 5


WRONG_CASES: list[Any] = [
    7,
    {"key": "w"},
    told("w", colour="red"),
    told("w", number=7),
    told("w", number="a\u0000b"),
    told("w", number="\u202e1"),
    told("w", title="\x1b[2J"),
    told("w", start="yesterday"),
    told("w", start="0001-01-01T00:00:00+08:00"),
    told("w", end="1999-01-01T00:00:00Z"),
    told("w", officers="7"),
    told("w", officers=[7]),
    told("w", officers=[str(n) for n in range(600)]),
    told("w", kind="party"),
    told("w", type="XX"),
    told("w", item="XX-1"),
    told("w", links=["XX"]),
    told("w", unit="nobody's"),
    told("w", file_term="P1D2Y"),
    told("w", file_term="P9999Y"),
    told("w", parties=[{"name": "x", "Name": "y"}]),
    told("w", parties=[{"name": "x"}] * 2000),
    told("w", place={"lat": "91", "lon": "0", "radius_m": 1}),
    told("w", draw={"subjects": ["x"]}),
    told("w", closed_at="2030-01-01T00:00:00Z"),
    told("w", closed_at="2020-01-01T00:00:00Z"),
    told("w", documents=[{"number": "1"}]),
    told("w", documents=[{"name": "x", "number": "1"}, {"name": "y", "number": "1"}]),
    told("w", documents=[{"name": "x", "link": "XX"}]),
    told("w", documents=[{"name": "x", "start": "2026-06-19T02:00:00Z", "end": "2026-06-19T01:00:00Z"}]),
    told("w", documents=[{"name": "x", "number": str(n)} for n in range(1001)]),
    told("w", documents={"name": "x"}),
]


def _named(key: str, one: Any) -> Any:
    """The same with a key and number of its own, so that it is not refused for another's sake."""
    if not isinstance(one, dict):
        return one
    return one | {"key": key} | ({"number": f"案{key}"} if one.get("number") == "案w" else {})


def test_each_wrong_case_is_told_and_keeps_no_other_from_being_taken(home: Home) -> None:
    wrong = [_named(f"w{number}", one) for number, one in enumerate(WRONG_CASES)]
    with case_system(lambda _: page(told("good-1"), *wrong, told("good-2"))) as system:
        done = pull(home, system.url)
    assert done.counts[Did.OPENED] == 2
    # 2 is the first wrong one: each by its place, none left out, none twice.
    assert [fault.line for fault in done.faults] == list(range(2, len(WRONG_CASES) + 2))
    with home.ports.register.view() as connection:
        taken = [casebook.case_of_source(connection, "case-system", f"w{n}") for n in range(len(wrong))]
        assert taken == [None] * len(wrong)
        assert casebook.case_numbered(connection, "案good-2") is not None


def test_half_a_character_is_told_as_a_fault(home: Home) -> None:
    body = json.dumps({"cases": [told("half", title="\ud800")]})
    with case_system(lambda _: text(body)) as system:
        (fault,) = pull(home, system.url).faults
    assert fault.column == "title"


def test_a_case_of_ours_is_not_taken_over_by_its_number(home: Home) -> None:
    home.open_case("案ours", "7", start=NOON, end=NOON + timedelta(hours=1))
    with case_system(lambda _: page(told("ours", title="taken over"))) as system:
        (fault,) = pull(home, system.url).faults
    assert fault.column == "number"
    with home.ports.register.view() as connection:
        assert search.case(connection, "案ours")["title"] == ""


def test_one_that_names_a_case_twice_gets_one_and_a_fault(home: Home) -> None:
    with case_system(lambda _: page(told("twin"), told("twin", title="other"))) as system:
        done = pull(home, system.url)
    assert (done.counts[Did.OPENED], [fault.line for fault in done.faults]) == (1, [2])


# --- what people set ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "ftp://host/x",
        "https://",
        "https://user:word@host/x",
        "https://host:99999/",
        "https://host/#part",
        "https://host/a b",
        "https://[::1",
        "https://höst/",
        "cases",
    ],
)
def test_what_is_no_address_of_a_case_system_is_refused(url: str) -> None:
    with pytest.raises(BadInput, match="address of a case system"):
        Address(url)


def test_secrets_in_an_address_that_is_refused_are_not_told() -> None:
    for url in (
        "https://user:hunter2@host/x",
        "ftp://host/x?token=hunter2",
        "https://host/?token=hunter2#part",
        "https://u:hunter2@[::1",
    ):
        with pytest.raises(BadInput) as refusal:
            Address(url)
        assert "hunter2" not in refusal.value.message


def test_a_token_is_not_sent_in_the_clear_over_a_network() -> None:
    with pytest.raises(BadInput, match="over https only"):
        Address("http://cases.example.org/", "secret")
    assert Address("http://127.0.0.1:9/", "secret").token == "secret"
    with pytest.raises(BadInput, match="one line"):
        Address("https://host/", "a\r\nX-Other: b")


def test_a_token_that_others_can_read_is_refused(home: Home, tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("secret")
    path.chmod(0o644)
    settings = {"EVIDOCK_CASE_FEED_URL": "http://127.0.0.1:9/", "EVIDOCK_CASE_FEED_TOKEN_FILE": str(path)}
    assert "chmod 600" in evidock("case", "pull", home=tmp_path / "home", **settings).err
    settings["EVIDOCK_CASE_FEED_TOKEN_FILE"] = str(tmp_path / "none")
    assert evidock("case", "pull", home=tmp_path / "home", **settings).status == NotFound.exit_status


def test_a_bookmark_that_was_spoilt_begins_anew(home: Home) -> None:
    bookmark = home.settings.home / "spoilt.json"
    for spoilt in (b"", b"\xff", b"[]", b'{"cursor": 7}', os.urandom(100)):
        bookmark.write_bytes(spoilt)
        with case_system(lambda _: page(cursor="c1")) as system:
            Feed(Address(system.url), bookmark, lambda _: False).pull(ports=home.ports, now=NOW)
            assert "since" not in system.asked[0].query
            Feed(Address(system.url), bookmark, lambda _: False).pull(ports=home.ports, now=NOW)
            assert system.asked[1].query["since"] == "c1"


def test_the_bookmark_of_one_address_says_nothing_to_another(home: Home) -> None:
    bookmark = home.settings.home / "other.json"
    with case_system(lambda _: page(cursor="c1")) as system:
        for way in ("/a", "/b"):
            Feed(Address(system.url + way), bookmark, lambda _: False).pull(ports=home.ports, now=NOW)
        assert ["since" in one.query for one in system.asked] == [False, False]


def test_a_query_that_the_address_holds_is_kept(home: Home) -> None:
    with case_system(lambda _: page()) as system:
        ask(Address(f"{system.url}?agency=01"), {"page": "1"})
        assert system.asked[0].query == {"agency": "01", "page": "1"}


# --- in a worker ----------------------------------------------------------------------------------


def test_no_case_system_ends_a_worker_and_what_it_says_wrong_is_told(home: Home, tmp_path: Path) -> None:
    answers = [text("{"), page(told("late"), *WRONG_CASES[:5])]
    stop, said = threading.Event(), list[str]()
    with (
        case_system(lambda _: answers.pop(0)) as system,
        open_home(tmp_path / "home", case_feed_url=system.url) as other,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setattr(case_pull, "PULL_S", 0.05)
        with case_pull.pulling(other.ports, other.settings, stop=stop, tell=said.append):
            until(lambda: len(said) >= 5, "the worker has told of both pulls")
            stop.set()
    assert "not JSON" in said[0]
    assert "page 1, case 2" in said[1]
    assert "2 more were not taken" in said[4]
