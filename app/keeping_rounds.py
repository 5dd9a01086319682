# SPDX-License-Identifier: Apache-2.0
"""This is where a worker keeps time and looks daily at what is due, beside its steps.

Each round marks steady time; when the last sweep is a day old, one of all workers sweeps.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from app import clocks
from evidence.errors import EvidockError, RegisterUnavailable
from evidence.steady_clock import Doubt, Steady
from pipeline import retain
from pipeline.ports import Ports
from pipeline.retention_figures import figures
from pipeline.steady import steady_now
from storage.register import retention_rows
from workers.rounds import Rounds, Tell

# A worker that was just started has more urgent things to do, and may end at once.
_FIRST_S = 30.0
# Who said so long ago that it sweeps has died, or a lock could not be set: it is tried again.
_AGAIN = timedelta(hours=1)


class _Stopped(Exception):
    """The worker is to end: the sweep breaks off, and another one does what is missing."""


@contextmanager
def keeping(ports: Ports, *, stop: threading.Event, tell: Tell) -> Iterator[None]:
    """While the block runs, keep time, and have a sweep made each day by one of all workers.

    What goes wrong with a sweep is told, and tried again after an hour: no lock that cannot be set ends a worker.
    """
    rounds = Rounds("keeping", KeepingRounds(ports, stop=stop, tell=tell), stop=stop, tell=tell)
    rounds.start()
    try:
        yield
    finally:
        stop.set()
        rounds.join(1.0)
    if rounds.failed is not None:
        raise rounds.failed


class KeepingRounds:
    """Called once a round; says after how many seconds the next is wanted."""

    def __init__(self, ports: Ports, *, stop: threading.Event, tell: Tell, first_s: float = _FIRST_S) -> None:
        self._ports, self._stop, self._tell = ports, stop, tell
        self._doubt: Doubt | None = None
        self._first_s = first_s

    def __call__(self) -> float:
        """Mark time, and sweep when a sweep is wanted.

        Raises:
            RegisterUnavailable: worth another try.
        """
        if self._first_s:
            pause, self._first_s = self._first_s, 0.0
            return pause
        told = steady_now(self._ports.register, clocks.reading(self._ports.place))
        self._tell_doubt(told)
        try:
            self._sweep_daily(told.counted)
        except _Stopped:
            pass
        except RegisterUnavailable:
            raise
        except EvidockError as error:
            self._tell(f"retention sweep: {error.message} ({error.code}); it is tried again in an hour")
        return figures().mark_every.total_seconds()

    def _sweep_daily(self, now: datetime) -> None:
        with self._ports.register.leasing() as connection:
            is_mine = retention_rows.claim(connection, now=now, every=figures().sweep_every, for_=_AGAIN)
        if is_mine:
            retain.sweep(self._ports, now, self._heed)

    def _heed(self, _: float) -> None:
        if self._stop.is_set():
            raise _Stopped

    def _tell_doubt(self, told: Steady) -> None:
        if told.doubt not in (None, self._doubt):
            self._tell(
                f"the clock is doubted ({told.doubt}): keeping is counted at {told.counted}; "
                "see `evidock retention clock`"
            )
        self._doubt = told.doubt
