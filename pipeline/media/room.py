# SPDX-License-Identifier: Apache-2.0
"""This is where it is seen how much room a program takes on the disk, all its files together.

The kernel's limit holds for each file, and nothing there limits their number. Here is looked, again and again; what
a captured program is not let do (`sandbox.calls`) is to write where a look does not reach.
"""

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

# What a decode leaves is a handful of files, of which one or two are large.
_MOST_FILES = 1000
_LARGE_FILES = 2


class Room:
    """Room taken beneath `folders` since now; what lay there before does not count."""

    def __init__(self, folders: Sequence[Path], *, file_bytes: int) -> None:
        self._folders = folders
        self._most_bytes = _LARGE_FILES * file_bytes
        self._before = (0, 0)
        self._before = self._taken()

    def is_overdrawn(self) -> bool:
        """True when more room is taken than two files of the limit may have, or by more than a thousand."""
        files, size_bytes = self._taken()
        return files > _MOST_FILES or size_bytes > self._most_bytes

    def _taken(self) -> tuple[int, int]:
        files, size_bytes, waiting = -self._before[0], -self._before[1], [str(path) for path in self._folders]
        while waiting and files <= _MOST_FILES:
            with suppress(OSError), os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    files += 1
                    size_bytes += _blocks(entry)
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
                    if files > _MOST_FILES:
                        break
        return files, size_bytes


def _blocks(entry: "os.DirEntry[str]") -> int:
    try:
        return entry.stat(follow_symlinks=False).st_blocks * 512
    except OSError:
        return 0  # it went away meanwhile
