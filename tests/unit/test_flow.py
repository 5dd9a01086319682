# SPDX-License-Identifier: Apache-2.0
"""The flow: what follows what, what a failure leads to, and that only the holder of a lease records."""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import BinaryIO

import pytest

from app import clocks
from devices.safe_open import open_beneath
from evidence.errors import StoreUnavailable
from evidence.lifecycle import State
from pipeline import flow, stamp
from pipeline.flow import Result
from pipeline.leasing import Clock
from pipeline.ports import unheard
from pipeline.tsa.http import HttpAuthority
from pipeline.tsa.port import Authority, TimeToken
from storage import layout
from storage.objects_file import DirectoryStore
from storage.register import jobs
from storage.register.register import open_register
from tests.support import authorities
from tests.support.cameras import CAMERA, tiny
from tests.support.home import NOON, Home, at_tick, dsj_name, open_home, track


@pytest.fixture
def home(tmp_path: Path, register_settings: dict[str, str]) -> Iterator[Home]:
    with open_home(tmp_path / "home", **register_settings) as opened:
        yield opened


@pytest.fixture
def card(tmp_path: Path) -> Path:
    return tmp_path / "card"


def run_all(home: Home, recording: str, *steps: str) -> None:
    for step in steps:
        assert home.run(step, recording) is Result.DONE, step


def steps_of(home: Home) -> set[str]:
    return {job.partition(":")[0] for job in home.open_jobs()}


# --- order --------------------------------------------------------------------------------------


def test_nothing_is_derived_before_it_is_sealed(home: Home, card: Path) -> None:
    recording = home.offer(track(card))
    seen = []
    for step in ("fixity", "seal", "segment", "classify", "index", "stamp", "transcode", "fingerprint"):
        seen.append(steps_of(home))
        run_all(home, recording, step)
    assert seen == [
        {"fixity"},
        {"seal"},
        {"segment", "stamp", "transcode"},
        {"stamp", "transcode", "classify"},
        {"stamp", "transcode", "index"},
        {"stamp", "transcode"},
        {"transcode"},
        {"fingerprint"},
    ]
    assert home.open_jobs() == []
    assert home.recording(recording)["state"] == State.INDEXED


def test_every_step_can_be_reached_and_none_is_opened_twice() -> None:
    reached = ["fixity"]
    for step in reached:
        reached += flow.AFTER.get(step, ())
    assert sorted([*reached, "repair", "export"]) == sorted(flow.STEPS)
    assert {"seal": (*flow.AFTER_QUARANTINE["seal"], "repair")} == flow.AFTER_DAMAGE


def test_every_step_of_footage_is_one_event_and_a_repeat_of_the_job_is_none(home: Home) -> None:
    home.add_device(CAMERA.serial)
    recording = home.ingest_one(tiny("plain").path)["id"]
    story = home.story(recording)
    assert story[:3] == ["arrived", "measured", "sealed"]
    assert sorted(story[3:]) == ["classified", *["derived"] * 4, "indexed", "segmented", "stamped"]
    for step in flow.STEPS:
        assert home.run(step, recording) is Result.NOT_NOW
    assert home.story(recording) == story


def test_a_hint_is_given_for_each_job_that_was_opened(home: Home, card: Path) -> None:
    recording = home.offer(track(card))
    hinted: list[str] = []
    clock = at_tick("boot", 0.0, now=NOON + timedelta(days=999))
    for step in ("fixity", "seal"):
        flow.run(f"{step}:{recording}", ports=home.ports, owner="me", clock=clock, hint=hinted.append)
    assert hinted == [f"{step}:{recording}" for step in ("seal", "segment", "stamp", "transcode")]


def test_how_far_a_step_is_is_told(home: Home, card: Path) -> None:
    recording = home.offer(track(card))
    told: list[float] = []
    clock = at_tick("boot", 0.0, now=NOON + timedelta(days=999))
    flow.run(f"fixity:{recording}", ports=home.ports, owner="me", clock=clock, on_progress=told.append)
    assert told
    assert all(0.0 <= fraction <= 1.0 for fraction in told)
    assert told == sorted(told)


# --- halting ------------------------------------------------------------------------------------


