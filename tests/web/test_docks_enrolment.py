# SPDX-License-Identifier: Apache-2.0
"""This is where it is tried that a dock gets in with its own code and key, once, and nobody else does."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from evidence.note import open_note, parse_vkey
from evidence.receipt import parse_receipt
from pipeline.docks import Invitation, invite, revoke
from storage.signing import verifier_of
from tests.support.home import open_home, track
from tests.support.station_client import Serving, serving


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    with open_home(tmp_path_factory.mktemp("home")) as home, serving(home) as running:
        yield running


@pytest.fixture(autouse=True)
def a_minute_later(server: Serving) -> None:
    server.clocks.move(61)


def key() -> bytes:
    return Ed25519PrivateKey.generate().public_key().public_bytes_raw()


def test_a_dock_with_its_code_learns_who_it_is_and_whose_receipts_to_believe(server: Serving, tmp_path: Path) -> None:
    station = server.station()
    pinned = server.enrol(server.invited()).body["server_keys"]
    data = track(tmp_path, number=1).read_bytes()
    station.sealed("a.gpx", data)

    note = station.get(f"/v1/offers/{station.offer('a.gpx', data).id}").body["receipt"]

    opened = open_note(note, [verifier_of(parse_vkey(one)) for one in pinned])
    assert parse_receipt(opened.text).size_bytes == len(data)


def test_a_code_may_be_typed_small_with_spaces_and_look_alikes(server: Serving) -> None:
    code = server.invited()

    typed = code.lower().replace("-", " ").replace("0", "o").replace("1", "l")

    assert server.enrol(typed).status == 201


def test_a_code_is_used_up_by_one_key(server: Serving) -> None:
    code = server.invited()

    assert server.enrol(code).status == 201
    refused = server.enrol(code)

    assert (refused.status, refused.code) == (401, "not-signed-in")


def test_a_dock_whose_answer_was_lost_asks_again_and_is_the_same_dock(server: Serving) -> None:
    code, mine = server.invited(), key()

    first, again = server.enrol(code, mine), server.enrol(code, mine)

    assert first.status == again.status == 201
    assert first.body == again.body
    assert [one["kind"] for one in server.home.events(f"dock/{first.body['dock']}")] == [
        "dock-invited",
        "dock-enrolled",
    ]


def test_a_code_is_good_for_a_quarter_of_an_hour(server: Serving) -> None:
    code = server.invited()
    other = server.invited(minutes=30)
    server.clocks.move(15 * 60)

    assert server.enrol(code).status == 401
    assert server.enrol(other).status == 201


def test_who_guesses_codes_is_stopped_after_five_wrong_ones_a_minute(server: Serving) -> None:
    code = server.invited()
    guesses = [server.enrol("0000-0000-0000-0000").status for _ in range(6)]

    stopped = server.enrol(code)

    assert guesses == [401] * 5 + [429]
    assert (stopped.status, stopped.code) == (429, "overloaded")
    assert int(stopped.headers["Retry-After"]) > 0
    assert server.enrol(code, address="127.0.0.2").status == 201
    server.clocks.move(61)
    assert server.enrol("0000-0000-0000-0000").status == 401


def test_right_codes_are_no_guesses(server: Serving) -> None:
    assert [server.enrol(server.invited()).status for _ in range(7)] == [201] * 7


@pytest.mark.parametrize(
    "bad",
    [bytes(32), b"\x01" + bytes(31), bytes.fromhex("ec" + "ff" * 30 + "7f"), b"short", b"x" * 33],
    ids=["zero", "neutral", "order two", "short", "long"],
)
def test_a_key_that_proves_nothing_is_refused_and_the_code_stays_good(server: Serving, bad: bytes) -> None:
    code = server.invited()

    refused = server.enrol(code, bad)

    assert (refused.status, refused.code) == (400, "bad-input")
    assert server.enrol(code).status == 201


def test_a_key_that_is_no_base64_is_refused(server: Serving) -> None:
    body = {"code": server.invited(), "name": "a", "key": "?"}

    assert server.request("POST", "/v1/enrolments", body).code == "bad-input"


def test_a_revoked_docks_token_ends_at_once_and_its_key_opens_no_session(server: Serving) -> None:
    station = server.station()
    assert station.post("/v1/offers/known", {"offers": []}).status == 200

    revoke(station.id, why="stolen", ports=server.home.ports, now=server.clocks.now)

    assert station.post("/v1/offers/known", {"offers": []}).code == "not-signed-in"
    with pytest.raises(KeyError, match="token"):
        station.sign_in()


def test_a_dock_that_was_invited_but_revoked_cannot_enrol(server: Serving) -> None:
    invited = invite(Invitation("attic"), ports=server.home.ports, now=server.clocks.now)
    revoke(invited.dock, why="a mistake", ports=server.home.ports, now=server.clocks.now)

    assert server.enrol(invited.code).status == 401


def test_a_dock_invited_again_loses_its_key_and_its_sessions(server: Serving) -> None:
    station = server.station()
    again = invite(Invitation("hall"), again=station.id, ports=server.home.ports, now=server.clocks.now)
    assert station.get("/v1/offers/ofr-x").code == "not-signed-in"

    enrolled = server.enrol(again.code)

    assert enrolled.body["dock"] == station.id
    assert station.get("/v1/offers/ofr-x").code == "not-signed-in"


def test_who_enrols_in_the_place_of_another_ends_its_sessions_also_when_it_was_silent_meanwhile(
    server: Serving,
) -> None:
    station = server.station()
    again = invite(Invitation("hall"), again=station.id, ports=server.home.ports, now=server.clocks.now)

    assert server.enrol(again.code).body["dock"] == station.id

    assert station.get("/v1/offers/ofr-x").code == "not-signed-in"


def test_the_code_itself_is_kept_nowhere(server: Serving) -> None:
    code = server.invited()
    server.enrol(code)
    wanted = [code.encode(), code.replace("-", "").encode()]

    files = [path for path in server.home.settings.home.rglob("*") if path.is_file()]

    assert files
    assert not [path for path in files if any(one in path.read_bytes() for one in wanted)]
