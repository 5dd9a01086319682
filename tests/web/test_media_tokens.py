# SPDX-License-Identifier: Apache-2.0
"""Leave to fetch footage: whose it is, what it opens, how long it lasts, and what is on record of it."""

import random
import secrets
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

import pytest

from app import clocks
from evidence import instant
from evidence.access import Actor, Role
from evidence.custody import Happening
from storage import layout
from storage.register import session_rows
from tests.support.cinema import HOSTILE_NAME, Cinema, cinema
from tests.support.people import Person, add_user, signed_in


class Clock:
    """The time that the server reads; tests put it forward."""

    ahead = timedelta()

    def now(self) -> datetime:
        return clocks.now() + self.ahead


@pytest.fixture(scope="module")
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, clock: Clock) -> Iterator[Cinema]:
    with cinema(tmp_path_factory.mktemp("tokens"), now=clock.now) as made:
        yield made


@pytest.fixture
def officer(place: Cinema) -> Person:
    """Our officer in a session of their own."""
    actor = place.hall["officer"].actor
    return signed_in(place.hall.home.ports, actor.name, place.hall.nobody, actor)


def test_leave_names_where_to_begin_and_is_on_record_before_it_is_given(place: Cinema, officer: Person) -> None:
    given = place.play(officer)
    [said] = [one for one in place.hall.accesses(officer) if one["act"] == "media.view"][-1:]

    assert given["urls"] == [f"/v1/media/{given['token']}/{name}" for name in ("hls.m3u8", "proxy.mp4")]
    assert (said["subject"], said["outcome"]) == (place.recording, "allowed")
    assert '"token": "med-' in said["told"]
    assert given["token"] not in said["told"]


def test_what_is_fetched_is_the_proxy_byte_for_byte(place: Cinema, officer: Person) -> None:
    given = place.play(officer)
    reply = place.fetch(officer, given["urls"][1])
    at_rest = place.hall.home.ports.store.read(layout.derivative_key(given["sha256"]), limit=1 << 30)

    assert (reply.status_code, reply.headers["content-type"]) == (200, "video/mp4")
    assert reply.content == at_rest
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert "no-store" in reply.headers["cache-control"]


def test_whoever_does_not_reach_the_recording_gets_no_leave_and_that_is_on_record(place: Cinema) -> None:
    nobody = place.hall["admin"]
    reply = nobody.post(f"/recordings/{place.recording}/playback", {"what": "proxy"})
    last = place.hall.accesses(nobody)[-1]

    assert (reply.status_code, reply.json()["code"]) == (404, "not-found")
    assert (last["outcome"], last["code"], last["subject"]) == ("refused", "not-found", place.recording)


def test_a_thousand_forged_replayed_and_bound_tokens_open_nothing(place: Cinema, officer: Person) -> None:
    given = place.play(officer)
    token, others = given["token"], [place.hall["investigator"], place.hall["legal"], place.hall["service"]]
    chance = random.Random(6)
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

    def forged() -> tuple[Person, str]:
        return officer, secrets.token_urlsafe(32)

    def altered() -> tuple[Person, str]:
        at = chance.randrange(len(token) - 1)
        return officer, token[:at] + chance.choice(letters.replace(token[at], "")) + token[at + 1 :]

    def of_another() -> tuple[Person, str]:
        return chance.choice(others), token

    def cut_or_longer() -> tuple[Person, str]:
        return officer, chance.choice([token[:-1], token + "A", token.swapcase(), token[::-1]])

    kinds: list[Callable[[], tuple[Person, str]]] = [forged, altered, of_another, cut_or_longer]
    opened = 0
    for number in range(1000):
        person, tried = kinds[number % 4]()
        opened += place.fetch(person, f"/v1/media/{tried}/proxy.mp4").status_code != 404

    assert opened == 0
    assert place.fetch(officer, given["urls"][1]).status_code == 200


def test_a_second_session_of_the_same_person_cannot_use_it(place: Cinema, officer: Person) -> None:
    given = place.play(officer)
    other = signed_in(place.hall.home.ports, officer.actor.name, place.hall.nobody, officer.actor)

    assert place.fetch(other, given["urls"][1]).status_code == 404


def test_nobody_who_is_not_signed_in_is_told_anything(place: Cinema, officer: Person) -> None:
    given = place.play(officer)
    reply = place.hall.nobody.get(given["urls"][1])

    assert (reply.status_code, reply.json()["code"]) == (401, "not-signed-in")


def test_after_its_time_it_opens_nothing(place: Cinema, officer: Person, clock: Clock) -> None:
    given = place.play(officer)
    clock.ahead = timedelta(minutes=15, seconds=1)
    try:
        assert place.fetch(officer, given["urls"][1]).status_code == 404
    finally:
        clock.ahead = timedelta()


def test_after_signing_out_it_opens_nothing(place: Cinema, officer: Person) -> None:
    given = place.play(officer)
    assert officer.ask("DELETE", "/session").status_code in (200, 204)

    assert place.fetch(officer, given["urls"][1]).status_code == 401


def test_a_disabled_person_fetches_nothing(place: Cinema) -> None:
    ports = place.hall.home.ports
    user = add_user(ports, "leaving", Role.INVESTIGATOR)
    actor = Actor(f"user:{user}", frozenset({Role.INVESTIGATOR}), "01", ("01",))
    person = signed_in(ports, user, place.hall.nobody, actor)
    given = place.play(person)
    with ports.register.begin() as facts:
        gone = Happening("user-disabled", f"user/{user}", {}, {"why": "left"})
        facts.record(gone, actor="cli:test", at=clocks.now())

    assert place.fetch(person, given["urls"][1]).status_code == 401


