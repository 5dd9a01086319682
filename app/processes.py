# SPDX-License-Identifier: Apache-2.0
"""This is where a demonstration starts the processes that production runs under systemd: watcher and worker."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

_GRACE_S = 15


@contextmanager
def running(commands: Sequence[Sequence[str]], *, home: Path, log: Path) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Run `evidock` commands as processes of the installation at `home` until the block ends; then they are gone.

    What they say goes to the file `log`.
    """
    environment = {**os.environ, "EVIDOCK_HOME": str(home), "PYTHONUNBUFFERED": "1"}
    # One address cannot be two processes'.
    environment.pop("EVIDOCK_OPERATE", None)
    with log.open("ab") as words:
        started = [_start(command, environment, words.fileno()) for command in commands]
        try:
            yield started
        finally:
            for process in started:
                process.send_signal(signal.SIGTERM)
            for process in started:
                _end(process)


def _start(command: Sequence[str], environment: Mapping[str, str], words: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "app", *command],
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=words,
        stderr=words,
        cwd=Path(__file__).parents[1],
    )


def _end(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(_GRACE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
