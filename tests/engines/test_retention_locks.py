# SPDX-License-Identifier: Apache-2.0
"""A bucket's own locks follow what was decided: extended to the date, never shortened, held while a hold stands."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from app import clocks
from evidence import instant
from evidence.errors import StoreUnavailable
from evidence.retention import Outcome
from pipeline import holds, retain
from pipeline.appraise import Wish, appraise
from pipeline.archive import archive
from pipeline.casework import link
from pipeline.deciding import judge_at
from pipeline.locks import Locksmith, locked_keys
from pipeline.retention_figures import figures
from storage.objects import NO_PROTECTION, Protection
from storage.register import retention_rows
from storage.register.retention_rows import Answer
from tests.support.ceph import ACCESS, SECRET, memory_gateway
from tests.support.home import NOON, Home, open_home, track
from tests.support.two_people import lift_hold

DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    server = memory_gateway()
    url = server.url(server.new_bucket(lock=True), lock="governance")
    with open_home(tmp_path / "home", objects_url=url) as opened:
        yield opened


def protections(home: Home, recording: str) -> list[Protection]:
    keys = [key for _, key in locked_keys(recording, ports=home.ports)]
    assert len(keys) == 3, "a track, its chunks, its receipt"
    return [home.ports.store.protection(key) for key in keys]


def locked_until(home: Home, recording: str) -> datetime:
    """Until when the store itself keeps all of it, which is what the register says too."""
    shortest = min(one.until for one in protections(home, recording) if one.until is not None)
    told = home.recording(recording)["locked_until"]
    assert told is None or instant.from_text(told) == shortest
    return shortest


def test_the_lock_is_extended_to_the_date_that_was_decided_once(home: Home, tmp_path: Path) -> None:
    recording = home.ingest_one(track(tmp_path / "card"))["id"]
    now = clocks.now()
    until = retain.decision_of(recording, ports=home.ports, now=now).until
    assert until is not None
    assert locked_until(home, recording) < until, "the floor alone"

    assert retain.sweep(home.ports, now).locks_extended == 1
    assert until <= locked_until(home, recording) <= until + SECOND
    assert retain.sweep(home.ports, now).locks_extended == 0
    assert home.times(recording, "lock-extended") == 1
    home.publish()
    assert home.rebuilt()[1] == home.facts()


def test_a_date_that_comes_nearer_shortens_no_lock(home: Home, tmp_path: Path) -> None:
    recording = home.ingest_one(track(tmp_path / "card"))["id"]
    now = clocks.now()
    home.ports.store.protect(next(locked_keys(recording, ports=home.ports))[1], until=now + 9999 * DAY)
    retain.sweep(home.ports, now)
    assert max(one.until for one in protections(home, recording) if one.until) >= now + 9999 * DAY


def test_what_waits_for_an_open_case_is_locked_in_steps_that_never_lapse(home: Home, tmp_path: Path) -> None:
    recording = home.ingest_one(track(tmp_path / "card"))["id"]
    home.open_case("2026-1", "430407", start=NOON, end=NOON + DAY)
    link("2026-1", [recording], why="same shop", withdraw=False, ports=home.ports, now=clocks.now())
    now = datetime.now(UTC) + 30 * 366 * DAY
    step, renew = figures().lock_step, figures().lock_renew
    for days, extended in ((0, 1), (1, 0), ((step - renew).days - 1, 0), ((step - renew).days + 1, 1)):
        moment = now + days * DAY
        swept = retain.sweep(home.ports, moment)
        assert swept.outcomes == {Outcome.WAITS: 1}
        assert swept.locks_extended == extended
        assert locked_until(home, recording) >= moment + renew - SECOND


def test_a_hold_is_the_stores_hold_too_and_goes_with_the_last(home: Home, tmp_path: Path) -> None:
    recording = home.ingest_one(track(tmp_path / "card"))["id"]
    now = clocks.now()
    target = holds.Target(recording)
    first, second = (holds.place(target, why="复议", authority=None, ports=home.ports, now=now).id for _ in range(2))
    assert all(one.is_held for one in protections(home, recording))
    lift_hold(home.ports, first, now=now)
    assert all(one.is_held for one in protections(home, recording)), "another stands"
    lift_hold(home.ports, second, now=now)
    assert not any(one.is_held for one in protections(home, recording))


def test_a_hold_that_the_store_lost_is_set_again_by_the_next_sweep(home: Home, tmp_path: Path) -> None:
    recording = home.ingest_one(track(tmp_path / "card"))["id"]
    now = clocks.now()
    holds.place(holds.Target(recording), why="复议", authority=None, ports=home.ports, now=now)
    for _, key in locked_keys(recording, ports=home.ports):
        home.ports.store.hold(key, is_held=False)
    retain.sweep(home.ports, now)
    assert all(one.is_held for one in protections(home, recording))


def test_a_lifted_hold_goes_from_the_store_whatever_the_last_sweep_said(home: Home, tmp_path: Path) -> None:
    recording = home.ingest_one(track(tmp_path / "card"))["id"]
    now = clocks.now()
    held = holds.place(holds.Target(recording), why="复议", authority=None, ports=home.ports, now=now)
    with home.ports.register.leasing() as connection:  # a sweep that had read before the hold was placed
        retention_rows.put(connection, [Answer(recording, "kept", None)], swept_at=now)
    lift_hold(home.ports, held.id, now=now)
    assert not any(one.is_held for one in protections(home, recording))


def test_a_hold_placed_while_a_sweep_lets_go_stands_in_the_store(home: Home, tmp_path: Path) -> None:
    recording = home.ingest_one(track(tmp_path / "card"))["id"]
    now = clocks.now()
    with home.ports.register.view() as connection:
        before, _ = retain.decision_within(connection, recording, ports=home.ports, now=now)
    holds.place(holds.Target(recording), why="复议", authority=None, ports=home.ports, now=now)
    smith = Locksmith(home.ports, figures(), now)
    assert smith.may_forget_hold(replace(before, was=("held", None)), Outcome.KEPT)
    assert all(one.is_held for one in protections(home, recording))


def test_a_store_that_is_down_keeps_no_answer_from_being_written_and_is_told_at_the_end(
    home: Home, tmp_path: Path
) -> None:
    recording = home.ingest_one(track(tmp_path / "card"))["id"]
    now = clocks.now()
    down = home.with_ports(store=_Down(home))
    with pytest.raises(StoreUnavailable, match="down"):
        retain.sweep(down.ports, now)
    with home.ports.register.view() as connection:
        entry, decision = retain.decision_within(connection, recording, ports=home.ports, now=now)
    assert entry.was == ("kept", None if decision.until is None else instant.to_text(decision.until))
    assert retain.sweep(home.ports, now).locks_extended == 1, "and the next one does what is missing"


def test_a_hold_that_a_store_which_is_down_would_not_let_go_of_is_let_go_by_the_next_sweep(
    home: Home, tmp_path: Path
) -> None:
    recording = home.ingest_one(track(tmp_path / "card"))["id"]
    now = clocks.now()
    held = holds.place(holds.Target(recording), why="复议", authority=None, ports=home.ports, now=now)
    down = home.with_ports(store=_Down(home))
    with pytest.raises(StoreUnavailable):
        lift_hold(down.ports, held.id, now=now)
    assert all(one.is_held for one in protections(home, recording))
    retain.sweep(home.ports, now)
    assert not any(one.is_held for one in protections(home, recording))


def test_a_folder_that_knows_no_locks_is_left_alone(tmp_path: Path) -> None:
    with open_home(tmp_path / "home") as home:
        recording = home.ingest_one(track(tmp_path / "card"))["id"]
        assert retain.sweep(home.ports, clocks.now()).locks_extended == 0
        holds.place(holds.Target(recording), why="w", authority=None, ports=home.ports, now=clocks.now())
        assert set(protections(home, recording)) == {NO_PROTECTION}
        assert home.times(recording, "lock-extended") == 0


class _Down:
    """A store whose locks do not answer."""

    def __init__(self, home: Home) -> None:
        self._store = home.ports.store

    def __getattr__(self, name: str) -> object:
        if name in ("protect", "hold"):
            return self._fail
        return getattr(self._store, name)

    def _fail(self, *_: object, **__: object) -> Protection:
        raise StoreUnavailable("it is down")


def test_the_archive_is_held_and_locked_as_the_store_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    server = memory_gateway()
    url = server.url(server.new_bucket(lock=True), lock="governance")
    with open_home(tmp_path / "home", cold_url=url) as home:
        recording, now = home.ingest_one(track(tmp_path / "card"))["id"], clocks.now()
        judge = judge_at(home.ports, now)
        appraise([recording], Wish.ARCHIVE, why="seldom seen", judge=judge, ports=home.ports, now=now)
        archive(recording, judge=judge, ports=home.ports, now=now)
        cold = home.ports.cold
        assert cold is not None
        key = next(key for store, key in locked_keys(recording, ports=home.ports) if store is cold.store)
        until = retain.decision_of(recording, ports=home.ports, now=now).until
        assert until is not None
        assert (cold.store.protection(key).until or now) >= until
        held = holds.place(holds.Target(recording=recording), why="court", authority=None, ports=home.ports, now=now)
        assert cold.store.protection(key).is_held
        lift_hold(home.ports, held.id, now=now)
        assert not cold.store.protection(key).is_held
