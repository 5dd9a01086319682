# SPDX-License-Identifier: Apache-2.0
"""From a card to a case: offers fold, stay apart, wait and come back, as they should."""

import json
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

import pytest

from app.foreground import drain
from devices.safe_open import open_beneath
from devices.simulator.filming import TINY
from evidence import instant
from evidence.errors import Unavailable
from evidence.lifecycle import State
from pipeline import flow
from pipeline.scratch import scratch
from pipeline.tsa.http import HttpAuthority
from storage.register import search
from tests.support import authorities
from tests.support.cameras import CAMERA, one_hour_off, tiny
from tests.support.home import LEASE_S, NOON, Home, dsj_name, open_home, track

HOUR = timedelta(hours=1)
OTHER = "36NCC009999"


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    with open_home(tmp_path / "home") as opened:
        opened.add_device(CAMERA.serial)
        yield opened


@pytest.fixture
def card(tmp_path: Path) -> Path:
    return tmp_path / "card"


def proven(home: Home) -> bool:
    """What the store and the log alone say is what the register says, and nothing is left to do."""
    home.publish()
    ended = {State.INDEXED, State.QUARANTINED}
    return (
        home.rebuilt()[1] == home.facts()
        and home.open_jobs() == []
        and all(row["state"] in ended for row in home.recordings())
    )


# --- the main way -------------------------------------------------------------------------------


def test_footage_becomes_a_sealed_indexed_recording_with_its_derivatives(home: Home) -> None:
    made = tiny("plain")
    told = home.ingest_one(made.path)
    assert (told["state"], told["kind"], told["device"], told["officer"]) == (
        "indexed",
        "video",
        CAMERA.serial,
        CAMERA.officer,
    )
    assert told["start"] == instant.to_text(made.true_start)
    assert {"proxy", "fingerprint"} <= set(told["derivatives"])
    (original,) = told["originals"]
    assert home.holds(made.path.read_bytes(), original["sha256"])
    assert proven(home)


@pytest.mark.parametrize("kind", ["audio_only", "wav", "photo"])
def test_sound_and_photos_go_the_same_way(home: Home, kind: str) -> None:
    told = home.ingest_one(tiny(kind).path)
    assert (told["state"], told["segments"]) == ("indexed", 1)
    assert proven(home)


def test_a_whole_card_is_taken_with_its_settings_files_left_where_they_are(home: Home) -> None:
    body = home.ingest(tiny("plain").path.parents[3])
    assert {one["kind"] for one in body["recordings"]} == {"video", "document"}
    assert body["quarantined"] == []
    assert {one["reason"] for one in body["skipped"]} <= {"neither named nor made like a recording"}


# --- equal bytes --------------------------------------------------------------------------------


def test_the_same_file_offered_twice_is_one_recording_with_a_second_event(home: Home, card: Path) -> None:
    path = track(card)
    first = home.ingest_one(path)
    again = home.ingest(path)
    assert [one["id"] for one in again["recordings"]] == [first["id"]]
    assert [one["reason"] for one in again["skipped"]] == [f"byte-identical to {first['id']}, held already"]
    assert home.times(first["id"], "offered-again") == 1
    assert home.times(first["id"], "sealed") == 1
    assert proven(home)


def test_equal_bytes_under_two_paths_are_one_recording_that_knows_both(home: Home, card: Path) -> None:
    body = home.ingest(track(card / "a"), track(card / "b"))
    assert len(body["recordings"]) == len(body["skipped"]) == 1
    assert len(home.recordings()) == 1
    offers = home.facts()["offers"]
    assert {(row["recording"], row["outcome"]) for row in offers} == {
        (body["recordings"][0]["id"], "taken"),
        (body["recordings"][0]["id"], "again"),
    }
    assert proven(home)