def test_a_recording_that_is_put_aside_gets_its_time_token_and_nothing_else(home: Home, card: Path) -> None:
    recording = home.offer(track(card, dsj_name("X9")))
    run_all(home, recording, "fixity", "seal")
    assert home.story(recording) == ["arrived", "measured", "sealed", "quarantined"]
    assert steps_of(home) == {"stamp"}
    run_all(home, recording, "stamp")
    assert home.open_jobs() == []


def test_a_withdrawn_recording_has_no_further_job(home: Home, card: Path) -> None:
    path = track(card)
    recording = home.offer(path)
    path.unlink()
    run_all(home, recording, "fixity")
    assert home.story(recording) == ["arrived", "withdrawn"]
    assert (home.open_jobs(), home.recordings()) == ([], [])


# --- the world is down --------------------------------------------------------------------------


def away(home: Home) -> Home:
    """A home whose timestamp authority does not answer."""
    anchors = authorities.honest().anchors
    return home.with_ports(authorities=(HttpAuthority("gone", "http://127.0.0.1:9/", anchors),))


def test_a_step_that_the_world_keeps_from_working_is_due_again_and_counts_no_death(home: Home, card: Path) -> None:
    recording = home.offer(track(card))
    run_all(home, recording, "fixity", "seal")
    for number in range(5):
        clock = at_tick("boot", 0.0, now=NOON + timedelta(days=999 + number))
        assert home.run("stamp", recording, ports=away(home).ports, clock=clock) is Result.AGAIN
    with home.ports.register.view() as connection:
        row = next(one for one in jobs.open_jobs(connection) if one.step == "stamp")
    assert (row.attempts, row.failures, row.error_code) == (0, 5, "authority-unavailable")
    assert home.run("stamp", recording, clock=at_tick("boot", 0.0, now=NOON + timedelta(days=1_010))) is Result.DONE
    assert home.times(recording, "stamped") == 1


class _FullStore(DirectoryStore):
    """A store that has no room for anything more."""

    def put_bytes_once(self, key: str, data: bytes) -> None:
        raise StoreUnavailable(f"no room for {key} ({len(data)} bytes)")


def test_what_is_to_be_put_aside_waits_for_a_store_that_is_full_and_counts_no_death(home: Home, card: Path) -> None:
    recording, ports = home.offer(track(card)), home.ports
    die(home, "fixity", recording, times=3)
    full = _FullStore(home.settings.home / "objects")
    register = open_register(home.settings.register_url, store=full, signer=ports.signer, chance=ports.chance)
    try:
        job = f"fixity:{recording}"
        held = flow.run(job, ports=replace(ports, store=full, register=register), owner="one", clock=far(999))
    finally:
        register.close()
    assert (held, home.story(recording)) == (Result.AGAIN, ["arrived"])
    assert home.run("fixity", recording, clock=far(1_010)) is Result.ASIDE
    assert (home.recording(recording)["problem_code"], home.times(recording, "quarantined")) == ("poison", 1)


def far(days: int) -> Clock:
    return at_tick("boot", 0.0, now=NOON + timedelta(days=days))


def test_a_source_that_cannot_be_reached_is_waited_for(home: Home, card: Path) -> None:
    recording = home.offer(track(card))
    card.rename(card.with_name("pulled"))
    assert home.run("fixity", recording) is Result.AGAIN
    card.with_name("pulled").rename(card)
    home.drain(recording)
    assert home.recording(recording)["state"] == State.INDEXED


# --- dying --------------------------------------------------------------------------------------


def die(home: Home, step: str, recording: str, *, times: int) -> None:
    """Workers that take a job and are never heard of again."""
    for number in range(times):
        with home.ports.register.begin() as facts:
            tick = jobs.Tick(f"boot-{number}", 0.0)
            job, now = f"{step}:{recording}", NOON + timedelta(days=999)
            assert jobs.take(
                facts.connection, job, owner="dead", tick=tick, now=now, lease_s=30.0, place=home.ports.place
            )


def test_a_job_that_ended_its_worker_twice_is_run_once_more(home: Home, card: Path) -> None:
    recording = home.offer(track(card))
    die(home, "fixity", recording, times=2)
    assert home.run("fixity", recording) is Result.DONE


