# SPDX-License-Identifier: Apache-2.0
"""This is where bytes reach a folder the way cards and docks put them there: at once, or growing.

Nothing here uses a temporary name in the folder that is watched: a real card does not either.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

from evidence.errors import StoreUnavailable

_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


def dock_card(
    card: Path, dock_folder: Path, *, block_bytes: int = 1 << 20, pause: Callable[[], None] | None = None
) -> tuple[Path, ...]:
    """Copy the tree of `card` into `dock_folder` file by file, as docking does; the copies' paths.

    A copy keeps the name, and at the end the mtime, of its original. With `pause`, files grow block
    by block and `pause()` is called after each block. Safe to repeat: copies are written anew.

    Raises:
        StoreUnavailable: the card cannot be read or the folder cannot be written; what was
            copied until then stays, as when a camera is pulled out.
    """
    copies = []
    with _as_ours(dock_folder):
        for source in sorted(path for path in card.rglob("*") if path.is_file()):
            target = dock_folder / source.relative_to(card)
            target.parent.mkdir(parents=True, exist_ok=True)
            if pause is None:
                shutil.copyfile(source, target)
            else:
                grow(source, target, block_bytes=block_bytes, pause=pause)
            facts = source.stat()
            os.utime(target, ns=(facts.st_mtime_ns, facts.st_mtime_ns))
            copies.append(target)
    return tuple(copies)


def grow(source: Path, target: Path, *, block_bytes: int, pause: Callable[[], None]) -> None:
    """Write the bytes of `source` to `target` block by block, and call `pause()` after each block.

    Raises:
        StoreUnavailable: one cannot be read or the other cannot be written.
    """
    with _as_ours(target), source.open("rb") as reader, target.open("wb") as writer:
        while block := reader.read(block_bytes):
            writer.write(block)
            writer.flush()
            pause()


def set_mtime(path: Path, at: datetime) -> None:
    """Give `path` the modification time `at` (aware), exact to the microsecond."""
    nanoseconds = (at - _EPOCH) // timedelta(microseconds=1) * 1000
    os.utime(path, ns=(nanoseconds, nanoseconds))


@contextmanager
def _as_ours(where: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreUnavailable(f"the card or the dock cannot be used: {error}", path=str(where)) from error
