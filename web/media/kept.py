# SPDX-License-Identifier: Apache-2.0
"""This is where what costs time to make is kept for who asks again, and made once for all who ask at once."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

from evidence.errors import Overloaded

T = TypeVar("T")
_TOO_MANY = "too many wait for pictures or sound that are made for them"


class Kept(Generic[T]):
    """At most `most` things that cost `costs` together, the last asked for; at most `making` are made at once.

    At most `waiting` more wait for a place: each holds a thread that others answer requests with.
    """

    def __init__(
        self,
        most: int,
        *,
        making: int,
        waiting: int,
        wait_s: float,
        cost: Callable[[T], int] = lambda _: 0,
        costs: int = 0,
    ) -> None:
        self._most, self._cost, self._costs = most, cost, costs
        self._lock = threading.Lock()
        self._places = threading.BoundedSemaphore(making)
        self._inside, self._at_work = making + waiting, 0
        self._wait_s = wait_s
        self._kept: OrderedDict[str, T] = OrderedDict()

    @property
    def inside(self) -> int:
        """How many have things made, or wait for it."""
        with self._lock:
            return self._at_work

    def get(self, key: str, make: Callable[[], T]) -> T:
        """The thing of this key; made when it is not kept.

        Raises:
            Overloaded: too many wait to have things made. What `make` raises.
        """
        found = self._found(key)
        if found is not None:
            return found
        with self._entered(), self._place():
            found = self._found(key)  # somebody else had it made meanwhile
            return self._keep(key, make()) if found is None else found

    @contextmanager
    def _entered(self) -> Iterator[None]:
        with self._lock:
            if self._at_work >= self._inside:
                raise Overloaded(_TOO_MANY)
            self._at_work += 1
        try:
            yield
        finally:
            with self._lock:
                self._at_work -= 1

    @contextmanager
    def _place(self) -> Iterator[None]:
        if not self._places.acquire(timeout=self._wait_s):
            raise Overloaded(_TOO_MANY)
        try:
            yield
        finally:
            self._places.release()

    def _found(self, key: str) -> T | None:
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
            return self._kept.get(key)

    def _keep(self, key: str, made: T) -> T:
        with self._lock:
            self._kept[key] = made
            while len(self._kept) > 1 and (len(self._kept) > self._most or self._is_too_much()):
                self._kept.popitem(last=False)
        return made

    def _is_too_much(self) -> bool:
        return bool(self._costs) and sum(map(self._cost, self._kept.values())) > self._costs
