# SPDX-License-Identifier: Apache-2.0
"""This is where a backup's folder is written: beside its name, durable, private, and only when whole under its name."""

import fcntl
import hashlib
import os
import secrets
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from app.backup_manifest import Mark
from evidence.errors import Conflict
from storage.durable import store_errors, sync_folder, write_all


class BackupFolder:
    """A backup that is being written: files of mode 0600 in folders of mode 0700."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.marks: list[Mark] = []

    def put(self, name: str, blocks: Iterable[bytes]) -> Mark:
        """Write one file, durably, and keep its mark."""
        digest, size_bytes = hashlib.sha256(), 0
        path = self.root / name
        with store_errors(f"cannot write {path}"):
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            try:
                for block in blocks:
                    write_all(descriptor, block)
                    digest.update(block)
                    size_bytes += len(block)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        self.marks.append(Mark(name, digest.hexdigest(), size_bytes))
        return self.marks[-1]

    def link_or_copy(self, name: str, source: Path) -> bool:
        """Have the file under another name on the same disk (True), or copied where that cannot be."""
        path = self.root / name
        with store_errors(f"cannot copy {source}"):
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            try:
                os.link(source, path)
            except OSError:
                shutil.copyfile(source, path)
                path.chmod(0o444)
                with path.open("rb") as file:
                    os.fsync(file.fileno())
                return False
            return True


@contextmanager
def new_backup(target: Path) -> Iterator[BackupFolder]:
    """A folder that becomes `target` when the block ends well; else it is removed, and so are those of the killed.

    Raises:
        Conflict: something is at `target` already.
        StoreUnavailable: it cannot be written.
    """
    with store_errors(f"cannot write {target}"):
        if target.exists() and not (target.is_dir() and not any(target.iterdir())):
            raise Conflict(f"{target} is there already: a backup never overwrites", path=str(target))
        target.parent.mkdir(parents=True, exist_ok=True)
    with draft_folder(target.parent, target.name) as draft:
        yield BackupFolder(draft)
        with store_errors(f"cannot write {target}"):
            for folder, _, _ in os.walk(draft):
                sync_folder(folder)
            draft.rename(target)
            sync_folder(target.parent)


@contextmanager
def draft_folder(parent: Path, name: str) -> Iterator[Path]:
    """A private folder for as long as the block runs, unless it was renamed; those that a kill left are removed.

    Raises:
        StoreUnavailable: it cannot be made.
    """
    with store_errors(f"cannot write into {parent}"):
        _remove_dead_drafts(parent, name)
        draft = parent / f".{name}.{secrets.token_hex(4)}.part"
        draft.mkdir(mode=0o700)
    try:
        with _held(draft):
            yield draft
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _remove_dead_drafts(parent: Path, name: str) -> None:
    """The kernel keeps the lock of a draft that is in use, and of no other."""
    for draft in parent.glob(f".{name}.*.part"):
        with suppress(BlockingIOError), _held(draft):
            shutil.rmtree(draft, ignore_errors=True)


@contextmanager
def _held(draft: Path) -> Iterator[None]:
    descriptor = os.open(draft, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)