def test_equal_bytes_from_two_cameras_are_one_recording_of_the_first_with_both_claims_kept(
    home: Home, card: Path
) -> None:
    home.add_device(OTHER)
    first = home.ingest_one(track(card, dsj_name(CAMERA.serial)))
    body = home.ingest(track(card, dsj_name(OTHER)))
    assert [one["id"] for one in body["recordings"]] == [first["id"]]
    assert home.recording(first["id"])["device"] == CAMERA.serial
    assert len(home.recordings()) == 1
    assert {row["name"] for row in home.facts()["offers"]} == {dsj_name(CAMERA.serial), dsj_name(OTHER)}
    assert proven(home)


def test_equal_bytes_offered_by_eight_at_once_are_one_recording(home: Home, card: Path) -> None:
    paths = [track(card / f"{number}") for number in range(8)]

    def take(path: Path) -> None:
        home.ingest(path)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(take, paths))
    (row,) = home.recordings()
    assert row["state"] == State.INDEXED
    assert home.times(row["id"], "offered-again") == 7
    assert home.times(row["id"], "sealed") == 1
    assert proven(home)


# --- equal names --------------------------------------------------------------------------------


def test_the_same_name_from_two_cameras_is_two_recordings(home: Home, card: Path) -> None:
    body = home.ingest(track(card / "a", number=1), track(card / "b", number=2))
    assert len({one["id"] for one in body["recordings"]}) == 2
    assert {one["originals"][0]["name"] for one in body["recordings"]} == {"track.gpx"}
    assert proven(home)


def test_a_file_that_was_overwritten_is_a_second_recording_and_the_first_stays(home: Home, card: Path) -> None:
    first = home.ingest_one(track(card, number=1))
    second = home.ingest_one(track(card, number=2))
    assert first["id"] != second["id"]
    assert len(home.recordings()) == 2


def test_other_bytes_under_a_known_name_size_and_time_are_not_passed_over_in_silence(home: Home, card: Path) -> None:
    path = track(card, number=1)
    moment = path.stat().st_mtime_ns
    held = home.ingest_one(path)
    os.utime(track(card, number=2), ns=(moment, moment))
    body = home.ingest(path)
    assert [one["reason"] for one in body["skipped"]] == [
        f"other bytes than {held['id']} holds, under the same name, size and time: give it another name or time"
    ]
    os.utime(path)
    assert home.ingest_one(path)["id"] != held["id"]


# --- devices and officers -----------------------------------------------------------------------


def test_footage_of_an_unknown_device_is_kept_and_put_aside(home: Home, card: Path) -> None:
    path = track(card, dsj_name(OTHER))
    body = home.ingest(path)
    (aside,) = body["quarantined"]
    assert aside["code"] == "unknown-device"
    assert f"evidock device add {OTHER}" in aside["reason"]
    (original,) = home.facts()["originals"]
    assert home.holds(path.read_bytes(), original["sha256"])
    assert proven(home)


def test_footage_of_an_unknown_device_goes_on_once_the_device_is_registered(home: Home, card: Path) -> None:
    path = track(card, dsj_name(OTHER))
    assert home.ingest(path)["quarantined"]
    home.add_device(OTHER, offset_ms=3_600_000)
    home.add_officer("430407")
    home.assign(OTHER, "430407", start=NOON - 2 * HOUR)
    told = home.ingest_one(path)
    assert (told["state"], told["problem"], told["device"]) == ("indexed", None, OTHER)
    assert told["start"] == instant.to_text(NOON - HOUR), "its clock is an hour fast"
    assert told["officer"] == "430407"
    (piece,) = home.segments(told["id"])
    assert piece["start_at"] == told["start"]
    assert home.times(told["id"], "released") == 1
    row = home.recording(told["id"])
    assert json.loads(row["clock_basis"])["offset_ms"] == 3_600_000, "how its time is known is told anew"
    assert row["end_latest"] >= instant.to_text(NOON), "and nothing is kept for less long by it"
    assert proven(home)


