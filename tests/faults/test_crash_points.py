# SPDX-License-Identifier: Apache-2.0
"""Every write of every step is once the last thing a process does, or fails once: the next run makes it whole."""

import errno
import os
import shutil
import signal
import warnings
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.engine import Engine

from app import clocks
from evidence.lifecycle import State
from pipeline import flow
from pipeline.flow import Result
from tests.support.home import Home, at_tick, dsj_name, open_home, track
from tests.support.oracle import assert_each_once, assert_nothing_promised_is_lost, assert_whole

pytestmark = pytest.mark.timeout(600)

# What changes a disk or makes a change last. SQLite's own calls are SQLite's to test; its statements are ours.
_CALLS = ("mkdir", "write", "fchmod", "fsync", "link", "rename", "replace", "unlink")
_OFTEN = 5
_ORDER = ("fixity", "seal", "stamp", "segment", "classify", "index")


class _Strike:
    """Counts the writes of this process, statements of the register among them, and strikes at one of them."""

    def __init__(self, patch: pytest.MonkeyPatch, *, at: int, blow: Callable[[], None]) -> None:
        self.made = 0
        self._at, self._blow = at, blow
        for name in _CALLS:
            patch.setattr(os, name, self._counted(getattr(os, name)))

    def listen(self) -> None:
        """Count statements too."""
        event.listen(Engine, "before_cursor_execute", lambda *_: self._count())

    def _count(self) -> None:
        self.made += 1
        if self.made == self._at:
            self._blow()

    def _counted(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*args: Any, **kwargs: Any) -> Any:
            self._count()
            return call(*args, **kwargs)

        return counted


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def fail() -> None:
    raise OSError(errno.EIO, "Input/output error")


def run_to_the_end(home: Home, recording: str) -> None:
    """Run every job as after a reboot, when all leases have ended."""
    clock = at_tick("after", 0.0, now=clocks.now() + timedelta(minutes=1))
    for step in flow.STEPS:
        if f"{step}:{recording}" in home.open_jobs():
            home.run(step, recording, clock=clock)


class Stand:
    """A home in which one recording stands before a step, copied for every try."""

    def __init__(self, folder: Path, step: str) -> None:
        self.folder, self.step = folder, step
        self.path = track(folder / "card", dsj_name("A1"))
        with open_home(folder / "before") as home:
            home.add_device("A1")
            self.recording = home.offer(self.path)
            for earlier in _ORDER[: _ORDER.index(step)]:
                assert home.run(earlier, self.recording) is Result.DONE

    def copy(self, number: int) -> Path:
        copied = self.folder / f"try-{number}"
        shutil.copytree(self.folder / "before", copied)
        return copied


def assert_done(home: Home, stand: Stand, *, thoroughly: bool) -> None:
    assert home.recording(stand.recording)["state"] == State.INDEXED
    (assert_whole if thoroughly else assert_each_once)(home, [stand.path])


def killed_at(stand: Stand, folder: Path, number: int, patch: pytest.MonkeyPatch) -> bool:
    """Run the step in a process that dies at write `number`; False when it had fewer."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # another test's threads; the child starts its own
        child = os.fork()
    if child == 0:
        status = 1
        try:
            with open_home(folder) as home, patch.context() as inner:
                _Strike(inner, at=number, blow=die).listen()
                home.run(stand.step, stand.recording)
            status = 0
        finally:
            os._exit(status)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
    return os.WIFSIGNALED(status)


@pytest.mark.parametrize(("step", "stride"), [("fixity", 3), ("seal", 1), ("stamp", 4), ("segment", 3), ("index", 3)])
def test_killed_at_any_write_of_a_step_nothing_is_lost_and_the_next_run_makes_it_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, stride: int
) -> None:
    stand, number = Stand(tmp_path, step), 1
    while True:
        folder = stand.copy(number)
        was_killed = killed_at(stand, folder, number, monkeypatch)
        with open_home(folder) as home:
            assert_nothing_promised_is_lost(home)
            run_to_the_end(home, stand.recording)
            assert_done(home, stand, thoroughly=number % _OFTEN == 0 or not was_killed)
        shutil.rmtree(folder)
        if not was_killed:
            break
        number += stride
    print(f"{step}: killed at every {stride}. of {number - 1} writes")
    assert number > 10


@pytest.mark.parametrize(("step", "stride"), [("fixity", 1), ("seal", 1), ("stamp", 3)])
def test_when_any_write_of_a_step_fails_it_is_said_and_done_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, stride: int
) -> None:
    stand, number = Stand(tmp_path, step), 1
    while True:
        folder = stand.copy(number)
        with open_home(folder) as home:
            with monkeypatch.context() as patch:
                strike = _Strike(patch, at=number, blow=fail)
                result = home.run(step, stand.recording)
            if strike.made < number:
                assert result is Result.DONE
                break
            assert result in (Result.AGAIN, Result.DONE), f"write {number}"
            home.drain(stand.recording)
            assert_done(home, stand, thoroughly=number % _OFTEN == 0)
        shutil.rmtree(folder)
        number += stride
    print(f"{step}: failed at every {stride}. of {number - 1} writes")
