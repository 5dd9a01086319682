# SPDX-License-Identifier: Apache-2.0
"""This is where tests start the shipped commands as processes of their own, and kill them at random moments.

Each process is forked from a server that has our modules imported already: a kill then falls into our
work, and not into Python's start. The server is this module run as a script; it reads a line of JSON
for each process, answers with its number, and takes all that still run with it when its input ends.
"""

import atexit
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from functools import cache
from pathlib import Path

from app import clocks
from storage.register import jobs
from tests.support.chaos import times
from tests.support.home import Home, open_home

KILLS = "CHAOS_KILLS"
LEASE_S = 1.5  # the heartbeat's first beat comes after one second
LAST_ATTEMPT = jobs.MAX_ATTEMPTS - 1
ROOT = Path(__file__).parents[2]
_POLL_S = 0.01


def wanted_kills(usual: int) -> int:
    """How many kills a test makes: of every 200 as many as usual, of 1,000 in a long run, or of the number named."""
    return usual * int(os.environ.get(KILLS) or times(200, 1000)) // 200


class Running:
    """A command of ours as a process; `boot` names the boot of the machine it believes to be running in."""

    def __init__(self, home: Path, *words: str | Path, boot: str | None = None) -> None:
        self._folder = home.parent
        told = {"home": str(home), "words": [str(word) for word in words], "boot": boot}
        self.pid = _fork(json.dumps(told))

    @property
    def status(self) -> int | None:
        """The exit status, None while it runs; that of a killed process is negative."""
        with suppress(FileNotFoundError):
            return int(_status_file(self._folder, self.pid).read_text())
        return None if _is_alive(self.pid) else -signal.SIGKILL

    def ended_within(self, seconds: float) -> bool:
        """True when it ended by itself in this time."""
        deadline = time.monotonic() + seconds
        while self.status is None:
            if time.monotonic() >= deadline:
                return False
            time.sleep(_POLL_S)
        return True

    def kill(self) -> None:
        """SIGKILL, and be sure that it is gone."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        while _is_alive(self.pid):
            time.sleep(_POLL_S)

    def words(self) -> str:
        """What was said by the processes of this home."""
        log = self._folder / "process.log"
        return log.read_text("utf-8", "replace") if log.exists() else ""


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def _status_file(folder: Path, pid: int) -> Path:
    return folder / f"status-{pid}"


# --- what must not be killed once more ------------------------------------------------------------


def on_last_attempt(home: Home) -> set[str]:
    """Jobs that were killed so often that one more death puts their recording aside, as it should."""
    with home.ports.register.view() as connection:
        return {row.id for row in jobs.open_jobs(connection) if row.attempts >= LAST_ATTEMPT}


def let_through(folder: Path, running: Running, *, timeout_s: float = 60.0) -> None:
    """Let the process do what must not be killed once more; `on_last_attempt` says what that is."""
    deadline = time.monotonic() + timeout_s
    with open_home(folder) as home:
        spared = on_last_attempt(home)
        while spared & set(home.open_jobs()) and not running.ended_within(_POLL_S):
            assert time.monotonic() < deadline, f"{spared} did not end:\n{running.words()}"


# --- the server that processes are forked from ----------------------------------------------------


@cache
def _server() -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "tests.support.killing"]
    pipe = subprocess.PIPE
    server = subprocess.Popen(command, cwd=ROOT, text=True, start_new_session=True, stdin=pipe, stdout=pipe)
    atexit.register(server.communicate)
    return server


def _fork(line: str) -> int:
    server = _server()
    assert server.stdin is not None
    assert server.stdout is not None
    server.stdin.write(line + "\n")
    server.stdin.flush()
    return int(server.stdout.readline())


def _serve() -> None:

    import app.cli.main
    import app.watcher
    import app.worker  # noqa: F401

    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel buries the dead
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            os._exit(_child(json.loads(line)))
        sys.stdout.write(f"{pid}\n")
        sys.stdout.flush()
    os.killpg(0, signal.SIGKILL)


def _child(told: dict[str, object]) -> int:
    """Run one command; its exit status goes into a file, and what it says into another."""
    home = Path(str(told["home"]))
    status = 70
    try:
        _become(home, told["boot"])
        words = told["words"]
        assert isinstance(words, list)
        sys.argv = ["evidock", *words, "--home", str(home)]
        from app.cli.main import run

        run()
    except SystemExit as ended:
        status = ended.code if isinstance(ended.code, int) else 0
    except BaseException:
        sys.excepthook(*sys.exc_info())
    sys.stderr.flush()
    draft = home.parent / f"draft-{os.getpid()}"
    draft.write_text(str(status))
    draft.replace(_status_file(home.parent, os.getpid()))
    return status


def _become(home: Path, boot: object) -> None:
    log = os.open(home.parent / "process.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for stream, descriptor in ((0, nothing), (1, log), (2, log)):
        os.dup2(descriptor, stream)
    for name in [name for name in os.environ if name.startswith("EVIDOCK_")]:
        del os.environ[name]
    os.environ |= {"EVIDOCK_LEASE_S": str(LEASE_S), "EVIDOCK_QUIET_S": "0.1"}
    if boot is not None:
        clocks._BOOT_ID = home.parent / f"boot-{boot}"
        clocks._BOOT_ID.write_text(str(boot))


if __name__ == "__main__":
    _serve()
