# SPDX-License-Identifier: Apache-2.0
"""F12: clocks that jump under workers and ingests: no lease is lost, no event changes places, no job waits a day."""

import itertools
import random
import shutil
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select

from app import clocks
from pipeline.media.tools import find_ffmpeg
from pipeline.reconcile import clear_leftovers
from storage.log_check import check_log
from storage.register import jobs, schema
from tests.support.cameras import CAMERA, tiny
from tests.support.chaos import seeded, times
from tests.support.faked_clock import RIGHT, FakedClock
from tests.support.home import Home, open_home
from tests.support.oracle import assert_whole
from tests.support.servers import Installation, installation, run_fresh, until, workers, write_tracks
from tests.support.stock import assert_stock_finished_once, stock
from tests.support.two_people import leave_the_sandbox
from workers.link import open_link

pytestmark = pytest.mark.timeout(900)

MODULE = "tests.support.clocked"
# Hours, a day, five years; and the two nights of the year in which a zone's own clocks are set.
_JUMPS = ("+1h", "-1h", "+1d", "-1d", "-5y", RIGHT, "@2026-03-29 01:59:58", "@2026-10-25 02:59:58")
_BETWEEN_S = 0.04
_PATIENCE_S = 200.0


@contextmanager
def a_home(folder: Path, **settings: str) -> Iterator[Installation]:
    """An installation whose broker runs already, by the machine's own clock."""
    with (
        installation(folder / "home", **settings) as made,
        open_link(
            made.settings.broker_url, home=made.settings.home, namespace=made.ports.log.origin, place=made.ports.place
        ) as link,
    ):
        link.ensure()
        yield made


@contextmanager
def under(clock: FakedClock, made: Installation, *words: str) -> Iterator["subprocess.Popen[bytes]"]:
    """A process of ours that lives by this clock, in a zone that changes to summer time; gone at the end."""
    zone = {"TZ": "Europe/Berlin"}
    process = run_fresh(replace(made, environment=made.environment | clock.environment | zone), MODULE, *words)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def words_of(made: Installation) -> str:
    log = made.settings.home / "fresh.log"
    return log.read_text("utf-8", "replace")[-2000:] if log.exists() else ""


def leased(made: Installation) -> int:
    return made.jobs_by_state().get("leased", 0)


def jump_while_leased(made: Installation, some: Sequence[FakedClock], chance: random.Random, *, jumps: int) -> None:
    """Set the clocks at random, so often while leases are held."""
    done = 0
    while done < jumps:
        assert made.open_jobs(), f"the work ended after {done} jumps"
        if leased(made):
            chance.choice(some).set(chance.choice(_JUMPS))
            done += 1
        time.sleep(_BETWEEN_S)


def lost_leases(made: Installation) -> int:
    """How many leases ended with neither an answer nor a death: each start but the first follows a clean failure."""
    with made.ports.register.view() as connection:
        more = select(func.count()).select_from(schema.jobs).where(schema.jobs.c.fence > schema.jobs.c.failures + 1)
        return int(connection.scalar(more) or 0)


def assert_events_kept_their_places(made: Installation) -> int:
    """Streams are gapless in the order of writing, and the log holds; how often a later event says an earlier time."""
    home = Home(made.settings, made.ports)
    home.publish()
    assert check_log(made.ports.store, made.ports.verifiers, origin=made.ports.log.origin).findings == ()
    columns = schema.custody_events.c
    asked = select(columns.stream, columns.seq, columns.at, columns.leaf_index).order_by(columns.id)
    with made.ports.register.view() as connection:
        rows = connection.execute(asked).all()
    assert [row.leaf_index for row in rows] == list(range(len(rows)))
    seen = Counter[str]()
    for row in rows:
        assert row.seq == seen[row.stream], row
        seen[row.stream] += 1
    return sum(later.at < earlier.at for earlier, later in itertools.pairwise(rows))


