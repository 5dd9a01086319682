# SPDX-License-Identifier: Apache-2.0
"""This is where it is tried that a dock gets leave to clear a device only when nothing is lost by it."""

import hashlib
import json
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from evidence.note import open_note
from evidence.receipt import parse_receipt
from evidence.verdict import Verdict
from pipeline.audit import verify_all
from pipeline.docks import Invitation, invite, revoke, switch_erasing
from storage import layout
from tests.support.ending import ending
from tests.support.home import Home, open_home, track
from tests.support.station_client import Answer, Serving, Station, serving

NUMBERS = count(1)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    with open_home(tmp_path_factory.mktemp("home")) as home, serving(home) as running:
        home.add_device("CAM1")
        yield running


@pytest.fixture(scope="module")
def dock(server: Serving) -> Station:
    return server.station(erases=True)


@pytest.fixture
def card(tmp_path: Path) -> dict[str, bytes]:
    """Two small recordings that nobody has yet."""
    return {
        f"CAM1/{number}.gpx": track(tmp_path, number=number).read_bytes() for number in (next(NUMBERS), next(NUMBERS))
    }


def erasings(home: Home, device: str = "CAM1") -> int:
    return [one["kind"] for one in home.events(f"device/{device}")].count("erasing")


def refused(answer: Answer) -> str:
    """The words of a refusal, which is a conflict and nothing else."""
    assert (answer.status, answer.code) == (409, "conflict")
    return str(answer.body["detail"])


def all_sealed(dock: Station, files: dict[str, bytes]) -> None:
    for path, data in files.items():
        dock.sealed(path, data)


def test_leave_is_given_when_every_file_rests_and_is_on_record_once(
    server: Serving, dock: Station, card: dict[str, bytes]
) -> None:
    docking = dock.docked("CAM1", card, ignored=["CAM1/link"])
    all_sealed(dock, card)
    before = erasings(server.home)

    answers = [dock.ask_erasure(docking, card) for _ in range(2)]

    assert [(one.status, one.body) for one in answers] == [(200, {"is_allowed": True})] * 2
    assert erasings(server.home) == before + 1


def test_leave_is_given_part_by_part_each_on_record_once(
    server: Serving, dock: Station, card: dict[str, bytes]
) -> None:
    docking = dock.docked("CAM1", card, ignored=["CAM1/0-link"])
    all_sealed(dock, card)
    before, parts = erasings(server.home), [{path: data} for path, data in sorted(card.items())]

    for _ in range(2):
        assert [dock.ask_erasure(docking, part, first=at).status for at, part in enumerate(parts)] == [200, 200]

    assert erasings(server.home) == before + 2
    told = [json.loads(str(one["note"]).splitlines()[1]) for one in server.home.events("device/CAM1")]
    facts = [one["facts"] for one in told if one["kind"] == "erasing"][-2:]
    assert facts == [{"count": 1, "docking": docking, "first": at} for at in range(2)]


def test_no_leave_for_a_part_that_is_not_just_that_part_of_the_manifest(dock: Station, card: dict[str, bytes]) -> None:
    docking = dock.docked("CAM1", card)
    all_sealed(dock, card)
    first, second = ({path: data} for path, data in sorted(card.items()))

    refused(dock.ask_erasure(docking, second, first=0))
    refused(dock.ask_erasure(docking, first, first=1))
    refused(dock.ask_erasure(docking, card, first=1))
    refused(dock.ask_erasure(docking, first))  # not all of it, and not said to be a part
    assert dock.ask_erasure(docking, {}, first=0).code == "bad-input"
    assert dock.ask_erasure(docking, first, first=-1).code == "bad-input"