def test_a_job_that_ended_its_worker_three_times_is_not_run_again(home: Home, card: Path) -> None:
    recording = home.offer(track(card))
    die(home, "fixity", recording, times=3)
    assert home.run("fixity", recording) is Result.ASIDE
    row = home.recording(recording)
    assert (row["state"], row["problem_code"]) == (State.QUARANTINED, "poison")
    assert (home.open_jobs(), home.story(recording)) == ([], ["arrived", "quarantined"])


@pytest.mark.parametrize("before", [(), ("fixity",)], ids=["not measured", "measured"])
def test_what_was_poison_before_it_was_at_rest_begins_anew_when_it_is_offered_again(
    home: Home, card: Path, before: tuple[str, ...]
) -> None:
    path = track(card)
    recording = home.offer(path)
    run_all(home, recording, *before)
    die(home, "seal" if before else "fixity", recording, times=3)
    assert home.run("seal" if before else "fixity", recording) is Result.ASIDE
    assert home.offer(path) == recording
    home.drain(recording)
    assert home.recording(recording)["state"] == State.INDEXED
    assert home.times(recording, "sealed") == 1
    home.publish()
    assert home.rebuilt()[1] == home.facts()


def test_a_proxy_that_cannot_be_made_keeps_no_recording_from_its_case(home: Home) -> None:
    home.add_device(CAMERA.serial)
    recording = home.offer(tiny("silent").path)
    run_all(home, recording, "fixity", "seal")
    die(home, "transcode", recording, times=3)
    assert home.run("transcode", recording) is Result.ASIDE
    home.drain(recording)
    row = home.recording(recording)
    assert (row["state"], row["problem_code"]) == (State.INDEXED, "poison")
    assert home.times(recording, "quarantined") == 0


# --- integrity ----------------------------------------------------------------------------------


class Rogue:
    """An authority that stamps something else than it was asked to."""

    def __init__(self, honest: Authority) -> None:
        self._honest = honest
        self.name, self.trust, self.anchors = honest.name, honest.trust, honest.anchors

    def stamp(self, message_sha256: bytes, now: datetime) -> bytes:
        return self._honest.stamp(bytes(32), now)

    def verify(self, response: bytes, message_sha256: bytes) -> TimeToken:
        return self._honest.verify(response, message_sha256)


def test_a_token_that_does_not_verify_is_final_and_never_rests(home: Home, card: Path) -> None:
    recording = home.offer(track(card))
    run_all(home, recording, "fixity", "seal")
    deceived = home.with_ports(authorities=(Rogue(home.ports.authorities[0]),))
    assert home.run("stamp", recording, ports=deceived.ports) is Result.ASIDE
    assert home.recording(recording)["problem_code"] == "token-invalid"
    assert list(home.ports.store.keys(layout.TOKENS_PREFIX)) == []


def test_a_damaged_token_at_rest_is_no_fault_of_the_next_recording(home: Home, card: Path) -> None:
    recording = home.offer(track(card))
    run_all(home, recording, "fixity", "seal")
    home.publish()
    newest = home.ports.log.newest()
    assert newest is not None
    home.ports.store.put_bytes_once(layout.token_key(newest.size, "local", "0" * 64), b"rotten")
    run_all(home, recording, "stamp")
    assert len(list(home.ports.store.keys(layout.TOKENS_PREFIX))) == 2


def test_a_token_that_was_fetched_and_not_recorded_is_used_also_when_the_log_has_grown(home: Home, card: Path) -> None:
    recording = home.offer(track(card))
    run_all(home, recording, "fixity", "seal")
    stamp.stamp(recording, ports=home.ports, now=clocks.now(), progress=unheard)  # and killed before the record
    home.add_device("A1")
    home.publish()
    run_all(home, recording, "stamp")
    assert len(list(home.ports.store.keys(layout.TOKENS_PREFIX))) == 1


