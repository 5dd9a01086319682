# SPDX-License-Identifier: Apache-2.0
"""A broker that forgets everything or dies, in the middle of hundreds of jobs: all finish, each once."""

import random
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests.support.lost_brokers import Loss, embedded, separate
from tests.support.servers import (
    Installation,
    assert_all_finished_once,
    until,
    workers,
    write_tracks,
)

_RECORDINGS = 30  # eight jobs each
_LOSSES = 4


@pytest.mark.parametrize("loss", ["FLUSHALL", "kill -9"])
@pytest.mark.parametrize("where", [embedded, separate], ids=["embedded", "separate"])
def test_all_jobs_finish_once_whatever_the_broker_loses(
    where: Callable[[Path], AbstractContextManager[tuple[Installation, Loss, Loss]]], loss: str, tmp_path: Path
) -> None:
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    write_tracks(tmp_path / "card", _RECORDINGS)
    with where(tmp_path / "home") as (made, flush_all, kill):
        recordings = made.take_in(tmp_path / "card")
        with workers(made, 2) as running:
            until(lambda: made.jobs_by_state().get("done", 0) > 20, "work has begun")
            losses = 0
            while losses < _LOSSES and made.open_jobs():
                losses += 1
                (flush_all if loss == "FLUSHALL" else kill)()
                time.sleep(chance.uniform(0.02, 0.3))
            assert losses > 1, "it was lost in the middle of the work"
            until(lambda: not made.open_jobs(), "all jobs finish", timeout_s=60)
            assert [one.status for one in running] == [None, None]
        assert_all_finished_once(made, recordings)
