# SPDX-License-Identifier: Apache-2.0
"""This is where a tree of folders is walked by descriptor: no link is followed below its root.

A store whose disk was unmounted is an empty folder under the same name. The tree remembers which folder
it was opened on and refuses another, so that nothing is written beside the disk and nothing is missed.
"""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from evidence.errors import Conflict, FixityMismatch, NotFound, StoreUnavailable
from storage.durable import store_errors, sync_folder

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# Without O_NONBLOCK, a pipe put in the place of an object would hold the reader for ever.
_OBJECT = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class FolderTree:
    """Folders below `root`, named by paths such as `originals/ab/cd` (the root itself is the empty path)."""

    def __init__(self, root: Path, *, create: bool) -> None:
        with store_errors(f"cannot open the store at {root}"):
            if create:
                _make_root(root)
            self.root = root.resolve(strict=True)
            facts = self.root.stat()
        if not stat.S_ISDIR(facts.st_mode):
            raise StoreUnavailable(f"the store at {root} is not a folder")
        self.device = facts.st_dev
        self._inode = facts.st_ino
        self._durable: set[str] = set()

    @contextmanager
    def folder(self, path: str, *, create: bool = False) -> Iterator[int]:
        """A descriptor of the folder at `path`; with `create` it and its parents exist durably afterwards.

        Raises:
            NotFound: it is not there, or a file stands in its place (Conflict with `create`).
            FixityMismatch: a link stands on the way.
            StoreUnavailable: the root is no longer the folder that was opened.

        """
        descriptor = self._open_root()
        try:
            walked = ""
            for name in path.split("/") if path else ():
                walked = f"{walked}/{name}" if walked else name
                if create:
                    self._make(descriptor, name, walked)
                below = _step(descriptor, name, walked, create=create)
                os.close(descriptor)
                descriptor = below
            yield descriptor
        finally:
            os.close(descriptor)

    @contextmanager
    def opened(self, path: str) -> Iterator[int]:
        """A descriptor for reading of the plain file at `path`.

        Raises:
            NotFound: no file is there.
            FixityMismatch: something else stands there: a link, a pipe, a device.

        """
        parent, _, name = path.rpartition("/")
        try:
            with self.folder(parent) as folder:
                descriptor = _open_object(folder, name, path)
        except NotFound as error:
            raise NotFound(f"nothing rests under {path}", key=path) from error
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    def listing(self, path: str) -> list[tuple[str, bool]]:
        """Names in the folder at `path`, each with whether it is a folder; nothing when it is not there."""
        try:
            with self.folder(path) as descriptor, os.scandir(descriptor) as found:
                return [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in found]
        except NotFound:
            return []

    def _open_root(self) -> int:
        descriptor = os.open(self.root, _FOLDER)
        facts = os.fstat(descriptor)
        if (facts.st_dev, facts.st_ino) != (self.device, self._inode):
            os.close(descriptor)
            raise StoreUnavailable(f"{self.root} is another folder than when the store was opened")
        return descriptor

    def _make(self, parent: int, name: str, path: str) -> None:
        try:
            os.mkdir(name, 0o755, dir_fd=parent)
        except FileExistsError:
            # Whoever made it may not have made it durable; once per process is enough to be sure.
            if path in self._durable:
                return
        os.fsync(parent)
        self._durable.add(path)


def _make_root(root: Path) -> None:
    missing = [folder for folder in (root, *root.parents) if not folder.exists()]
    for folder in reversed(missing):
        folder.mkdir(exist_ok=True)
        sync_folder(folder.parent)


def _step(parent: int, name: str, path: str, *, create: bool) -> int:
    try:
        return os.open(name, _FOLDER, dir_fd=parent)
    except FileNotFoundError as error:
        raise NotFound(f"nothing rests under {path}", key=path) from error
    except OSError as error:
        if error.errno not in (errno.ENOTDIR, errno.ELOOP):
            raise
        if stat.S_ISLNK(os.lstat(name, dir_fd=parent).st_mode):
            raise FixityMismatch(f"a link stands at {path} in the store", key=path) from error
        if create:
            raise Conflict(f"an object rests at {path}, where a folder is wanted", key=path) from error
        raise NotFound(f"nothing rests under {path}", key=path) from error


def _open_object(folder: int, name: str, path: str) -> int:
    try:
        descriptor = os.open(name, _OBJECT, dir_fd=folder)
    except FileNotFoundError as error:
        raise NotFound(f"nothing rests under {path}", key=path) from error
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENXIO):
            raise FixityMismatch(f"no plain file stands at {path} in the store", key=path) from error
        raise
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISREG(mode):
        return descriptor
    os.close(descriptor)
    if stat.S_ISDIR(mode):
        raise NotFound(f"nothing rests under {path}, it is a folder", key=path)
    raise FixityMismatch(f"no plain file stands at {path} in the store", key=path)