def test_who_erases_more_than_the_parts_that_were_allowed_is_an_alarm(
    server: Serving, dock: Station, card: dict[str, bytes]
) -> None:
    docking = dock.docked("CAM1", card)
    all_sealed(dock, card)
    path, data = min(card.items())
    assert dock.ask_erasure(docking, {path: data}, first=0).status == 200
    before = [one["kind"] for one in server.home.events("device/CAM1")].count("device-alarm")

    dock.post(f"/v1/dockings/{docking}/end", {"outcome": "finished", "received": 2, "erased": 2})

    assert [one["kind"] for one in server.home.events("device/CAM1")].count("device-alarm") == before + 1


def test_a_device_that_holds_nothing_may_be_cleared_of_nothing(dock: Station) -> None:
    assert dock.ask_erasure(dock.docked("CAM1", {}), {}).status == 200


def test_no_leave_while_the_agencys_switch_is_off(server: Serving, card: dict[str, bytes]) -> None:
    off = server.station("off")
    docking = off.docked("CAM1", card)
    all_sealed(off, card)

    assert "switched" in refused(off.ask_erasure(docking, card))
    switch_erasing(off.id, erases=True, why="order 3", ports=server.home.ports, now=server.clocks.now)
    assert off.ask_erasure(docking, card).status == 200
    switch_erasing(off.id, erases=False, why="stop", ports=server.home.ports, now=server.clocks.now)
    assert "switched" in refused(off.ask_erasure(docking, card))


def test_no_leave_for_a_docking_that_was_refused(server: Serving, dock: Station, card: dict[str, bytes]) -> None:
    manifest, listing = dock.manifest(card)
    told = dock.docking("CAM1", listing, problem="binding-altered")
    dock.post("/v1/dockings", told)
    dock.put(f"/v1/dockings/{told['docking']}/manifest", manifest)
    all_sealed(dock, card)

    assert "refused" in refused(dock.ask_erasure(told["docking"], card))


def test_no_leave_while_a_file_is_on_its_way(server: Serving, dock: Station, card: dict[str, bytes]) -> None:
    first, second = card
    docking = dock.docked("CAM1", card)
    dock.sealed(first, card[first])

    assert second in refused(dock.ask_erasure(docking, card))


def test_no_leave_while_a_file_is_here_but_not_sealed(server: Serving, dock: Station, card: dict[str, bytes]) -> None:
    first, second = card
    docking = dock.docked("CAM1", card)
    dock.sealed(first, card[first])
    recording = dock.send(second, card[second])
    server.home.run("fixity", recording)
    before = erasings(server.home)

    words = refused(dock.ask_erasure(docking, card))

    assert words.startswith("1 files may not be cleared: not sealed")
    assert second in words
    server.home.run("seal", recording)
    assert dock.ask_erasure(docking, card).status == 200
    assert erasings(server.home) == before + 1


def test_no_leave_when_the_dock_leaves_out_a_file_of_its_manifest(dock: Station, card: dict[str, bytes]) -> None:
    first, second = card
    docking = dock.docked("CAM1", card)
    dock.sealed(first, card[first])

    words = refused(dock.ask_erasure(docking, {first: card[first]}))
    assert "not named" in words
    assert second in words
    dock.sealed(second, card[second])
    assert second in refused(dock.ask_erasure(docking, {first: card[first]}))


def test_no_leave_for_a_file_that_is_not_of_the_manifest(dock: Station, card: dict[str, bytes]) -> None:
    first, second = card
    docking = dock.docked("CAM1", {first: card[first]})
    all_sealed(dock, card)

    assert dock.offer(second, card[second]).id in refused(dock.ask_erasure(docking, card))


def test_no_leave_with_another_digest_than_rests(dock: Station, card: dict[str, bytes]) -> None:
    docking = dock.docked("CAM1", card)
    all_sealed(dock, card)
    files = [
        {"offer": dock.offer(path, data).id, "sha256": hashlib.sha256(data).hexdigest()} for path, data in card.items()
    ]
    files[1]["sha256"] = files[0]["sha256"]

    answer = dock.post(f"/v1/dockings/{docking}/erasure", {"files": files})

    assert "another SHA-256" in refused(answer)


