# SPDX-License-Identifier: Apache-2.0
"""This is where a program that touches hostile bytes is held: time, memory, output, and no way to outlive us.

`run_limited` is the only door through which this package starts a program. What it guarantees is
about resources and leftovers. What it does not do yet is confine what the program may *see*:
`confined` is the one place where Landlock or bubblewrap will be put around the command.
"""

import contextlib
import os
import resource
import selectors
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from evidence.errors import SourceUnavailable, ToolMissing, Unavailable, Undecodable
from pipeline.media.received import Tail, receiver

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_CHUNK_BYTES = 1 << 16

# POSIX counts file size (-f) in blocks of 512 bytes; -v is in KiB. Soft and hard are set together.
_SCRIPT = (
    '{ ulimit -c 0 && ulimit -t "$1" && ulimit -v "$2" && ulimit -f "$3" && ulimit -n "$4"; } || exit 126; '
    'shift 4; exec "$@"'
)


@dataclass(frozen=True, slots=True)
class Limits:
    """What one program may use. `output_bytes` holds for each file it writes, not for their sum."""

    wall_s: float
    cpu_s: int
    address_space_bytes: int
    output_bytes: int
    open_files: int = 64


@dataclass(frozen=True, slots=True)
class Completed:
    """How a program ended by itself: `returncode` is negative for a signal; `stderr` is the last 16 KiB."""

    returncode: int
    stdout: bytes
    stderr: str
    cpu_s: float
    peak_bytes: int


def run_limited(
    argv: Sequence[str],
    *,
    limits: Limits,
    cwd: Path,
    stdin: Path | None = None,
    stdout: Path | None = None,
    on_line: Callable[[str], None] | None = None,
    on_bytes: Callable[[bytes], None] | None = None,
    env: Mapping[str, str] | None = None,
    stdout_max_bytes: int = 16 << 20,
) -> Completed:
    """Run `argv` to its end within `limits`; when this returns or raises, its whole process group is gone.

    Standard output goes to the file `stdout`, or line by line to `on_line`, or in pieces to
    `on_bytes`, or (up to `stdout_max_bytes`) into the result. Standard input is `stdin` or nothing.
    The environment is PATH, LANG and what `env` adds: nothing secret is inherited, nor any open file.
    A program that fails by itself is not an error here: look at `returncode`.

    Raises:
        Undecodable: a limit was reached; `limit` in its values names it (`wall_s`, `cpu_s`,
            `output_bytes`, `stdout_bytes`, `line_bytes`).
        ToolMissing: there is no such program, or it cannot be started on this machine.
        Unavailable: it was killed from outside, as the kernel does when memory runs out.
    """
    output = receiver(on_line, on_bytes, stdout_max_bytes)
    errors = Tail()
    with contextlib.ExitStack() as files:
        source = files.enter_context(stdin.open("rb")) if stdin else None
        target = files.enter_context(stdout.open("wb")) if stdout else None
        process = _start(confined(argv, limits), cwd=cwd, stdin=source, stdout=target, env=env or {})
        with _guarded(process, limits) as guard:
            _pump(process, {process.stdout: output.take, process.stderr: errors.take}, guard)
            output.finish()
            guard.await_end()
    _raise_if_limited(argv[0], guard, limits)
    if guard.returncode in (126, 127):
        raise ToolMissing(f"cannot be started: {argv[0]}: {errors.text.strip()}", program=argv[0])
    return Completed(
        returncode=guard.returncode,
        stdout=output.kept,
        stderr=errors.text,
        cpu_s=guard.cpu_s,
        peak_bytes=guard.peak_bytes,
    )


def confined(argv: Sequence[str], limits: Limits) -> list[str]:
    """The command that runs `argv` under `limits`. The seam for a sandbox: wrap here and nowhere else.

    The shell sets the limits in the child itself, after the fork: code of ours between fork and
    exec would not be safe in a process with threads. `setpriv`, where there is one, adds that the
    program gains no privileges and dies with the thread that started it, so that a killed worker
    leaves no encoder behind.

    Raises:
        ToolMissing: there is no such program.
    """
    program = shutil.which(argv[0], path=os.environ.get("PATH", _PATH))
    if program is None:
        raise ToolMissing(f"no such program: {argv[0]}", program=argv[0])
    setpriv = shutil.which("setpriv", path=_PATH)
    bound = [setpriv, "--no-new-privs", "--pdeathsig", "KILL", "--"] if setpriv else []
    return ["/bin/sh", "-c", _SCRIPT, "sh", *_figures(limits), *bound, program, *argv[1:]]


