# SPDX-License-Identifier: Apache-2.0
"""This is where a dock's folder is listed whole, however hostile: no link followed, no depth without end.

Folders are opened one inside the other by descriptor, so that a folder swapped for a link while the walk is
under way leads nowhere. Memory holds one path and the open folders, not the listing.
"""

import errno
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from stat import S_ISDIR

from devices.settle import Reason, Snapshot, refusal
from evidence.errors import SourceUnavailable
from evidence.offer import from_raw, raw

# Cameras nest four folders deep. Two descriptors are open at each level.
MAX_DEPTH = 32
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK

# The medium itself has gone: to go on would only list its absence, name by name.
_PULLED = frozenset({errno.ENODEV, errno.ENXIO, errno.ENOTCONN, errno.ESTALE, errno.ENOMEDIUM, errno.ESHUTDOWN})
# Gone, or swapped for something else, since its name was read: the next walk will tell.
_CHANGED = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP})


@dataclass(frozen=True, slots=True)
class Entry:
    """One name below the folder: how it looked, and why it is not taken, or None.

    `path` is relative and POSIX, with the very bytes of every name (see `evidence.offer`). `seen` is None
    when not even that could be asked.
    """

    path: str
    seen: Snapshot | None
    ignored: Reason | None


def walk(at: int, beneath: str = "", *, in_order: bool = False) -> Iterator[Entry]:
    """Every name below the open folder `at`, each once, a folder before what is in it.

    `beneath`: the path of `at` itself, put before every path; empty, or with a slash at its end.
    `in_order`: the names of each folder in the order of their bytes, at the cost of holding one folder's
    names; else as the file system lists them. What appears or goes while the walk is under way may be missed.
    Folders are entries too, with the reason `FOLDER`, or another when they could not be entered; one that
    could not be listed to its end is told a second time, as unreadable.

    Raises:
        SourceUnavailable: the medium went away.
    """
    try:
        top = os.fstat(at)
    except OSError as error:
        raise SourceUnavailable(f"the medium has gone: {error.strerror}", errno=error.errno) from error
    yield from _walk(at, beneath, ((top.st_dev, top.st_ino),), in_order)


def _walk(at: int, prefix: str, above: tuple[tuple[int, int], ...], in_order: bool) -> Iterator[Entry]:
    try:
        for name, seen in _listed(at, in_order):
            path = prefix + name
            if seen is None:
                yield Entry(path, None, Reason.UNREADABLE)
            elif S_ISDIR(seen.st_mode):
                yield from _walk_folder(at, path, seen, above, in_order)
            else:
                yield Entry(path, Snapshot.of(seen), refusal(path, seen.st_mode))
    except OSError as error:
        # One damaged folder must not hide the others; the dock's folder itself has nothing beside it.
        if error.errno in _PULLED or not prefix:
            raise SourceUnavailable(f"the medium has gone: {error.strerror}", errno=error.errno) from error
        yield Entry(prefix.rstrip("/"), None, Reason.UNREADABLE)


def _walk_folder(
    at: int, path: str, seen: os.stat_result, above: tuple[tuple[int, int], ...], in_order: bool
) -> Iterator[Entry]:
    here = (seen.st_dev, seen.st_ino)
    snapshot = Snapshot.of(seen)
    if here in above:  # a folder mounted inside itself
        yield Entry(path, snapshot, Reason.LOOP)
        return
    if len(above) >= MAX_DEPTH:
        yield Entry(path, snapshot, Reason.TOO_DEEP)
        return
    try:
        inner = os.open(raw(path.rpartition("/")[2]), _FOLDER, dir_fd=at)
    except OSError as error:
        if error.errno in _PULLED:
            raise
        if error.errno not in _CHANGED:
            yield Entry(path, None, Reason.UNREADABLE)
        return
    try:
        yield Entry(path, snapshot, Reason.FOLDER)
        yield from _walk(inner, path + "/", (*above, here), in_order)
    finally:
        os.close(inner)


def _listed(at: int, in_order: bool) -> Iterator[tuple[str, os.stat_result | None]]:
    """Names with what lstat says of each; None when it says nothing, and no name at all when it has gone."""
    with os.scandir(at) as listing:
        names: Iterable[bytes] = (os.fsencode(found.name) for found in listing)
        for name in sorted(names) if in_order else names:
            try:
                yield from_raw(name), os.stat(name, dir_fd=at, follow_symlinks=False)
            except FileNotFoundError:
                continue
            except OSError as error:
                if error.errno in _PULLED:
                    raise
                yield from_raw(name), None
