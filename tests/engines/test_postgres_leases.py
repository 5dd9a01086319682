# SPDX-License-Identifier: Apache-2.0
"""PostgreSQL as the register of several machines: when a foreign lease ends, whose turn it is, and in which order."""

import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from storage.register import jobs, schema
from storage.register.jobs import Lane, Tick
from storage.register.lease_watch import LeaseWatch
from storage.register.publisher import publish
from tests.support.home import NOON, Home, open_home
from tests.support.postgres import database_url

HERE, THERE = Tick("boot-here", 1000.0, frozenset()), Tick("boot-there", 5.0, frozenset())
LEASE_S = 30.0


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    with open_home(tmp_path / "home", register_url=database_url()) as opened:
        yield opened


def served(home: Home, *, tick: Tick = HERE, owner: str = "one", place: str = "", job: str) -> jobs.Lease | None:
    with home.ports.register.leasing() as connection:
        return jobs.take(connection, job, owner=owner, tick=tick, now=NOON, lease_s=LEASE_S, place=place)


def test_a_lease_of_another_machine_has_not_ended_whatever_its_clock_says(home: Home) -> None:
    with home.ports.register.begin() as facts:
        job = facts.enqueue("index", "rec-a", now=NOON)
    assert served(home, job=job, tick=THERE) is not None
    assert served(home, job=job, tick=Tick("boot-here", 10.0**9, frozenset())) is None


def test_a_lease_that_nobody_renews_for_its_length_ends_as_seen_from_here(home: Home) -> None:
    with home.ports.register.begin() as facts:
        job = facts.enqueue("index", "rec-a", now=NOON)
    assert served(home, job=job, tick=THERE) is not None
    watch = LeaseWatch()
    for seconds in (0.0, 10.0, 29.0):
        with home.ports.register.view() as connection:
            watch.look(connection, boot="boot-here", seconds=seconds)
        assert not watch.ended()
    with home.ports.register.view() as connection:
        watch.look(connection, boot="boot-here", seconds=31.0)
    taken = served(home, job=job, tick=Tick("boot-here", 31.0, watch.ended()), owner="two")
    assert taken is not None
    assert (taken.owner, taken.attempts) == ("two", 2)


def test_a_lease_that_its_owner_renews_is_never_taken(home: Home) -> None:
    with home.ports.register.begin() as facts:
        job = facts.enqueue("index", "rec-a", now=NOON)
    lease = served(home, job=job, tick=THERE)
    assert lease is not None
    watch = LeaseWatch()
    for turn in range(20):
        with home.ports.register.view() as connection:
            watch.look(connection, boot="boot-here", seconds=10.0 * turn)
        assert not watch.ended()
        with home.ports.register.leasing() as connection:
            now = Tick("boot-there", 5.0 + 10.0 * turn + 1, frozenset())
            jobs.renew(connection, lease, tick=now, lease_s=LEASE_S, permille=0)


def test_a_watcher_that_was_frozen_itself_takes_nothing_on_what_it_saw_before(home: Home) -> None:
    with home.ports.register.begin() as facts:
        job = facts.enqueue("index", "rec-a", now=NOON)
    lease = served(home, job=job, tick=THERE)
    assert lease is not None
    watch = LeaseWatch()
    for seconds in (0.0, 31.0):
        with home.ports.register.view() as connection:
            watch.look(connection, boot="boot-here", seconds=seconds)
    seen = watch.ended()
    with home.ports.register.leasing() as connection:  # meanwhile the owner renews
        jobs.renew(connection, lease, tick=Tick("boot-there", 9.0, frozenset()), lease_s=LEASE_S, permille=0)
    assert served(home, job=job, tick=Tick("boot-here", 99.0, seen)) is None


def test_bytes_in_the_spool_of_one_installation_are_worked_on_there_alone(home: Home) -> None:
    with home.ports.register.begin() as facts:
        job = facts.enqueue("seal", "rec-a", now=NOON, lane=Lane("dock-1", "there"))
    assert served(home, job=job, place="here") is None
    assert served(home, job=job, place="there") is not None


def test_every_dock_has_its_turn_however_much_one_brings(home: Home) -> None:
    with home.ports.register.begin() as facts:
        for number in range(200):
            facts.enqueue("index", f"greedy-{number:03}", now=NOON, lane=Lane("greedy"))
        for number in range(3):
            facts.enqueue("index", f"modest-{number}", now=NOON + timedelta(minutes=number + 1), lane=Lane("modest"))
    with home.ports.register.view() as connection:
        first = jobs.runnable(connection, tick=HERE, now=NOON + timedelta(hours=1), limit=6)
    assert [job.partition(":")[2].partition("-")[0] for job in first] == ["greedy", "modest"] * 3


def test_events_keep_the_order_of_their_commits_under_many_writers(home: Home) -> None:
    def write(prefix: str) -> None:
        for number in range(8):
            home.add_device(f"{prefix}{number}")

    threads = [threading.Thread(target=write, args=(prefix,)) for prefix in "ABCD"]
    for thread in threads:
        thread.start()
    for _ in range(4):
        publish(home.ports.register, home.ports.log)
    for thread in threads:
        thread.join()
    publish(home.ports.register, home.ports.log)
    events = schema.custody_events.c
    with home.ports.register.view() as connection:
        indexes = list(connection.scalars(select(events.leaf_index).order_by(events.id)))
    assert indexes == list(range(32))
