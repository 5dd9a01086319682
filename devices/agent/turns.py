# SPDX-License-Identifier: Apache-2.0
"""This is where ports take turns at copying: a few at once, each for so many bytes, then the next in the row.

Turns are counted in bytes and not in files, so that a card of large files gets no more than a card of small ones.
"""

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

TURN_BYTES = 8 << 20


class Turns:
    """Safe to use from several threads; who comes first goes first, and priority goes before all others."""

    def __init__(self, at_once: int) -> None:
        self._free = at_once
        self._changed = threading.Condition()
        self._rows: tuple[deque[object], deque[object]] = (deque(), deque())

    @contextmanager
    def turn(self, *, is_priority: bool = False) -> Iterator["Turn"]:
        """Wait for a turn, and have one until the end; it is given to others in between when it is used up."""
        mine = Turn(self, is_priority=is_priority)
        self._take(is_priority)
        try:
            yield mine
        finally:
            mine.abandon()

    def _take(self, is_priority: bool) -> None:
        me = object()
        row = self._rows[0 if is_priority else 1]
        with self._changed:
            row.append(me)
            self._changed.wait_for(lambda: self._free > 0 and self._next() is me)
            row.popleft()
            self._free -= 1
            self._changed.notify_all()

    def _give(self) -> None:
        with self._changed:
            self._free += 1
            self._changed.notify_all()

    def _next(self) -> object:
        first, others = self._rows
        return first[0] if first else others[0]


class Turn:
    """One port's turn."""

    def __init__(self, turns: Turns, *, is_priority: bool) -> None:
        self._turns, self._is_priority = turns, is_priority
        self._left = TURN_BYTES
        self._is_over = False
        self._ending = threading.Lock()

    def spend(self, size_bytes: int) -> None:
        """So many bytes were copied; returns when this port may go on."""
        self._left -= size_bytes
        if self._left > 0 or self._is_over:
            return
        self._turns._give()
        self._turns._take(self._is_priority)
        self._left = TURN_BYTES

    def abandon(self) -> None:
        """The turn is over, whatever its task still does: a device that hangs keeps no other from copying.

        Safe to repeat, and from another thread.
        """
        with self._ending:
            if not self._is_over:
                self._is_over = True
                self._turns._give()
