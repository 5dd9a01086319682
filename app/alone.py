# SPDX-License-Identifier: Apache-2.0
"""This is where a process makes sure that it is the only one of its kind in a home, and that another one is told."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from evidence.errors import InUse
from storage.durable import store_errors


@contextmanager
def alone(lock: Path, *, told: str) -> Iterator[None]:
    """Hold the file `lock` while the block runs; the kernel lets go of it when the process ends, however it does.

    Raises:
        InUse: another process holds it; `told` are the words. StoreUnavailable: the file cannot be made.
    """
    with store_errors(f"cannot use {lock.parent}"):
        lock.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise InUse(told) from error
        yield
    finally:
        with suppress(OSError):
            os.close(descriptor)
