# SPDX-License-Identifier: Apache-2.0
"""This is where what a worker does beside its steps is done again and again, through every outage of the world."""

import threading
from collections.abc import Callable
from typing import Protocol

from evidence.errors import EvidockError, Unavailable

Round = Callable[[], float]
"""Does one round of something, and says after how many seconds the next is wanted."""

Tell = Callable[[str], None]
"""Told a sentence for the person who looks after the machine."""


def ignore(_: str) -> None:
    """A sentence that nobody is told."""


_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.25, 4.0


class Attendant(Protocol):
    """Follows rounds and outages from outside: for health and counts. Called from any thread; must not raise."""

    def turned(self, name: str, next_s: float) -> None:
        """A round has ended, well or not; the next begins after so many seconds."""
        ...

    def outage(self, name: str, error: Unavailable) -> None:
        """An outage has begun."""
        ...

    def given_up(self, name: str, error: EvidockError) -> None:
        """There will be no more rounds: a person must look."""
        ...


class _Nobody:
    def turned(self, name: str, next_s: float) -> None:
        pass

    def outage(self, name: str, error: Unavailable) -> None:
        pass

    def given_up(self, name: str, error: EvidockError) -> None:
        pass


UNATTENDED: Attendant = _Nobody()


class Outage:
    """Tells the beginning and the end of an outage, once each, and how long to wait before the next try."""

    def __init__(self, name: str, tell: Tell, *, attendant: Attendant = UNATTENDED) -> None:
        self._name = name
        self._tell = tell
        self._attendant = attendant
        self._pause_s = 0.0

    def goes_on(self, error: Unavailable) -> float:
        """Take down that a try failed; the seconds to wait grow with each."""
        if self._pause_s == 0.0:
            self._tell(f"{self._name}: {error.message} ({error.code}); trying on")
            self._attendant.outage(self._name, error)
        self._pause_s = min(max(self._pause_s * 2, _FIRST_PAUSE_S), _LONGEST_PAUSE_S)
        return self._pause_s

    def is_over(self) -> None:
        """Take down that a try succeeded."""
        if self._pause_s:
            self._tell(f"{self._name}: works again")
        self._pause_s = 0.0


class Rounds:
    """A thread that does rounds until `stop` is set.

    An outage is waited out. Any other error of ours is told and ends the rounds, for a person must look; an
    error that is not ours is a defect: `failed` holds it, and `stop` is set, so that nobody believes that
    all is well.
    """

    def __init__(
        self, name: str, once: Round, *, stop: threading.Event, tell: Tell, attendant: Attendant = UNATTENDED
    ) -> None:
        self.failed: BaseException | None = None
        self._once = once
        self._stop = stop
        self._tell = tell
        self._attendant = attendant
        self._name = name
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def join(self, timeout_s: float) -> None:
        """Wait for the round that is under way to end after `stop` was set."""
        self._thread.join(timeout_s)

    def _run(self) -> None:
        outage = Outage(self._name, self._tell, attendant=self._attendant)
        try:
            while not self._stop.is_set():
                pause = self._one(outage)
                self._attendant.turned(self._name, pause)
                self._stop.wait(pause)
        except EvidockError as error:
            self._tell(f"{self._name} has stopped, a person must look: {error.message} ({error.code})")
            self._attendant.given_up(self._name, error)
        except BaseException as error:
            self.failed = error
            self._stop.set()

    def _one(self, outage: Outage) -> float:
        try:
            pause = self._once()
        except Unavailable as error:
            return outage.goes_on(error)
        outage.is_over()
        return pause
