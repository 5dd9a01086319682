# SPDX-License-Identifier: Apache-2.0
"""This is where files are erased from a device: only those that were listed, read and receipted, as they were then.

Names are unlinked beneath the device's folder, by the descriptor of the folder they lie in, never through a
link. A name that is not what was listed stays. Afterwards the device is listed anew: what was to go is gone.
"""

import errno
import os
import stat
import subprocess
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Literal

from devices.safe_open import open_folder, open_root
from devices.walk import walk
from evidence.errors import BadInput, NotFound, SourceUnavailable, StillChanging, ToolMissing
from evidence.offer import raw, showable

_PATIENCE_S = 30.0
_BATCH = 10_000
_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Doomed:
    """A file that is to go: its path on the device, and how it was listed."""

    path: str
    size_bytes: int
    mtime_ns: int


class ReadOnly(SourceUnavailable):
    """The device is mounted for reading only."""


def check_listed(root: Path, files: Iterable[Doomed]) -> None:
    """Return when every file that is still there is what was listed.

    Raises:
        StillChanging: one is not. SourceUnavailable: the device was taken out.
    """
    with open_root(root) as at:
        for file in files:
            _at_one(at, file, is_final=False)


def erase(root: Path, files: Iterable[Doomed], *, on_gone: Callable[[], None] = lambda: None) -> int:
    """Erase `files` from the device at `root`; how many are gone, those included that were gone before.

    `on_gone` is called after each, so that they are counted also when a later one stays.

    Raises:
        StillChanging: one is not what was listed: it stays, and so does all that comes after it.
        ReadOnly: nothing can be erased before the device is mounted for writing.
        SourceUnavailable: the device was taken out, or refuses.
    """
    gone, folders = 0, set[str]()
    with open_root(root) as at:
        for file in files:
            _at_one(at, file, is_final=True)
            folders.add(file.path.rpartition("/")[0])
            gone += 1
            on_gone()
        for folder in sorted(folders):
            _sync(at, folder)
    return gone


def still_there(root: Path, wanted: Iterable[str]) -> list[str]:
    """Of the paths that were erased, those that a new listing of the device still has (at most 20).

    The device is listed once for every 10,000 paths, so that memory does not grow with them.

    Raises:
        SourceUnavailable: the device was taken out.
    """
    rest, found = iter(wanted), list[str]()
    with open_root(root) as at:
        while len(found) < _SHOWN and (erased := frozenset(islice(rest, _BATCH))):
            found += (entry.path for entry in walk(at) if entry.path in erased)
    return found[:_SHOWN]


def remount(program: Path, port: str, how: Literal["open", "close"]) -> None:
    """Ask the station's own program to open the device of a port for writing, or to close it again.

    It is called as `PROGRAM open|close PORT`, and has done so when it ends with 0.

    Raises:
        ToolMissing: it cannot be started. SourceUnavailable: it failed.
    """
    try:
        done = subprocess.run([str(program), how, port], capture_output=True, timeout=_PATIENCE_S, check=False)
    except OSError as error:
        raise ToolMissing(f"the program that mounts devices for writing cannot be started: {error}") from error
    except subprocess.TimeoutExpired as error:
        raise SourceUnavailable(f"the program that mounts devices for writing took over {_PATIENCE_S:g} s") from error
    if done.returncode != 0:
        said = done.stderr.decode("utf-8", "replace").strip()[-200:]
        raise SourceUnavailable(
            f"the device could not be made writable or read-only again ({how}): {said or done.returncode}"
        )


def _at_one(at: int, file: Doomed, *, is_final: bool) -> None:
    """Look at one file, and unlink it."""
    above, _, name = file.path.rpartition("/")
    try:
        folder = open_folder(at, above) if above else os.dup(at)
    except NotFound:
        return
    except BadInput as error:
        raise StillChanging(f"a folder was put in the place of another: {showable(above)}") from error
    try:
        seen = os.stat(raw(name), dir_fd=folder, follow_symlinks=False)
        if not stat.S_ISREG(seen.st_mode) or (seen.st_size, seen.st_mtime_ns) != (file.size_bytes, file.mtime_ns):
            raise StillChanging(f"is no longer what was listed: {showable(file.path)}", path=file.path)
        if is_final:
            os.unlink(raw(name), dir_fd=folder)
    except FileNotFoundError:
        return
    except OSError as error:
        raise _ours(error, file.path) from error
    finally:
        os.close(folder)


def _sync(at: int, path: str) -> None:
    try:
        folder = open_folder(at, path) if path else os.dup(at)
    except NotFound:
        return
    try:
        os.fsync(folder)
    except OSError as error:
        raise _ours(error, path) from error
    finally:
        os.close(folder)


def _ours(error: OSError, path: str) -> SourceUnavailable:
    kind = ReadOnly if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM) else SourceUnavailable
    return kind(f"cannot be erased: {showable(path)} ({error.strerror})", errno=error.errno)
