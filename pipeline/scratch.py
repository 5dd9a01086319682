# SPDX-License-Identifier: Apache-2.0
"""This is where steps get a folder for working files, and where those of steps that died are removed.

A folder is locked while its step lives, and the kernel takes the lock from a process that ends: whether one is
left over is asked of the kernel and never of a clock, which may be set while a step runs.
"""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from evidence.errors import ToolMissing
from storage.durable import store_errors

_FOLDER = "scratch"


@contextmanager
def scratch(spool: Path) -> Iterator[Path]:
    """An empty folder of our own, gone at the end.

    Raises:
        ToolMissing: there can be no folder; the step waits.
    """
    try:
        above = spool / _FOLDER
        above.mkdir(parents=True, exist_ok=True)
        folder, lock = _made(above)
    except OSError as error:
        raise ToolMissing(f"no scratch folder: {error}") from error
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def sweep(spool: Path) -> list[Path]:
    """Remove every folder whose step has ended without removing it; returns them.

    Raises:
        StoreUnavailable: the disk refused.
    """
    removed = []
    with store_errors("cannot look for working folders that were left over"):
        for folder in sorted((spool / _FOLDER).glob("*")):
            lock = _locked(folder)
            if lock is not None:
                shutil.rmtree(folder, ignore_errors=True)
                os.close(lock)
                removed.append(folder)
    return removed


def _made(above: Path) -> tuple[Path, int]:
    while True:
        folder = Path(tempfile.mkdtemp(dir=above))
        lock = _locked(folder)
        # A sweep may have taken it between the two lines.
        if lock is not None and folder.exists():
            return folder, lock
        if lock is not None:
            os.close(lock)


def _locked(folder: Path) -> int | None:
    """A descriptor that holds the folder's lock, or None while another does or the folder has gone."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor
