# SPDX-License-Identifier: Apache-2.0
"""This is where the launcher's walls are: limits, lost privileges, Landlock. Standard library only.

Source: kernel documentation, userspace-api/landlock; prctl(2), capabilities(7), setrlimit(2).
"""

import ctypes
import os
import resource
import signal
import stat
import struct
import sys

from pipeline.media.sandbox import calls

STARTED, NO_PROGRAM = b"1", b"x"
"""What the launcher writes to the descriptor `go`: the walls stand; there is no such program after all."""

_libc = ctypes.CDLL(None, use_errno=True)
_PR_SET_PDEATHSIG, _PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS = 1, 24, 38
_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL, _CAPABILITY_VERSION_3 = 47, 4, 0x2008_0522
_LIMITS = {
    "cpu": resource.RLIMIT_CPU,
    "as": resource.RLIMIT_AS,
    "fsize": resource.RLIMIT_FSIZE,
    "nofile": resource.RLIMIT_NOFILE,
}

# The same numbers on every architecture.
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_VERSION_FLAG, _PATH_BENEATH = 1, 1
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR, _REMOVE_FILE, _MAKE_REG = (1 << bit for bit in (0, 1, 2, 3, 5, 8))
_REFER, _TRUNCATE, _IOCTL_DEV = 1 << 13, 1 << 14, 1 << 15
_FOR_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEV
_BASE_RIGHTS = _REFER - 1
_TCP, _SCOPES = 0b11, 0b11

_MAY = {
    "x": _EXECUTE | _READ_FILE | _READ_DIR,
    "r": _READ_FILE | _READ_DIR,
    "w": _READ_FILE | _READ_DIR | _WRITE_FILE | _TRUNCATE | _MAKE_REG | _REMOVE_FILE,
}


class Orders:
    """What the launcher is told, one word each.

    `go=FD` where to say that the walls stand; `report=1` to say there, too, how the program ended;
    `parent=PID` whose end is our end, 0 for nobody's;
    `cpu=` `as=` `fsize=` `nofile=` limits; `abi=N` the newest Landlock to use, 0 for none; `filter=1`
    the filter of system calls; `fork=1` when it leaves other processes alone; `x:PATH` `r:PATH` `w:PATH` what may be
    run and read, read, written (all that lies beneath).
    """

    __slots__ = ("figures", "paths")

    def __init__(self, figures: dict[str, int], paths: list[tuple[str, str]]) -> None:
        self.figures = figures
        self.paths = paths


def read_orders(words: list[str]) -> Orders:
    """The orders in these words."""
    paths = [(word[0], word[2:]) for word in words if word[1:2] == ":"]
    figures = [word.partition("=") for word in words if word[1:2] != ":"]
    return Orders({name: int(value) for name, _, value in figures}, paths)


def put_up(orders: Orders) -> None:
    """Set every wall in this process; what it becomes cannot take them down.

    Raises:
        OSError: one of them cannot be set here.
    """
    figures = orders.figures
    _reset_signals()
    _die_with(figures["parent"])
    _drop_privileges()
    abi = min(figures["abi"], landlock_abi())
    if abi:  # a kernel without it: the probe finds what is open then, and bubblewrap may be enough
        _landlock(orders.paths, abi)
    _limit(figures)
    if figures["filter"]:
        calls.install(_libc, alone=not figures["fork"])


def become(program: list[str], orders: Orders) -> int:
    """Become `program`; returns 127 when it cannot be started."""
    go = orders.figures["go"]
    os.write(go, STARTED)
    os.set_inheritable(go, False)
    try:
        os.execv(program[0], program)  # noqa: S606
    except OSError as error:
        os.write(go, NO_PROGRAM)
        sys.stderr.write(f"{error.strerror}\n")
        return 127


def report(child: int, orders: Orders) -> int:
    """Wait for `child` and tell at `go` how it ended and what it used: bubblewrap tells neither in full."""
    _, status, usage = os.wait4(child, 0)
    cpu_ms = int(1000 * (usage.ru_utime + usage.ru_stime))
    os.write(orders.figures["go"], b" %d %d %d" % (status, cpu_ms, usage.ru_maxrss))
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


def landlock_abi() -> int:
    """The version of Landlock that this kernel has; 0 when it has none, or it is not switched on."""
    return max(0, int(_libc.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), _VERSION_FLAG)))


def _reset_signals() -> None:
    # Python ignores these two, and what is ignored stays so across exec: a file past its limit would go unseen.
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def _die_with(parent: int) -> None:
    if not parent:
        return
    _checked(_libc.prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0), "prctl")
    if os.getppid() != parent:  # it died before we asked
        os.kill(os.getpid(), signal.SIGKILL)


def _drop_privileges() -> None:
    """No privilege can be gained or handed down; and root, once it has become the program, has those of its files."""
    for capability in range(64):
        if _libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0) != 0:
            break  # who is not root cannot, and has nothing to drop; or this was the last one
    # Some container engines and service files hand these two sets down, and they outlive exec.
    _libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
    head, sets = ctypes.create_string_buffer(struct.pack("=Ii", _CAPABILITY_VERSION_3, 0)), (ctypes.c_uint32 * 6)()
    _checked(_libc.capget(head, sets), "capget")
    sets[2] = sets[5] = 0  # what may be inherited
    _checked(_libc.capset(head, sets), "capset")
    _checked(_libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "prctl")


def _limit(figures: dict[str, int]) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for name, kind in _LIMITS.items():
        hard = resource.getrlimit(kind)[1]
        most = figures[name] if hard == resource.RLIM_INFINITY else min(figures[name], hard)
        # A second of processor time more, so that the signal that names the limit comes before the end.
        spare = 1 if name == "cpu" and most != hard else 0
        resource.setrlimit(kind, (most, most + spare))


def _landlock(paths: list[tuple[str, str]], abi: int) -> None:
    """Nothing but `paths` can be opened from here on; no TCP from version 4, no signals to others from version 6."""
    handled = _BASE_RIGHTS | _REFER * (abi >= 2) | _TRUNCATE * (abi >= 3) | _IOCTL_DEV * (abi >= 5)
    attribute = struct.pack("QQQ", handled, _TCP * (abi >= 4), _SCOPES * (abi >= 6))
    size = 24 if abi >= 6 else 16 if abi >= 4 else 8
    ruleset = _checked(_libc.syscall(_CREATE_RULESET, attribute, ctypes.c_size_t(size), 0), "landlock_create_ruleset")
    for may, path in paths:
        _allow(ruleset, path, _MAY[may] & handled)
    _checked(_libc.syscall(_RESTRICT_SELF, ruleset, 0), "landlock_restrict_self")
    os.close(ruleset)


def _allow(ruleset: int, path: str, rights: int) -> None:
    beneath = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        if not stat.S_ISDIR(os.fstat(beneath).st_mode):
            rights &= _FOR_FILES
        rule = struct.pack("=Qi", rights, beneath)
        _checked(_libc.syscall(_ADD_RULE, ruleset, _PATH_BENEATH, rule, 0), "landlock_add_rule")
    finally:
        os.close(beneath)


def _checked(result: int, what: str) -> int:
    if result < 0:
        raise OSError(ctypes.get_errno(), f"{what}: {os.strerror(ctypes.get_errno())}")
    return result
