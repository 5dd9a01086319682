# SPDX-License-Identifier: Apache-2.0
"""The register's writing side: one transaction for state, event and jobs; streams without gaps; one projection."""

import os
import traceback
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from app import clocks
from evidence import instant, merkle
from evidence.custody import Happening, open_detail, parse_event
from evidence.errors import BadInput, Conflict, NotFound, RecordMalformed, WrongState
from evidence.lifecycle import State
from evidence.note import open_note
from pipeline import casework, flow
from storage import layout
from storage.register import jobs, projection, search
from storage.register.facts import Facts
from storage.register.rebuild import rebuild
from storage.register.register import open_engine, open_register
from tests.support.cameras import CAMERA, tiny
from tests.support.device_events import everything_of_devices
from tests.support.home import NOON, Home, dsj_name, open_home, track
from tests.support.keeping_events import everything_of_keeping
from tests.support.people_events import everything_of_people

HOUR = timedelta(hours=1)
REC = "recording/rec-a"


@pytest.fixture
def home(tmp_path: Path, register_settings: dict[str, str]) -> Iterator[Home]:
    with open_home(tmp_path / "home", **register_settings) as opened:
        yield opened


def record(facts: Facts, what: str, stream: str, detail: dict[str, Any] | None = None, /, **told: Any) -> None:
    facts.record(Happening(what, stream, facts=told, detail=detail), actor="test", at=NOON)


def add_device(facts: Facts, serial: str = "A1") -> None:
    record(facts, "device-registered", f"device/{serial}", {"label": ""}, kind="bodycam", clock_offset_ms=0)


# --- one transaction ----------------------------------------------------------------------------


class PowerCut(Exception):
    pass


def test_what_raises_in_the_middle_leaves_no_state_no_event_and_no_job(home: Home) -> None:
    before = home.facts()

    def cut(facts: Facts) -> None:
        add_device(facts)
        facts.enqueue("fixity", "rec-a", now=NOON)
        raise PowerCut

    with pytest.raises(PowerCut), home.ports.register.begin() as facts:
        cut(facts)
    assert (home.facts(), home.open_jobs()) == (before, [])


def test_state_event_and_job_are_seen_together_or_not_at_all(home: Home) -> None:
    with home.ports.register.begin() as facts:
        add_device(facts)
        facts.enqueue("fixity", "rec-a", now=NOON)
        with home.ports.register.view() as outside:
            assert search.device(outside, "A1") is None
            assert jobs.open_jobs(outside) == []
            assert search.events_of(outside, "device/A1") == []
    with home.ports.register.view() as outside:
        assert search.device(outside, "A1") is not None
        assert [row.id for row in jobs.open_jobs(outside)] == ["fixity:rec-a"]
        assert len(search.events_of(outside, "device/A1")) == 1


def test_an_event_that_contradicts_the_register_takes_its_whole_transaction_with_it(home: Home) -> None:
    recording = home.ingest_one(track(home.settings.home / "card"))["id"]
    before = home.facts()

    def contradict(facts: Facts) -> None:
        add_device(facts)
        record(facts, "indexed", f"recording/{recording}", cases=0)

    with pytest.raises(WrongState), home.ports.register.begin() as facts:
        contradict(facts)
    assert home.facts() == before


def test_a_view_is_of_one_moment(home: Home) -> None:
    with home.ports.register.view() as connection:
        assert search.device(connection, "A1") is None
        home.add_device("A1")
        assert search.device(connection, "A1") is None


def test_an_event_of_unknown_kind_is_refused(home: Home) -> None:
    with pytest.raises(RecordMalformed, match="imagined"), home.ports.register.begin() as facts:
        record(facts, "imagined", REC)


def test_an_event_about_a_recording_that_is_not_there_is_refused(home: Home) -> None:
    with pytest.raises(NotFound), home.ports.register.begin() as facts:
        record(facts, "sealed", REC, sha256="0" * 64, receipt_sha256="0" * 64, size_bytes=0)


# --- streams ------------------------------------------------------------------------------------


def test_every_event_is_signed_numbered_and_names_the_one_before_it(home: Home) -> None:
    recording = home.ingest_one(track(home.settings.home / "card"))["id"]
    rows = home.events(f"recording/{recording}")
    assert [row["seq"] for row in rows] == list(range(7))
    before = None
    for row in rows:
        event = parse_event(open_note(row["note"], home.ports.verifiers).text)
        assert (event.seq, event.prev, event.kind) == (row["seq"], before, row["kind"])
        before = row["leaf_hash"]
        assert before == merkle.leaf_hash(row["note"].encode()).hex()


