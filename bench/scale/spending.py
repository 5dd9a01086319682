# SPDX-License-Identifier: Apache-2.0
"""This is where processor time is counted, of this process and of all that is started below it while it runs.

The kernel's own sum of children leaves out what a sandbox's first process does not wait for; so they are looked at.
A process that lives for less than a look's interval is missed, and the last moments of each.
"""

import contextlib
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

_EVERY_S = 0.02
_PROC = Path("/proc")
_TICK = os.sysconf("SC_CLK_TCK")


@dataclass(slots=True)
class Spent:
    """Processor seconds of each process that was seen, by its id."""

    by_pid: dict[int, float] = field(default_factory=dict)
    own: float = 0.0

    @property
    def seconds(self) -> float:
        """All of it."""
        return self.own + sum(self.by_pid.values())


@contextlib.contextmanager
def spending() -> Iterator[Spent]:
    """Count while the block runs; what this process did is added at its end."""
    spent, done = Spent(), threading.Event()
    before = os.times()
    watcher = threading.Thread(target=_watch, args=(spent, done))
    watcher.start()
    try:
        yield spent
    finally:
        done.set()
        watcher.join()
        after = os.times()
        spent.own = after.user + after.system - before.user - before.system


def _watch(spent: Spent, done: threading.Event) -> None:
    while not done.is_set():
        for pid in _below(os.getpid()):
            with contextlib.suppress(OSError, IndexError):
                fields = (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
                spent.by_pid[pid] = (int(fields[11]) + int(fields[12])) / _TICK
        done.wait(_EVERY_S)


def _below(pid: int) -> list[int]:
    found: list[int] = []
    with contextlib.suppress(OSError):
        for task in (_PROC / str(pid) / "task").iterdir():
            for child in (task / "children").read_text().split():
                found += [int(child), *_below(int(child))]
    return found
