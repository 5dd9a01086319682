# SPDX-License-Identifier: Apache-2.0
"""This is where a broker is lost while work goes on: emptied or killed, embedded or beside us."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

import redis

from tests.support.servers import Installation, installation, is_answering, separate_redis
from workers import client
from workers.valkey import EmbeddedValkey

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
    """Empty it, if it is there."""
    if is_answering(asks):
        asks.flushall()
