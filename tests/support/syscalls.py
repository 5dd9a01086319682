# SPDX-License-Identifier: Apache-2.0
"""This is where tests count the system calls that a process of ours makes on some folders, and make one of them fail.

The kernel asks us before it carries out each such call (seccomp user notification), of the process itself,
of SQLite and of every child alike, and takes our word for the outcome: go on, or an error. It is what
`strace -e inject` does, without its cost: a forked process is under it from its first call on.

Source: seccomp_unotify(2), seccomp(2), <linux/seccomp.h>; numbers of x86-64.
"""

import ctypes
import errno
import fcntl
import os
import platform
import select
import socket
import struct
import warnings
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

_PR_SET_NO_NEW_PRIVS = 38
_SYS_SECCOMP, _SET_MODE_FILTER, _NEW_LISTENER = 317, 1, 1 << 3
_ALLOW, _ASK = 0x7FFF0000, 0x7FC00000
_RECEIVE, _SEND = 0xC0502100, 0xC0182101
_CONTINUE = 1
_NOTICE = struct.Struct("=QIIiIQ6Q")
_ANSWER = struct.Struct("=QqiI")
_LIBC = ctypes.CDLL(None, use_errno=True)
_AT_FDCWD = 0xFFFFFF9C
_LONGEST_PATH = 4096

# How a call names what it acts on: by descriptor, by path, or by folder and path.
_BY_FD = {
    0: "read", 1: "write", 17: "pread64", 18: "pwrite64", 19: "readv", 20: "writev", 295: "preadv", 296: "pwritev",
    5: "fstat", 74: "fsync", 75: "fdatasync", 77: "ftruncate", 91: "fchmod", 217: "getdents64", 285: "fallocate",
}  # fmt: skip
_BY_PATH = {2: "open", 82: "rename", 83: "mkdir", 86: "link", 87: "unlink", 90: "chmod"}
_BY_FOLDER = {
    257: "openat", 437: "openat2", 258: "mkdirat", 262: "newfstatat", 263: "unlinkat", 264: "renameat",
    265: "linkat", 316: "renameat2", 332: "statx",
}  # fmt: skip
_NAMES = _BY_FD | _BY_PATH | _BY_FOLDER
# Calls by which a disk can be found full.
FILLS = frozenset({"write", "pwrite64", "writev", "pwritev", "fallocate", "mkdir", "mkdirat", "link", "linkat"})


