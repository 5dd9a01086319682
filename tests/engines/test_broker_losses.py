# SPDX-License-Identifier: Apache-2.0
"""A broker that forgets everything or dies, in the middle of hundreds of jobs: all finish, each once."""

import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

import pytest
import redis

from tests.support.servers import (
    Installation,
    assert_all_finished_once,
    installation,
    is_answering,
    separate_redis,
    until,
    workers,
    write_tracks,
)
from workers import client
from workers.valkey import EmbeddedValkey

_RECORDINGS = 30  # eight jobs each
_LOSSES = 4

Loss = Callable[[], None]


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
    """The same on a Redis of its own, which comes back half a second after it was killed."""
    with separate_redis(home / "redis") as server, installation(home / "home", broker_url=server.url) as made:

        def kill() -> None:
            server.kill()
            time.sleep(0.5)
            server.start()

        yield made, lambda: flush(server.client), kill


def flush(asks: redis.Redis) -> None:
    if is_answering(asks):
        asks.flushall()


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