def test_a_device_registered_while_its_file_waits_is_known_in_time(home: Home, card: Path) -> None:
    recording = home.offer(track(card, dsj_name(OTHER)))
    home.add_device(OTHER)
    home.drain(recording)
    assert home.recording(recording)["state"] == State.INDEXED
    assert home.times(recording, "quarantined") == 0


def test_a_device_the_operator_names_is_believed_over_the_file_name(home: Home, card: Path) -> None:
    told = home.ingest_one(track(card, dsj_name(OTHER)), device=CAMERA.serial, officer="000042")
    assert (told["device"], told["officer"]) == (CAMERA.serial, "000042")


def test_the_officer_is_the_one_who_held_the_camera_at_that_time(home: Home, card: Path) -> None:
    for number in ("000001", "000002"):
        home.add_officer(number)
    home.assign(CAMERA.serial, "000001", start=NOON - HOUR)
    home.assign(CAMERA.serial, "000002", start=NOON + HOUR)
    held = [
        home.ingest_one(track(card, dsj_name(CAMERA.serial, at=at), at=at))["officer"]
        for at in (NOON - 2 * HOUR, NOON, NOON + 2 * HOUR)
    ]
    assert held == [None, "000001", "000002"]


def test_the_measured_offset_of_a_camera_clock_is_taken_off_the_start(home: Home, tmp_path: Path) -> None:
    slow = one_hour_off()
    made = slow.photograph(tmp_path / "slow", at=NOON)
    home.add_device(slow.serial, offset_ms=-3_600_000)
    told = home.ingest_one(made.path)
    assert told["start"] == instant.to_text(made.true_start)
    assert made.camera_start != made.true_start


# --- files that are not quiet, or not there -----------------------------------------------------


def growing(home: Home, path: Path) -> Home:
    """A home whose sources are written to at the moment they are opened."""

    def opened(root: Path, name: str) -> BinaryIO:
        source = open_beneath(root, name)
        with path.open("ab") as writer:
            writer.write(b"<!-- and more -->\n")
        return source

    return home.with_ports(open_source=opened)


def test_a_file_that_changes_while_it_is_read_is_not_taken_yet(home: Home, card: Path) -> None:
    path = track(card)
    body = growing(home, path).ingest(path)
    assert (body["recordings"], body["quarantined"]) == ([], [])
    assert [one["reason"] for one in body["skipped"]] == ["it changed or went away before it was read"]
    assert home.recordings() == []
    assert list(home.ports.spool.glob("rec-*")) == []
    told = home.ingest_one(path)  # quiet now
    assert home.holds(path.read_bytes(), told["originals"][0]["sha256"])
    assert proven(home)


def test_a_file_that_was_written_to_between_offer_and_reading_is_not_taken_yet(home: Home, card: Path) -> None:
    path = track(card, number=1)
    recording = home.offer(path)
    track(card, number=2)  # as long as before
    home.drain(recording)
    assert home.story(recording) == ["arrived", "withdrawn"]
    assert home.ingest_one(path)["state"] == "indexed"


def test_a_file_that_is_as_it_was_when_it_is_offered_again_is_taken(home: Home, card: Path) -> None:
    path = track(card)
    moment = path.stat().st_mtime_ns
    recording = home.offer(path)
    os.utime(path)
    home.drain(recording)
    os.utime(path, ns=(moment, moment))
    assert home.ingest_one(path)["id"] == recording
    assert home.story(recording)[:4] == ["arrived", "withdrawn", "arrived", "measured"]
    assert proven(home)


def test_a_card_pulled_before_its_file_was_read_is_taken_when_it_is_back(home: Home, card: Path) -> None:
    path = track(card)
    recording = home.offer(path)
    whole, moment = path.read_bytes(), path.stat().st_mtime_ns
    path.unlink()
    home.drain(recording)
    assert home.story(recording) == ["arrived", "withdrawn"]
    path.write_bytes(whole)
    os.utime(path, ns=(moment, moment))
    assert home.ingest_one(path)["id"] == recording
    assert proven(home)


