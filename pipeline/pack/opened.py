# SPDX-License-Identifier: Apache-2.0
"""This is where a folder that calls itself a pack is opened: as hostile, and never followed out of itself.

Only folders and plain files are looked at; a link, a device, a pipe, or a name that is none of ours ends the check
before anything is read. Every file is opened step by step from the pack's own folder, and no step may be a link.

Source: RFC 8493 §6 (security).
"""

import hashlib
import os
import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from evidence.errors import BadInput, NotFound, SourceUnavailable, TooLarge
from pipeline.pack import names

MOST_FILES = 1_000_000
_BLOCK = 1 << 20
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# Not blocked by a pipe that took a file's place between the look and the opening.
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class Refused:
    """Something that a pack may not hold: its name as it can be shown, and what it is."""

    name: str
    what: str


@dataclass(frozen=True, slots=True)
class OpenedPack:
    """A folder, its plain files by name with their sizes, and what of it may not be looked at."""

    folder: Path
    files: Mapping[str, int]
    refused: tuple[Refused, ...]

    def read(self, name: str, *, limit: int) -> bytes:
        """A small file, whole.

        Raises:
            NotFound: it is not there. TooLarge: it has more than `limit` bytes. SourceUnavailable: it cannot be read.
        """
        with self._open(name) as file:
            data = file.read(limit + 1)
        if len(data) > limit:
            raise TooLarge(f"{name} has more than {limit:,} bytes", name=name)
        return data

    def sha256(self, name: str, *, count: Callable[[int], None]) -> str:
        """Digest of a file of any size; `count` is told of each block.

        Raises:
            NotFound, SourceUnavailable: as `read`.
        """
        digest = hashlib.sha256()
        with self._open(name) as file:
            while block := file.read(_BLOCK):
                digest.update(block)
                count(len(block))
        return digest.hexdigest()

    @contextmanager
    def _open(self, name: str) -> Iterator[BinaryIO]:
        if name not in self.files:
            raise NotFound(f"the pack has no {name}", name=name)
        try:
            descriptor = _open_beneath(self.folder, name)
            with os.fdopen(descriptor, "rb") as file:
                if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                    raise SourceUnavailable(f"{name} is no plain file any more")
                yield file
        except FileNotFoundError as error:
            raise NotFound(f"the pack has no {name} any more", name=name) from error
        except OSError as error:
            raise SourceUnavailable(f"{name} cannot be read: {error.strerror}") from error


def _open_beneath(folder: Path, name: str) -> int:
    *folders, last = name.split("/")
    at = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for part in folders:
            inner = os.open(part, _FOLDER, dir_fd=at)
            os.close(at)
            at = inner
        return os.open(last, _FILE, dir_fd=at)
    finally:
        os.close(at)


def open_pack(folder: Path) -> OpenedPack:
    """Look through a folder, reading no file.

    Raises:
        BadInput: it holds more files than any pack. NotFound, SourceUnavailable: it cannot be looked through.
    """
    files: dict[str, int] = {}
    refused: list[Refused] = []
    waiting = [""]
    try:
        while waiting:
            _look(folder, waiting.pop(), files, refused, waiting)
            if len(files) + len(waiting) + len(refused) > MOST_FILES:
                raise BadInput(f"{folder} holds more than {MOST_FILES:,} files: no pack of ours")
    except FileNotFoundError as error:
        raise NotFound(f"there is no folder {folder}") from error
    except OSError as error:
        raise SourceUnavailable(f"{folder} cannot be looked through: {error.strerror}") from error
    return OpenedPack(folder, files, tuple(refused))


def _look(folder: Path, inside: str, files: dict[str, int], refused: list[Refused], waiting: list[str]) -> None:
    with os.scandir(folder / inside) as entries:
        for entry in sorted(entries, key=lambda one: one.name):
            name = f"{inside}{entry.name}"
            status = entry.stat(follow_symlinks=False)
            if what := _wrong_with(name, status.st_mode):
                refused.append(Refused(shown(name), what))
            elif stat.S_ISDIR(status.st_mode):
                waiting.append(f"{name}/")
            else:
                files[name] = status.st_size


_KINDS: tuple[tuple[Callable[[int], bool], str], ...] = (
    (stat.S_ISLNK, "link"),
    (stat.S_ISFIFO, "pipe"),
    (stat.S_ISSOCK, "socket"),
    (stat.S_ISBLK, "device"),
    (stat.S_ISCHR, "device"),
)


def _wrong_with(name: str, mode: int) -> str | None:
    for is_it, what in _KINDS:
        if is_it(mode):
            return what
    return None if names.is_name(name) else "name"


def shown(name: str) -> str:
    """A name as it can be told: letters beyond the plain ones as escapes, and not too many."""
    return name.encode("ascii", "backslashreplace").decode()[:200]