def test_one_flipped_bit_between_measuring_and_sealing_is_found_and_no_receipt_is_signed(
    home: Home, card: Path
) -> None:
    recording = home.offer(track(card))
    run_all(home, recording, "fixity")
    spooled = home.ports.spool / f"{recording}.original"
    data = spooled.read_bytes()
    spooled.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    assert home.run("seal", recording) is Result.ASIDE
    row = home.recording(recording)
    assert (row["state"], row["problem_code"]) == (State.QUARANTINED, "fixity-mismatch")
    assert list(home.ports.store.keys(layout.ORIGINALS_PREFIX)) != []
    assert not [key for key in home.ports.store.keys(layout.ORIGINALS_PREFIX) if key.endswith(".receipt")]
    assert home.open_jobs() == []


def test_a_spool_that_was_emptied_is_filled_from_the_source_once_more(home: Home, card: Path) -> None:
    path = track(card)
    recording = home.offer(path)
    run_all(home, recording, "fixity")
    assert home.offer(path) == recording  # what a restarted watcher does
    for one in home.ports.spool.iterdir():
        one.unlink()
    home.drain(recording)
    assert home.recording(recording)["state"] == State.INDEXED


def test_the_first_reason_for_which_a_recording_was_put_aside_stands(home: Home, card: Path) -> None:
    recording = home.offer(track(card))
    run_all(home, recording, "fixity", "seal")
    for step in ("segment", "stamp"):
        die(home, step, recording, times=3)
        assert home.run(step, recording) is Result.ASIDE
    row = home.recording(recording)
    assert (row["state"], row["problem_code"]) == (State.QUARANTINED, "poison")
    assert row["problem_text"].startswith("segment ")


def test_an_authority_that_fails_puts_no_footage_aside(home: Home, card: Path) -> None:
    recording = home.offer(track(card))
    run_all(home, recording, "fixity", "seal")
    die(home, "stamp", recording, times=3)
    assert home.run("stamp", recording) is Result.ASIDE
    home.drain(recording)
    row = home.recording(recording)
    assert (row["state"], row["problem_code"]) == (State.INDEXED, "poison")


# --- one result ---------------------------------------------------------------------------------


def interrupted(act: Callable[[], object]) -> Clock:
    """Clocks of a worker during whose step, just before it records, `act` happens."""
    calls = 0

    def now() -> datetime:
        nonlocal calls
        calls += 1
        if calls == 3:  # taken, begun, and now to be recorded
            act()
        return NOON + timedelta(days=999)

    return replace(at_tick("boot-1", 0.0), now=now)


def test_a_worker_that_lost_its_lease_during_the_step_records_nothing(home: Home, card: Path) -> None:
    recording = home.offer(track(card))
    rebooted = at_tick("boot-2", 0.0, now=NOON + timedelta(days=999))
    other: list[Result] = []
    clock = interrupted(lambda: other.append(home.run("fixity", recording, clock=rebooted)))
    assert home.run("fixity", recording, clock=clock) is Result.LOST
    assert other == [Result.DONE]
    assert home.story(recording) == ["arrived", "measured"]


def test_two_workers_at_once_on_equal_bytes_make_one_recording(home: Home, card: Path) -> None:
    first, second = home.offer(track(card, "a.gpx")), home.offer(track(card, "b.gpx"))
    clock = interrupted(lambda: run_all(home, first, "fixity"))
    assert home.run("fixity", second, clock=clock) is Result.AGAIN
    later = at_tick("boot-1", 0.0, now=NOON + timedelta(days=1_010))
    assert home.run("fixity", second, clock=later) is Result.DONE
    home.drain(first, second)
    assert [row["id"] for row in home.recordings()] == [first]
    assert home.times(first, "offered-again") == 1
    assert home.story(second) == ["arrived"]
    home.publish()
    assert home.rebuilt()[1] == home.facts()


def test_a_step_longer_than_its_lease_keeps_it_by_its_heartbeat(home: Home, card: Path) -> None:
    recording = home.offer(track(card))

    def slowly(root: Path, path: str) -> BinaryIO:
        time.sleep(2.5)
        return open_beneath(root, path)

    slow = home.with_ports(open_source=slowly)
    clock = clocks.clock(1.5)
    stolen: list[Result] = []
    with open_home(home.settings.home) as other:
        thief = threading.Timer(2.0, lambda: stolen.append(other.run("fixity", recording, clock=clock)))
        thief.start()
        assert slow.run("fixity", recording, clock=clock) is Result.DONE
        thief.join()
    assert stolen == [Result.NOT_NOW]