@dataclass(frozen=True, slots=True)
class Call:
    """One call on the folders that are looked at: the how-manyth, its name, what it acts on."""

    number: int
    name: str
    path: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a process ended that was looked at, the calls it made, and which of them was made to fail."""

    status: int
    calls: int
    struck: Call | None


def need_notification() -> None:
    """Skip where this way of failing a call is not known."""
    if platform.machine() != "x86_64" or not hasattr(os, "fork"):
        pytest.skip("only root and x86-64: the numbers of system calls are written down for that alone")


def run_struck(
    work: Callable[[], int], folders: tuple[Path, ...], *, fails: Callable[[Call], int | None] = lambda _: None
) -> Outcome:
    """Run `work` in a process of its own; a call below `folders` fails with the error number that `fails` gives.

    The first call that is made to fail is the only one.
    """
    ours, theirs = socket.socketpair()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # another test's threads; the child starts its own
        child = os.fork()
    if child == 0:
        status = 70
        try:
            ours.close()
            _be_looked_at(theirs)
            status = work()
        finally:
            os._exit(status)
    theirs.close()
    with ours:
        _, descriptors, _, _ = socket.recv_fds(ours, 1, 1)
    assert descriptors, "the kernel gives no notifications here"
    supervisor = _Supervisor(descriptors[0], tuple(f"{folder}/" for folder in folders), fails)
    try:
        supervisor.serve()
    finally:
        os.close(descriptors[0])
        _, status = os.waitpid(child, 0)
    return Outcome(os.waitstatus_to_exitcode(status), supervisor.calls, supervisor.struck)


class _Supervisor:
    def __init__(self, listener: int, folders: tuple[str, ...], fails: Callable[[Call], int | None]) -> None:
        self.calls = 0
        self.struck: Call | None = None
        self._listener, self._folders, self._fails = listener, folders, fails

    def serve(self) -> None:
        """Answer until nobody is left who could ask."""
        poll = select.poll()
        poll.register(self._listener, select.POLLIN)
        while True:
            ((_, event),) = poll.poll()
            if not event & select.POLLIN:
                return
            buffer = bytearray(_NOTICE.size)
            try:
                fcntl.ioctl(self._listener, _RECEIVE, buffer)
            except OSError as error:
                if error.errno in (errno.ENOENT, errno.EINTR):  # it was killed meanwhile
                    continue
                raise
            self._answer(*_NOTICE.unpack(buffer))

    def _answer(self, identifier: int, thread: int, _: int, number: int, __: int, ___: int, *arguments: int) -> None:
        error = 0
        with suppress(OSError):  # the thread is gone
            path = _path_of(thread, number, arguments)
            if f"{path}/".startswith(self._folders):
                error = self._consider(_NAMES[number], path)
        answer = _ANSWER.pack(identifier, 0, -error, 0 if error else _CONTINUE)
        with suppress(OSError):
            fcntl.ioctl(self._listener, _SEND, answer)

    def _consider(self, name: str, path: str) -> int:
        self.calls += 1
        if self.struck is not None:
            return 0
        call = Call(self.calls, name, path)
        error = self._fails(call)
        if error is not None:
            self.struck = call
        return error or 0


def _path_of(thread: int, number: int, arguments: tuple[int, ...]) -> str:
    process = Path(f"/proc/{thread}")
    if number in _BY_FD:
        return str((process / "fd" / str(arguments[0])).readlink())
    at, pointer = (arguments[0] & 0xFFFFFFFF, arguments[1]) if number in _BY_FOLDER else (_AT_FDCWD, arguments[0])
    name = os.fsdecode(_string_at(process, pointer))
    if name.startswith("/"):
        return name
    folder = (process / "cwd" if at == _AT_FDCWD else process / "fd" / str(at)).readlink()
    return f"{folder}/{name}" if name else str(folder)


def _string_at(process: Path, pointer: int) -> bytes:
    # One page at a time: the next may not be there.
    with (process / "mem").open("rb", buffering=0) as memory:
        memory.seek(pointer)
        found = memory.read(min(_LONGEST_PATH, 4096 - pointer % 4096))
        if b"\0" not in found:
            found += memory.read(_LONGEST_PATH)
    return found.partition(b"\0")[0]


# --- the one who is looked at ---------------------------------------------------------------------


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("code", ctypes.c_void_p))


def _be_looked_at(told: socket.socket) -> None:
    """From now on ask before each of the calls, in this thread and all that it starts."""
    code = b"".join(_instructions())
    held = ctypes.create_string_buffer(code, len(code))
    program = _Program(len(code) // 8, ctypes.cast(held, ctypes.c_void_p))
    if _LIBC.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "no_new_privs")
    mode, flags = ctypes.c_long(_SET_MODE_FILTER), ctypes.c_long(_NEW_LISTENER)
    listener = _LIBC.syscall(ctypes.c_long(_SYS_SECCOMP), mode, flags, ctypes.byref(program))
    if listener < 0:
        told.close()
        raise OSError(ctypes.get_errno(), "seccomp")
    socket.send_fds(told, [b"x"], [listener])
    os.close(listener)
    told.close()


def _instructions() -> list[bytes]:
    """Classic BPF: load the call's number; ask for those of the list, allow all others."""
    numbers = sorted(_NAMES)
    load, equals, answer = 0x20, 0x15, 0x06
    made = [struct.pack("=HBBI", load, 0, 0, 0)]
    for place, number in enumerate(numbers):
        made.append(struct.pack("=HBBI", equals, len(numbers) - place, 0, number))
    made.append(struct.pack("=HBBI", answer, 0, 0, _ALLOW))
    made.append(struct.pack("=HBBI", answer, 0, 0, _ASK))
    return made
