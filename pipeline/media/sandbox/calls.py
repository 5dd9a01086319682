# SPDX-License-Identifier: Apache-2.0
"""This is where system calls are refused that no decoder needs: sockets, other processes, owners and modes of files.

Landlock guards names of files and, on newer kernels, TCP. It knows nothing of UDP, of sockets on the disk, of
`chmod`, of signals (before its version 6) and of truncation (before 3), nor of what an open file can be told by
`ioctl` and `fcntl`; this filter does. A call that is newer than the filter does not exist for who is behind it.
Standard library only: it is part of the launcher.
Source: kernel documentation, userspace-api/seccomp_filter; seccomp(2).
"""

import ctypes
import errno
import os
import struct

_PR_SET_SECCOMP, _MODE_FILTER = 22, 2
_ALLOW, _KILL_PROCESS, _ERRNO = 0x7FFF_0000, 0x8000_0000, 0x0005_0000

# Classic BPF over `struct seccomp_data`: number at 0, architecture at 4, low halves of arguments from 16 on.
_LOAD, _AND, _IF_EQUAL, _IF_AT_LEAST, _IF_ANY_BIT, _RETURN = 0x20, 0x54, 0x15, 0x35, 0x45, 0x06
_NUMBER_AT, _ARCH_AT, _ARGUMENTS_AT = 0, 4, 16
_X32_BIT = 0x4000_0000
_CLONE_THREAD = 0x0001_0000
_TRUNC_AND_MODE, _TRUNC = os.O_TRUNC | os.O_ACCMODE, os.O_TRUNC
_NAMELESS = 0x40_0000  # the bit that O_TMPFILE adds to O_DIRECTORY
_NEWEST_KNOWN = 462

# Machine: audit number, and the numbers of the calls below; 0 where the machine does not have the call.
_MACHINES = {"x86_64": (0xC000_003E, 0), "aarch64": (0xC000_00B7, 1)}

_NEVER = {
    "socket": (41, 198),
    "socketpair": (53, 199),
    "connect": (42, 203),
    "io_uring_setup": (425, 425),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "pidfd_open": (434, 434),
    "pidfd_getfd": (438, 438),
    "pidfd_send_signal": (424, 424),
    "setpriority": (141, 140),
    "sched_setparam": (142, 118),
    "sched_setscheduler": (144, 119),
    "sched_setaffinity": (203, 122),
    "sched_setattr": (314, 274),
    "ioprio_set": (251, 30),
    "migrate_pages": (256, 238),
    "move_pages": (279, 239),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "unshare": (272, 97),
    "setns": (308, 268),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "open_by_handle_at": (304, 265),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "memfd_create": (319, 279),
    "shmget": (29, 194),
    "semget": (64, 190),
    "msgget": (68, 186),
    "mq_open": (240, 180),
    "truncate": (76, 45),
    "creat": (85, 0),
    "chmod": (90, 0),
    "fchmod": (91, 52),
    "fchmodat": (268, 53),
    "fchmodat2": (452, 452),
    "chown": (92, 0),
    "lchown": (94, 0),
    "fchown": (93, 55),
    "fchownat": (260, 54),
    "setxattr": (188, 5),
    "lsetxattr": (189, 6),
    "fsetxattr": (190, 7),
    "removexattr": (197, 14),
    "lremovexattr": (198, 15),
    "fremovexattr": (199, 16),
    "utime": (132, 0),
    "utimes": (235, 0),
    "futimesat": (261, 0),
    "utimensat": (280, 88),
    # What is written stays in sight under a name, as a plain file, and takes what its length says: the sum of it
    # is bounded by looking. `fallocate` takes room past the limit of a file's size.
    "fallocate": (285, 47),
    "mkdir": (83, 0),
    "mkdirat": (258, 34),
    "mknod": (133, 0),
    "mknodat": (259, 33),
    "symlink": (88, 0),
    "symlinkat": (266, 36),
    "link": (86, 0),
    "linkat": (265, 37),
    "unlink": (87, 0),
    "unlinkat": (263, 35),
    "rename": (82, 0),
    "renameat": (264, 38),
    "renameat2": (316, 276),
}
_ALONE = {
    "fork": (57, 0),
    "vfork": (58, 0),
    "tkill": (200, 130),
    "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240),
}
# The C library does without these when it is told that the kernel does not know them; what they are asked cannot
# be seen from here.
_UNKNOWN = {"openat2": (437, 437)}
_UNKNOWN_ALONE = {"clone3": (435, 435)}
_CLONE, _OPEN, _OPENAT = (56, 220), (2, 0), (257, 56)
_KILL, _TGKILL, _PRLIMIT = (62, 129), (234, 131), (302, 261)
_FCNTL, _IOCTL, _PRCTL = (72, 25), (16, 29), (157, 167)
# F_SETOWN, F_SETSIG, F_SETOWN_EX: a pipe can be told to send any signal to any process of the account. F_SETLEASE,
# F_NOTIFY: who opens the original elsewhere would wait.
_FCNTL_NEVER = (8, 10, 15, 1024, 1026)
# FIONCLEX, FIOCLEX, FIONBIO, FIONREAD; is it a terminal, and how wide. Others set flags of a file that is only read.
_IOCTL_ONLY = (0x5450, 0x5451, 0x5421, 0x541B, 0x5401, 0x802C_542A, 0x5413)
_SET_DEATH_SIGNAL = 1

