# SPDX-License-Identifier: Apache-2.0
"""The watcher process: what settles in a dock is taken in, whatever is down, and workers find it."""

import os
import signal
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from evidence.errors import BadInput
from storage.register import search
from tests.support.servers import (
    Installation,
    Process,
    assert_all_finished_once,
    installation,
    until,
    workers,
    write_tracks,
)


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Installation]:
    with installation(tmp_path / "home", quiet_s="0.3") as fresh:
        yield fresh


@contextmanager
def watching(made: Installation, *docks: Path) -> Iterator[Process]:
    log = made.settings.home / "watcher.log"
    words = [str(dock) for dock in docks]
    started = Process("tests.support.watcher_process", *words, environment=made.environment, log=log)
    try:
        yield started
    finally:
        started.end()


def recordings(made: Installation) -> list[str]:
    with made.ports.register.view() as connection:
        return [row["id"] for row in search.find_recordings(connection)]


def all_done(made: Installation, count: int) -> bool:
    return len(recordings(made)) == count and not made.open_jobs()


def test_what_was_there_and_what_comes_later_is_taken_in_and_worked_on(made: Installation, tmp_path: Path) -> None:
    first, second = tmp_path / "dock-1", tmp_path / "dock-2"
    write_tracks(first, 5)
    second.mkdir()
    with watching(made, first, second) as watcher, workers(made, 1):
        until(lambda: all_done(made, 5), "what was there is taken")
        (second / "late.nmea").write_text("$GPRMC,121200.00,A,3114.5,N,12128.0,E,0.0,0.0,190626,,,A*00\r\n")
        (second / "readme.txt").write_text("not a recording")
        until(lambda: all_done(made, 6), "what comes later is taken")
        watcher.send(signal.SIGTERM)
        assert watcher.wait(5) == 0
    assert_all_finished_once(made, recordings(made))
    assert "left readme.txt: neither named nor made like a recording" in watcher.log.read_text()


def test_a_watcher_that_starts_again_takes_nothing_twice(made: Installation, tmp_path: Path) -> None:
    write_tracks(tmp_path / "dock", 3)
    with watching(made, tmp_path / "dock"), workers(made, 1):
        until(lambda: all_done(made, 3), "all are taken")
    with watching(made, tmp_path / "dock"), workers(made, 1):
        write_tracks(tmp_path / "dock", 3)  # the same bytes, written anew: another time, the same content
        time.sleep(2.0)
        until(lambda: all_done(made, 3), "all are known")
    for recording in recordings(made):
        assert made.story(recording).count("sealed") == 1


def test_a_watcher_needs_no_broker(tmp_path: Path) -> None:
    write_tracks(tmp_path / "dock", 3)
    with installation(tmp_path / "home", quiet_s="0.3", broker_url="redis://127.0.0.1:1/0") as made:
        with watching(made, tmp_path / "dock") as watcher:
            until(lambda: len(recordings(made)) == 3, "all are taken")
            assert watcher.log.read_text().count("does not answer") == 1
        assert made.open_jobs() == 3


def test_a_watcher_waits_for_a_register_that_is_locked_and_loses_nothing(
    made: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from app import watcher as under_test
    from storage.register import engine_sqlite

    monkeypatch.setattr(engine_sqlite, "BUSY_S", 0.2)
    write_tracks(tmp_path / "dock", 3)
    told: list[str] = []
    stop = threading.Event()
    run = threading.Thread(
        target=under_test.run_watcher,
        args=(made.settings, [tmp_path / "dock"]),
        kwargs={"stop": stop, "on_notice": told.append},
    )
    lock = sqlite3.connect(made.settings.home / "register.db", isolation_level=None)
    lock.execute("BEGIN IMMEDIATE")
    run.start()
    try:
        until(lambda: any("register-unavailable" in line for line in told), "the outage is told")
        assert not recordings(made)
        lock.execute("ROLLBACK")
        until(lambda: len(recordings(made)) == 3, "all are taken afterwards")
        until(lambda: "watcher: works again" in told, "its end is told")
    finally:
        lock.close()
        stop.set()
        run.join(10)
    assert sum("register-unavailable" in line for line in told) == 1


def test_a_file_withdrawn_because_it_changed_is_offered_again(made: Installation, tmp_path: Path) -> None:
    dock = tmp_path / "dock"
    write_tracks(dock, 1)
    [track] = dock.iterdir()
    with watching(made, dock):
        until(lambda: recordings(made), "it is taken")
        with track.open("a") as file:  # before any worker has read it
            file.write("$GPRMC,121200.00,A,3114.5,N,12128.0,E,0.0,0.0,190626,,,A*00\r\n")
        with workers(made, 1):
            until(lambda: indexed(made) == [track.stat().st_size], "it is taken as it is now", timeout_s=20)


def test_a_file_withdrawn_that_looks_as_before_is_offered_again(made: Installation, tmp_path: Path) -> None:
    dock = tmp_path / "dock"
    write_tracks(dock, 1)
    [track] = dock.iterdir()
    whole, looks = track.read_bytes(), track.stat().st_mtime_ns
    with watching(made, dock) as watcher:
        until(lambda: recordings(made), "it is taken")
        # Cut while it is read, and whole again under the same time, before the watcher can look.
        watcher.send(signal.SIGSTOP)
        track.write_bytes(whole[:-1])
        with workers(made, 1):
            until(lambda: not recordings(made), "it is withdrawn")
            track.write_bytes(whole)
            os.utime(track, ns=(looks, looks))
            watcher.send(signal.SIGCONT)
            until(lambda: indexed(made) == [len(whole)], "it is taken after all", timeout_s=15)


def indexed(made: Installation) -> list[int]:
    with made.ports.register.view() as connection:
        return [
            original["size_bytes"]
            for row in search.find_recordings(connection)
            if row["state"] == "indexed"
            for original in search.originals_of(connection, row["id"])
        ]


def test_two_docks_one_inside_the_other_are_refused(made: Installation, tmp_path: Path) -> None:
    from app.watcher import run_watcher

    stop = threading.Event()
    stop.set()
    with pytest.raises(BadInput, match="one watched folder lies in the other"):
        run_watcher(made.settings, [tmp_path, tmp_path / "dock"], stop=stop, on_notice=print)