def _figures(limits: Limits) -> list[str]:
    """Limits in the units of `ulimit`, never above what we ourselves are allowed (that would fail)."""
    asked = (
        (resource.RLIMIT_CPU, limits.cpu_s, 1),
        (resource.RLIMIT_AS, limits.address_space_bytes, 1024),
        (resource.RLIMIT_FSIZE, limits.output_bytes, 512),
        (resource.RLIMIT_NOFILE, limits.open_files, 1),
    )
    figures = []
    for kind, amount, unit in asked:
        hard = resource.getrlimit(kind)[1]
        allowed = amount if hard == resource.RLIM_INFINITY else min(amount, hard)
        figures.append(str(max(1, allowed // unit)))
    return figures


def _start(
    command: list[str],
    *,
    cwd: Path,
    stdin: IO[bytes] | None,
    stdout: IO[bytes] | None,
    env: Mapping[str, str],
) -> "subprocess.Popen[bytes]":
    if not cwd.is_dir():
        raise SourceUnavailable(f"no such folder: {cwd}", folder=str(cwd))
    with _no_signal_blocked():
        return subprocess.Popen(
            command,
            cwd=cwd,
            env={"PATH": _PATH, "LANG": "C.UTF-8", **env},
            stdin=stdin or subprocess.DEVNULL,
            stdout=stdout or subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            close_fds=True,
        )


@contextlib.contextmanager
def _no_signal_blocked() -> Iterator[None]:
    """A child inherits the mask of the thread that forks: with SIGTERM blocked nobody could stop it."""
    before = signal.pthread_sigmask(signal.SIG_SETMASK, ())
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _pump(
    process: "subprocess.Popen[bytes]",
    takers: Mapping[IO[bytes] | None, Callable[[bytes], None]],
    guard: "_Guard",
) -> None:
    """Hand on what the program writes until it closes its ends or its time is up."""
    with selectors.DefaultSelector() as waiting:
        for stream, take in takers.items():
            if stream is not None:
                waiting.register(stream, selectors.EVENT_READ, take)
        while waiting.get_map() and not guard.is_expired:
            # Short waits, because an exception sent to this thread (a worker's shutdown) is
            # only delivered between two of them.
            for key, _ in waiting.select(timeout=0.2):
                piece = os.read(key.fd, _CHUNK_BYTES)
                if piece:
                    key.data(piece)
                else:
                    waiting.unregister(key.fileobj)


# --- how the program ends ---------------------------------------------------------------------


@dataclass(slots=True)
class _Guard:
    """Watches one process group: kills it when its time is up, and knows how it ended."""

    process: "subprocess.Popen[bytes]"
    is_expired: bool = False
    returncode: int = 0
    cpu_s: float = 0.0
    peak_bytes: int = 0

    def expire(self) -> None:
        self.is_expired = True
        self.kill_group()

    def kill_group(self) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)

    def await_end(self) -> None:
        pause_s = 0.0005
        while self._has_not_ended():
            time.sleep(pause_s)
            pause_s = min(pause_s * 2, 0.05)

    def _has_not_ended(self) -> bool:
        # WNOWAIT leaves the zombie: as long as it is there, its group id cannot be anybody else's.
        flags = os.WEXITED | os.WNOWAIT | os.WNOHANG
        return os.waitid(os.P_PID, self.process.pid, flags) is None

    def reap(self) -> None:
        _, status, usage = os.wait4(self.process.pid, 0)
        self.returncode = self.process.returncode = os.waitstatus_to_exitcode(status)
        self.cpu_s = usage.ru_utime + usage.ru_stime
        self.peak_bytes = usage.ru_maxrss * 1024


@contextlib.contextmanager
def _guarded(process: "subprocess.Popen[bytes]", limits: Limits) -> Iterator[_Guard]:
    """Whatever happens inside, also an interrupt: the group is killed, then its leader is reaped."""
    guard = _Guard(process)
    # A thread of its own, so that a slow receiver of output cannot stretch the time.
    watchdog = threading.Timer(limits.wall_s, guard.expire)
    watchdog.daemon = True
    try:
        watchdog.start()
        yield guard
    finally:
        # (1) No more kills by the clock, (2) kill what is left while the group id is still ours, (3) reap.
        watchdog.cancel()
        watchdog.join()
        guard.kill_group()
        guard.reap()
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                stream.close()


def _raise_if_limited(program: str, guard: _Guard, limits: Limits) -> None:
    name = Path(program).name
    if guard.is_expired:
        raise Undecodable(f"{name} ran longer than {limits.wall_s} s", limit="wall_s")
    if guard.returncode == -signal.SIGXFSZ:
        raise Undecodable(f"{name} wrote more than {limits.output_bytes} bytes", limit="output_bytes")
    if guard.returncode in (-signal.SIGXCPU, -signal.SIGKILL):
        # The kernel checks processor time on a tick, and a second is its unit.
        if guard.returncode == -signal.SIGXCPU or guard.cpu_s > limits.cpu_s - 0.5:
            raise Undecodable(f"{name} used more than {limits.cpu_s} s of processor time", limit="cpu_s")
        raise Unavailable(f"{name} was killed from outside; memory may have run out", program=name)
