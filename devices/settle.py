# SPDX-License-Identifier: Apache-2.0
"""This is where a file is found quiet: the same at every look for long enough, and a plain file at all.

Whether somebody still writes to a file cannot be asked; it is known only by change. The times here are those
of the caller's monotonic clock: the times a card tells are compared with each other, never with a clock.
"""

import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from evidence.errors import SourceUnavailable


class Reason(StrEnum):
    """Why a name in a dock's folder is not taken."""

    FOLDER = "folder"
    SYMLINK = "symlink"
    FIFO = "fifo"
    SOCKET = "socket"
    DEVICE_NODE = "device-node"
    UNKNOWN_TYPE = "unknown-type"
    HIDDEN = "hidden"
    PARTIAL = "partial-name"
    SYSTEM = "system-folder"
    SETTINGS = "settings"
    EMPTY = "empty"
    UNREADABLE = "unreadable"
    TOO_DEEP = "too-deep"
    LOOP = "folder-loop"


_TYPES = {
    stat.S_IFDIR: Reason.FOLDER,
    stat.S_IFLNK: Reason.SYMLINK,
    stat.S_IFIFO: Reason.FIFO,
    stat.S_IFSOCK: Reason.SOCKET,
    stat.S_IFCHR: Reason.DEVICE_NODE,
    stat.S_IFBLK: Reason.DEVICE_NODE,
}
# What copying programs call a file until it is whole.
_PARTIAL = re.compile(r".*(?:\.(?:tmp|temp|part|partial|filepart|crdownload)|~)", re.IGNORECASE | re.DOTALL)
# What other systems put on a card for themselves.
_SYSTEM = frozenset({"system volume information", "$recycle.bin"})


def refusal(path: str, mode: int) -> Reason | None:
    """Why the thing at `path` with file mode `mode` (of lstat) is not taken; None when it is.

    A file of zero bytes is taken: its emptiness is for a later step to say, with the original kept.
    """
    if not stat.S_ISREG(mode):
        return _TYPES.get(stat.S_IFMT(mode), Reason.UNKNOWN_TYPE)
    *folders, name = path.split("/")
    if _PARTIAL.fullmatch(name):
        return Reason.PARTIAL
    if any(part.startswith(".") for part in (*folders, name)):
        return Reason.HIDDEN
    return Reason.SYSTEM if any(part.lower() in _SYSTEM for part in folders) else None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """How a file looked: equal snapshots are the only sign that nobody wrote in between.

    FAT keeps time to two seconds: a write of the same length within them leaves the snapshot equal, which is
    why a file must be quiet for longer before it is taken.
    """

    size_bytes: int
    mtime_ns: int
    inode: int
    device: int

    @classmethod
    def of(cls, seen: os.stat_result) -> "Snapshot":
        """The snapshot in the answer of a stat call."""
        return cls(seen.st_size, seen.st_mtime_ns, seen.st_ino, seen.st_dev)


def unchanged(seen: Snapshot, descriptor: int) -> bool:
    """True when the open file still looks as it did in `seen`: what was read is what was offered.

    Ask it right after opening and again after the last byte was read; False is "not taken yet".

    Raises:
        SourceUnavailable: the medium has gone.
    """
    try:
        return Snapshot.of(os.fstat(descriptor)) == seen
    except OSError as error:
        raise SourceUnavailable(f"the file can no longer be read: {error.strerror}", errno=error.errno) from error


@dataclass(frozen=True, slots=True)
class _Quiet:
    seen: Snapshot
    since: float


class StabilityTracker:
    """Files that are not yet known to be quiet, and since when each has looked the same.

    `quiet_s` is in seconds of the clock whose readings are passed in; that clock must not go backwards, and
    one that does only makes files wait longer.
    """

    def __init__(self, *, quiet_s: float) -> None:
        self._quiet_s = quiet_s
        # In order of `since`, the longest quiet first: an entry that changes moves to the end.
        self._waiting: dict[str, _Quiet] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def look(self, path: str, seen: Snapshot, now: float) -> bool:
        """True once: when the file looks as it did at an earlier look, and for `quiet_s` at least.

        A settled file is forgotten here, and so begins anew when it is looked at again.
        """
        before = self._waiting.get(path)
        if before is None or before.seen != seen or now < before.since:
            self._waiting.pop(path, None)
            self._waiting[path] = _Quiet(seen, now)
            return False
        if now - before.since < self._quiet_s:
            return False
        del self._waiting[path]
        return True

    def forget(self, path: str) -> None:
        """`path` is no longer waited for."""
        self._waiting.pop(path, None)

    def due(self, now: float) -> Iterator[str]:
        """Paths that a look at `now` would settle if nothing has changed, the longest quiet first.

        Take them all into a list before the next look.
        """
        for path, quiet in self._waiting.items():
            if now - quiet.since < self._quiet_s:
                return
            yield path