def test_no_leave_before_the_manifest_is_here(dock: Station, card: dict[str, bytes]) -> None:
    _, listing = dock.manifest(card)
    told = dock.docking("CAM1", listing)
    dock.post("/v1/dockings", told)
    all_sealed(dock, card)

    assert "manifest" in refused(dock.ask_erasure(told["docking"], card))


def test_no_leave_after_the_docking_has_ended(dock: Station, card: dict[str, bytes]) -> None:
    docking = dock.docked("CAM1", card)
    all_sealed(dock, card)
    dock.post(f"/v1/dockings/{docking}/end", {"outcome": "interrupted", "received": 2, "erased": 0})

    assert "ended" in refused(dock.ask_erasure(docking, card))


def test_leave_asked_again_after_the_end_is_the_leave_that_was_given(dock: Station, card: dict[str, bytes]) -> None:
    docking = dock.docked("CAM1", card)
    all_sealed(dock, card)
    assert dock.ask_erasure(docking, card).status == 200
    dock.post(f"/v1/dockings/{docking}/end", {"outcome": "finished", "received": 2, "erased": 2})

    assert dock.ask_erasure(docking, card).status == 200


def test_a_file_put_aside_for_a_person_but_sealed_is_at_rest(server: Serving, dock: Station) -> None:
    files = {"CAM1/noise.mp4": b"this is no footage at all " * 20}
    docking = dock.docked("CAM1", files)
    recording = dock.sealed("CAM1/noise.mp4", files["CAM1/noise.mp4"])

    assert server.home.recording(recording)["state"] == "quarantined"
    assert dock.ask_erasure(docking, files).status == 200


def test_an_empty_file_that_is_never_sealed_keeps_its_device_as_it_is(dock: Station) -> None:
    files = {"CAM1/empty.mp4": b""}
    docking = dock.docked("CAM1", files)

    assert "CAM1/empty.mp4" in refused(dock.ask_erasure(docking, files))


def test_a_file_whose_bytes_we_have_from_another_may_be_cleared_with_that_ones_receipt(
    server: Serving, dock: Station, card: dict[str, bytes]
) -> None:
    first = next(iter(card))
    copy = {"CAM1/copy.gpx": card[first]}
    held = dock.sealed(first, card[first])
    docking = dock.docked("CAM1", copy)
    dock.sealed("CAM1/copy.gpx", card[first])

    told = dock.get(f"/v1/offers/{dock.offer('CAM1/copy.gpx', card[first]).id}").body

    receipt = parse_receipt(open_note(told["receipt"], server.home.ports.verifiers).text)
    assert told["recording"] == receipt.recording == held
    assert (receipt.sha256, receipt.size_bytes) == (hashlib.sha256(card[first]).hexdigest(), len(card[first]))
    assert dock.ask_erasure(docking, copy).status == 200


def test_a_refusal_names_twenty_files_and_counts_them_all(dock: Station) -> None:
    files = {f"CAM1/{number}.mp4": b"%d" % number for number in range(30)}

    words = refused(dock.ask_erasure(dock.docked("CAM1", files), files))

    assert words.startswith("30 files")
    assert words.count(".mp4") == 20


def test_a_name_on_a_card_forges_no_line_of_a_refusal(dock: Station) -> None:
    files = {"CAM1/a\nsealed\u202e.mp4": b"1"}

    words = refused(dock.ask_erasure(dock.docked("CAM1", files), files))

    assert "a\\u000asealed\\u202e.mp4" in words


def test_no_leave_when_the_store_has_lost_the_bytes_or_holds_fewer(
    server: Serving, dock: Station, card: dict[str, bytes]
) -> None:
    first = next(iter(card))
    docking = dock.docked("CAM1", card)
    all_sealed(dock, card)
    assert dock.ask_erasure(docking, card).status == 200  # leave that was given is not leave for ever
    path = server.home.settings.home / "objects" / layout.original_key(hashlib.sha256(card[first]).hexdigest())
    kept = path.with_name("kept")
    path.rename(kept)

    try:
        assert first in refused(dock.ask_erasure(docking, card))
        path.write_bytes(card[first][:-1])
        assert first in refused(dock.ask_erasure(docking, card))
    finally:
        path.unlink()
        kept.rename(path)