def test_leases_outlive_every_jump_of_the_wall_clock(tmp_path: Path) -> None:
    chance, wanted = seeded("leases_outlive"), times(100, 1_000)
    each = [FakedClock(tmp_path / name) for name in ("one", "two")]
    with a_home(tmp_path, lease_s="6", workers="4") as made:
        recordings = stock(made, max(8, wanted // 20))
        with under(each[0], made, "worker", "8"), under(each[1], made, "worker", "8"):
            until(lambda: leased(made) > 4, "both work", timeout_s=_PATIENCE_S)
            jump_while_leased(made, each, chance, jumps=wanted)
            until(lambda: not made.open_jobs(), "all jobs finish", timeout_s=_PATIENCE_S)
        assert_stock_finished_once(made, recordings)
        assert lost_leases(made) == 0, words_of(made)
        back = assert_events_kept_their_places(made)
    print(f"{wanted} jumps, 0 leases lost; {back} times an event says an earlier time than the one before it")
    assert back > 0, "the clock of the workers did not jump"


def test_a_job_that_a_clock_put_off_for_a_day_is_run_when_the_clock_is_right_again(tmp_path: Path) -> None:
    clock, tried = FakedClock(tmp_path / "clock"), tmp_path / "tried"
    tried.mkdir()
    with a_home(tmp_path) as made:
        [recording] = stock(made, 1)
        clock.set("+1d")
        with under(clock, made, "worker", "0", str(tried)):
            until(lambda: made.job(f"segment:{recording}")["failures"], "it is put back", timeout_s=60)
            clock.set(RIGHT)
            until(lambda: not made.open_jobs(), f"it is tried again: {words_of(made)}", timeout_s=20)
        assert_stock_finished_once(made, [recording])


def test_a_job_opened_by_a_machine_whose_clock_is_ahead_is_run_at_once(tmp_path: Path) -> None:
    with a_home(tmp_path) as made:
        [recording] = stock(made, 1)
        for ahead in (timedelta(hours=1), timedelta(days=1), timedelta(days=5 * 365)):
            with made.ports.register.begin() as facts:
                jobs.revive(facts.connection, "segment", recording, now=clocks.now() + ahead)
            with made.ports.register.view() as connection:
                may = jobs.runnable(connection, tick=clocks.tick(), now=clocks.now(), limit=9)
            assert f"segment:{recording}" in may, ahead


def test_an_ingest_whose_clock_jumps_takes_everything_once_and_proves_it(tmp_path: Path) -> None:
    chance, clock, card = seeded("ingest_whose_clock"), FakedClock(tmp_path / "clock"), tmp_path / "card"
    write_tracks(card, times(4, 100))
    for kind in ("silent", "photo"):
        (card / tiny(kind).path.name).write_bytes(tiny(kind).path.read_bytes())
    with a_home(tmp_path, lease_s="5") as made:
        home = Home(made.settings, made.ports)
        home.add_device(CAMERA.serial)
        with under(clock, made, "evidock", "ingest", str(card)) as process:
            for _ in range(times(50, 500)):
                clock.set(chance.choice(_JUMPS))
                time.sleep(_BETWEEN_S)
                if process.poll() is not None:
                    break
            clock.set(RIGHT)
            process.wait(_PATIENCE_S)
        # The local authority stamps nothing while its clock is before its certificate: that is done afterwards.
        assert process.returncode in (0, 75), words_of(made)
        with under(clock, made, "evidock", "ingest", str(card)) as process:
            assert process.wait(_PATIENCE_S) == 0, words_of(made)
        assert lost_leases(made) == 0
        assert_whole(home, sorted(card.iterdir()))


def encoder_that_waits(folder: Path) -> tuple[Path, Path]:
    """A program that is the real one, but ends no sooner than there is the second file (or after a minute)."""
    program, may_end = folder / "ffmpeg", folder / "may-end"
    real = find_ffmpeg().program
    program.write_text(
        "#!/bin/sh\n"
        f'case "$*" in *-version*|*-encoders*) exec {real} "$@" ;; esac\n'
        f'{real} "$@"; code=$?\n'
        f"for _ in $(seq 600); do [ -e {may_end} ] && break; sleep 0.1; done\n"
        "exit $code\n"
    )
    program.chmod(0o755)
    return program, may_end


def test_a_worker_that_starts_after_the_clock_was_set_leaves_the_scratch_of_running_steps(tmp_path: Path) -> None:
    # A dock whose battery is empty boots in another year; its clock is set while a first worker encodes.
    card = tmp_path / "card"
    card.mkdir()
    shutil.copy2(tiny("silent").path, card)
    encoder, may_end = encoder_that_waits(tmp_path)
    with open_home(tmp_path / "home") as home:
        leave_the_sandbox(home)
    with installation(tmp_path / "home", ffmpeg=str(encoder), sandbox="off") as made:
        Home(made.settings, made.ports).add_device(CAMERA.serial)
        [recording] = made.take_in(card)
        with workers(made, 1):
            until(lambda: list(made.ports.spool.glob("scratch/*/*")), "it encodes")
            clear_leftovers(ports=made.ports)
            may_end.touch()
            until(lambda: not made.open_jobs(), "all jobs finish")
        assert "flagged" not in made.story(recording)
        assert "derived" in made.story(recording)
