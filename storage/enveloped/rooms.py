# SPDX-License-Identifier: Apache-2.0
"""This is where plaintext lies for a moment: private folders that go with their use, and at the latest at the next.

The kernel keeps the lock of a folder that is in use, and of no other: what a killed process left is known by that.
"""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from storage.durable import store_errors

_BEGINS = "room-"


@contextmanager
def room(folder: Path) -> Iterator[Path]:
    """A new empty folder in `folder` that only its owner can enter, removed with all it holds at the end.

    Raises:
        StoreUnavailable: it cannot be made.

    """
    with store_errors(f"cannot make a folder in {folder}"):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        sweep(folder)
        made, lock = _made(folder)
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)
        os.close(lock)


def sweep(folder: Path) -> int:
    """Remove what killed processes left in `folder`; how many folders."""
    swept = 0
    for path in folder.glob(f"{_BEGINS}*"):
        with suppress(FileNotFoundError, BlockingIOError):
            lock = _locked(path)
            shutil.rmtree(path, ignore_errors=True)
            os.close(lock)
            swept += 1
    return swept


def _made(folder: Path) -> tuple[Path, int]:
    while True:
        path = Path(tempfile.mkdtemp(prefix=_BEGINS, dir=folder))
        # Another process may take it for a dead one's before it is locked: then it is gone, or about to be.
        with suppress(FileNotFoundError, BlockingIOError):
            lock = _locked(path)
            if path.exists():
                return path, lock
            os.close(lock)


def _locked(path: Path) -> int:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise
    return descriptor