def test_no_leave_when_the_manifest_at_rest_was_altered(server: Serving, dock: Station, card: dict[str, bytes]) -> None:
    first = next(iter(card))
    docking = dock.docked("CAM1", card)
    less, _ = dock.manifest({first: card[first]})
    dock.sealed(first, card[first])
    _, listing = dock.manifest(card)
    path = server.home.settings.home / "objects" / layout.manifest_key(listing["sha256"])
    kept = path.with_name("kept")
    path.rename(kept)
    path.write_bytes(less)

    try:
        assert dock.ask_erasure(docking, {first: card[first]}).status == 500
    finally:
        path.unlink()
        kept.rename(path)


@pytest.mark.parametrize(
    "files",
    [
        [{"offer": "ofr-a", "sha256": "0"}],
        [{"offer": "ofr-a", "sha256": "0" * 64}, {"offer": "ofr-a", "sha256": "1" * 64}],
        {"ofr-a": "0" * 64},
        None,
    ],
    ids=["short digest", "two digests", "a mapping", "nothing"],
)
def test_a_malformed_request_is_refused(dock: Station, files: object) -> None:
    docking = dock.docked("CAM1", {})

    assert dock.post(f"/v1/dockings/{docking}/erasure", {"files": files}).code == "bad-input"


def test_no_leave_for_what_was_disposed_of_meanwhile(tmp_path: Path) -> None:
    with ending(tmp_path) as at, serving(at.home) as server:
        at.home.add_device("CAM1")
        dock = server.station(erases=True)
        files = {"CAM1/1.gpx": track(tmp_path, number=1).read_bytes()}
        docking = dock.docked("CAM1", files)
        recording = dock.sealed("CAM1/1.gpx", files["CAM1/1.gpx"])
        assert dock.ask_erasure(docking, files).status == 200

        at.run(at.approved(recording))

        assert at.state(recording) == "disposed"
        assert "CAM1/1.gpx" in refused(dock.ask_erasure(docking, files))


def test_after_all_of_it_everything_is_proven_and_the_register_can_be_made_again(tmp_path: Path) -> None:
    with open_home(tmp_path / "home") as home, serving(home) as server:
        home.add_device("CAM1")
        dock = server.station(erases=True)
        files = {"CAM1/1.gpx": track(tmp_path, number=1).read_bytes()}
        docking = dock.docked("CAM1", files, ignored=["CAM1/link"])
        all_sealed(dock, files)
        dock.ask_erasure(docking, files)
        dock.post(f"/v1/dockings/{docking}/end", {"outcome": "finished", "received": 1, "erased": 1, "why": ""})
        told = dock.docking("CAM1", problem="binding-altered")
        dock.post("/v1/dockings", told)
        dock.post(f"/v1/dockings/{told['docking']}/end", {"outcome": "refused", "received": 0, "erased": 0})
        dock.post("/v1/dockings", dock.docking("stranger"))
        dock.post("/v1/alarms", {"device": None, "code": "disk-low", "text": "3 GB", "at": "2026-06-20T04:00:00Z"})
        other = server.station("attic")
        again = invite(Invitation("attic"), again=other.id, ports=home.ports, now=server.clocks.now)
        server.enrol(again.code)
        waits = server.station("roof", erases=True)
        invite(Invitation("roof"), again=waits.id, ports=home.ports, now=server.clocks.now)
        revoke(server.station("cellar").id, why="stolen", ports=home.ports, now=server.clocks.now)
        home.publish()

        report = verify_all(home.ports)
        live, rebuilt = home.facts(), home.rebuilt()[1]

    assert report.verdict is Verdict.PROVEN, report.findings
    assert live == rebuilt
