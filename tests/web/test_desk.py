# SPDX-License-Identifier: Apache-2.0
"""Many requests are put on record in few transactions, and who cannot be put on record is answered nothing."""

import sqlite3
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from app import clocks
from evidence.custody import CustodyEvent, Happening
from evidence.errors import Conflict, Overloaded, RegisterUnavailable
from storage.register.facts import Facts
from tests.support.home import Home, open_home
from tests.support.people import hall_of_people
from web.access import desk as desks
from web.access.desk import Desk

TOLD = {"act": "case.read", "noun": "case", "subject": "", "outcome": "allowed", "code": None}


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    with open_home(tmp_path / "home") as home:
        yield home


@pytest.fixture
def desk(home: Home) -> Iterator[Desk]:
    made = Desk(home.ports.register, now=clocks.now, monotonic=time.monotonic)
    yield made
    made.close()


def seen(who: str = "usr-a", *, kind: str = "accessed") -> Happening:
    return Happening(kind, f"user/{who}", facts=TOLD)


def record(desk: Desk, who: str = "usr-a", *, also: desks.Also | None = None, kind: str = "accessed") -> CustodyEvent:
    return desk.record(seen(who, kind=kind), actor=f"user:{who}", at=clocks.now(), also=also)


def test_it_is_on_record_before_it_returns(home: Home, desk: Desk) -> None:
    assert [record(desk).seq for _ in range(3)] == [0, 1, 2]
    assert [event["kind"] for event in home.events("user/usr-a")] == ["accessed"] * 3


def test_threads_of_many_people_make_streams_without_gaps(home: Home, desk: Desk) -> None:
    with ThreadPoolExecutor(20) as pool:
        list(pool.map(lambda number: record(desk, f"usr-{number % 5}"), range(100)))
    for number in range(5):
        assert [event["seq"] for event in home.events(f"user/usr-{number}")] == list(range(20))


def test_many_that_wait_go_into_few_transactions(home: Home, desk: Desk) -> None:
    with home.ports.register.begin():  # nobody else writes meanwhile
        waits = [desk.submit(home.ports.register.rest(seen()), actor="user:usr-a", at=clocks.now()) for _ in range(100)]
        before = _changes(home)
    assert [wait.result(20).seq for wait in waits] == list(range(100))
    assert _changes(home) - before <= 3


def _changes(home: Home) -> int:
    with closing(sqlite3.connect(home.settings.home / "register.db")) as raw:
        return int(raw.execute("PRAGMA data_version").fetchone()[0])


def test_what_is_written_with_an_event_is_undone_with_it_and_alone(home: Home, desk: Desk) -> None:
    def fails(facts: Facts, seq: int) -> None:
        facts.record(Happening("signed-out", "user/usr-b", facts={"why": "asked"}), actor="user:usr-b", at=clocks.now())
        raise Conflict("no")

    def works(facts: Facts, seq: int) -> None:
        facts.record(Happening("signed-out", "user/usr-c", facts={"why": "asked"}), actor="user:usr-c", at=clocks.now())

    with home.ports.register.begin():
        rested = home.ports.register.rest(seen())
        waits = [desk.submit(rested, actor="user:usr-a", at=clocks.now(), also=also) for also in (works, fails, None)]
    assert waits[0].result(20).seq == 0
    with pytest.raises(Conflict):
        waits[1].result(20)
    assert waits[2].result(20).seq == 1
    assert (len(home.events("user/usr-b")), len(home.events("user/usr-c"))) == (0, 1)


def test_an_event_that_cannot_be_fails_alone(home: Home, desk: Desk) -> None:
    with home.ports.register.begin():
        rest = home.ports.register.rest
        good = desk.submit(rest(seen()), actor="user:usr-a", at=clocks.now())
        bad = desk.submit(rest(seen(kind="unheard-of")), actor="user:usr-a", at=clocks.now())
        late = desk.submit(rest(seen()), actor="user:usr-a", at=clocks.now())
    assert {good.result(20).seq, late.result(20).seq} == {0, 1}
    assert bad.exception(20) is not None


def test_a_register_that_is_down_fails_all_who_wait(home: Home, desk: Desk) -> None:
    register = home.settings.home / "register.db"
    rested = home.ports.register.rest(seen())
    with home.ports.register.begin():
        waits = [desk.submit(rested, actor="user:usr-a", at=clocks.now()) for _ in range(5)]
        _break(register)
    for wait in waits:
        with pytest.raises(RegisterUnavailable):
            wait.result(20)


def _break(register: Path) -> None:
    """Have every later statement meet a file that is no database."""
    for path in (register, Path(f"{register}-wal"), Path(f"{register}-shm")):
        with path.open("r+b") as file:
            file.write(b"\0" * 65536)


def test_who_waits_too_long_is_told_and_not_written_later(home: Home, desk: Desk) -> None:
    with home.ports.register.begin():
        first = desk.submit(home.ports.register.rest(seen()), actor="user:usr-a", at=clocks.now())
        while not first.running():
            time.sleep(0.01)
        with pytest.raises(RegisterUnavailable, match="in time"):
            desk.record(seen("usr-late"), actor="user:usr-late", at=clocks.now(), patience_s=0.1)
    first.result(20)
    record(desk)
    assert home.events("user/usr-late") == []


def test_more_than_can_wait_are_turned_away(home: Home, desk: Desk) -> None:
    rested, waits = home.ports.register.rest(seen()), []

    def crowd() -> None:
        for _ in range(10_000):
            waits.append(desk.submit(rested, actor="user:usr-a", at=clocks.now()))  # noqa: PERF401 - until it raises

    with home.ports.register.begin():
        with pytest.raises(Overloaded):
            crowd()
        assert all(wait.cancel() or wait.running() for wait in waits)


def test_a_desk_that_is_closed_writes_what_waits_and_takes_no_more(home: Home, desk: Desk) -> None:
    waits = [desk.submit(home.ports.register.rest(seen()), actor="user:usr-a", at=clocks.now()) for _ in range(50)]
    desk.refused_unknown("case.read", "not-signed-in", noun="case", address="10.0.0.1")
    desk.close()
    assert all(wait.done() for wait in waits)
    assert len(home.events("user/usr-a")) == 50
    assert len(home.events("door/api")) == 1
    with pytest.raises(RegisterUnavailable):
        record(desk)


def test_no_thread_stays_when_nobody_asks(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desks, "_IDLE_S", 0.05)
    desk = Desk(home.ports.register, now=clocks.now, monotonic=time.monotonic)
    for _ in range(3):
        record(desk)
        deadline = time.monotonic() + 10
        while any(thread.name == "desk" for thread in threading.enumerate()):
            assert time.monotonic() < deadline
            time.sleep(0.01)


def test_a_hundred_addresses_of_strangers_become_ten_and_others(home: Home, desk: Desk) -> None:
    for number in range(100):
        desk.refused_unknown("case.read", "not-signed-in", noun="case", address=f"10.0.0.{number}")
    desk.fold_now()
    [event] = home.events("door/api")
    assert '"count":100' in event["note"]


def test_without_a_register_nothing_is_answered(tmp_path: Path) -> None:
    with open_home(tmp_path / "home") as home, hall_of_people(home) as hall:
        path = f"/cases/{hall.cases['own']}/members"
        assert hall["officer"].get(path).status_code == 200
        _break(home.settings.home / "register.db")
        answer = hall["officer"].get(path)
        assert answer.status_code == 503
        assert set(answer.json()) <= {"type", "title", "status", "code", "detail"}
