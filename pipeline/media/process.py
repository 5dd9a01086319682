# SPDX-License-Identifier: Apache-2.0
"""This is where one program is started behind its walls, watched, and ended with all that it started.

What it guarantees is about resources and leftovers; what the program may see is the matter of `sandbox`.
"""

import contextlib
import os
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

from evidence.errors import SandboxMissing, SourceUnavailable, ToolKilled, ToolMissing, Unavailable, Undecodable
from pipeline.media.received import Tail, receiver
from pipeline.media.room import Room
from pipeline.media.sandbox.command import PATH, Walls, walled
from pipeline.media.sandbox.walls import NO_PROGRAM, STARTED

_CHUNK_BYTES = 1 << 16
_LOOK_EVERY_S = 0.25


@dataclass(frozen=True, slots=True)
class Limits:
    """What one program may use. `output_bytes` holds for each file it writes; all together have room for two such.

    A decoder has no business to start programs: unless it `may_fork`, it is one process, with threads.
    """

    wall_s: float
    cpu_s: int
    address_space_bytes: int
    output_bytes: int
    open_files: int = 64
    may_fork: bool = False


@dataclass(frozen=True, slots=True)
class Completed:
    """How a program ended by itself: `returncode` is negative for a signal; `stderr` is the last 16 KiB."""

    returncode: int
    stdout: bytes
    stderr: str
    cpu_s: float
    peak_bytes: int


@dataclass(frozen=True, slots=True)
class Streams:
    """Where a program's standard streams go: see `limits.run_limited`."""

    stdin: Path | None = None
    stdout: Path | None = None
    on_line: Callable[[str], None] | None = None
    on_bytes: Callable[[bytes], None] | None = None
    stdout_max_bytes: int = 16 << 20


def run_walled(
    argv: Sequence[str], *, walls: Walls, limits: Limits, cwd: Path, streams: Streams, env: Mapping[str, str]
) -> Completed:
    """Run `argv` to its end behind `walls` and within `limits`; its whole process group is gone then.

    Raises:
        Undecodable: a limit was reached.
        ToolMissing: there is no such program, or it cannot be started on this machine.
        SandboxMissing: the walls could not be set up.
        ToolKilled: it was killed from outside, as the kernel does when memory runs out.
    """
    output = receiver(streams.on_line, streams.on_bytes, streams.stdout_max_bytes)
    errors = Tail()
    with contextlib.ExitStack() as files:
        source = files.enter_context(streams.stdin.open("rb")) if streams.stdin else None
        target = files.enter_context(streams.stdout.open("wb")) if streams.stdout else None
        go = files.enter_context(_go_pipe())
        command = _command(argv, walls=walls, limits=limits, cwd=cwd, go=go)
        room = Room(walls.writes, file_bytes=limits.output_bytes)
        process = _start(command, cwd=cwd, stdin=source, stdout=target, env=env, go=go)
        with _guarded(process, limits, room) as guard:
            _pump(process, {process.stdout: output.take, process.stderr: errors.take}, guard)
            output.finish()
            guard.await_end()
        said = go.said()
    guard.take_report(said)
    _raise_if_limited(argv[0], guard, limits, is_started=STARTED in said)
    _raise_if_not_started(argv[0], guard.returncode, said, errors.text.strip())
    return Completed(
        returncode=guard.returncode,
        stdout=output.kept,
        stderr=errors.text,
        cpu_s=guard.cpu_s,
        peak_bytes=guard.peak_bytes,
    )


@dataclass(slots=True)
class _Go:
    """The pipe in which the launcher says that the walls stand: after it, what goes wrong is the program's."""

    read_end: int
    write_end: int

    def said(self) -> bytes:
        os.set_blocking(self.read_end, False)
        try:
            return os.read(self.read_end, 256)
        except BlockingIOError:
            return b""


@contextlib.contextmanager
def _go_pipe() -> Iterator[_Go]:
    go = _Go(*os.pipe())
    try:
        yield go
    finally:
        os.close(go.read_end)
        os.close(go.write_end)


