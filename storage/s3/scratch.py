# SPDX-License-Identifier: Apache-2.0
"""This is where a whole object lies on this machine for as long as a program needs it as a file."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from storage.durable import store_errors

_BEGINS = "read-"


@contextmanager
def scratch(folder: Path) -> Iterator[Path]:
    """A new empty folder in `folder`, removed with all it holds at the end.

    Raises:
        StoreUnavailable: it cannot be made.

    """
    with store_errors("cannot make a folder to read into"):
        folder.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(prefix=_BEGINS, dir=folder))
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


def write_file(path: Path, pieces: Iterator[bytes]) -> None:
    """Make a file of these bytes.

    Raises:
        StoreUnavailable: this machine's disk refused.

    """
    with store_errors("cannot write what was read from the store"), path.open("wb") as file:
        for piece in pieces:
            file.write(piece)


def sweep(folder: Path, *, before: datetime) -> int:
    """Remove what killed processes left before this moment; how many folders."""
    old = [path for path in folder.glob(f"{_BEGINS}*") if path.stat().st_mtime < before.timestamp()]
    for path in old:
        shutil.rmtree(path, ignore_errors=True)
    return len(old)
