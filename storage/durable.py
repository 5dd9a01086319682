# SPDX-License-Identifier: Apache-2.0
"""This is where the operating system's file errors become ours, and where writes are made to last."""

import errno
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from evidence.errors import StoreUnavailable

_WORDS = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EFBIG: "the file is larger than the system allows",
    errno.EROFS: "the file system is read-only",
    errno.EIO: "the disk reports an input/output error",
    errno.EACCES: "this user may not do that there",
    errno.ENODEV: "the device has gone",
    errno.ENXIO: "the device has gone",
    errno.ESTALE: "the network file system lost the file",
    errno.EMFILE: "this process has too many open files",
    errno.ENFILE: "the system has too many open files",
    errno.EMLINK: "the file system allows no more links to this file",
}


@contextmanager
def store_errors(doing: str) -> Iterator[None]:
    """Turn every operating-system error inside into StoreUnavailable, saying what was being done and why not.

    Raises:
        StoreUnavailable: with the system's number as `errno`; errors of ours pass through untouched.

    """
    try:
        yield
    except OSError as error:
        why = _WORDS.get(error.errno or 0) or error.strerror or str(error)
        raise StoreUnavailable(f"{doing}: {why}", errno=error.errno) from error


def write_all(descriptor: int, data: bytes | bytearray | memoryview) -> None:
    """Write every byte of `data`; one call of the system may take fewer."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


@contextmanager
def kept_durably(path: Path) -> Iterator[None]:
    """While the body runs, make the file at `path` survive a power cut; when this ends without an error, it would.

    That is work for the disk, so what the body computes meanwhile comes at no time of its own. What is
    written to the file after the beginning does not count. Its name is not made durable.

    Raises:
        StoreUnavailable: the disk refused. An error of the body goes first.

    """
    with ThreadPoolExecutor(1) as pool:
        syncing = pool.submit(_sync, path)
        yield
        syncing.result()


def _sync(path: Path) -> None:
    with store_errors(f"{path.name} cannot be made durable"), path.open("rb") as file:
        os.fsync(file.fileno())


def sync_folder(path: str | os.PathLike[str]) -> None:
    """Return when the names in the folder `path` would survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
