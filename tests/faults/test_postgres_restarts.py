# SPDX-License-Identifier: Apache-2.0
"""F9: PostgreSQL restarts, dies and drops connections under watcher and worker: nothing lost, nothing doubled."""

import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import psycopg
import pytest

from app import clocks
from evidence.errors import RegisterUnavailable
from evidence.verdict import Verdict
from pipeline import flow
from pipeline.audit import verify_all
from storage.register import portable
from tests.support.chaos import seeded, times
from tests.support.commit_proxy import Cut, commit_proxy
from tests.support.freezing import state_of
from tests.support.home import Home, open_home, track
from tests.support.nursery import ROOT
from tests.support.oracle import assert_whole
from tests.support.postgres import Postgres, database_url, private_postgres, shared_postgres
from tests.support.servers import Installation, Process, installation, until, workers, write_tracks

pytestmark = pytest.mark.timeout(1800)

_BACK_S = 5.0
_FROZEN_S = 2
T = TypeVar("T")


# --- a server that is restarted, killed, and drops connections ------------------------------------


class Faulty:
    """A PostgreSQL server and the ways in which it fails; each returns when it answers again."""

    def __init__(self, server: Postgres, database: str, chance: random.Random) -> None:
        self._server = server
        self._database = database
        self._chance = chance
        self.counts = Counter[str]()

    def fail(self) -> None:
        how = self._chance.choice((self.restart, self.kill, self.drop))
        self.counts[how.__name__] += 1
        how()

    def restart(self) -> None:
        self._server.stop("immediate")
        self._server.start()

    def kill(self) -> None:
        self._server.kill()
        time.sleep(self._chance.uniform(0, 0.5))
        self._server.start()

    def drop(self) -> None:
        """End some of the connections, several times in a row."""
        for _ in range(5):
            with psycopg.connect(self._server.url(self._database), autocommit=True) as connection:
                rows = connection.execute(
                    "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
                ).fetchall()
                for (pid,) in rows:
                    if self._chance.random() < 0.6:
                        connection.execute("SELECT pg_terminate_backend(%s)", [pid])
            time.sleep(self._chance.uniform(0, 0.1))


def insistently(ask: Callable[[], T]) -> T:
    """The answer of the register, also when a connection of ours was cut just now."""
    for _ in range(20):
        try:
            return ask()
        except RegisterUnavailable:
            time.sleep(0.05)
    return ask()


def progress(made: Installation) -> tuple[int, int]:
    """How many files were taken in, and how many jobs are done."""

    def ask() -> tuple[int, int]:
        with made.ports.register.view() as connection:
            offers = portable.counts(connection)["offers"]
        return offers, made.jobs_by_state().get("done", 0)

    return insistently(ask)


def seconds_until_all_go_on(made: Installation, feed: Callable[[], None], running: list[Process]) -> float:
    """How long until a new file is taken by the watcher, and a job more is done by a worker."""
    offers, done = progress(made)
    feed()
    began = time.monotonic()
    while True:
        now = progress(made)
        if now[0] > offers and now[1] > done:
            return time.monotonic() - began
        assert [one.status for one in running] == [None] * len(running), running[0].log.read_text()
        assert time.monotonic() < began + 60, running[0].log.read_text()
        time.sleep(0.05)


@contextmanager
def watcher(made: Installation, dock: Path) -> Iterator[Process]:
    log = made.settings.home / "workers.log"
    process = Process("tests.support.watcher_process", str(dock), environment=made.environment, log=log)
    try:
        yield process
    finally:
        process.end()


def test_a_database_that_fails_again_and_again_loses_nothing_and_doubles_nothing(tmp_path: Path) -> None:
    chance, wanted, backs = seeded("database_that_fails"), times(20, 200), list[float]()
    stock, dock = tmp_path / "stock", tmp_path / "dock"
    write_tracks(stock, 2 * wanted + 1)
    dock.mkdir()
    files = sorted(stock.iterdir())

    def feed() -> None:
        files[-1].rename(dock / files.pop().name)

    with private_postgres() as server:
        database = server.new_database()
        settings = {"register_url": server.url(database), "quiet_s": "0.1", "lease_s": "1.5"}
        with installation(tmp_path / "home", **settings) as made:
            faulty = Faulty(server, database, chance)
            with workers(made, 1) as [worker], watcher(made, dock) as watching:
                # A process that starts while its register is away ends; whoever started it tries again.
                seconds_until_all_go_on(made, feed, [worker, watching])
                began = time.monotonic()
                for _ in range(wanted):
                    feed()
                    time.sleep(chance.uniform(0.0, 0.6))
                    faulty.fail()
                    backs.append(seconds_until_all_go_on(made, feed, [worker, watching]))
                until(lambda: progress(made)[0] == len(list(dock.iterdir())), "all files are taken", timeout_s=60)
                until(lambda: insistently(lambda: not made.open_jobs()), "all jobs finish", timeout_s=60)
                print(sorted(round(back, 2) for back in backs))
                told = f"{dict(faulty.counts)}: going on after {sorted(backs)[len(backs) // 2]:.2f} s, "
                print(f"{told}at worst {max(backs):.2f} s; in all {time.monotonic() - began:.1f} s")
                assert [worker.status, watching.status] == [None, None]
            assert_whole(Home(made.settings, made.ports), sorted(dock.iterdir()))
    assert sorted(backs)[int(len(backs) * 0.9)] <= _BACK_S, sorted(backs)


