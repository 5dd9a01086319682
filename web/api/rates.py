# SPDX-License-Identifier: Apache-2.0
"""This is where it is counted how often somebody did something lately, so that nobody does it too often."""

import ipaddress
import threading
from collections import OrderedDict, deque
from dataclasses import dataclass, field

from evidence.errors import Overloaded

_KEPT = 10_000  # of so many it is known; who did nothing for longest is forgotten first
_NEIGHBOURS = 64  # whoever has one address of IPv6 has all that begin with the same 64 bits


@dataclass(slots=True)
class Rate:
    """At most `most` times in `seconds`, for each name by itself. Threads may share it."""

    most: int
    seconds: float
    _times: "OrderedDict[str, deque[float]]" = field(init=False, repr=False, default_factory=OrderedDict)
    _lock: threading.Lock = field(init=False, repr=False, default_factory=threading.Lock)

    def count(self, name: str, *, at: float) -> None:
        """Count once more for `name`, at a reading of a monotonic clock.

        Raises:
            Overloaded: it would be once too often; it is not counted.
        """
        with self._lock:
            times = self._times.setdefault(name, deque())
            self._times.move_to_end(name)
            while times and times[0] <= at - self.seconds:
                times.popleft()
            if len(times) >= self.most:
                raise Overloaded(f"too often: at most {self.most} times in {self.seconds:g} s")
            times.append(at)
            while len(self._times) > _KEPT:
                self._times.popitem(last=False)

    def take_back(self, name: str) -> None:
        """The last time does not count: it was no offence."""
        with self._lock:
            times = self._times.get(name)
            if times:
                times.pop()


def neighbours(address: str) -> str:
    """The name that an address is counted under: itself, or of IPv6 the network that one customer has."""
    try:
        told = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(told, ipaddress.IPv4Address):
        return address
    if told.ipv4_mapped is not None:
        return str(told.ipv4_mapped)
    return str(ipaddress.ip_network((told, _NEIGHBOURS), strict=False))
