# SPDX-License-Identifier: Apache-2.0
"""This is where tests get a folder in memory: what is asked there has nothing to do with how fast a disk is."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_MEMORY = Path("/dev/shm")  # noqa: S108


@contextmanager
def quick_folder(prefix: str) -> Iterator[Path]:
    """A new folder with a short path, in memory where the system has such a place; gone at the end."""
    made = Path(tempfile.mkdtemp(prefix=prefix, dir=_MEMORY if _MEMORY.is_dir() else None))
    try:
        yield made
    finally:
        shutil.rmtree(made)
