# SPDX-License-Identifier: Apache-2.0
"""This is where it is decided when a server that could not is asked again: all that waits, waits at one gate.

Pauses double, up to a bound; a server that says how long to wait is waited for so long. Each is drawn out by chance,
so that docks that lost their server together do not come back together.
"""

import threading
from collections.abc import Callable

FIRST_S, LONGEST_S = 0.25, 30.0
_LONGEST_ASKED_S = 900.0
_SPREAD = 0.5


class Gate:
    """Open while the server answers. Threads share it; the first that meets a failure shuts it for all.

    `monotonic` tells seconds, `chance` a number from 0 up to 1.
    """

    def __init__(
        self, *, monotonic: Callable[[], float], chance: Callable[[], float], longest_s: float = LONGEST_S
    ) -> None:
        self._monotonic = monotonic
        self._chance = chance
        self._longest_s = longest_s
        self._changed = threading.Condition()
        self._failures = 0
        self._until = 0.0
        self.why: str | None = None

    @property
    def is_open(self) -> bool:
        """Nothing failed since something worked."""
        return self._failures == 0

    def failed(self, why: str, *, retry_after_s: float | None = None) -> None:
        """Shut the gate; failures of requests that were under way together count as one."""
        with self._changed:
            now = self._monotonic()
            self.why = why
            if now < self._until:
                return
            pause = min(FIRST_S * 2 ** min(self._failures, 20), self._longest_s)
            if retry_after_s is not None:
                pause = max(pause, min(retry_after_s, _LONGEST_ASKED_S))
            self._failures += 1
            self._until = now + pause * (1 + _SPREAD * self._chance())

    def worked(self) -> None:
        """Open it: something that the server was asked, it did."""
        with self._changed:
            if self._failures or self._until:
                self._failures, self._until, self.why = 0, 0.0, None
                self._changed.notify_all()

    def wait(self, stop: threading.Event, *, tick_s: float = 0.5) -> None:
        """Return when it is time to ask, or `stop` is set."""
        with self._changed:
            while not stop.is_set() and (left := self._until - self._monotonic()) > 0:
                self._changed.wait(min(left, tick_s))
