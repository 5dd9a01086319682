# SPDX-License-Identifier: Apache-2.0
"""This is where it is counted who announced how much, and how many uploads grow right now."""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from evidence.errors import EvidockError, Overloaded
from pipeline.received import ReceivedFiles
from pipeline.received_told import Told
from web.api.limits import Limits
from web.tus.told import is_upload


@dataclass(slots=True)
class Announced:
    """Uploads that are not whole yet, and those that grow. Threads may share it."""

    limits: Limits
    _waiting: dict[str, Told] = field(init=False, default_factory=dict)
    _growing: Counter[str] = field(init=False, default_factory=Counter)
    _lock: threading.Lock = field(init=False, default_factory=threading.Lock)

    def look(self, files: ReceivedFiles) -> None:
        """Count anew what is there; what was announced meanwhile stays counted.

        Raises:
            StoreUnavailable: it cannot be read.
        """
        with self._lock:
            before = set(self._waiting)
        found = {}
        for identifier in files.ids():
            with suppress(EvidockError):  # ended meanwhile, or broken: nobody can go on with it
                told = files.told(identifier)
                if is_upload(told) and files.offset(identifier) != told.length:
                    found[identifier] = told
        with self._lock:
            new = {one: told for one, told in self._waiting.items() if one not in before}
            self._waiting = found | new

    def same(self, told: Told) -> list[str]:
        """Unfinished uploads of which the very same was told."""
        with self._lock:
            return [one for one, before in self._waiting.items() if before == told]

    def check(self, dock: str) -> None:
        """Return when a dock may announce one more.

        Raises:
            Overloaded: it announced too many, and finished none.
        """
        with self._lock:
            mine = sum(1 for told in self._waiting.values() if told.sender == dock)
        if mine >= self.limits.announced_per_dock:
            raise Overloaded(f"{mine} uploads are announced and not finished: finish or end some")

    def add(self, identifier: str, told: Told) -> None:
        """One more was announced."""
        with self._lock:
            self._waiting[identifier] = told

    def discard(self, identifier: str) -> None:
        """One is whole, or ended."""
        with self._lock:
            self._waiting.pop(identifier, None)

    @contextmanager
    def growing(self, dock: str) -> Iterator[None]:
        """Be counted among the uploads that grow while the block runs.

        Raises:
            Overloaded: there are too many, of this dock or of all.
        """
        with self._lock:
            mine, all_ = self._growing[dock], self._growing.total()
            if mine >= self.limits.writers_per_dock or all_ >= self.limits.writers:
                raise Overloaded(f"{mine} uploads of this dock grow at once, {all_} of all: wait for one of them")
            self._growing[dock] += 1
        try:
            yield
        finally:
            with self._lock:
                self._growing[dock] -= 1
                if not self._growing[dock]:
                    del self._growing[dock]
