# SPDX-License-Identifier: Apache-2.0
"""A process for tests that freezes itself while it writes to a register on PostgreSQL: see `HOW`.

    python -m tests.support.frozen_writer HOW HOME URL SECONDS

SECONDS is the time after which the server cuts it off. Thawed it goes on; 75 is its status when it was cut off.
"""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from evidence.errors import EvidockError
from storage.register import engine_postgres, publisher
from tests.support.home import Home, open_home


def freeze() -> None:
    """Stand still until somebody thaws us."""
    os.kill(os.getpid(), signal.SIGSTOP)


def facts(home: Home) -> None:
    """In the middle of a transaction that writes facts."""
    with home.ports.register.begin() as open_facts:
        open_facts.connection.exec_driver_sql("SELECT 1")
        freeze()
        open_facts.connection.exec_driver_sql("SELECT 1")


def publishing(home: Home) -> None:
    """While it holds the leave to publish, with what it will publish read already."""
    with before(publisher, "_remember"):
        home.publish()


def pointing(home: Home) -> None:
    """The same, right before it replaces the pointer to the newest checkpoint."""
    with before(home.ports.store, "replace"):
        home.publish()


def reaching(home: Home) -> None:
    """The same, with its entries read, right before the log takes them."""
    with before(home.ports.log, "publish"):
        home.publish()


@contextmanager
def before(place: Any, name: str) -> Iterator[None]:
    """Freeze right before a function is called, the first time."""
    real = getattr(place, name)
    frozen: list[bool] = []

    def stopped(*words: Any, **named: Any) -> Any:
        if not frozen:
            frozen.append(True)
            freeze()
        return real(*words, **named)

    setattr(place, name, stopped)
    try:
        yield
    finally:
        setattr(place, name, real)


HOW: dict[str, Callable[[Home], None]] = {
    "facts": facts,
    "publishing": publishing,
    "pointing": pointing,
    "reaching": reaching,
}


def main() -> int:
    how, folder, url, seconds = sys.argv[1:]
    engine_postgres._IDLE_PUBLISHER_S = int(seconds)
    engine_postgres._SERVER_SETTINGS["idle_in_transaction_session_timeout"] = f"{seconds}s"
    with open_home(Path(folder), register_url=url) as home:
        try:
            HOW[how](home)
        except EvidockError as error:
            sys.stderr.write(f"{error.code}: {error.message}\n")
            return error.exit_status
    return 0


if __name__ == "__main__":
    sys.exit(main())
