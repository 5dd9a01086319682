# SPDX-License-Identifier: Apache-2.0
"""This is where an object leaves the directory store: its name, and the names that killed writes left for its bytes.

A file goes when its last name and its last reader go. Names in the store are ours to remove; another hard link,
somewhere else on that disk, is only counted and told.
"""

import os
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from evidence.errors import NotFound, StoreUnavailable
from storage.durable import store_errors
from storage.folders import FolderTree
from storage.objects import check_key
from storage.removal import MISSING, Asked, Removed, RemovedVersion, check_removable

_DRAFTS = ".tmp"  # as objects_file.py has it


class DirectoryRemover:
    """The Remover promises over the folder of a `DirectoryStore`, which must be there."""

    def __init__(self, root: Path) -> None:
        self._tree = FolderTree(root, create=False)

    def remove(self, key: str, *, now: datetime) -> Removed:
        """As the port says. A directory locks nothing, so that `now` is not looked at."""
        with store_errors(f"cannot remove {check_removable(key)}"):
            try:
                return self._taken_away(key)
            except NotFound:
                return Removed(key, asked=self._asked(key))

    def check_free(self, key: str, *, now: datetime) -> None:
        """As the port says: a directory locks nothing."""
        check_removable(key)

    def traces(self, key: str) -> tuple[str, ...]:
        """As the port says."""
        with store_errors(f"cannot look for {check_key(key)}"):
            try:
                with self._tree.opened(key) as descriptor:
                    others = _others(os.fstat(descriptor).st_nlink - 1)
                return (f"the file {key}", *others)
            except NotFound:
                return ()

    def _taken_away(self, key: str) -> Removed:
        # The file is held open: only so can it be asked afterwards how many names are left.
        with self._tree.opened(key) as descriptor:
            facts = os.fstat(descriptor)
            drafts = self._forget_drafts(facts)
            self._unlink(key, facts)
            left = os.fstat(descriptor).st_nlink
        return Removed(
            key,
            versions=(RemovedVersion(None, facts.st_size),),
            drafts=drafts,
            asked=(*self._asked(key), Asked("names of the file", str(left))),
            traces=_others(left),
        )

    def _unlink(self, key: str, facts: os.stat_result) -> None:
        parent, _, name = key.rpartition("/")
        with self._tree.folder(parent) as folder:
            with suppress(FileNotFoundError):  # another removal was quicker
                _check_same(os.lstat(name, dir_fd=folder), facts, key)
                os.unlink(name, dir_fd=folder)
            os.fsync(folder)

    def _forget_drafts(self, facts: os.stat_result) -> int:
        """A write that was killed between its link and its end leaves a draft that is the object itself."""
        if facts.st_nlink == 1:
            return 0
        forgotten = 0
        with suppress(NotFound), self._tree.folder(_DRAFTS) as folder:
            for name, _ in self._tree.listing(_DRAFTS):
                with suppress(FileNotFoundError):
                    if os.path.samestat(os.lstat(name, dir_fd=folder), facts):
                        os.unlink(name, dir_fd=folder)
                        forgotten += 1
            os.fsync(folder)
        return forgotten

    def _asked(self, key: str) -> tuple[Asked, ...]:
        """Ask in two ways whether it is gone.

        Raises:
            StoreUnavailable: it is not.

        """
        parent, _, name = key.rpartition("/")
        listed = name in {found for found, _ in self._tree.listing(parent)}
        if listed or self.traces(key):
            raise StoreUnavailable(f"{key} was removed and stands there again: somebody writes it", key=key)
        return (Asked("open", MISSING), Asked("list", MISSING))


def _check_same(found: os.stat_result, opened: os.stat_result, key: str) -> None:
    if not os.path.samestat(found, opened):
        raise StoreUnavailable(f"{key} was exchanged while it was being removed: look who writes there", key=key)


def _others(count: int) -> tuple[str, ...]:
    return (f"{count} other names of the same file on that disk",) if count else ()
