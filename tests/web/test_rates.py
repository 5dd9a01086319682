# SPDX-License-Identifier: Apache-2.0
"""Nobody asks too often, and no request is too long: people by who they are, strangers by whence they come."""

import http.client
from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.support.home import open_home
from tests.support.people import Hall, hall_of_people
from web.api.context import Rates
from web.api.limits import shipped_limits
from web.api.rates import Rate


@pytest.fixture(scope="module")
def hall(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hall]:
    folder = tmp_path_factory.mktemp("rates")
    with open_home(folder) as home, hall_of_people(home, is_filled=False, monotonic=lambda: 1000.0) as made:
        yield made


@pytest.fixture
def rates(hall: Hall) -> Iterator[Rates]:
    """Small ones, new for each test; the clock stands."""
    before = hall.app.state.context
    small = Rates(people=Rate(3, 60), strangers=Rate(3, 60), keys=Rate(3, 60))
    hall.app.state.context = replace(before, rates=small)
    yield small
    hall.app.state.context = before


def times(count: int, answer: object) -> list[int]:
    """The statuses of as many answers."""
    assert callable(answer)
    return [answer().status_code for _ in range(count)]


def test_a_person_asks_so_often_and_is_then_told_when_to_come_again(hall: Hall, rates: Rates) -> None:
    officer = hall["officer"]
    assert times(4, lambda: officer.get("/me")) == [200, 200, 200, 429]
    refused = officer.get("/me")
    assert refused.json()["code"] == "overloaded"
    assert int(refused.headers["retry-after"]) > 0
    assert times(1, lambda: hall["legal"].get("/me")) == [200], "others at the same address go on"


def test_a_program_asks_so_often(hall: Hall, rates: Rates) -> None:
    assert times(4, lambda: hall["service"].get("/me"))[-1] == 429


def test_a_stranger_asks_so_often_at_doors_that_are_shut(hall: Hall, rates: Rates) -> None:
    assert times(4, lambda: hall.nobody.get("/v1/recordings")) == [401, 401, 401, 429]
    assert times(1, lambda: hall["officer"].get("/me")) == [200], "whoever is known at the same address goes on"


def test_a_stranger_with_a_wrong_proof_is_a_stranger(hall: Hall, rates: Rates) -> None:
    wrong = iter(["evk_" + "x" * 43, "dock-token", "evk_", "y"])
    got = times(4, lambda: hall.nobody.get("/v1/recordings", headers={"Authorization": f"Bearer {next(wrong)}"}))
    assert got == [401, 401, 401, 429]


@pytest.mark.parametrize("path", ["/challenges", "/sessions", "/enrolments", "/session/passkey", "/session/link/look"])
def test_a_stranger_asks_so_often_at_public_doors(hall: Hall, rates: Rates, path: str) -> None:
    got = times(4, lambda: hall.nobody.post(f"/v1{path}", json={"dock": "x", "signature": "x", "challenge": "x"}))
    assert got[-1] == 429
    assert 429 not in got[:3]


def test_public_doors_are_counted_together_and_by_network(hall: Hall, rates: Rates) -> None:
    """Changing doors is no way round."""
    said = {"dock": "x"}
    ways = iter(["/v1/challenges", "/v1/session", "/v1/sessions", "/v1/challenges"])
    assert times(4, lambda: hall.nobody.post(next(ways), json=said))[-1] == 429


def test_after_the_minute_everybody_is_heard_again(hall: Hall, rates: Rates) -> None:
    assert times(4, lambda: hall["officer"].get("/me"))[-1] == 429
    hall.app.state.context = replace(hall.app.state.context, monotonic=lambda: 1060.0)
    assert times(1, lambda: hall["officer"].get("/me")) == [200]


def test_the_shipped_figures_leave_room_for_a_player_and_for_docks_after_a_start() -> None:
    told = shipped_limits()
    assert told.person_requests / told.person_requests_s >= 10
    assert told.stranger_requests / told.stranger_requests_s >= 10


# --- sizes --------------------------------------------------------------------------------------


def raw(hall: Hall, path: str, headers: dict[str, str]) -> int:
    """The status of one request, which no client library has checked."""
    line = http.client.HTTPConnection("127.0.0.1", hall.nobody.base_url.port, timeout=30)
    try:
        line.putrequest("GET", path, skip_accept_encoding=True)
        for name, value in headers.items():
            line.putheader(name, value)
        line.endheaders()
        return line.getresponse().status
    finally:
        line.close()


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v1/" + "a" * 8000, 404),
        ("/v1/" + "a" * 8189, 414),
        ("/v1/me?q=" + "a" * 8189, 414),
        ("/v1/" + "%61" * 3000, 414),
    ],
)
def test_an_address_has_an_end(hall: Hall, path: str, status: int) -> None:
    assert raw(hall, path, {}) == status


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"X-A": "a" * 60_000}, 401),
        ({"X-A": "a" * 66_000}, 431),
        ({f"X-{number}": "a" * 100 for number in range(90)}, 401),
        ({f"X-{number}": "a" for number in range(101)}, 431),
        ({"Cookie": "evidock=" + "a" * 65_530}, 431),
        ({"X-A": "a" * 1_000_000}, 431),
    ],
)
def test_headers_have_an_end(hall: Hall, headers: dict[str, str], status: int) -> None:
    try:
        assert raw(hall, "/v1/me", headers) == status
    except (ConnectionResetError, BrokenPipeError):
        assert len(str(headers)) > 500_000, "it hung up on what never ends"
    assert raw(hall, "/v1/me", {}) == 401, "and answers the next"
