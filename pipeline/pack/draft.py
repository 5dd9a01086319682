# SPDX-License-Identifier: Apache-2.0
"""This is where a pack grows under a draft's name, and gets its own only when it is whole.

The draft is a hidden folder beside the place that was asked for. What a killed export left there is removed by the
next one of the same name, unless somebody is still at it: the kernel keeps that lock, and drops it with the process.
"""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from evidence.errors import BadInput, DiskLow, InUse
from storage.durable import store_errors, sync_folder

# What records, proofs and the page take beside the footage, at the very most of what was ever seen, and then some.
_MARGIN = 32 << 20


@contextmanager
def drafted(out: Path) -> Iterator[Path]:
    """A new empty folder that becomes `out` when the block ends well, and is gone when it does not.

    Raises:
        BadInput: something is at `out`, or it can be nowhere. InUse: another export is writing it.
        StoreUnavailable: the disk refuses.
    """
    if os.path.lexists(out):
        raise BadInput(f"{out} is there already: choose another name, or remove it")
    if not out.parent.is_dir():
        raise BadInput(f"there is no folder {out.parent}")
    draft = out.with_name(f".{out.name}.part")
    with store_errors(f"{draft} cannot be written"):
        lock = draft.with_suffix(".lock").open("a")
    try:
        _be_alone(lock.fileno(), draft.with_suffix(".lock"), out)
        yield from _filled(draft, out)
    finally:
        lock.close()


def _be_alone(descriptor: int, lock: Path, out: Path) -> None:
    told = f"another export is writing {out}"
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Whoever held it before may have removed the file that we opened: then somebody else can lock a new one.
        if not os.path.samestat(os.fstat(descriptor), lock.stat()):
            raise InUse(told)
    except (BlockingIOError, FileNotFoundError) as error:
        raise InUse(told) from error


def _filled(draft: Path, out: Path) -> Iterator[Path]:
    try:
        with store_errors(f"{draft} cannot be written"):
            _remove(draft)
            draft.mkdir(mode=0o700)
        yield draft
        with store_errors(f"{out} cannot be written"):
            if os.path.lexists(out):  # an empty folder would be replaced without a word
                raise BadInput(f"{out} is there already: choose another name, or remove it")
            draft.rename(out)
            sync_folder(out.parent)
    finally:
        _remove(draft)
        draft.with_suffix(".lock").unlink(missing_ok=True)


def _remove(draft: Path) -> None:
    if os.path.lexists(draft):
        shutil.rmtree(draft)


def check_room(folder: Path, wanted: int) -> None:
    """Return when the disk of `folder` has room for a pack with so much footage.

    Raises:
        DiskLow: it has not. StoreUnavailable: it cannot be asked.
    """
    with store_errors(f"{folder} cannot be asked for its room"):
        free = shutil.disk_usage(folder).free
    if free < wanted + _MARGIN:
        raise DiskLow(f"the pack takes up to {wanted + _MARGIN:,} bytes, {folder} has {free:,} left")
