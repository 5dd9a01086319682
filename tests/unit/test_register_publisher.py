# SPDX-License-Identifier: Apache-2.0
"""The publisher: every committed event becomes one leaf of the log, however often it dies on the way."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import delete

from evidence.errors import Conflict, LogInconsistent
from evidence.verdict import Verdict
from pipeline.audit import verify_all
from storage import layout
from storage.log_check import check_log
from storage.register import publisher, schema
from storage.register.publisher import publish
from tests.support.home import Home, open_home
from tests.support.rollback import keep

ROOT = Path(__file__).parents[2]

# Publishes, and kills itself at one of the three steps of a publication.
PUBLISH = """
import os, signal, sys
from pathlib import Path
from app.settings import load_settings
from app.wiring import wired
from storage.register import publisher

def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

with wired(load_settings({"EVIDOCK_HOME": sys.argv[1], "EVIDOCK_REGISTER_URL": sys.argv[4]}), actor="test") as ports:
    if sys.argv[2] == "numbered":
        ports.log.publish = die
    if sys.argv[2] == "laid down":
        publisher._remember = lambda register, newest: None if newest.size < int(sys.argv[3]) else die()
    publisher.publish(ports.register, ports.log)
    die()
"""


@pytest.fixture
def home(tmp_path: Path, register_settings: dict[str, str]) -> Iterator[Home]:
    with open_home(tmp_path / "home", **register_settings) as opened:
        yield opened


def leaves(home: Home) -> list[int | None]:
    return [event["leaf_index"] for event in home.facts()["custody_events"]]


def published_whole(home: Home, size: int) -> bool:
    """The log holds every event once, the register knows where, and a rebuild agrees."""
    newest = home.ports.log.newest()
    report = check_log(home.ports.store, home.ports.verifiers, origin=home.ports.log.origin)
    in_register = sorted(index for index in leaves(home) if index is not None)
    return (
        newest is not None
        and newest.size == size
        and report.findings == ()
        and in_register == list(range(size))
        and home.rebuilt()[1] == home.facts()
    )


def killed(home: Home, where: str, size: int) -> int:
    command = [sys.executable, "-c", PUBLISH, str(home.settings.home), where, str(size), home.settings.register_url]
    return subprocess.run(command, cwd=ROOT, check=False, env={**os.environ, "PYTHONPATH": "."}).returncode


def test_nothing_is_published_of_nothing(home: Home) -> None:
    assert publish(home.ports.register, home.ports.log) is None


def test_publishing_twice_publishes_once(home: Home) -> None:
    home.add_device("A1")
    first = publish(home.ports.register, home.ports.log)
    again = publish(home.ports.register, home.ports.log)
    assert first == again
    assert published_whole(home, 1)


def test_an_event_that_is_not_committed_is_not_published(home: Home) -> None:
    home.add_device("A1")
    home.publish()
    home.add_device("B2")
    assert sorted(leaves(home), key=str) == [0, None]


@pytest.mark.parametrize("where", ["numbered", "laid down", "remembered"])
def test_a_publisher_killed_between_its_steps_is_taken_up_where_it_stood(home: Home, where: str) -> None:
    for number in range(3):
        home.add_device(f"A{number}")
    home.publish()
    for number in range(300):  # more than one tile
        home.add_device(f"B{number}")
    assert killed(home, where, 303) == -signal.SIGKILL
    home.add_device("C")
    home.publish()
    assert published_whole(home, 304)


def test_many_publishers_at_once_publish_every_event_once(home: Home) -> None:
    def work(number: int) -> None:
        home.add_device(f"A{number}")
        home.publish()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(24)))
    assert published_whole(home, 24)


def test_two_who_remember_one_checkpoint_at_once_are_no_defect(home: Home) -> None:
    home.add_device("A1")
    newest = publish(home.ports.register, home.ports.log)
    assert newest is not None
    with home.ports.register.begin() as facts:
        facts.connection.execute(delete(schema.checkpoints))
    with ThreadPoolExecutor(2) as pool:
        with home.ports.register.begin():
            both = [pool.submit(publisher._remember, home.ports.register, newest) for _ in range(2)]
            time.sleep(0.5)  # both have looked, and wait to write
        for one in both:
            one.result()
    assert published_whole(home, 1)


@pytest.fixture
def rolled_back(home: Home, register_settings: dict[str, str]) -> Iterator[Home]:
    """The same installation with its register as it was after the first of two publications."""
    home.add_device("A1")
    home.publish()
    bring_back = keep(home)
    home.add_device("B2")
    home.publish()
    bring_back()
    with open_home(home.settings.home, **register_settings) as again:
        yield again


def test_a_register_that_was_rolled_back_publishes_nothing(rolled_back: Home) -> None:
    before = rolled_back.ports.log.newest()
    with pytest.raises((LogInconsistent, Conflict)):
        rolled_back.publish()
    assert rolled_back.ports.log.newest() == before


def test_a_register_that_was_rolled_back_and_went_on_publishes_nothing(rolled_back: Home) -> None:
    before = rolled_back.ports.log.newest()
    for number in range(3):
        rolled_back.add_device(f"C{number}")
        with pytest.raises((LogInconsistent, Conflict)):
            rolled_back.publish()
    assert rolled_back.ports.log.newest() == before


def test_a_register_that_was_rolled_back_is_healed_by_a_rebuild(rolled_back: Home) -> None:
    devices = {row["serial"] for row in rolled_back.rebuilt()[1]["devices"]}
    assert devices == {"A1", "B2"}


def test_a_checkpoint_that_no_event_names_is_missed_by_an_audit_when_it_is_gone(home: Home) -> None:
    home.add_device("A1")
    home.publish()
    home.add_device("B2")
    home.add_device("C3")
    publisher._give_places(home.ports.register)
    [one, _] = publisher._entries(home.ports.register, 1)
    publisher._remember(home.ports.register, home.ports.log.publish([one], at=1))
    home.publish()
    home.add_device("D4")
    home.publish()
    assert verify_all(home.ports).verdict is Verdict.PROVEN
    (home.settings.home / "objects" / layout.checkpoint_key(2)).unlink()
    report = verify_all(home.ports)
    assert report.verdict is Verdict.TAMPERED
    assert [(finding.object, finding.what) for finding in report.findings] == [(layout.checkpoint_key(2), "missing")]
