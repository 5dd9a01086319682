# SPDX-License-Identifier: Apache-2.0
"""A disposal that is killed anywhere is finished by the next run, on both engines; also when the register goes too."""

import os
import shutil
import signal
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.engine import Engine

from app.rebuild import rebuild_register
from app.settings import load_settings
from evidence.verdict import Verdict
from pipeline import archive, audit
from pipeline.appraise import Wish
from pipeline.tombstone import HOT
from storage.s3.client import S3Client
from storage.tiles import TiledLog
from tests.support.ceph import memory_gateway
from tests.support.chaos import times
from tests.support.ending import LATER, Ending, ending, tracks
from tests.support.s3 import use_credentials

pytestmark = pytest.mark.timeout(600)

# What changes a disk or makes a change last; beside them statements of the register and requests to a service count.
_CALLS = ("write", "fsync", "link", "rename", "unlink")
_LOSE_REGISTER = 3  # after every so many kills
Work = Callable[[Ending], object]


def died_at(number: int, folder: Path, work: Work, patch: pytest.MonkeyPatch, **settings: str) -> bool:
    """Do the work in a process that dies before its act `number`; False when it had fewer."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # another test's threads; the child starts its own
        child = os.fork()
    if child == 0:
        status = 1
        try:
            with ending(folder, **settings) as at, patch.context() as inner:
                _die_at(number, inner)
                work(at)
            status = 0
        finally:
            os._exit(status)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
    return os.WIFSIGNALED(status)


def _die_at(number: int, patch: pytest.MonkeyPatch) -> None:
    left = [number]

    def count(*_: object) -> None:
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def counted(call: Callable[..., Any]) -> Callable[..., Any]:
        def one(*args: Any, **kwargs: Any) -> Any:
            count()
            return call(*args, **kwargs)

        return one

    for name in _CALLS:
        patch.setattr(os, name, counted(getattr(os, name)))
    patch.setattr(S3Client, "once", counted(S3Client.once))
    event.listen(Engine, "before_cursor_execute", count)


def assert_sound(at: Ending, *, why: str) -> None:
    """What is there is what the records say, killed or not: nothing is called lost that was to go."""
    at.home.publish()
    report = audit.verify_all(at.home.ports)
    assert report.verdict is Verdict.PROVEN, (why, report.findings)


def assert_gone(at: Ending, gone: list[str], stays: str, *, listed: str) -> None:
    for recording in gone:
        assert at.state(recording) == "disposed"
        assert at.standing(recording) == []
        assert at.home.times(recording, "disposing") == at.home.times(recording, "disposed") == 1
        found = at.told(recording)["found"][HOT]
        assert any(key.startswith("originals/") for key in found), "what was there is told, whoever removed it"
    assert at.standing(stays)
    kinds = [one["kind"] for one in at.home.events(f"disposal/{listed}")]
    assert kinds.count("disposal-finished") == 1
    assert_sound(at, why="in the end")


def lose_register(folder: Path, **settings: str) -> None:
    for path in (folder / "home").glob("register.db*"):
        path.unlink()
    given = {f"EVIDOCK_{name.upper()}": value for name, value in settings.items()}
    rebuild_register(load_settings({"EVIDOCK_HOME": str(folder / "home"), **given}))


def test_events_that_a_killed_publisher_laid_down_are_brought_back_by_a_rebuild(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else their places in the log would be taken by nothing known, and no event could ever be published again."""

    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with ending(tmp_path) as at:
        [one] = tracks(at, tmp_path, 1)
        at.home.publish()
        at.appraise(one)
        monkeypatch.setattr(TiledLog, "_append_tiles", killed)
        with pytest.raises(KeyboardInterrupt):
            at.home.publish()
        monkeypatch.undo()
    lose_register(tmp_path)
    with ending(tmp_path) as at:
        assert at.home.story(one)[-1] == "appraised"
        listed = at.propose(one)
        at.approve(listed)
        assert at.run(listed).is_finished
        assert_sound(at, why="after the rebuild")


def test_killed_at_any_act_on_a_folder_the_next_run_finishes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ending(tmp_path / "before") as at:
        *gone, stays = tracks(at, tmp_path, 3)
        listed = at.approved(*gone)
        at.home.publish()
    number, kills, stride = 3, 0, times(43, 1)
    while True:
        folder = tmp_path / f"try-{number}"
        shutil.copytree(tmp_path / "before", folder)
        was_killed = died_at(number, folder, lambda at: at.run(listed), monkeypatch)
        kills += was_killed
        if was_killed and kills % _LOSE_REGISTER == 0:
            lose_register(folder)
        with ending(folder) as at:
            assert_sound(at, why=f"killed at {number}")
            at.run(listed)
            assert_gone(at, gone, stays, listed=listed)
        shutil.rmtree(folder)
        if not was_killed:
            break
        number += stride
    print(f"disposal in a folder: killed at every {stride}. of {number} acts")
    assert kills >= 5


def test_killed_again_and_again_on_a_bucket_with_versions_it_comes_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_credentials()
    server = memory_gateway()
    bucket = server.new_bucket(versioning=True)
    settings = {"objects_url": server.url(bucket)}
    with ending(tmp_path, **settings) as at:
        *gone, stays = tracks(at, tmp_path, 3)
        for recording in gone:
            name = at.keys(recording)[0]
            server.client.put_object(Bucket=bucket, Key=f"home/{name}", Body=b"put over it")
        listed = at.approved(*gone)
    step, kills = times(37, 5), 0
    while died_at(step * (kills + 1), tmp_path, lambda at: at.run(listed), monkeypatch, **settings):
        kills += 1
        assert kills < 200
    with ending(tmp_path, **settings) as at:
        assert at.run(listed).is_finished
        assert_gone(at, gone, stays, listed=listed)
    print(f"disposal in a bucket: {kills} kills, each {step} acts later than the one before")
    assert kills >= 3


def test_an_archiving_killed_at_any_act_loses_nothing_and_is_gone_on_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ending(tmp_path / "before") as at:
        one, other = tracks(at, tmp_path, 2)
        at.appraise(one, wish=Wish.ARCHIVE)
        at.home.publish()

    def taken(at: Ending) -> None:
        if at.state(one) == "indexed":
            archive.archive(one, judge=at.judge(), ports=at.home.ports, now=LATER)
        archive.leave(one, at.places[HOT], ports=at.home.ports, now=LATER)

    number, kills, stride = 3, 0, times(23, 1)
    while True:
        folder = tmp_path / f"try-{number}"
        shutil.copytree(tmp_path / "before", folder)
        settings = {"cold_url": f"file://{folder / 'cold'}"}
        was_killed = died_at(number, folder, taken, monkeypatch, **settings)
        kills += was_killed
        if was_killed and kills % 2 == 0:
            lose_register(folder, **settings)
        with ending(folder, **settings) as at:
            assert_sound(at, why=f"killed at {number}")
            taken(at)
            assert at.home.times(one, "archived") == at.home.times(one, "hot-removed") == 1
            assert at.standing(other)
            archive.restore(one, why="court", recall=None, judge=at.judge(), ports=at.home.ports, now=LATER)
            assert_sound(at, why="restored")
        shutil.rmtree(folder)
        if not was_killed:
            break
        number += stride
    print(f"archiving: killed at every {stride}. of {number} acts")