Instruction = tuple[int, int, int, int]


def is_known_machine() -> bool:
    """True when there is a filter for this machine's numbers."""
    return os.uname().machine in _MACHINES and ctypes.sizeof(ctypes.c_void_p) == 8


def install(libc: ctypes.CDLL, *, alone: bool) -> None:
    """Set the filter for this process and all it becomes; `alone` also denies it any other process.

    On a machine whose numbers are not known nothing is set: the probe finds what stays open.

    Raises:
        OSError: the kernel does not take it.
    """
    if not is_known_machine():
        return
    program = [struct.pack("=HBBI", *one) for one in _filter(os.uname().machine, os.getpid(), alone=alone)]
    code = ctypes.create_string_buffer(b"".join(program))
    head = ctypes.create_string_buffer(struct.pack("@HP", len(program), ctypes.addressof(code)))
    if libc.prctl(_PR_SET_SECCOMP, _MODE_FILTER, ctypes.byref(head), 0, 0) != 0:
        raise OSError(ctypes.get_errno(), f"seccomp: {os.strerror(ctypes.get_errno())}")


def _filter(machine: str, pid: int, *, alone: bool) -> list[Instruction]:
    audit, column = _MACHINES[machine]
    never = _NEVER | (_ALONE if alone else {})
    unknown = _UNKNOWN | (_UNKNOWN_ALONE if alone else {})
    program = [
        (_LOAD, 0, 0, _ARCH_AT),
        (_IF_EQUAL, 1, 0, audit),
        (_RETURN, 0, 0, _KILL_PROCESS),
        (_LOAD, 0, 0, _NUMBER_AT),
    ]
    if machine == "x86_64":
        program += [(_IF_AT_LEAST, 0, 1, _X32_BIT), _refuse(errno.ENOSYS)]
    program += [(_IF_AT_LEAST, 0, 1, _NEWEST_KNOWN + 1), _refuse(errno.ENOSYS)]
    for numbers in never.values():
        program += _when(numbers[column], [_refuse(errno.EPERM)])
    for numbers in unknown.values():
        program += _when(numbers[column], [_refuse(errno.ENOSYS)])
    # Truncating while reading: Landlock before its version 3 lets that pass. A file without a name: nobody sees it.
    program += _when(_OPEN[column], _unless_hiding_or_truncating(1)) + _when(
        _OPENAT[column], _unless_hiding_or_truncating(2)
    )
    program += _when(_PRLIMIT[column], _only_for((0, pid)))
    program += _when(_FCNTL[column], _never_for(_FCNTL_NEVER, argument=1))
    program += _when(_IOCTL[column], _only_for(_IOCTL_ONLY, argument=1, code=errno.ENOTTY))
    program += _when(_PRCTL[column], _never_for((_SET_DEATH_SIGNAL,), argument=0))
    if alone:
        program += _when(_CLONE[column], _only_threads())
        program += _when(_KILL[column], _only_for((pid,))) + _when(_TGKILL[column], _only_for((pid,)))
    return [*program, (_RETURN, 0, 0, _ALLOW)]


def _when(number: int, then: list[Instruction]) -> list[Instruction]:
    """Do `then`, which returns on every path, for the call `number`; go on for any other."""
    return [(_IF_EQUAL, 0, len(then), number), *then] if number else []


def _refuse(code: int) -> Instruction:
    return (_RETURN, 0, 0, _ERRNO | code)


def _argument(number: int) -> Instruction:
    return (_LOAD, 0, 0, _ARGUMENTS_AT + 8 * number)


def _unless_hiding_or_truncating(flags: int) -> list[Instruction]:
    nameless = [_argument(flags), (_IF_ANY_BIT, 0, 1, _NAMELESS), _refuse(errno.EACCES)]
    masked = [_argument(flags), (_AND, 0, 0, _TRUNC_AND_MODE)]
    return [*nameless, *masked, (_IF_EQUAL, 0, 1, _TRUNC), _refuse(errno.EACCES), (_RETURN, 0, 0, _ALLOW)]


def _only_threads() -> list[Instruction]:
    allow = (_RETURN, 0, 0, _ALLOW)
    return [_argument(0), (_IF_ANY_BIT, 0, 1, _CLONE_THREAD), allow, _refuse(errno.EAGAIN)]


def _only_for(values: tuple[int, ...], *, argument: int = 0, code: int = errno.EPERM) -> list[Instruction]:
    """Allow it when that argument, by default the first, is one of these."""
    allow = (_RETURN, 0, 0, _ALLOW)
    tests = [step for value in values for step in ((_IF_EQUAL, 0, 1, value), allow)]
    return [_argument(argument), *tests, _refuse(code)]


def _never_for(values: tuple[int, ...], *, argument: int) -> list[Instruction]:
    """Refuse it when that argument is one of these."""
    tests = [step for value in values for step in ((_IF_EQUAL, 0, 1, value), _refuse(errno.EPERM))]
    return [_argument(argument), *tests, (_RETURN, 0, 0, _ALLOW)]