def test_a_file_exchanged_for_a_link_is_not_followed(home: Home, card: Path, tmp_path: Path) -> None:
    path, secret = track(card), track(tmp_path / "elsewhere", number=7)
    recording = home.offer(path)
    path.unlink()
    path.symlink_to(secret)
    home.drain(recording)
    assert home.story(recording) == ["arrived", "withdrawn"]
    assert home.facts()["originals"] == []


def test_a_sealed_recording_needs_its_source_no_more(home: Home, card: Path) -> None:
    path = track(card)
    recording = home.offer(path)
    for step in ("fixity", "seal"):
        home.run(step, recording)
    path.unlink()
    home.drain(recording)
    assert home.recording(recording)["state"] == State.INDEXED


# --- interrupted --------------------------------------------------------------------------------


@pytest.mark.parametrize("done", range(7))
def test_an_ingest_that_ended_after_any_step_is_finished_by_the_next(home: Home, card: Path, done: int) -> None:
    path = track(card)
    recording = home.offer(path)
    for step in ("fixity", "seal", "stamp", "segment", "classify", "index")[:done]:
        assert home.run(step, recording) is flow.Result.DONE
    assert home.ingest_one(path)["id"] == recording
    story = home.story(recording)
    assert {kind for kind in story if story.count(kind) > 1} == set()
    assert proven(home)


def test_leftovers_of_killed_steps_are_cleared_and_what_is_needed_stays(home: Home, card: Path) -> None:
    waiting = home.offer(track(card))
    home.run("fixity", waiting)
    spool = home.ports.spool
    (spool / "rec-aaaaaaaaaaaaaaaaaaaa.original.0a1b.part").write_bytes(b"half")
    (spool / "scratch").mkdir()
    (spool / "scratch" / "dead").mkdir()
    with scratch(spool) as alive:
        home.ingest(track(card / "other", number=1))
        assert list((spool / "scratch").iterdir()) == [alive]
    names = {path.name for path in spool.iterdir()}
    assert names >= {f"{waiting}.original", f"{waiting}.chunks"}
    assert {name for name in names if not name.startswith(waiting)} == {"scratch"}


