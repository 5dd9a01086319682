# SPDX-License-Identifier: Apache-2.0
"""This is where what costs time to make is kept for who asks again, and made once for all who ask at once."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

from evidence.errors import Overloaded

T = TypeVar("T")


class Kept(Generic[T]):
    """At most `most` things that cost `cost` together, the last asked for; at most `making` are made at once."""

    def __init__(
        self, most: int, *, making: int, wait_s: float, cost: Callable[[T], int] = lambda _: 0, costs: int = 0
    ) -> None:
        self._most, self._cost, self._costs = most, cost, costs
        self._lock = threading.Lock()
        self._places = threading.BoundedSemaphore(making)
        self._wait_s = wait_s
        self._kept: OrderedDict[str, T] = OrderedDict()

    def get(self, key: str, make: Callable[[], T]) -> T:
        """The thing of this key; made when it is not kept.

        Raises:
            Overloaded: too many wait to have things made. What `make` raises.
        """
        found = self._found(key)
        if found is not None:
            return found
        if not self._places.acquire(timeout=self._wait_s):
            raise Overloaded("too many wait for pictures or sound that are made for them")
        try:
            found = self._found(key)  # somebody else had it made meanwhile
            return self._keep(key, make()) if found is None else found
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
