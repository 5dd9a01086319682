# SPDX-License-Identifier: Apache-2.0
"""Where tests get processes of ours in no time: forks of one that has imported everything, which costs a second.

Run as a module it takes orders, one JSON object a line: become a module's `main`, or tell how a process ended.
"""

import atexit
import importlib
import json
import os
import subprocess
import sys
import traceback
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
_KNOWN = ("gated_worker", "watcher_process", "worker_process")


class Nursery:
    """The process that forks, as seen from the tests."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.nursery"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def start(self, module: str, words: tuple[str, ...], environment: dict[str, str], log: Path) -> int:
        """The id of a new process that runs `module.main()`."""
        order = {"module": module, "words": words, "environment": environment, "log": str(log)}
        return int(self._ask(order))

    def status(self, pid: int) -> int | None:
        """How a process ended, None while it runs; ask no more once it is told."""
        answer = self._ask({"pid": pid})
        return None if answer is None else int(answer)

    def close(self) -> None:
        self._process.communicate()

    def _ask(self, order: dict[str, Any]) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())


@cache
def nursery() -> Nursery:
    """The session's one."""
    made = Nursery()
    atexit.register(made.close)
    return made


def main() -> None:
    for name in _KNOWN:
        importlib.import_module(f"tests.support.{name}")
    for line in sys.stdin:
        order = json.loads(line)
        answer = _ended(order["pid"]) if "pid" in order else _fork(order)
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


def _ended(pid: int) -> int | None:
    found, status = os.waitpid(pid, os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if found else None


def _fork(order: dict[str, Any]) -> int:
    pid = os.fork()
    if pid == 0:
        os._exit(_become(**order))
    return pid


def _become(*, module: str, words: list[str], environment: dict[str, str], log: str) -> int:
    nothing, words_of_it = os.open(os.devnull, os.O_RDONLY), os.open(log, os.O_WRONLY | os.O_APPEND)
    for standard, descriptor in enumerate((nothing, words_of_it, words_of_it)):
        os.dup2(descriptor, standard)
    os.environ.update(environment)
    sys.argv = [module, *words]
    try:
        return int(importlib.import_module(module).main())
    except BaseException:
        traceback.print_exc()
        return 1


if __name__ == "__main__":
    main()
