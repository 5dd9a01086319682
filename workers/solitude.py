# SPDX-License-Identifier: Apache-2.0
"""This is where a suspect runs alone: a job that kills its worker must not take the blame of others with it.

Each death of a process is counted against every job that ran in it, and the third puts a recording aside.
So the last start of a job is alone in its process: if that one dies too, it was this job.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Solitude:
    """Lets many run together, or one alone. Who wants to be alone goes before those who come later."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._together = 0
        self._is_alone = False

    @contextmanager
    def together(self) -> Iterator[None]:
        """Run beside others, once nobody is alone or wants to be."""
        with self._changed:
            self._changed.wait_for(lambda: not self._is_alone)
            self._together += 1
        try:
            yield
        finally:
            with self._changed:
                self._together -= 1
                self._changed.notify_all()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Run while nobody else does, once those who run have ended."""
        with self._changed:
            self._changed.wait_for(lambda: not self._is_alone)
            self._is_alone = True
            self._changed.wait_for(lambda: self._together == 0)
        try:
            yield
        finally:
            with self._changed:
                self._is_alone = False
                self._changed.notify_all()
