# SPDX-License-Identifier: Apache-2.0
"""Jobs: who may run one now, how often it was tried, and that nobody records what is no longer theirs."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from evidence.errors import LeaseLost
from storage.register import jobs, schema
from storage.register.jobs import Lane, Lease, Tick
from tests.support.home import NOON, Home, open_home

LEASE_S = 30.0
START = Tick("boot-1", 1000.0)


@pytest.fixture
def home(tmp_path: Path, register_settings: dict[str, str]) -> Iterator[Home]:
    with open_home(tmp_path / "home", **register_settings) as opened:
        yield opened


@pytest.fixture
def job(home: Home) -> str:
    with home.ports.register.begin() as facts:
        return facts.enqueue("fixity", "rec-a", now=NOON)


def take(
    home: Home, job: str, *, tick: Tick = START, now: datetime = NOON, owner: str = "one", lease_s: float = LEASE_S
) -> Lease | None:
    with home.ports.register.begin() as facts:
        return jobs.take(facts.connection, job, owner=owner, tick=tick, now=now, lease_s=lease_s)


def taken(home: Home, job: str, *, tick: Tick = START, now: datetime = NOON, owner: str = "one") -> Lease:
    lease = take(home, job, tick=tick, now=now, owner=owner)
    assert lease is not None
    return lease


def row(home: Home, job: str) -> dict[str, Any]:
    with home.ports.register.view() as connection:
        found = connection.execute(select(schema.jobs).where(schema.jobs.c.id == job)).mappings().one()
        return dict(found)


def runnable(home: Home, *, tick: Tick = START, now: datetime = NOON, limit: int = 9) -> list[str]:
    with home.ports.register.view() as connection:
        return jobs.runnable(connection, tick=tick, now=now, limit=limit)


def finish(home: Home, lease: Lease) -> None:
    with home.ports.register.begin() as facts:
        jobs.finish(facts.connection, lease)


def put_back(home: Home, lease: Lease, *, now: datetime = NOON) -> None:
    with home.ports.register.begin() as facts:
        jobs.put_back(facts.connection, lease, now=now, code="store-unavailable", text="disk full")


def later(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


# --- the lease ----------------------------------------------------------------------------------


def test_one_job_has_one_holder(home: Home, job: str) -> None:
    assert taken(home, job).owner == "one"
    assert take(home, job, owner="two") is None
    assert take(home, job, owner="one") is None, "not even the holder takes it twice"


def test_a_job_that_nobody_asked_for_cannot_be_taken(home: Home) -> None:
    assert take(home, "fixity:rec-never") is None


def test_a_lease_ends_by_the_monotonic_clock_and_not_a_moment_before(home: Home, job: str) -> None:
    taken(home, job)
    assert take(home, job, tick=replace(START, seconds=1029.999)) is None
    assert take(home, job, tick=replace(START, seconds=1030.0)) is not None


def test_setting_the_wall_clock_ends_no_lease(home: Home, job: str) -> None:
    taken(home, job)
    assert take(home, job, now=later(10 * 365 * 86_400)) is None
    assert take(home, job, now=later(-86_400)) is None


def test_a_lease_of_an_earlier_boot_has_ended_whatever_the_clocks_say(home: Home, job: str) -> None:
    taken(home, job)
    assert take(home, job, tick=Tick("boot-2", 3.0)) is not None


def test_the_fencing_token_grows_with_every_lease(home: Home, job: str) -> None:
    fences = []
    for number in range(3):
        lease = taken(home, job, tick=Tick(f"boot-{number}", 0.0))
        fences.append(lease.fence)
    assert fences == [1, 2, 3]


def test_a_holder_that_slept_past_its_lease_can_record_nothing(home: Home, job: str) -> None:
    first = taken(home, job)
    second = taken(home, job, tick=replace(START, seconds=2000.0), owner="two")
    for act in (finish, put_back):
        with pytest.raises(LeaseLost):
            act(home, first)
    with pytest.raises(LeaseLost), home.ports.register.begin() as facts:
        jobs.kill(facts.connection, first, code="poison", text="")
    with pytest.raises(LeaseLost), home.ports.register.begin() as facts:
        jobs.renew(facts.connection, first, tick=START, lease_s=LEASE_S, permille=500)
    finish(home, second)
    assert row(home, job)["state"] == "done"


def test_a_holder_whose_lease_ended_but_was_given_to_nobody_still_counts(home: Home, job: str) -> None:
    lease = taken(home, job)
    finish(home, lease)  # however late: no other worker has begun
    assert row(home, job)["state"] == "done"


def test_one_job_cannot_be_finished_twice(home: Home, job: str) -> None:
    lease = taken(home, job)
    finish(home, lease)
    with pytest.raises(LeaseLost):
        finish(home, lease)


def test_a_heartbeat_moves_the_deadline_and_says_how_far_the_step_is(home: Home, job: str) -> None:
    lease = taken(home, job)
    with home.ports.register.begin() as facts:
        jobs.renew(facts.connection, lease, tick=replace(START, seconds=1020.0), lease_s=LEASE_S, permille=250)
    assert row(home, job)["progress_permille"] == 250
    assert take(home, job, tick=replace(START, seconds=1049.0)) is None
    assert take(home, job, tick=replace(START, seconds=1050.0)) is not None


# --- attempts and failures ----------------------------------------------------------------------


def test_an_attempt_is_counted_before_the_run(home: Home, job: str) -> None:
    for attempt in (1, 2, 3, 4):
        assert taken(home, job, tick=Tick(f"boot-{attempt}", 0.0)).attempts == attempt


def test_a_clean_failure_is_no_death(home: Home, job: str) -> None:
    for number in range(10):
        lease = taken(home, job, now=later(60 * number))
        assert lease.attempts == 1
        put_back(home, lease, now=later(60 * number))
    assert (row(home, job)["attempts"], row(home, job)["failures"]) == (0, 10)


def test_the_pause_after_a_failure_doubles_up_to_half_a_minute(home: Home, job: str) -> None:
    pauses, at = [], 0.0
    for _ in range(10):
        put_back(home, taken(home, job, now=later(at)), now=later(at))
        due = datetime.fromisoformat(row(home, job)["due_at"])
        pauses.append((due - later(at)).total_seconds())
        at += pauses[-1]
    assert pauses == [0.25, 0.5, 1, 2, 4, 8, 16, 30, 30, 30]


def test_an_outage_of_days_is_a_clean_failure_to_its_end(home: Home, job: str) -> None:
    with home.ports.register.leasing() as connection:
        connection.execute(update(schema.jobs).values(failures=20_000))
    put_back(home, taken(home, job))
    due = datetime.fromisoformat(row(home, job)["due_at"])
    assert (row(home, job)["failures"], due - NOON) == (20_001, timedelta(seconds=30))


def test_a_job_put_back_is_not_to_be_had_before_it_is_due(home: Home, job: str) -> None:
    put_back(home, taken(home, job))
    assert take(home, job, now=later(0.249)) is None
    assert take(home, job, now=later(0.25)) is not None


def test_a_failure_is_a_row_anyone_can_read_and_gone_when_the_job_is_done(home: Home, job: str) -> None:
    put_back(home, taken(home, job))
    assert (row(home, job)["error_code"], row(home, job)["error_text"]) == ("store-unavailable", "disk full")
    finish(home, taken(home, job, now=later(1)))
    assert (row(home, job)["error_code"], row(home, job)["error_text"]) == (None, None)


# --- having jobs --------------------------------------------------------------------------------


def test_asking_for_a_job_again_changes_nothing(home: Home, job: str) -> None:
    finish(home, taken(home, job))
    with home.ports.register.begin() as facts:
        assert facts.enqueue("fixity", "rec-a", now=later(60)) == job
    assert row(home, job)["state"] == "done"


def test_a_revived_job_begins_anew_and_its_old_holder_is_shut_out(home: Home, job: str) -> None:
    lease = taken(home, job)
    put_back(home, lease)
    lease = taken(home, job, now=later(1))
    with home.ports.register.begin() as facts:
        assert facts.revive("fixity", "rec-a", now=NOON) == job
    with pytest.raises(LeaseLost):
        finish(home, lease)
    fresh = taken(home, job)
    assert (fresh.attempts, row(home, job)["failures"]) == (1, 0)
    assert fresh.fence > lease.fence


def test_jobs_are_listed_oldest_first_and_only_those_that_may_be_taken_now(home: Home) -> None:
    with home.ports.register.begin() as facts:
        for number in range(5):
            facts.enqueue("fixity", f"rec-{number}", now=later(-number))
    taken(home, "fixity:rec-3")
    put_back(home, taken(home, "fixity:rec-2"))
    assert runnable(home) == ["fixity:rec-4", "fixity:rec-1", "fixity:rec-0"]
    assert runnable(home, limit=1) == ["fixity:rec-4"]
    assert len(runnable(home, tick=Tick("boot-2", 0.0), now=later(1))) == 5


def test_what_leads_to_a_receipt_goes_before_older_work_of_its_dock_and_not_before_other_docks(home: Home) -> None:
    with home.ports.register.begin() as facts:
        for number in range(3):
            facts.enqueue("transcode", f"rec-{number}", now=later(-9 + number), lane=Lane("dock-1"))
        facts.enqueue("seal", "rec-9", now=NOON, lane=Lane("dock-1", home.ports.place))
        facts.enqueue("transcode", "rec-5", now=later(-5), lane=Lane("dock-2"))
    with home.ports.register.view() as connection:
        told = jobs.runnable(connection, tick=START, now=NOON, limit=9, place=home.ports.place)
    assert told == ["transcode:rec-5", "seal:rec-9", "transcode:rec-0", "transcode:rec-1", "transcode:rec-2"]


def test_an_owners_leases_are_its_own_and_none_that_ended(home: Home) -> None:
    with home.ports.register.begin() as facts:
        wanted = [facts.enqueue("fixity", f"rec-{name}", now=NOON) for name in "abcd"]
    mine = [taken(home, job) for job in wanted[:2]]
    taken(home, wanted[2], owner="another")
    finish(home, mine[0])
    with home.ports.register.view() as connection:
        assert jobs.leases_of(connection, "one") == mine[1:]


def test_jobs_can_be_asked_for_by_what_they_are_about(home: Home) -> None:
    with home.ports.register.begin() as facts:
        for number in range(3):
            facts.enqueue("fixity", f"rec-{number}", now=NOON)
    with home.ports.register.view() as connection:
        wanted = ["rec-2", "rec-0"]
        assert [one.subject for one in jobs.open_jobs(connection, wanted)] == ["rec-0", "rec-2"]
        told = jobs.runnable(connection, tick=START, now=NOON, limit=9, subjects=wanted)
        assert told == ["fixity:rec-0", "fixity:rec-2"]
        assert jobs.open_jobs(connection, []) == []
        assert jobs.counts(connection) == {"runnable": 3}


def test_a_slow_holders_attempt_is_taken_back_and_a_dead_ones_is_not(home: Home, job: str) -> None:
    slow = taken(home, job)
    second = taken(home, job, tick=replace(START, seconds=START.seconds + LEASE_S))
    assert second.attempts == 2
    with home.ports.register.leasing() as connection:
        jobs.forgive(connection, slow)
    assert row(home, job)["attempts"] == 1
    with home.ports.register.leasing() as connection:
        jobs.forgive(connection, second)  # it holds the lease still: nothing was lost
    assert row(home, job)["attempts"] == 1


def test_nobody_is_forgiven_for_a_job_that_is_done(home: Home, job: str) -> None:
    slow = taken(home, job)
    finish(home, taken(home, job, tick=replace(START, seconds=START.seconds + LEASE_S)))
    with home.ports.register.leasing() as connection:
        jobs.forgive(connection, slow)
    assert (row(home, job)["state"], row(home, job)["attempts"]) == ("done", 2)


def test_the_death_of_a_program_counts_as_its_workers_would(home: Home, job: str) -> None:
    lease = taken(home, job)
    with home.ports.register.leasing() as connection:
        jobs.put_back(connection, lease, now=NOON, code="tool-killed", text="killed", is_death=True)
    assert (row(home, job)["state"], row(home, job)["attempts"]) == ("runnable", 1)
