# SPDX-License-Identifier: Apache-2.0
"""Worker processes at their worst moments: doubled messages, frozen, killed, poisoned, told to stop."""

import random
import signal
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from pipeline import flow
from tests.support.freezing import is_unlocked
from tests.support.servers import (
    DOCUMENT_STORY,
    Installation,
    Process,
    assert_all_finished_once,
    installation,
    run_fresh,
    until,
    workers,
    write_tracks,
)
from workers.link import open_link

GATED = "tests.support.gated_worker"


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Installation]:
    with installation(tmp_path / "home", lease_s="1") as fresh:
        yield fresh


def tracks(made: Installation, folder: Path, count: int) -> list[str]:
    write_tracks(folder, count)
    return made.take_in(folder)


def is_over(worker: Process, made: Installation) -> bool:
    return worker.status is not None or not made.open_jobs()


def freeze(worker: Process, made: Installation) -> None:
    """Freeze it at a moment when it holds none of the machine's locks: those end with its death only."""
    while True:
        worker.send(signal.SIGSTOP)
        if is_unlocked(made):
            return
        worker.send(signal.SIGCONT)
        time.sleep(0.1)


def arrivals(gate: Path) -> list[str]:
    return sorted(path.name for path in gate.iterdir() if path.name != "open")


def test_messages_doubled_and_shuffled_have_one_effect(made: Installation, tmp_path: Path) -> None:
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    recordings = tracks(made, tmp_path / "card", 20)
    messages = [
        f"{step}:{recording}" for recording in recordings for step in flow.STEPS for _ in range(chance.randint(1, 5))
    ]
    chance.shuffle(messages)
    settings = made.settings
    with open_link(
        settings.broker_url, home=settings.home, namespace=made.ports.log.origin, place=made.ports.place
    ) as link:
        link.ensure()
        assert all(link.hints.send(job) for job in messages)
        with workers(made, 2):
            until(lambda: not made.open_jobs(), "all jobs finish")
            until(lambda: link.hints.waiting() == 0, "every message was delivered")
    assert_all_finished_once(made, recordings)


