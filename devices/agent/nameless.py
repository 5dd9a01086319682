# SPDX-License-Identifier: Apache-2.0
"""This is where bytes in a dock's spool that no row of the journal names are put aside, and never let go of.

A journal that was lost, or whose last rows a power cut took, leaves them. Left where they are, the next copy of the
same file would begin by cutting them off, though nobody knows whether the device still has what they are.
"""

from pathlib import Path

from devices.agent.journal import Journal
from storage.durable import store_errors, sync_folder

NAMELESS = "spool-nameless"
"""The code of the alarm."""
FOLDER = "nameless"
_ENDING = ".bytes"


def put_aside(spool: Path, journal: Journal) -> int:
    """How many files of a spool no row names; they rest in its folder `nameless` from now on, under their own names.

    Called before anything is copied. Repeat: what was put aside stays as it is.

    Raises:
        StoreUnavailable: the spool or its journal cannot be used.
    """
    with store_errors("the spool cannot be looked through"):
        strays = [one for one in sorted(spool.glob(f"*{_ENDING}")) if not _is_named(one, journal)]
        if not strays:
            return 0
        folder = spool / FOLDER
        folder.mkdir(mode=0o700, exist_ok=True)
        for one in strays:
            one.rename(_free(folder / one.name))
        sync_folder(folder)
        sync_folder(spool)
    return len(strays)


def count_aside(spool: Path) -> int:
    """How many files wait for a person there. Raises: StoreUnavailable."""
    with store_errors("the spool cannot be looked through"):
        folder = spool / FOLDER
        return sum(1 for _ in folder.iterdir()) if folder.is_dir() else 0


def _is_named(stray: Path, journal: Journal) -> bool:
    return bool(journal.rows("SELECT 1 FROM files WHERE offer = ?", (stray.name.removesuffix(_ENDING),)))


def _free(place: Path) -> Path:
    """A journal may be lost twice: what was put aside the first time is not overwritten."""
    number, free = 1, place
    while free.exists():
        number += 1
        free = place.with_name(f"{place.name}.{number}")
    return free