def test_whoever_lost_the_role_fetches_nothing(place: Cinema) -> None:
    ports = place.hall.home.ports
    user = add_user(ports, "moving", Role.INVESTIGATOR)
    person = signed_in(
        ports, user, place.hall.nobody, Actor(f"user:{user}", frozenset({Role.INVESTIGATOR}), "01", ("01",))
    )
    given = place.play(person)
    with ports.register.begin() as facts:
        taken = Happening("role-taken", f"user/{user}", {"role": "investigator"})
        facts.record(taken, actor="cli:test", at=clocks.now())

    assert place.fetch(person, given["urls"][1]).status_code == 404


@pytest.mark.parametrize(
    "file",
    ["original", "receipt.txt", "thumbnails.jpg", "..", "%2e%2e%2fregister.db", "..%2f..%2fetc%2fpasswd", "0.m4s%00",
     "-1.m4s", "00.m4s", "999999.m4s", "proxy.mp4%0d%0aX: y", "HLS.M3U8", ""],
)  # fmt: skip
def test_leave_for_the_proxy_opens_no_other_file(place: Cinema, officer: Person, file: str) -> None:
    given = place.play(officer)

    assert place.fetch(officer, f"/v1/media/{given['token']}/{file}").status_code in (400, 404)


# --- originals --------------------------------------------------------------------------------


def test_an_original_is_fetched_by_grant_alone_and_comes_whole_with_its_receipt(place: Cinema, officer: Person) -> None:
    refused = officer.post(f"/recordings/{place.recording}/original")
    grant = place.grant(officer, "original")
    given = place.take(officer)
    whole, receipt = place.fetch(officer, given["urls"][0]), place.fetch(officer, given["proof"])
    place.revoke(grant)

    assert refused.status_code == 404
    assert whole.content == place.film.read_bytes()
    assert receipt.content.startswith(b"evidock/receipt/v1\n")
    assert place.fetch(officer, given["urls"][0]).status_code == 404


def test_a_hostile_name_of_an_original_stays_inside_its_header(place: Cinema, officer: Person) -> None:
    grant = place.grant(officer, "original")
    reply = place.fetch(officer, place.take(officer)["urls"][0], "HEAD")
    place.revoke(grant)

    assert place.film.name == HOSTILE_NAME
    shown, exact = "a filename_evil.html x__.mp4", "a%20filename%3Devil.html%20x%3D%E5%90%8D.mp4"
    assert reply.headers["content-disposition"] == f"attachment; filename=\"{shown}\"; filename*=UTF-8''{exact}"


def test_an_original_needs_a_fresh_proof_of_who_asks(place: Cinema) -> None:
    ports, officer = place.hall.home.ports, place.hall["officer"].actor
    stale = signed_in(ports, officer.name, place.hall.nobody, officer, now=clocks.now() - timedelta(minutes=6))
    grant = place.grant(stale, "original")
    reply = stale.post(f"/recordings/{place.recording}/original")
    place.revoke(grant)

    assert (reply.status_code, reply.json()["code"]) == (403, "prove-again")


# --- what was seen ----------------------------------------------------------------------------


def test_what_was_fetched_and_watched_becomes_one_event_when_the_leave_ends(place: Cinema, officer: Person) -> None:
    room, given = place.hall.app.state.media, place.play(officer)
    before = len(place.hall.accesses(officer))
    for first, last in ((0, 99), (100, 299), (50, 149)):
        place.fetch(officer, given["urls"][1], Range=f"bytes={first}-{last}")
    said = officer.post(f"/media/{given['token']}/watched", {"stretches": [[0, 1500], [1000, 2500], [9000, 9500]]})
    room.ledger.flush(place.hall.home.ports.register)
    later = clocks.now() + timedelta(minutes=16)

    assert said.status_code == 204
    assert room.fold(now=later) >= 1
    assert room.fold(now=later) == 0
    events = place.hall.accesses(officer)[before:]
    [told] = [one["told"] for one in events if '"served_bytes": 400' in one["told"]]
    assert '"served": [["proxy", 0, 300]]' in told
    assert '"watched": [[0, 2500], [9000, 9500]]' in told
    assert '"watched_ms": 3000' in told


def test_what_was_seen_before_signing_out_is_folded_at_once(place: Cinema, officer: Person) -> None:
    room, given = place.hall.app.state.media, place.play(officer)
    place.fetch(officer, given["urls"][1], Range="bytes=0-9")
    with place.hall.home.ports.register.leasing() as connection:
        session_rows.end_sessions_of(connection, officer.actor.name, at=instant.to_text(clocks.now()))
    room.fold(now=clocks.now())

    last = place.hall.accesses(officer)[-1]
    assert '"served_bytes": 10' in last["told"]


@pytest.mark.parametrize("stretches", [[[-1, 5]], [[0, 10**12]], [["a", 1]], [[0]], [[0, 1]] * 201, "x"])
def test_nonsense_that_was_watched_is_refused(place: Cinema, officer: Person, stretches: object) -> None:
    given = place.play(officer)

    assert officer.post(f"/media/{given['token']}/watched", {"stretches": stretches}).status_code == 400
