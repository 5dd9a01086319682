# SPDX-License-Identifier: Apache-2.0
"""This is where processes of a test are frozen and thawed: as by a machine that swaps, or is moved while it runs."""

import fcntl
import signal
import sqlite3
import time
from pathlib import Path

from storage.register import jobs
from tests.support.servers import Installation, Process

_STATE = 2  # of /proc/PID/stat


def leased_to(worker: Process, made: Installation) -> dict[str, int]:
    """The jobs that a worker holds leases of, each with its fencing token."""
    with made.ports.register.view() as connection:
        rows = jobs.open_jobs(connection)
    return {row.id: row.fence for row in rows if row.state == "leased" and f":{worker.pid}:" in row.owner}


def is_unlocked(register: Path) -> bool:
    """True when nobody holds the register's own locks at this moment."""
    asks = sqlite3.connect(register, timeout=0.05, isolation_level=None)
    try:
        asks.execute("BEGIN IMMEDIATE")
        asks.execute("ROLLBACK")
        with Path(f"{register}.publish").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (sqlite3.OperationalError, BlockingIOError):
        return False
    finally:
        asks.close()
    return True


def freeze(worker: Process) -> None:
    """Stop it wherever it is, and return when it stands still."""
    worker.send(signal.SIGSTOP)
    while state_of(worker.pid) not in "TtZX":
        time.sleep(0.001)


def state_of(pid: int) -> str:
    """The kernel's letter for what a process does: R runs, S sleeps, T is stopped."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[_STATE - 2]


def thaw(worker: Process) -> None:
    """Let it go on, if it is there still."""
    if worker.status is None:
        worker.send(signal.SIGCONT)


def freeze_outside_the_register(worker: Process, made: Installation, *, tries: int = 50) -> bool:
    """Freeze it while it holds none of SQLite's locks, for which all others wait; False when it never did."""
    for _ in range(tries):
        freeze(worker)
        if is_unlocked(made.settings.home / "register.db"):
            return True
        thaw(worker)
        time.sleep(0.002)
    freeze(worker)
    return False