def test_a_worker_frozen_past_its_lease_cannot_record(made: Installation, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    gate.mkdir()
    [recording] = tracks(made, tmp_path / "card", 1)
    with workers(made, 1, module=GATED, words=["segment", str(gate), "wait"]) as [frozen]:
        until(lambda: arrivals(gate), "the step has done its work")
        until(lambda: made.open_jobs() == 1, "nothing else is under way")
        first = made.job(f"segment:{recording}")
        freeze(frozen, made)
        with workers(made, 1):
            until(lambda: not made.open_jobs(), "another worker takes it over and finishes")
            # (1) What stands now was written under the later lease; (2) the earlier one ends its run on it.
            before = made.story(recording)
            (gate / "open").touch()
            frozen.send(signal.SIGCONT)
            time.sleep(1.0)
            frozen.send(signal.SIGTERM)
            assert frozen.wait(10) == 0
    assert first["fence"] == 1
    assert made.story(recording) == before
    assert_all_finished_once(made, [recording])


def test_a_killed_workers_job_is_taken_over_when_its_lease_ends(made: Installation, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    gate.mkdir()
    recordings = tracks(made, tmp_path / "card", 5)
    with workers(made, 1, module=GATED, words=["seal", str(gate), "wait"]) as [victim]:
        until(lambda: arrivals(gate), "a step has done its work")
        victim.send(signal.SIGKILL)
        victim.wait(5)
    with workers(made, 1):
        until(lambda: not made.open_jobs(), "all jobs finish")
    assert_all_finished_once(made, recordings)


def test_a_job_that_kills_its_worker_is_put_aside_after_three_starts(made: Installation, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    gate.mkdir()
    [recording] = tracks(made, tmp_path / "card", 1)
    for number in range(3):
        with workers(made, 1, module=GATED, words=["segment", str(gate), "die"]) as [victim]:
            assert victim.wait(20) == -signal.SIGKILL
        assert len(arrivals(gate)) == number + 1
    with workers(made, 1, module=GATED, words=["segment", str(gate), "die"]) as [survivor]:
        until(lambda: made.recording(recording)["state"] == "quarantined", "it is put aside")
        until(lambda: not made.open_jobs(), "the others go on")
        assert survivor.status is None
    assert len(arrivals(gate)) == 3
    row = made.recording(recording)
    assert row["problem_code"] == "poison"
    assert {"sealed", "stamped", "quarantined"} < set(made.story(recording))


def test_jobs_that_ran_beside_the_one_that_kills_are_not_put_aside(made: Installation, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    gate.mkdir()
    poison, innocent = tracks(made, tmp_path / "card", 2)
    while made.open_jobs():
        with workers(made, 1, module=GATED, words=["segment", str(gate), "die", poison]) as [worker]:
            until(partial(is_over, worker, made), "it dies, or all is done")
    assert made.recording(poison)["problem_code"] == "poison"
    assert made.recording(innocent)["state"] == "indexed"
    assert sorted(made.story(innocent)) == sorted(DOCUMENT_STORY)


def test_an_idle_worker_told_to_stop_leaves_at_once(made: Installation, tmp_path: Path) -> None:
    recordings = tracks(made, tmp_path / "card", 1)
    with workers(made, 1) as [worker]:
        until(lambda: not made.open_jobs(), "it has worked")
        began = time.monotonic()
        worker.send(signal.SIGTERM)
        assert worker.wait(10) == 0
        assert time.monotonic() - began < 3
        assert worker.log.read_text() == ""
    assert_all_finished_once(made, recordings)


def test_a_step_under_way_may_end_when_the_worker_is_told_to_stop(made: Installation, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    gate.mkdir()
    [recording] = tracks(made, tmp_path / "card", 1)
    with workers(made, 1, module=GATED, words=["segment", str(gate), "wait"]) as [worker]:
        until(lambda: arrivals(gate), "the step is under way")
        worker.send(signal.SIGINT)
        time.sleep(0.5)
        assert worker.status is None
        (gate / "open").touch()
        assert worker.wait(10) == 0
    assert "segmented" in made.story(recording)


def test_a_step_that_does_not_end_in_time_gives_its_lease_back(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    gate.mkdir()
    # A lease that would outlast the test: only giving it back lets another worker go on.
    with installation(tmp_path / "home", lease_s="600") as made:
        [recording] = tracks(made, tmp_path / "card", 1)
        with run_fresh(made, GATED, "segment", str(gate), "wait") as worker:
            until(lambda: arrivals(gate), "the step is under way")
            began = time.monotonic()
            worker.send_signal(signal.SIGTERM)
            assert worker.wait(15) == 0
            assert time.monotonic() - began < 5
        words = (made.settings.home / "fresh.log").read_text()
        assert words == f"segment:{recording} did not end in time; its lease is given back\n"
        assert made.job(f"segment:{recording}")["attempts"] == 0
        with workers(made, 1):
            until(lambda: not made.open_jobs(), "another worker goes on at once")
        assert_all_finished_once(made, [recording])


def test_a_second_signal_ends_the_worker_at_once(made: Installation, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    gate.mkdir()
    tracks(made, tmp_path / "card", 1)
    with workers(made, 1, module=GATED, words=["segment", str(gate), "wait"]) as [worker]:
        until(lambda: arrivals(gate), "the step is under way")
        worker.send(signal.SIGTERM)
        time.sleep(0.3)
        worker.send(signal.SIGTERM)
        assert worker.wait(3) != 0


def test_events_reach_the_public_log_without_anyone_asking(made: Installation, tmp_path: Path) -> None:
    [recording] = tracks(made, tmp_path / "card", 1)
    with workers(made, 1):
        until(lambda: not made.open_jobs(), "it has worked")
    with workers(made, 1):
        until(lambda: published(made) >= len(DOCUMENT_STORY), "a worker publishes what is not")
    assert_all_finished_once(made, [recording])


def published(made: Installation) -> int:
    newest = made.ports.log.newest()
    return 0 if newest is None else newest.size
