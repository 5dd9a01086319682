# SPDX-License-Identifier: Apache-2.0
"""F7: a job that kills its worker starts three times at most, is put aside with the reason, and delays few others."""

import shutil
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import select

from app import clocks
from storage.register import schema
from tests.support.cameras import CAMERA, tiny
from tests.support.chaos import times
from tests.support.home import Home
from tests.support.servers import Installation, Process, installation, until, workers
from tests.support.stock import STORY, stock, told_of

pytestmark = pytest.mark.timeout(600)

WORST = "tests.support.worst_worker"
_STEP_S = 0.15
_KILLED = """#!/bin/sh
case "$*" in
*-version*) echo "ffmpeg version 0" ;;
*-encoders*) echo " V libx264 " ;;
*) kill -9 $$ ;;
esac
"""


class Shift:
    """Two workers, each started again as soon as it dies, as a process manager does."""

    def __init__(self, made: Installation, *words: str) -> None:
        self._made = made
        self._words = words
        self.deaths = 0
        self._running = [self._start(), self._start()]

    def _start(self) -> Process:
        log = self._made.settings.home / "workers.log"
        return Process(WORST, *self._words, environment=self._made.environment, log=log)

    def work(self, is_over: Callable[[], object], *, timeout_s: float = 120.0) -> None:
        """Keep both alive until it is over."""
        deadline = time.monotonic() + timeout_s
        while not is_over():
            assert time.monotonic() < deadline, (self._made.jobs_by_state(), self._running[0].log.read_text()[-2000:])
            for place, one in enumerate(self._running):
                if one.status is not None:
                    self.deaths += 1
                    self._running[place] = self._start()
            time.sleep(0.05)

    def end(self) -> None:
        for one in self._running:
            one.end()


def run_all(folder: Path, *, how: str, count: int) -> tuple[list[float], int]:
    """Work off `count` recordings beside a poisoned one (none if `how` is empty): the wait of each, and the deaths."""
    starts = folder / "starts"
    starts.mkdir(parents=True)
    with installation(folder / "home", lease_s="2") as made, ExitStack() as ends:
        poison, *others = stock(made, count + 1)
        began = clocks.now()
        shift = Shift(made, "segment", str(starts), how or "die", poison if how else "none", str(_STEP_S))
        ends.callback(shift.end)
        shift.work(lambda: not made.open_jobs())
        told = told_of(made, others)
        assert all(kinds == Counter(STORY) for kinds in told.values()), "each of the others is told once"
        if how:
            assert_put_aside(made, poison, starts)
        return waits(made, others, since=began), shift.deaths


def assert_put_aside(made: Installation, poison: str, starts: Path) -> None:
    assert len(list(starts.iterdir())) <= 3
    row = made.recording(poison)
    assert (row["state"], row["problem_code"]) == ("quarantined", "poison")
    assert row["problem_text"] == "segment ended its worker or its program 3 times without an answer"


def waits(made: Installation, recordings: list[str], *, since: datetime) -> list[float]:
    """Seconds until each recording was indexed."""
    columns = schema.custody_events.c
    with made.ports.register.view() as connection:
        found = connection.execute(select(columns.stream, columns.at).where(columns.kind == "indexed"))
        ends = {row.stream.partition("/")[2]: datetime.fromisoformat(row.at) for row in found}
    return sorted((ends[recording] - since).total_seconds() for recording in recordings)


def p95(sorted_s: list[float]) -> float:
    return sorted_s[int(len(sorted_s) * 0.95)]


def test_a_job_that_kills_its_worker_is_put_aside_and_the_others_wait_no_twice_as_long(tmp_path: Path) -> None:
    count = times(120, 1_000)
    plain, _ = run_all(tmp_path / "plain", how="", count=count)
    beside, deaths = run_all(tmp_path / "beside", how="die", count=count)
    print(
        f"{deaths} deaths; p95 wait of {count} others {p95(plain):.1f} s without, {p95(beside):.1f} s with the poison"
    )
    assert deaths == 3
    assert p95(beside) <= 2 * p95(plain)


def test_a_job_that_uses_up_its_workers_memory_is_put_aside_after_three_starts(tmp_path: Path) -> None:
    _, deaths = run_all(tmp_path, how="oom", count=5)
    assert deaths == 0, "running out of memory is an error that the process survives"


def killed_encoder(folder: Path) -> Path:
    """A program that ends as the kernel ends one when memory runs out."""
    program = folder / "ffmpeg"
    program.write_text(_KILLED)
    program.chmod(0o755)
    return program


def words_of_job(made: Installation, recording: str) -> str:
    until(lambda: made.job(f"transcode:{recording}")["failures"] > 2, "it is tried three times")
    return str(made.job(f"transcode:{recording}")["error_text"])


def test_a_file_whose_encoder_is_always_killed_is_flagged_after_three_starts(tmp_path: Path) -> None:
    card = tmp_path / "card"
    card.mkdir()
    shutil.copy2(tiny("silent").path, card)
    with installation(tmp_path / "home", ffmpeg=str(killed_encoder(tmp_path))) as made:
        Home(made.settings, made.ports).add_device(CAMERA.serial)
        [recording] = made.take_in(card)
        with workers(made, 1):
            until(lambda: made.story(recording).count("indexed"), "its other steps finish")
            until(lambda: not made.open_jobs(), f"it is given up: {words_of_job(made, recording)}", timeout_s=6)
        assert made.story(recording).count("flagged") == 1
