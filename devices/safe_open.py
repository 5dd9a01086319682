# SPDX-License-Identifier: Apache-2.0
"""This is where a file beneath a dock's folder is opened without ever following a link out of it.

A card is hostile until shown otherwise: a folder may be a link to `/`, a recording a pipe that never ends,
and either may be swapped between a look and an open. So the kernel is asked to stay beneath the folder while
it walks, and what was opened is asked what it is.
"""

import ctypes
import errno
import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import FileIO
from pathlib import Path
from typing import BinaryIO

from evidence.errors import BadInput, EvidockError, NotFound, SourceUnavailable
from evidence.offer import check_relative, raw, showable

# openat2(2), <linux/openat2.h>. The number is the same on every architecture Debian and Ubuntu ship.
_SYS_OPENAT2 = 437
_LIBC = ctypes.CDLL(None, use_errno=True)
_RESOLVE = 0x02 | 0x04 | 0x08  # NO_MAGICLINKS | NO_SYMLINKS | BENEATH
# Not there (ENOSYS), hidden by an old seccomp profile (EPERM), or too long for one call: walk it ourselves.
_WALK_INSTEAD = frozenset({errno.ENOSYS, errno.EPERM, errno.ENAMETOOLONG, errno.EAGAIN})

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
_LOOK = getattr(os, "O_PATH", os.O_RDONLY | os.O_NONBLOCK) | os.O_NOFOLLOW | os.O_CLOEXEC
# O_NONBLOCK: a pipe put where a file was opens at once instead of waiting for a writer for ever.
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY

_GONE = frozenset({errno.ENOENT})
_LED_ASTRAY = frozenset({errno.ELOOP, errno.EXDEV, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ENXIO, errno.EINVAL})


class _How(ctypes.Structure):
    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


class _Reader(FileIO):
    """A file that is only read: when its card was pulled, closing it fails, too, and that is no news."""

    def close(self) -> None:
        with suppress(OSError):
            super().close()


def open_beneath(root: Path, path: str, *, in_one_call: bool = True) -> BinaryIO:
    """An open, unbuffered reader of the regular file `path` beneath `root`; the caller closes it.

    No link is followed on the way from `root` to the file; a link, pipe, socket, device or folder is never
    read, and never waited for. `root` itself is the operator's word and may be a link. `in_one_call=False`
    walks part by part, as happens by itself where the kernel has no openat2: slower, and as safe.

    Raises:
        BadInput: the path leaves `root`, runs through a link, or names no regular file.
        NotFound: nothing is there (any more).
        SourceUnavailable: the folder or the medium cannot be read now.

    Source: openat2(2), RESOLVE_BENEATH and RESOLVE_NO_SYMLINKS.
    """
    with open_root(root) as at:
        return _open_regular(at, path, in_one_call)


@contextmanager
def open_root(root: Path) -> Iterator[int]:
    """A descriptor of the folder `root`, closed at the end.

    Raises:
        SourceUnavailable: it is not there, not a folder, or cannot be read.
    """
    try:
        at = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        message = f"the folder {root} cannot be read: {error.strerror}"
        raise SourceUnavailable(message, path=str(root), errno=error.errno) from error
    try:
        yield at
    finally:
        os.close(at)


def open_folder(at: int, path: str) -> int:
    """A descriptor of the folder `path` beneath the open folder `at`; the caller closes it.

    Raises:
        BadInput: the path leaves `at`, runs through a link, or names no folder.
        NotFound: nothing is there.
        SourceUnavailable: it cannot be read now.
    """
    return _open(at, path, _FOLDER)


def _open_regular(at: int, path: str, in_one_call: bool) -> BinaryIO:
    # (1) Look without opening: opening alone can make a device act.
    look = _open(at, path, _LOOK, in_one_call=in_one_call)
    try:
        _check_regular(look, path)
    finally:
        os.close(look)
    # (2) Open, and ask again: it may have been swapped between (1) and (2).
    descriptor = _open(at, path, _READ, in_one_call=in_one_call)
    try:
        _check_regular(descriptor, path)
        os.set_blocking(descriptor, True)
        return _Reader(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def _check_regular(descriptor: int, path: str) -> None:
    try:
        mode = os.fstat(descriptor).st_mode
    except OSError as error:
        raise _ours(error, path) from error
    if not stat.S_ISREG(mode):
        raise BadInput(f"not a regular file: {showable(path)} ({stat.filemode(mode)[0]})", path=path)


def _open(at: int, path: str, flags: int, *, in_one_call: bool = True) -> int:
    parts = check_relative(path)
    try:
        descriptor = _in_one_call(at, path, flags) if in_one_call else None
        return _part_by_part(at, parts, flags) if descriptor is None else descriptor
    except OSError as error:
        raise _ours(error, path) from error


def _in_one_call(at: int, path: str, flags: int) -> int | None:
    """The kernel walks, and cannot be raced; None when it cannot be asked."""
    if not sys.platform.startswith("linux"):
        return None
    how = _How(flags=flags, mode=0, resolve=_RESOLVE)
    descriptor: int = _LIBC.syscall(
        ctypes.c_long(_SYS_OPENAT2),
        ctypes.c_int(at),
        ctypes.c_char_p(raw(path)),
        ctypes.byref(how),
        ctypes.c_size_t(ctypes.sizeof(how)),
    )
    if descriptor >= 0:
        return descriptor
    failure = ctypes.get_errno()
    if failure in _WALK_INSTEAD:
        return None
    raise OSError(failure, os.strerror(failure))


def _part_by_part(at: int, parts: tuple[str, ...], flags: int) -> int:
    """One folder at a time, never through a link: slower, as safe, and on every kernel."""
    here = os.dup(at)
    try:
        for part in parts[:-1]:
            inner = os.open(raw(part), _FOLDER, dir_fd=here)
            os.close(here)
            here = inner
        return os.open(raw(parts[-1]), flags, dir_fd=here)
    finally:
        os.close(here)


def _ours(error: OSError, path: str) -> EvidockError:
    name = showable(path)
    if error.errno in _GONE:
        return NotFound(f"no such file: {name}", path=path)
    if error.errno in _LED_ASTRAY:
        return BadInput(f"runs through a link, or is no plain path: {name} ({error.strerror})", path=path)
    return SourceUnavailable(f"cannot be opened: {name} ({error.strerror})", path=path, errno=error.errno)
