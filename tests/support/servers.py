# SPDX-License-Identifier: Apache-2.0
"""Real processes for tests: workers, a separate Redis, and an installation full of work for them."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import redis

from app import clocks, intake
from app.settings import Settings, load_settings
from app.wiring import wired
from evidence.claims import Claims
from pipeline.ports import Ports
from storage.register import jobs, search
from tests.support.nursery import ROOT, nursery
from workers import client
from workers.valkey import find_server

# What happens to a document on its way, once each.
DOCUMENT_STORY = ["arrived", "measured", "sealed", "stamped", "segmented", "classified", "indexed"]


@dataclass(frozen=True, slots=True)
class Installation:
    """A home with its engines open in this process, and the settings that other processes get."""

    settings: Settings
    ports: Ports
    environment: dict[str, str]

    def take_in(self, folder: Path) -> list[str]:
        """Take every file of a folder in; the ids of the recordings."""
        taken = []
        for found in intake.find_files(folder):
            assert isinstance(found, intake.Found), found
            arrival = intake.take_in(found, said=Claims(), ports=self.ports, now=clocks.now())
            taken.append(arrival.recording)
        return taken

    def jobs_by_state(self) -> dict[str, int]:
        with self.ports.register.view() as connection:
            return jobs.counts(connection)

    def open_jobs(self) -> int:
        counts = self.jobs_by_state()
        return counts.get("runnable", 0) + counts.get("leased", 0)

    def recording(self, identifier: str) -> dict[str, Any]:
        with self.ports.register.view() as connection:
            return dict(search.recording(connection, identifier))

    def story(self, identifier: str) -> list[str]:
        """The kinds of a recording's custody events, in order."""
        with self.ports.register.view() as connection:
            return [event["kind"] for event in search.events_of(connection, f"recording/{identifier}")]

    def job(self, identifier: str) -> dict[str, Any]:
        with self.ports.register.view() as connection:
            return next(dict(row._mapping) for row in jobs.open_jobs(connection) if row.id == identifier)


@contextmanager
def installation(home: Path, **settings: str) -> Iterator[Installation]:
    """A fresh installation; `settings` are those of the environment, without their prefix, in lower case."""
    given = {f"EVIDOCK_{name.upper()}": value for name, value in settings.items()}
    environment = {"EVIDOCK_HOME": str(home), **given}
    loaded = load_settings(environment)
    with wired(loaded, actor="test") as ports:
        yield Installation(loaded, ports, environment)


def write_tracks(folder: Path, count: int) -> None:
    """Different side files of a GPS logger: the cheapest recordings there are."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        line = f"$GPRMC,0401{number % 60:02d}.00,A,3114.{number:05d},N,12128.00000,E,0.0,0.0,190626,,,A*00\r\n"
        (folder / f"track-{number:04d}.nmea").write_text(line)


# --- worker processes -------------------------------------------------------------------------


class Process:
    """A process of ours that a test may stop, freeze, thaw and kill."""

    def __init__(self, module: str, *words: str, environment: dict[str, str], log: Path) -> None:
        self.log = log
        log.touch()
        self._ended: int | None = None
        self.pid = nursery().start(module, words, environment, log)

    @property
    def status(self) -> int | None:
        """The exit status, None while it runs."""
        if self._ended is None:
            self._ended = nursery().status(self.pid)
        return self._ended

    def send(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def wait(self, timeout_s: float) -> int:
        until(lambda: self.status is not None, "it ends", timeout_s=timeout_s, pause_s=0.02)
        assert self.status is not None
        return self.status

    def end(self) -> None:
        """Be sure that it is gone."""
        if self.status is None:
            self.send(signal.SIGKILL)
            self.wait(5)


def run_fresh(made: Installation, module: str, *words: str) -> "subprocess.Popen[bytes]":
    """The same from a new interpreter, as `python -m` starts and ends it; the caller ends it."""
    with (made.settings.home / "fresh.log").open("ab") as log:
        command = [sys.executable, "-m", module, *words]
        environment = os.environ | made.environment
        return subprocess.Popen(command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)


@contextmanager
def workers(
    made: Installation, count: int, *, module: str = "tests.support.worker_process", words: Sequence[str] = ()
) -> Iterator[list[Process]]:
    """Worker processes on an installation, gone at the end."""
    log = made.settings.home / "workers.log"
    started = [Process(module, *words, environment=made.environment, log=log) for _ in range(count)]
    try:
        yield started
    finally:
        for one in started:
            one.end()


# --- a separate Redis -------------------------------------------------------------------------


class SeparateRedis:
    """A Redis (or Valkey) on a loopback port, as an operator would run one beside evidock."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._port = _free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self.client = client.over_url(self.url)

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self._port}/0"

    def start(self) -> None:
        words = f"--bind 127.0.0.1 --port {self._port} --appendonly no --maxmemory-policy noeviction"
        # It is for this machine alone, and for machines of tests behind a network of their own; see network.py.
        words += " --protected-mode no --dir"
        with (self._folder / "redis.log").open("ab") as log:
            command = [str(find_server()), *words.split(), str(self._folder), "--save", ""]
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        until(lambda: is_answering(self.client), "the separate Redis answers")

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def end(self) -> None:
        self.kill()
        self.client.close()


@contextmanager
def separate_redis(folder: Path) -> Iterator[SeparateRedis]:
    """A running one, gone at the end."""
    server = SeparateRedis(folder)
    try:
        server.start()
        yield server
    finally:
        server.end()


def is_answering(server: redis.Redis) -> bool:
    try:
        return bool(server.ping())
    except redis.RedisError:
        return False


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


# --- waiting ----------------------------------------------------------------------------------


def until(claim: Callable[[], object], words: str, *, timeout_s: float = 30.0, pause_s: float = 0.05) -> None:
    """Wait for a claim to hold; fail with its words when it does not."""
    deadline = time.monotonic() + timeout_s
    while not claim():
        assert time.monotonic() < deadline, f"not within {timeout_s} s: {words}"
        time.sleep(pause_s)


def assert_all_finished_once(made: Installation, recordings: Sequence[str]) -> None:
    """Every document is indexed, each of its steps is recorded once, and no job is left open."""
    assert set(made.jobs_by_state()) == {"done"}, json.dumps(made.jobs_by_state())
    for identifier in recordings:
        assert made.recording(identifier)["state"] == "indexed"
        assert Counter(made.story(identifier)) == Counter(DOCUMENT_STORY), identifier
