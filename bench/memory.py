# SPDX-License-Identifier: Apache-2.0
"""This is where the memory of a process and of all it starts is watched from outside, while it runs."""

import contextlib
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from evidence.errors import Unavailable

_EVERY_S = 0.05
_PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class Peak:
    """Resident memory in bytes, pages of shared libraries counted for each process anew.

    `process` and `children` are the kernel's own high-water marks (of the child that had the most);
    `together` is the most that all of them had at one of the moments they were looked at.
    """

    process: int
    children: int
    together: int


def run_watched(command: Sequence[str], *, cwd: Path) -> Peak:
    """Run `command` to its end, and say what memory it took.

    Raises:
        Unavailable: it failed; what it printed is part of the message.
    """
    process = subprocess.Popen(command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    own = children = together = 0
    while process.poll() is None:
        own_words = _words(process.pid)
        # A child that is not yet the program it will be shows its parent's memory as its own.
        started = [pid for pid in _descendants(process.pid) if _words(pid) != own_words]
        seen = [_resident(pid) for pid in (process.pid, *started)]
        own = max(own, seen[0][1])
        children = max([children, *(peak for _, peak in seen[1:])])
        together = max(together, sum(now for now, _ in seen))
        time.sleep(_EVERY_S)
    told = process.communicate()[0]
    if process.returncode:
        raise Unavailable(f"a benchmark's process ended with {process.returncode}: {told[-2000:]}")
    return Peak(own, children, together)


def _descendants(pid: int) -> list[int]:
    found: list[int] = []
    # A process may end between two looks at it.
    with contextlib.suppress(OSError):
        for task in (_PROC / str(pid) / "task").iterdir():
            for child in (task / "children").read_text().split():
                found += [int(child), *_descendants(int(child))]
    return found


def _words(pid: int) -> bytes:
    """The command line of a process, empty when it is gone."""
    with contextlib.suppress(OSError):
        return (_PROC / str(pid) / "cmdline").read_bytes()
    return b""


def _resident(pid: int) -> tuple[int, int]:
    """Bytes resident now, and the most there ever were (both 0 for a process that is gone)."""
    fields = {}
    with contextlib.suppress(OSError):
        for line in (_PROC / str(pid) / "status").read_text().splitlines():
            name, _, value = line.partition(":")
            if name in ("VmRSS", "VmHWM"):
                fields[name] = int(value.split()[0]) * 1024
    return fields.get("VmRSS", 0), fields.get("VmHWM", 0)