def test_the_events_of_one_noun_do_not_count_in_the_stream_of_another(home: Home) -> None:
    home.add_device("A1")
    home.add_device("B2")
    home.add_device("A1", offset_ms=5)
    assert [row["seq"] for row in home.events("device/A1")] == [0, 1]
    assert [row["seq"] for row in home.events("device/B2")] == [0]


def test_an_event_is_anchored_in_the_newest_checkpoint_of_its_time(home: Home) -> None:
    home.add_device("A1")
    home.publish()
    home.add_device("A1", offset_ms=5)
    first, second = (parse_event(open_note(e["note"], home.ports.verifiers).text) for e in home.events("device/A1"))
    newest = home.ports.log.newest()
    assert newest is not None
    assert (first.anchor, second.anchor) == (None, (1, newest.root.hex()))


def test_names_of_people_are_not_in_the_events_but_in_salted_details(home: Home) -> None:
    home.add_officer("430407")
    home.add_officer("430407")
    events = home.facts()["custody_events"]
    assert all("430407" not in event["note"] for event in events)
    details = [event["detail_sha256"] for event in events]
    assert len(set(details)) == 2, "equal details must not have equal digests: a number could be guessed"
    data = home.ports.store.read(layout.detail_key(details[0]), limit=1 << 16)
    assert open_detail(data, sha256=details[0])["number"] == "430407"


# --- registries ---------------------------------------------------------------------------------


def test_a_device_may_be_registered_anew_after_it_was_handed_out(home: Home) -> None:
    home.add_device("A1")
    home.add_officer("7")
    home.assign("A1", "7", start=NOON)
    home.add_device("A1", offset_ms=60_000)
    with home.ports.register.view() as connection:
        device = search.device(connection, "A1")
        assert device is not None
        assert device["clock_offset_ms"] == 60_000
        assert search.officer_holding(connection, "A1", instant.to_text(NOON)) == "7"


def test_a_device_is_with_one_officer_at_a_time(home: Home) -> None:
    home.add_device("A1")
    for number in "78":
        home.add_officer(number)
    home.assign("A1", "7", start=NOON)
    home.assign("A1", "8", start=NOON + HOUR)
    with home.ports.register.view() as connection:
        held = [search.officer_holding(connection, "A1", instant.to_text(NOON + at * HOUR)) for at in (-1, 0, 1, 9)]
    assert held == [None, "7", "8", "8"]


def test_a_case_number_is_taken_once(home: Home) -> None:
    home.open_case("2026-1", "7", start=NOON, end=NOON + HOUR)
    with pytest.raises(Conflict):
        home.open_case("2026-1", "8", start=NOON, end=NOON + HOUR)


def case_id(connection: search.Connection, number: str) -> str:
    return str(search.case(connection, number)["id"])


# --- one projection, live and in a rebuild --------------------------------------------------------


def _month(home: Home, card: Path) -> None:
    """Something of every kind that can happen."""
    home.add_officer("000001")
    home.add_officer("000007")
    home.add_device(CAMERA.serial, offset_ms=1500)
    home.assign(CAMERA.serial, "000007", start=NOON - HOUR)
    home.open_case("2026-1", "000001", start=NOON - HOUR, end=NOON + HOUR)
    video = home.ingest_one(tiny("plain").path)["id"]
    photo = home.ingest_one(tiny("photo").path)["id"]
    home.ingest(track(card, "same.gpx"), track(card, "also.gpx"))  # one folds into the other
    stranger = track(card, dsj_name("B2"), number=1)
    assert home.ingest(stranger)["quarantined"]
    home.add_device("B2", offset_ms=-2000)
    assert home.ingest(stranger)["recordings"]
    _change_while_read(home, track(card, "changing.gpx", number=2))
    _unreadable(home, card)
    home.open_case("2026-2", "000001", "000007", start=NOON - HOUR, end=NOON + HOUR, item="JC-01")
    for withdraw in (False, True, False):
        casework.link("2026-2", [video], why="look", withdraw=withdraw, ports=home.ports, now=clocks.now())
    casework.link("2026-1", [f"{video}.00000"], why="other street", withdraw=True, ports=home.ports, now=clocks.now())
    casework.close_case("2026-1", ports=home.ports, now=clocks.now())
    with home.ports.register.begin() as facts:
        record(facts, "flagged", f"recording/{video}", {"reason": "sound is odd"}, code="undecodable")
        told = {"asked": {}, "clip_sha256": "0" * 64, "delivered": {}, "frames": 0, "size_bytes": 0}
        record(facts, "clipped", f"recording/{video}", None, **told)
    with home.ports.register.begin() as facts:
        everything_of_devices(facts, device=CAMERA.serial, video=video, photo=photo)
    with home.ports.register.begin() as facts:
        everything_of_keeping(facts, case=case_id(facts.connection, "2026-2"), video=video, photo=photo)
    with home.ports.register.begin() as facts:
        everything_of_people(facts, recording=video, case=case_id(facts.connection, "2026-2"))
    home.assign(CAMERA.serial, "000001", start=NOON + HOUR)
    home.publish()