def test_what_cannot_be_done_now_keeps_nothing_else_from_being_done(
    home: Home, card: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.foreground._PATIENCE", 2)
    away = HttpAuthority("gone", "http://127.0.0.1:9/", authorities.honest().anchors)
    alone = home.with_ports(authorities=(away,))
    recording = home.offer(track(card))
    with pytest.raises(Unavailable, match=r"stamp .* failed 2 times"):
        drain([recording], ports=alone.ports, lease_s=LEASE_S, at_once=2)
    assert home.recording(recording)["state"] == State.INDEXED
    assert home.open_jobs() == [f"stamp:{recording}"]
    home.drain(recording)  # a later run begins with new patience
    assert proven(home)


# --- cases --------------------------------------------------------------------------------------


def ingest_track(home: Home) -> str:
    """What the officer of CAMERA recorded at noon: a document goes the way of footage, and is quick."""
    name = dsj_name(CAMERA.serial, officer=CAMERA.officer)
    identifier: str = home.ingest_one(track(home.settings.home.parent / "card", name))["id"]
    return identifier


def open_case(home: Home, number: str, *, start: datetime, end: datetime, item: str | None = None) -> int:
    return home.open_case(number, CAMERA.officer, start=start, end=end, item=item)


@pytest.mark.parametrize("first", ["case", "recording"])
def test_a_recording_finds_its_case_whichever_was_first(home: Home, first: str) -> None:
    if first == "case":
        assert open_case(home, "2026-1", start=NOON - HOUR, end=NOON + HOUR) == 0
    recording = ingest_track(home)
    if first == "recording":
        assert home.unfiled() == [recording]
        assert open_case(home, "2026-1", start=NOON - HOUR, end=NOON + HOUR) == 1
    assert home.cases_of(recording) == {"2026-1"}
    assert home.unfiled() == []
    assert proven(home)


def test_a_recording_may_belong_to_two_cases(home: Home) -> None:
    open_case(home, "2026-1", start=NOON - HOUR, end=NOON + HOUR)
    open_case(home, "2026-2", start=NOON - HOUR, end=NOON + HOUR)
    assert home.cases_of(ingest_track(home)) == {"2026-1", "2026-2"}


@pytest.mark.parametrize(
    ("start", "end"), [(NOON - 2 * HOUR, NOON - HOUR), (NOON + HOUR, NOON + 2 * HOUR)], ids=["before", "after"]
)
def test_a_recording_outside_the_window_is_unfiled_and_never_dropped(
    home: Home, start: datetime, end: datetime
) -> None:
    open_case(home, "2026-1", start=start, end=end)
    recording = ingest_track(home)
    assert home.cases_of(recording) == set()
    assert home.unfiled() == [recording]
    assert home.recording(recording)["state"] == State.INDEXED


def test_a_recording_of_another_officer_is_unfiled(home: Home) -> None:
    home.open_case("2026-1", "000099", start=NOON - HOUR, end=NOON + HOUR)
    recording = ingest_track(home)
    assert home.unfiled() == [recording]


def test_only_the_segments_within_the_window_are_linked(home: Home, tmp_path: Path) -> None:
    made = CAMERA.record(tmp_path / "long", at=NOON, seconds=25, rate=Fraction(5), quality=TINY, has_sound=False)
    recording = home.ingest_one(made.path)["id"]
    assert len(home.segments(recording)) >= 2
    open_case(home, "2026-1", start=NOON - HOUR, end=NOON + timedelta(seconds=1))
    with home.ports.register.view() as connection:
        links = search.links_of_recording(connection, recording)
    assert [link["segment"] for link in links] == [f"{recording}.00000"]


# --- classification -----------------------------------------------------------------------------


def item_of(home: Home, recording: str) -> tuple[str | None, str]:
    row = home.recording(recording)
    return row["item"], json.loads(row["item_reason"])["rule"]


def test_a_recording_takes_the_item_of_the_one_case_of_its_officer(home: Home) -> None:
    items = sorted(home.ports.catalog.items)
    item = next(one for one in items if "video" in home.ports.catalog.items[one].kinds and one != "JC-01")
    open_case(home, "2026-1", start=NOON - HOUR, end=NOON + HOUR, item=item)
    assert item_of(home, ingest_track(home)) == (item, "case-of-officer")


def test_two_cases_with_different_items_decide_nothing_and_the_default_stands(home: Home) -> None:
    items = [one for one, item in sorted(home.ports.catalog.items.items()) if "video" in item.kinds][1:3]
    for number, item in enumerate(items):
        open_case(home, f"2026-{number}", start=NOON - HOUR, end=NOON + HOUR, item=item)
    assert item_of(home, ingest_track(home)) == ("JC-01", "default")


def test_without_a_default_a_recording_that_no_rule_reaches_waits_for_a_person(tmp_path: Path) -> None:
    with open_home(tmp_path / "home", default_item="") as home:
        home.add_device(CAMERA.serial)
        assert item_of(home, ingest_track(home)) == (None, "none")


def test_an_item_that_asks_for_other_media_is_never_given(home: Home) -> None:
    default = home.ports.catalog.items["JC-01"]
    assert "photo" not in default.kinds
    assert item_of(home, home.ingest_one(tiny("photo").path)["id"]) == (None, "none")


def test_the_version_of_the_catalog_is_on_the_record(home: Home) -> None:
    assert home.recording(ingest_track(home))["catalog"] == home.ports.catalog.id
