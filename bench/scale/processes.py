# SPDX-License-Identifier: Apache-2.0
"""This is where watchers and workers are run as production runs them, pinned or not, and their memory is looked at."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

_ROOT = Path(__file__).parents[2]
_GRACE_S = 20
# What a benchmark measures must not be somebody's own settings.
_KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "LD_LIBRARY_PATH", "VIRTUAL_ENV", "PYTHONPATH")


@dataclass(frozen=True, slots=True)
class Started:
    """One process of evidock, under the name it has in tables."""

    name: str
    process: subprocess.Popen[bytes]

    def resident_bytes(self) -> int:
        """Memory resident now; 0 when it has ended."""
        with suppress(OSError):
            for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
                if line.startswith("VmRSS:"):
                    return int(line.split()[1]) * 1024
        return 0


@contextmanager
def started(
    commands: Mapping[str, Sequence[str]], *, home: Path, settings: Mapping[str, str], processors: Sequence[int] = ()
) -> Iterator[list[Started]]:
    """Run `evidock` commands until the block ends; then they are gone, also when it raises.

    With `processors` each has one of them to itself, and all that it starts too. What they say goes to the
    file `processes.log` of the home.
    """
    environment = {name: os.environ[name] for name in _KEPT if name in os.environ}
    environment |= {"EVIDOCK_HOME": str(home), "PYTHONUNBUFFERED": "1", **settings}
    home.mkdir(parents=True, exist_ok=True)
    running: list[Started] = []
    with (home / "processes.log").open("ab") as words:
        try:
            for number, (name, command) in enumerate(commands.items()):
                running.append(Started(name, _start(command, environment, words.fileno())))
                if processors:
                    os.sched_setaffinity(running[-1].process.pid, {processors[number % len(processors)]})
            yield running
        finally:
            for one in running:
                one.process.send_signal(signal.SIGTERM)
            for one in running:
                _end(one.process)


def _start(command: Sequence[str], environment: Mapping[str, str], words: int) -> subprocess.Popen[bytes]:
    program = [sys.executable, "-m", "app", *command]
    quiet = {"stdin": subprocess.DEVNULL, "stdout": words, "stderr": words}
    return subprocess.Popen(program, env=dict(environment), cwd=_ROOT, **quiet)  # type: ignore[call-overload, no-any-return]


def _end(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(_GRACE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