# --- a commit whose outcome nobody hears of -------------------------------------------------------


@pytest.mark.parametrize("how", ["unheard", "unanswered"])
@pytest.mark.parametrize("commit", [1, 2, 3])
def test_a_commit_of_unknown_outcome_has_its_effect_exactly_once(tmp_path: Path, how: Cut, commit: int) -> None:
    server = shared_postgres()
    url = database_url()
    with commit_proxy(server.port) as proxy:
        through = url.replace(f":{server.port}/", f":{proxy.port}/")
        with open_home(tmp_path / "home", register_url=through) as home:
            path = track(tmp_path / "card")
            recording = cut_once(home, lambda: home.offer(path), proxy.arm, how, commit)
            proxy.disarm()
            for step in flow.STEPS:
                clock = clocks.clock(0.05)
                proxy.arm(how, commit=commit)
                for _ in range(2):
                    # The lease of a run whose first commit was not answered ends by itself.
                    if insistently(lambda s=step, c=clock: home.run(s, recording, clock=c)) is flow.Result.DONE:  # type: ignore[misc]
                        break
                    time.sleep(0.06)
                proxy.disarm()
            home.drain(recording)
            assert proxy.cuts >= (7 if commit < 3 else 1)
            assert_whole(home, [path])


def cut_once(home: Home, work: Callable[[], str], arm: Callable[..., None], how: Cut, commit: int) -> str:
    """Do it through a cut, and again as a dock does that had no answer."""
    arm(how, commit=commit)
    try:
        return work()
    except RegisterUnavailable:
        assert home.recordings() is not None
        return work()


# --- a process that freezes while all others wait for it ------------------------------------------


@contextmanager
def frozen(how: str, folder: Path, url: str) -> Iterator["subprocess.Popen[str]"]:
    """A process that has frozen itself; ended at the end."""
    command = [sys.executable, "-m", "tests.support.frozen_writer", how, str(folder), url, str(_FROZEN_S)]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as process:
        try:
            until(lambda: process.poll() is not None or state_of(process.pid) == "T", "it has frozen")
            assert process.poll() is None, process.communicate()[1]
            yield process
        finally:
            process.kill()


def thawed(process: "subprocess.Popen[str]") -> int:
    process.send_signal(signal.SIGCONT)
    _, words = process.communicate(timeout=30)
    print(words)
    return process.returncode


@pytest.fixture
def shared(tmp_path: Path) -> Iterator[Home]:
    with open_home(tmp_path / "home", register_url=database_url()) as home:
        home.add_device("A1")
        home.publish()
        home.add_device("B2")
        yield home


def test_a_process_frozen_while_it_writes_facts_is_cut_off_and_others_go_on(shared: Home) -> None:
    with frozen("facts", shared.settings.home, shared.settings.register_url) as process:
        began = time.monotonic()
        shared.add_device("C3")
        waited = time.monotonic() - began
        assert thawed(process) == RegisterUnavailable.exit_status
    print(f"others waited {waited:.1f} s for a process that is cut off after {_FROZEN_S} s")
    assert waited < _FROZEN_S + 2
    shared.publish()
    assert verify_all(shared.ports).verdict is Verdict.PROVEN


@pytest.mark.parametrize("how", ["publishing", "pointing", "reaching"])
def test_a_process_frozen_while_it_publishes_is_cut_off_and_sets_nothing_back(shared: Home, how: str) -> None:
    with frozen(how, shared.settings.home, shared.settings.register_url) as process:
        began = time.monotonic()
        shared.add_device("C3")  # facts are written meanwhile
        assert time.monotonic() - began < _FROZEN_S
        shared.publish()
        waited = time.monotonic() - began
        assert thawed(process) == 0
    print(f"others waited {waited:.1f} s to publish")
    assert waited < _FROZEN_S + 3
    newest = shared.ports.log.newest()
    assert newest is not None
    assert newest.size == len(shared.facts()["custody_events"])
    assert verify_all(shared.ports).verdict is Verdict.PROVEN