def _command(argv: Sequence[str], *, walls: Walls, limits: Limits, cwd: Path, go: _Go) -> list[str]:
    program = shutil.which(argv[0], path=os.environ.get("PATH", PATH))
    if program is None:
        raise ToolMissing(f"no such program: {argv[0]}", program=argv[0])
    figures = [
        f"go={go.write_end}",
        f"cpu={limits.cpu_s}",
        f"as={limits.address_space_bytes}",
        f"fsize={limits.output_bytes}",
        f"nofile={limits.open_files}",
    ]
    # The launcher sets them in the child itself: code of ours between fork and exec would not be safe in a process
    # with threads.
    return walled(Path(program).absolute(), argv[1:], walls=walls, figures=figures, cwd=cwd)


def _start(
    command: list[str],
    *,
    cwd: Path,
    stdin: IO[bytes] | None,
    stdout: IO[bytes] | None,
    env: Mapping[str, str],
    go: _Go,
) -> "subprocess.Popen[bytes]":
    if not cwd.is_dir():
        raise SourceUnavailable(f"no such folder: {cwd}", folder=str(cwd))
    with _no_signal_blocked():
        return subprocess.Popen(
            command,
            cwd=cwd,
            env={"PATH": PATH, "LANG": "C.UTF-8", **env},
            stdin=stdin or subprocess.DEVNULL,
            stdout=stdout or subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            close_fds=True,
            pass_fds=(go.write_end,),
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
        while waiting.get_map() and not guard.has_ended_it:
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
    is_overdrawn: bool = False
    returncode: int = 0
    cpu_s: float = 0.0
    peak_bytes: int = 0

    @property
    def has_ended_it(self) -> bool:
        return self.is_expired or self.is_overdrawn

    def watch(self, wall_s: float, room: Room, over: threading.Event) -> None:
        """Until `over`: end it when its time is up, or when all its files take too much room."""
        ends = time.monotonic() + wall_s
        while not over.wait(max(0.0, min(_LOOK_EVERY_S, ends - time.monotonic()))):
            self.is_expired = time.monotonic() >= ends
            self.is_overdrawn = not self.is_expired and room.is_overdrawn()
            if self.has_ended_it:
                self.kill_group()
                return

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

    def take_report(self, said: bytes) -> None:
        """What the launcher told of the program's end, where another program stands between it and us."""
        told = said.split()[1:]
        if len(told) == 3:
            status, cpu_ms, peak_kib = map(int, told)
            self.returncode = os.waitstatus_to_exitcode(status)
            self.cpu_s, self.peak_bytes = cpu_ms / 1000, peak_kib * 1024


@contextlib.contextmanager
def _guarded(process: "subprocess.Popen[bytes]", limits: Limits, room: Room) -> Iterator[_Guard]:
    """Whatever happens inside, also an interrupt: the group is killed, then its leader is reaped."""
    guard, over = _Guard(process), threading.Event()
    # A thread of its own, so that a slow receiver of output cannot stretch the time.
    watchdog = threading.Thread(target=guard.watch, args=(limits.wall_s, room, over), daemon=True)
    try:
        watchdog.start()
        yield guard
    finally:
        # (1) No more kills by the clock, (2) kill what is left while the group id is still ours, (3) reap.
        over.set()
        watchdog.join()
        guard.kill_group()
        guard.reap()
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                stream.close()


def _raise_if_limited(program: str, guard: _Guard, limits: Limits, *, is_started: bool) -> None:
    name = Path(program).name
    if guard.is_expired:
        if not is_started:
            raise Unavailable(f"{name} could not be started within {limits.wall_s} s", program=name)
        raise Undecodable(f"{name} ran longer than {limits.wall_s} s", limit="wall_s")
    if guard.is_overdrawn or guard.returncode == -signal.SIGXFSZ:
        raise Undecodable(f"{name} wrote more than {limits.output_bytes} bytes", limit="output_bytes")
    if guard.returncode in (-signal.SIGXCPU, -signal.SIGKILL):
        # The kernel checks processor time on a tick, and a second is its unit.
        if guard.returncode == -signal.SIGXCPU or guard.cpu_s > limits.cpu_s - 0.5:
            raise Undecodable(f"{name} used more than {limits.cpu_s} s of processor time", limit="cpu_s")
        raise ToolKilled(f"{name} was killed from outside; memory may have run out", program=name)


def _raise_if_not_started(program: str, returncode: int, said: bytes, words: str) -> None:
    if not said:
        raise SandboxMissing(f"the sandbox could not be set up: {words}", program=program)
    if NO_PROGRAM in said or returncode in (126, 127):
        raise ToolMissing(f"cannot be started: {program}: {words}", program=program)
