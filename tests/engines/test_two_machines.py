# SPDX-License-Identifier: Apache-2.0
"""Two machines of one agency: homes of their own, one register, one bucket, one Redis, the same keys."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from app import clocks
from pipeline.audit import verify_all
from storage.register import jobs
from tests.support.ceph import ACCESS, SECRET, memory_gateway
from tests.support.home import open_home
from tests.support.postgres import database_url
from tests.support.servers import separate_redis, until, write_tracks

ROOT = Path(__file__).parents[2]
AGENCY = "agency.example/evidock"


@pytest.fixture
def shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """Settings that both machines have."""
    ceph = memory_gateway()
    with separate_redis(tmp_path / "redis") as redis:
        settings = {
            "REGISTER_URL": database_url(),
            "OBJECTS_URL": ceph.url(ceph.new_bucket(lock=True), lock="compliance"),
            "BROKER_URL": redis.url,
            "AGENCY": AGENCY,
            "LEASE_S": "3",
            "QUIET_S": "0.2",
        }
        for name, value in settings.items():
            monkeypatch.setenv(f"EVIDOCK_{name}", value)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
        yield {name.lower(): value for name, value in settings.items()}


@contextmanager
def machine(home: Path, *words: str | Path) -> Iterator["subprocess.Popen[bytes]"]:
    """A process of ours with a home of its own."""
    command = [sys.executable, "-m", "app", *map(str, words)]
    with (home.parent / f"{home.name}.log").open("ab") as log:
        running = subprocess.Popen(
            command, cwd=ROOT, env={**os.environ, "EVIDOCK_HOME": str(home)}, stdout=log, stderr=log
        )
        try:
            yield running
        finally:
            running.kill()
            running.wait()


def test_a_dock_and_a_worker_machine_share_one_register_and_each_does_what_it_can(
    shared: dict[str, str], tmp_path: Path
) -> None:
    dock, far, card = tmp_path / "dock", tmp_path / "far", tmp_path / "card"
    write_tracks(card, 6)
    with open_home(dock, **shared) as home:
        shutil.copytree(dock / "keys", far / "keys")
        with machine(far, "worker"), machine(dock, "watch", card) as watch:
            until(lambda: len(home.recordings()) == 6, "the dock's watcher takes all down")
            # Nobody at the dock works yet: the far machine has hints, and must not touch what it cannot read.
            until(lambda: all(job.startswith("fixity:") for job in home.open_jobs()), "they wait for the dock")
            assert {row["state"] for row in home.recordings()} == {"arrived"}
            with machine(dock, "worker"):
                until(lambda: not home.open_jobs(), "all jobs finish", timeout_s=90)
            assert watch.poll() is None
        assert {row["state"] for row in home.recordings()} == {"indexed"}
        home.publish()
        report = verify_all(home.ports)
        assert report.verdict == "proven", report.findings
        assert home.rebuilt()[1] == home.facts()


def test_what_a_machine_held_when_it_died_goes_on_at_another(shared: dict[str, str], tmp_path: Path) -> None:
    dock, far, card = tmp_path / "dock", tmp_path / "far", tmp_path / "card"
    write_tracks(card, 4)
    with open_home(dock, **shared) as home:
        shutil.copytree(dock / "keys", far / "keys")
        recordings = [home.offer(path) for path in sorted(card.iterdir())]
        for recording in recordings:
            home.run("fixity", recording)
            home.run("seal", recording)
        # A third machine took one job of each and was never heard of again.
        for recording in recordings:
            with home.ports.register.leasing() as connection:
                tick = jobs.Tick("boot-dead", 10.0**7, frozenset())
                assert jobs.take(
                    connection, f"segment:{recording}", owner="dead", tick=tick, now=clocks.now(), lease_s=3.0
                )
        with machine(far, "worker"):
            until(lambda: not home.open_jobs(), "the far machine finishes all", timeout_s=60)
        assert {row["state"] for row in home.recordings()} == {"indexed"}
        for recording in recordings:
            assert home.times(recording, "segmented") == 1
