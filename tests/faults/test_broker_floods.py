# SPDX-License-Identifier: Apache-2.0
"""F8: five thousand jobs on a broker that forgets all and is killed in the middle: each finishes, once."""

import random
import time
from pathlib import Path

import pytest

from tests.support.chaos import seeded, times
from tests.support.lost_brokers import Place, embedded, separate
from tests.support.servers import Installation, until, workers
from tests.support.stock import LEFT, assert_stock_finished_once, stock

pytestmark = pytest.mark.timeout(900)

_LOSSES = 8
# More than what workers have fetched already when the broker is lost: what comes after was sent anew.
_FETCHED = 40
_BACK_S = 30.0


def done(made: Installation) -> int:
    return made.jobs_by_state().get("done", 0)


def until_done(made: Installation, wanted: int) -> None:
    until(lambda: done(made) >= wanted, f"{wanted} jobs are done", timeout_s=120)


def seconds_until_work_goes_on(made: Installation) -> float:
    """How long until more jobs are done than were at the workers when it was asked."""
    began, before = time.monotonic(), done(made)
    until(
        lambda: done(made) > before + _FETCHED or not made.open_jobs(), "work goes on", timeout_s=_BACK_S, pause_s=0.02
    )
    return time.monotonic() - began


def test_five_thousand_jobs_finish_once_on_a_redis_flushed_and_killed(tmp_path: Path) -> None:
    lose_often(separate, tmp_path / "home", chance=seeded("redis_flushed"), wanted=times(5_000, 20_000))


def test_a_thousand_jobs_finish_once_on_an_embedded_broker_flushed_and_killed(tmp_path: Path) -> None:
    lose_often(embedded, tmp_path / "home", chance=seeded("embedded_broker_flushed"), wanted=times(1_000, 20_000))


def lose_often(where: Place, home: Path, *, chance: random.Random, wanted: int) -> None:
    """Run `wanted` jobs and empty or kill the broker at random moments all the way through."""
    backs, began = [], time.monotonic()
    with where(home) as (made, flush_all, kill):
        recordings = stock(made, wanted // len(LEFT))
        with workers(made, 2) as running:
            for number in range(_LOSSES):
                until_done(made, int(wanted * (number + chance.random()) / (_LOSSES + 1)))
                (kill if number % 2 else flush_all)()
                backs.append(seconds_until_work_goes_on(made))
            until(lambda: not made.open_jobs(), "all jobs finish", timeout_s=240)
            assert [one.status for one in running] == [None, None], running[0].log.read_text()
        assert_stock_finished_once(made, recordings)
    print(f"{wanted} jobs, {_LOSSES} losses, back within {max(backs):.2f} s; in all {time.monotonic() - began:.1f} s")
    assert max(backs) < _BACK_S
