# SPDX-License-Identifier: Apache-2.0
"""This is where work on a register is killed before its nth SQL statement, and begun again.

Run as a module it takes a line of JSON for each attempt, forks a child that does the work or dies at it, and
answers how that ended: forks of one process that has imported everything.
"""

import importlib
import json
import os
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
NEVER = -1


class Dying:
    """The process that forks, as seen from a test."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def attempt(self, work: str, *, at: int = NEVER, **told: Any) -> bool:
        """Do the work, or die before statement `at`; True when it came to its end."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"work": work, "at": at, "told": told}) + "\n")
        self._process.stdin.flush()
        status = int(self._process.stdout.readline())
        assert status in (0, -signal.SIGKILL), f"{work} ended with {status}"
        return status == 0


@contextmanager
def dying() -> Iterator[Dying]:
    """A running one, gone at the end."""
    command = [sys.executable, "-m", "tests.support.dying"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, text=True, stdin=pipe, stdout=pipe) as process:
        try:
            yield Dying(process)
        finally:
            process.communicate()


# --- what can be done -----------------------------------------------------------------------------


def open_register_at(*, url: str, objects: str) -> None:
    """Open a register, which brings its tables to the newest revision."""
    from evidence.note import Signer
    from storage.objects_file import DirectoryStore
    from storage.register.register import open_register

    signer = Signer("test", 0, lambda message: b"")
    open_register(url, store=DirectoryStore(Path(objects)), signer=signer, chance=os.urandom).close()


def restore(*, backup: str, environment: dict[str, str]) -> None:
    """Restore a backup into the installation that an environment names."""
    from app.backup_restore import restore_backup
    from app.settings import load_settings

    restore_backup(Path(backup), load_settings(environment))


WORK: dict[str, Callable[..., None]] = {"open": open_register_at, "restore": restore}


def main() -> None:
    from sqlalchemy import event
    from sqlalchemy.engine import Engine

    for name in ("alembic.command", "psycopg", "app.backup_restore"):
        importlib.import_module(name)  # so that no child pays for it
    for line in sys.stdin:
        order = json.loads(line)
        pid = os.fork()
        if pid == 0:
            os._exit(_child(order, lambda hear: event.listen(Engine, "before_cursor_execute", hear)))
        _, status = os.waitpid(pid, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


def _child(order: dict[str, Any], listen: Callable[[Callable[..., None]], None]) -> int:
    left = int(order["at"])

    def count(*_: object) -> None:
        nonlocal left
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        left -= 1

    listen(count)
    try:
        WORK[order["work"]](**order["told"])
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


if __name__ == "__main__":
    main()
