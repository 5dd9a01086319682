# SPDX-License-Identifier: Apache-2.0
"""This is where it is gathered what went out by each token and what its player says was shown, until it is written.

Thousands of ranges make one film: they are joined in memory and written every few seconds. What a server that dies
had not written is missing in the sum; that the token was given is on record all the same.
"""

import threading
from bisect import insort
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from storage.register import token_rows
from storage.register.register import Register

Stretch = tuple[int, int]
BYTES = "bytes"
"""Beside the stretches of each file: how many bytes went out in all, repeats too."""


def joined(stretches: Iterable[Stretch], *, most: int) -> list[Stretch]:
    """Half-open stretches in order, those that touch made one; where more than `most` are left, the nearest are too."""
    made: list[Stretch] = []
    for first, end in sorted(stretches):
        if made and first <= made[-1][1]:
            made[-1] = (made[-1][0], max(made[-1][1], end))
        elif end > first:
            made.append((first, end))
    while len(made) > most:
        at = min(range(len(made) - 1), key=lambda number: made[number + 1][0] - made[number][1])
        made[at : at + 2] = [(made[at][0], made[at + 1][1])]
    return made


@dataclass(slots=True)
class Seen:
    """What was seen by one token: served by file, in bytes or in segments; watched in milliseconds."""

    served: dict[str, list[Stretch]] = field(default_factory=dict)
    watched: list[Stretch] = field(default_factory=list)
    served_bytes: int = 0

    @classmethod
    def of_rows(cls, served: Sequence[Sequence[Any]], watched: Sequence[Sequence[Any]]) -> "Seen":
        """What the register holds."""
        made = cls()
        for name, first, end in served:
            if name == BYTES:
                made.served_bytes = int(end)
            else:
                made.served.setdefault(name, []).append((int(first), int(end)))
        made.watched = [(int(first), int(end)) for first, end in watched]
        return made

    def rows(self) -> tuple[list[list[Any]], list[list[int]]]:
        """As the register holds it."""
        served: list[list[Any]] = [[name, *one] for name in sorted(self.served) for one in self.served[name]]
        return [[BYTES, 0, self.served_bytes], *served], [list(one) for one in self.watched]

    def add(self, other: "Seen", *, most: int) -> None:
        """Take up what was seen besides."""
        self.served_bytes += other.served_bytes
        self.watched = joined([*self.watched, *other.watched], most=most)
        for name, stretches in other.served.items():
            self.served[name] = joined([*self.served.get(name, []), *stretches], most=most)


class Ledger:
    """What was seen and is not written yet. Threads may share it."""

    def __init__(self, *, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._seen: dict[str, Seen] = {}

    def served(self, token: str, name: str, stretch: Stretch, *, size_bytes: int) -> None:
        """`size_bytes` went out of the file `name`; `stretch` says which. `token` is its digest."""
        with self._lock:
            seen = self._seen.setdefault(token, Seen())
            seen.served_bytes += size_bytes
            self._insert(seen.served.setdefault(name, []), stretch)

    def watched(self, token: str, stretches: Iterable[Stretch]) -> None:
        """A player says that this was shown, in milliseconds."""
        with self._lock:
            seen = self._seen.setdefault(token, Seen())
            seen.watched = joined([*seen.watched, *stretches], most=self._most)

    def _insert(self, stretches: list[Stretch], new: Stretch) -> None:
        if new[1] <= new[0]:
            return
        if stretches and stretches[-1][0] <= new[0] <= stretches[-1][1]:
            stretches[-1] = (stretches[-1][0], max(stretches[-1][1], new[1]))
            return
        insort(stretches, new)
        if len(stretches) > 2 * self._most:
            stretches[:] = joined(stretches, most=self._most)

    def flush(self, register: Register) -> int:
        """Write all of it down, in one transaction; how many tokens that were.

        Raises:
            RegisterUnavailable: it is kept, and written the next time.
        """
        with self._lock:
            taken, self._seen = self._seen, {}
        if not taken:
            return 0
        try:
            with register.leasing() as connection:
                for token, seen in taken.items():
                    was = token_rows.seen_of(connection, token)
                    if was is not None:
                        kept = Seen.of_rows(*was)
                        kept.add(seen, most=self._most)
                        served, watched = kept.rows()
                        token_rows.set_seen(connection, token, served=served, watched=watched)
        except BaseException:
            self._put_back(taken)
            raise
        return len(taken)

    def _put_back(self, taken: dict[str, Seen]) -> None:
        with self._lock:
            for token, seen in taken.items():
                self._seen.setdefault(token, Seen()).add(seen, most=self._most)
