# SPDX-License-Identifier: Apache-2.0
"""This is where ports take turns at copying: a few at once, each for so many bytes, then the next.

Turns are counted in bytes and not in files, so that a card of large files gets no more than a card of small ones.
Who has copied the least goes first: what a port loses while its disk makes a file durable it gets back, up to a few
turns, so that a slow device does not hold all others back for ever.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

TURN_BYTES = 8 << 20
_LAG_TURNS = 8


class Turns:
    """Safe to use from several threads; priority goes before all others."""

    def __init__(self, at_once: int) -> None:
        self._free = at_once
        self._changed = threading.Condition()
        self._taking_part: list[Turn] = []
        self._waiting: list[Turn] = []

    @contextmanager
    def turn(self, *, is_priority: bool = False) -> Iterator["Turn"]:
        """Wait for a turn, and have one until the end; it is given to others in between when it is used up."""
        mine = Turn(self, is_priority=is_priority)
        with self._changed:
            mine.copied = min((one.copied for one in self._taking_part), default=0)
            self._taking_part.append(mine)
        try:
            self._take(mine)
            yield mine
        finally:
            mine.abandon()
            with self._changed:
                self._taking_part.remove(mine)

    def _take(self, turn: "Turn") -> None:
        with self._changed:
            most = max(one.copied for one in self._taking_part)
            turn.copied = max(turn.copied, most - _LAG_TURNS * TURN_BYTES)
            self._waiting.append(turn)
            self._changed.wait_for(lambda: self._free > 0 and self._next() is turn)
            self._waiting.remove(turn)
            self._free -= 1
            self._changed.notify_all()

    def _give(self) -> None:
        with self._changed:
            self._free += 1
            self._changed.notify_all()

    def _next(self) -> "Turn":
        """The first of those that have copied the least."""
        return min(self._waiting, key=lambda one: (not one.is_priority, one.copied))


class Turn:
    """One port's turn."""

    def __init__(self, turns: Turns, *, is_priority: bool) -> None:
        self._turns, self.is_priority = turns, is_priority
        self.copied = 0
        self._left = TURN_BYTES
        self._is_over = False
        self._ending = threading.Lock()

    def spend(self, size_bytes: int) -> None:
        """So many bytes were copied; returns when this port may go on."""
        self._left -= size_bytes
        self.copied += size_bytes
        if self._left > 0 or self._is_over:
            return
        self._turns._give()
        self._turns._take(self)
        self._left = TURN_BYTES

    def abandon(self) -> None:
        """The turn is over, whatever its task still does: a device that hangs keeps no other from copying.

        Safe to repeat, and from another thread.
        """
        with self._ending:
            if not self._is_over:
                self._is_over = True
                self._turns._give()