def _change_while_read(home: Home, path: Path) -> None:
    recording = home.offer(path)
    path.write_text(path.read_text() + "\n")
    assert home.run("fixity", recording) is flow.Result.DONE
    assert home.ingest(path)["recordings"]


def _unreadable(home: Home, card: Path) -> None:
    (card / "text.mp4").write_text("no film")
    assert home.ingest(card / "text.mp4")["quarantined"]


def test_a_rebuild_brings_back_every_row_of_a_month_in_which_everything_happened(home: Home, tmp_path: Path) -> None:
    _month(home, tmp_path / "card")
    live = home.facts()
    happened = {event["kind"] for event in live["custody_events"]}
    assert projection.KINDS - happened == set(), "a kind of event that the month leaves out"
    assert all(live.values()), "a table that the month leaves empty"
    done, rebuilt = home.rebuilt()
    assert done.from_log == len(live["custody_events"])
    for table, rows in live.items():
        assert rebuilt[table] == rows, table


def test_a_rebuild_after_every_single_event_equals_the_register_of_that_moment(home: Home, tmp_path: Path) -> None:
    path = track(tmp_path / "card", dsj_name("B2"))
    recording = home.offer(path)
    home.add_device("B2")
    for step in ("fixity", "seal", "stamp", "segment", "classify", "index"):
        assert home.run(step, recording) is flow.Result.DONE
        home.publish()
        assert home.rebuilt()[1] == home.facts(), step
    assert home.recording(recording)["state"] == State.INDEXED


def test_a_rebuild_refuses_a_register_that_is_not_empty(home: Home) -> None:
    home.add_device("A1")
    home.publish()
    ports, before = home.ports, home.facts()
    with pytest.raises(Conflict, match="not empty"):
        rebuild(ports.register, store=ports.store, log=ports.log, verifiers=ports.verifiers)
    assert home.facts() == before


# --- what a receipt promises comes back also when the log has not heard of it ----------------------


def _sealed_before_publication(home: Home, recording: str) -> None:
    for step in ("fixity", "seal"):
        assert home.run(step, recording) is flow.Result.DONE


def test_a_receipt_alone_brings_its_recording_back(home: Home, tmp_path: Path) -> None:
    path = track(tmp_path / "card")
    recording = home.offer(path)
    _sealed_before_publication(home, recording)
    done, rebuilt = home.rebuilt()
    assert (done.from_log, done.from_receipts) == (0, 2)
    assert [(row["id"], row["state"]) for row in rebuilt["recordings"]] == [(recording, "measured")]


def test_a_receipt_brings_back_a_recording_that_was_withdrawn_and_taken_again(home: Home, tmp_path: Path) -> None:
    path = track(tmp_path / "card")
    recording = home.offer(path)
    whole, moment = path.read_bytes(), path.stat()
    path.write_bytes(whole + b"more")
    home.run("fixity", recording)
    path.write_bytes(whole)
    _set_time(path, moment.st_mtime_ns)
    assert home.offer(path) == recording
    _sealed_before_publication(home, recording)
    assert home.story(recording) == ["arrived", "withdrawn", "arrived", "measured", "sealed"]
    done, rebuilt = home.rebuilt()
    assert done.from_receipts == 4
    assert [row["id"] for row in rebuilt["recordings"]] == [recording]


def _set_time(path: Path, mtime_ns: int) -> None:
    os.utime(path, ns=(mtime_ns, mtime_ns))


# --- opening ------------------------------------------------------------------------------------


@pytest.mark.parametrize("url", ["mysql://here/evidock", "sqlite://", "sqlite:///"])
def test_an_engine_we_do_not_have_is_refused_in_words(home: Home, url: str) -> None:
    with pytest.raises(BadInput, match="sqlite:///PATH"):
        open_register(url, store=home.ports.store, signer=home.ports.signer, chance=clocks.chance)


def test_a_url_that_its_password_breaks_is_refused_and_nothing_of_it_is_shown() -> None:
    with pytest.raises(BadInput, match="%40") as told:
        open_engine("postgresql://evidock:hush@hush:hush@db/evidock")
    assert "hush" not in "".join(traceback.format_exception_only(told.value))
    assert told.value.__cause__ is None
    assert told.value.__suppress_context__
