# SPDX-License-Identifier: Apache-2.0
"""This is where `evidock` runs with little patience, for tests that wait for its end: seconds, not minutes.

    python -m tests.support.hasty_process ARGUMENTS

Nothing else is changed: the steps, their order and what they say are those of `evidock ARGUMENTS`.
"""

from dataclasses import dataclass
from typing import Any

import sqlalchemy

from app.cli.main import run
from storage.register import engine_postgres
from storage.s3 import client
from storage.s3.client import Patience

_SHORT = {"connect_timeout": 2, "tcp_user_timeout": 2_000, "keepalives_idle": 1, "keepalives_interval": 1}
_SHORT_AT_SERVER = {"tcp_user_timeout": "2s"}


@dataclass(frozen=True, slots=True)
class Hasty(Patience):
    """A patience that is short when nobody says how long."""

    total_s: float = 2.0
    tries: int = 2
    longest_pause_s: float = 0.2
    connect_s: float = 2.0
    read_s: float = 2.0


def hasty_engine(*words: Any, connect_args: dict[str, Any], **more: Any) -> sqlalchemy.Engine:
    """What the register's engine is made by, with shorter waits."""
    return sqlalchemy.create_engine(*words, connect_args=connect_args | _SHORT, **more)


def hurry() -> None:
    """Have every engine that this process opens from now on wait no longer than two seconds for an answer."""
    client.Patience = Hasty  # type: ignore[misc]
    vars(engine_postgres)["create_engine"] = hasty_engine
    # Shorter, where we set it at all.
    ours = engine_postgres._SERVER_SETTINGS
    ours.update({name: value for name, value in _SHORT_AT_SERVER.items() if name in ours})


if __name__ == "__main__":
    hurry()
    run()
