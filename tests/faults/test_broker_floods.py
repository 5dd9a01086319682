# SPDX-License-Identifier: Apache-2.0
"""F8: five thousand jobs on a broker that forgets all and is killed in the middle: each finishes, once."""

import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

import pytest
import redis

from tests.support.chaos import seeded, times
from tests.support.servers import Installation, installation, is_answering, separate_redis, until, workers
from tests.support.stock import LEFT, assert_stock_finished_once, stock
from workers import client
from workers.valkey import EmbeddedValkey

pytestmark = pytest.mark.timeout(900)

_LOSSES = 8
# More than what workers have fetched already when the broker is lost: what comes after was sent anew.
_FETCHED = 40
_BACK_S = 30.0

Loss = Callable[[], None]
Place = Callable[[Path], AbstractContextManager[tuple[Installation, Loss, Loss]]]


@contextmanager
def embedded(home: Path) -> Iterator[tuple[Installation, Loss, Loss]]:
    """An installation on its embedded Valkey, how to empty that, and how to kill it."""
    with installation(home) as made:
        server = EmbeddedValkey(home)
        asks = client.over_socket(server.socket)

        def kill() -> None:
            # The one that answers says who it is: a number left in a file may be another process's by now.
            with suppress(redis.RedisError):
                os.kill(asks.info("server")["process_id"], signal.SIGKILL)

        try:
            yield made, lambda: flush(asks), kill
        finally:
            asks.close()
            server.close()


@contextmanager
def separate(home: Path) -> Iterator[tuple[Installation, Loss, Loss]]:
    """The same on a Redis of its own, which somebody starts again half a second after it was killed."""
    with separate_redis(home / "redis") as server, installation(home / "home", broker_url=server.url) as made:

        def kill() -> None:
            server.kill()
            time.sleep(0.5)
            server.start()

        yield made, lambda: flush(server.client), kill


def flush(asks: redis.Redis) -> None:
    if is_answering(asks):
        asks.flushall()


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
