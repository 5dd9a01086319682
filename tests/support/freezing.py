# SPDX-License-Identifier: Apache-2.0
"""This is where processes of a test are frozen and thawed: as by a machine that swaps, or is moved while it runs."""

import fcntl
import signal
import sqlite3
import time
from pathlib import Path

import psycopg

from storage.register import engine_postgres, jobs
from tests.support.servers import Installation, Process

_STATE = 2  # of /proc/PID/stat
_PATIENCE_MS = 200  # longer than a live process holds a lock


def leased_to(worker: Process, made: Installation) -> dict[str, int]:
    """The jobs that a worker holds leases of, each with its fencing token."""
    with made.ports.register.view() as connection:
        rows = jobs.open_jobs(connection)
    return {row.id: row.fence for row in rows if row.state == "leased" and f":{worker.pid}:" in row.owner}


def is_unlocked(made: Installation) -> bool:
    """True when nobody keeps the locks of the whole register, as a frozen process would."""
    url = made.settings.register_url
    return (
        _nobody_writes(url) if url.startswith("postgresql") else _is_file_unlocked(made.settings.home / "register.db")
    )


def _nobody_writes(url: str) -> bool:
    with psycopg.connect(url, autocommit=True, options=f"-c lock_timeout={_PATIENCE_MS}") as asks:
        try:
            # A frozen process that waits for the lock gets it before us, and keeps it. Ours ends with the session.
            asks.execute("SELECT pg_advisory_lock(%s)", (engine_postgres._FACTS,))
        except psycopg.errors.LockNotAvailable:
            return False
    return True


def _is_file_unlocked(register: Path) -> bool:
    asks = sqlite3.connect(register, timeout=_PATIENCE_MS / 1000, isolation_level=None)
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


def freeze_outside_the_register(worker: Process, made: Installation, *, tries: int = 10) -> bool:
    """Freeze it while it holds no lock that all others wait for; False when it always did."""
    for _ in range(tries):
        freeze(worker)
        if is_unlocked(made):
            return True
        thaw(worker)
        time.sleep(0.002)
    freeze(worker)
    return False
