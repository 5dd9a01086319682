# SPDX-License-Identifier: Apache-2.0
"""This is where the needs of a process are listed: what must answer before it can do its work."""

from collections.abc import Callable
from datetime import datetime, timedelta

from app import clocks
from app.admission import Admission
from app.operate.pulse import Pulse
from app.operate.readiness import Check
from evidence.errors import RegisterUnavailable, StoreUnavailable, Unavailable
from pipeline.media.sandbox.probe import level_in_force
from pipeline.ports import Ports
from storage import layout
from storage.register import search, tallies

# Instants of several machines stand side by side in one custody log.
_CLOCKS_APART = timedelta(seconds=5)


def needs(ports: Ports, *, admission: Admission, pulse: Pulse) -> list[Check]:
    """What a watcher and a worker need."""
    return [
        Check("register", lambda: _ask_register(ports), "the register does not answer"),
        Check("store", lambda: _ask_store(ports), "the object store does not answer, or does not hold our log"),
        Check("disk", lambda: admission.check_room(0), "less disk space is free than must stay free"),
        Check("clock", lambda: _compare_clocks(ports), "the clocks of this machine and of the register differ"),
        Check("rounds", lambda: _ask_rounds(pulse), "some of its work has stopped for good; a person must look"),
    ]


def needs_of_worker(waiting: Callable[[], int | None]) -> list[Check]:
    """What a worker needs besides; `waiting` asks the broker how many hints it holds."""
    return [
        Check("broker", lambda: _ask_broker(waiting), "the broker does not answer"),
        Check("sandbox", _ask_sandbox, "no sandbox works here, so no media is decoded"),
    ]


def clock_offset(ports: Ports) -> timedelta | None:
    """This machine's clock minus the register's; None when they are one."""
    with ports.register.view() as connection:
        before, theirs = clocks.now(), tallies.clock_of(connection)
        return None if theirs is None else _between(before, clocks.now()) - theirs


def _between(first: datetime, second: datetime) -> datetime:
    return first + (second - first) / 2


def _ask_register(ports: Ports) -> None:
    with ports.register.view() as connection:
        tallies.oldest_due(connection)


def _ask_store(ports: Ports) -> None:
    with ports.register.view() as connection:
        newest = search.newest_checkpoint(connection)
    if not ports.store.exists(layout.CHECKPOINT_KEY) and newest is not None:
        raise StoreUnavailable("the object store does not hold the checkpoint that the register knows")


def _compare_clocks(ports: Ports) -> None:
    offset = clock_offset(ports)
    if offset is not None and abs(offset) > _CLOCKS_APART:
        raise RegisterUnavailable(f"this machine's clock is {offset.total_seconds():.1f} s off the register's")


def _ask_rounds(pulse: Pulse) -> None:
    if pulse.stopped():
        raise Unavailable(f"stopped for good: {', '.join(pulse.stopped())}")


def _ask_broker(waiting: Callable[[], int | None]) -> None:
    if waiting() is None:
        raise Unavailable("the broker does not answer")


def _ask_sandbox() -> None:
    level_in_force()
