# SPDX-License-Identifier: Apache-2.0
"""This is where it is known whether a process is alive: the rounds it does again and again have turned lately."""

import threading
import time
from collections.abc import Callable, Sequence

from evidence.errors import EvidockError, Unavailable

# A round may wait for a register that is locked, or write a long log; beyond that it hangs.
_PATIENCE_S = 150.0


class Pulse:
    """Takes down rounds and outages of one process. Threads may share it."""

    def __init__(self, *, on_outage: Callable[[str], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._on_outage = on_outage
        self._clock = clock
        self._lock = threading.Lock()
        self._late_at: dict[str, float] = {}
        self._given_up: dict[str, str] = {}

    def turned(self, name: str, next_s: float) -> None:
        """A round has ended; the next begins after so many seconds."""
        with self._lock:
            self._late_at[name] = self._clock() + next_s + _PATIENCE_S

    def outage(self, name: str, error: Unavailable) -> None:
        """An outage has begun: the rounds go on."""
        self._on_outage(name)

    def given_up(self, name: str, error: EvidockError) -> None:
        """These rounds have ended for good: the process lives on, and is not ready."""
        with self._lock:
            self._late_at.pop(name, None)
            self._given_up[name] = error.code

    def hanging(self) -> Sequence[str]:
        """Names of the rounds that should have ended by now and have not: none in a process that is alive."""
        with self._lock:
            return sorted(name for name, late_at in self._late_at.items() if self._clock() > late_at)

    def stopped(self) -> Sequence[str]:
        """Names of the rounds that were given up."""
        with self._lock:
            return sorted(self._given_up)
