# SPDX-License-Identifier: Apache-2.0
"""This is where it is tried what a dock learns of its files, and that it learns of no other's."""

import hashlib
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from evidence.note import open_note
from evidence.receipt import parse_receipt
from tests.support.home import open_home, track
from tests.support.station_client import Serving, Station, serving

NUMBERS = count(1)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    with open_home(tmp_path_factory.mktemp("home")) as home, serving(home) as running:
        yield running


@pytest.fixture(scope="module")
def dock(server: Serving) -> Station:
    return server.station()


@pytest.fixture
def data(tmp_path: Path) -> bytes:
    return track(tmp_path, number=next(NUMBERS)).read_bytes()


def test_a_file_has_a_receipt_when_it_is_sealed_and_not_before(server: Serving, dock: Station, data: bytes) -> None:
    offer = dock.offer("a.gpx", data)
    assert dock.get(f"/v1/offers/{offer.id}").code == "not-found"
    recording = dock.send("a.gpx", data)
    arrived = dock.get(f"/v1/offers/{offer.id}").body
    server.home.run("fixity", recording)
    measured = dock.get(f"/v1/offers/{offer.id}").body
    server.home.run("seal", recording)

    sealed = dock.get(f"/v1/offers/{offer.id}").body

    sha256 = hashlib.sha256(data).hexdigest()
    assert arrived == {"id": offer.id, "recording": recording, "state": "arrived", "sha256": None, "receipt": None}
    assert measured == arrived | {"state": "measured", "sha256": sha256}
    assert {name: sealed[name] for name in ("state", "sha256")} == {"state": "sealed", "sha256": sha256}
    receipt = parse_receipt(open_note(sealed["receipt"], server.home.ports.verifiers).text)
    assert (receipt.recording, receipt.sha256, receipt.size_bytes) == (recording, sha256, len(data))


def test_known_offers_say_what_became_of_each(server: Serving, dock: Station, data: bytes) -> None:
    waits = dock.offer("w.gpx", data + b"\n")
    dock.send("w.gpx", data + b"\n")
    recording = dock.sealed("s.gpx", data)
    sealed, never = dock.offer("s.gpx", data), dock.offer("never.gpx", data)

    told = dock.post("/v1/offers/known", {"offers": [sealed.id, waits.id, never.id, sealed.id]}).body["offers"]

    by_id = {one["id"]: one for one in told}
    assert set(by_id) == {sealed.id, waits.id}
    assert len(told) == 2
    assert by_id[sealed.id] == {
        "id": sealed.id,
        "recording": recording,
        "outcome": "taken",
        "sha256": hashlib.sha256(data).hexdigest(),
        "is_sealed": True,
    }
    assert not by_id[waits.id]["is_sealed"]


def test_equal_bytes_under_two_names_are_known_with_one_recording(dock: Station, data: bytes) -> None:
    held = dock.sealed("one.gpx", data)
    dock.sealed("two.gpx", data)
    other = dock.offer("two.gpx", data)

    (told,) = dock.post("/v1/offers/known", {"offers": [other.id]}).body["offers"]

    assert (told["recording"], told["is_sealed"], told["outcome"]) == (held, True, "again")


def test_another_dock_learns_nothing_of_a_file(server: Serving, dock: Station, data: bytes) -> None:
    other = server.station("attic")
    dock.sealed("mine.gpx", data)
    offer = dock.offer("mine.gpx", data).id

    assert other.get(f"/v1/offers/{offer}").code == "not-found"
    assert other.post("/v1/offers/known", {"offers": [offer]}).body == {"offers": []}


def test_without_a_token_nothing_is_told(server: Serving, dock: Station, data: bytes) -> None:
    dock.sealed("secret.gpx", data)
    path = f"/v1/offers/{dock.offer('secret.gpx', data).id}"

    for token in (None, "", "x", dock.token[:-1], dock.id):
        assert server.request("GET", path, token=token).status == 401
    assert server.request("POST", "/v1/dockings", dock.docking("CAM1")).status == 401
    assert server.request("POST", "/v1/alarms", {"device": None, "code": "a", "text": ""}).status == 401
    assert server.request("PUT", "/v1/dockings/dkg-aaaaaaaaaaaaaaaa/manifest", b"").status == 401


@pytest.mark.parametrize(
    "offers",
    [["ofr-a"] * 501, ["x" * 65], [""], [7], "ofr-a", None],
    ids=["501", "long", "empty", "number", "text", "nothing"],
)
def test_a_malformed_question_is_refused(dock: Station, offers: object) -> None:
    assert dock.post("/v1/offers/known", {"offers": offers}).code == "bad-input"


@pytest.mark.parametrize("offer", ["..%2f..%2fetc%2fpasswd", "%20", "'", "ofr-" + "a" * 4000])
def test_an_offer_of_no_form_is_not_found(dock: Station, offer: str) -> None:
    assert dock.get(f"/v1/offers/{offer}").status == 404
