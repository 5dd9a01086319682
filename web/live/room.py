# SPDX-License-Identifier: Apache-2.0
"""This is where it is counted who watches: so many streams of a person, so many in all, and none once it is closed."""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from evidence.errors import Overloaded


class WatchRoom:
    """Those who watch. Threads may share it."""

    def __init__(self, *, per_person: int, most: int) -> None:
        self._per_person = per_person
        self._most = most
        self._lock = threading.Lock()
        self._inside: Counter[str] = Counter()
        self._is_closed = False

    @property
    def is_closed(self) -> bool:
        """True when the server ends: nobody is told anything more."""
        return self._is_closed

    def close(self) -> None:
        """End every stream."""
        self._is_closed = True

    def check(self, actor: str) -> None:
        """Return when there is room for one more of this actor.

        Raises:
            Overloaded: there is not, or the server ends.
        """
        with self._lock:
            self._check(actor)

    @contextmanager
    def watching(self, actor: str) -> Iterator[None]:
        """Be inside while the block runs.

        Raises:
            Overloaded: as `check`.
        """
        with self._lock:
            self._check(actor)
            self._inside[actor] += 1
        try:
            yield
        finally:
            with self._lock:
                self._inside[actor] -= 1
                self._inside += Counter()  # forget who has none

    def _check(self, actor: str) -> None:
        if self._is_closed:
            raise Overloaded("the server ends")
        if self._inside[actor] >= self._per_person:
            raise Overloaded(f"{self._per_person} streams of this person are open already")
        if self._inside.total() >= self._most:
            raise Overloaded("as many streams are open as the server has room for")
