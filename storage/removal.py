# SPDX-License-Identifier: Apache-2.0
"""This is where bytes may be taken away: a door of its own, beside the object store, which has no removal.

Only the steps that end a recording's life may come through it (pipeline/dispose.py, archive.py, prune.py, and app/,
which opens it); an import contract keeps everybody else out. Removal here means gone and asked for afterwards: every
version, every delete marker, every unfinished upload of exactly that key. Nothing here decides whether it may be.
The suite in `tests/contract/removal.py` holds every engine to these words.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from evidence.errors import Refused
from storage.objects import check_key

MISSING = "not there"
"""The answer that proves: what was asked for is not there any more."""

_MAY_GO = ("originals/", "derivatives/", "attachments/", "envelopes/")
_STAYS = ".receipt"


def check_removable(key: str) -> str:
    """Return `key` when things of its kind may ever go: footage, what was made of it or came with it, wrapped keys.

    The custody log, details and receipts hold no footage and are what remains to be asked: they go through no door.

    Raises:
        BadInput: it is no key.
        Refused: it is the key of something that stays.

    """
    check_key(key)
    if not key.startswith(_MAY_GO) or key.endswith(_STAYS):
        raise Refused(
            f"{key} is never removed: only footage, what was made of it and what came with it may go", key=key
        )
    return key


@dataclass(frozen=True, slots=True)
class RemovedVersion:
    """One whole set of bytes that was removed; `version_id` is None where the engine keeps one only."""

    version_id: str | None
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Asked:
    """What the engine was asked after the removal, and what it answered; MISSING unless it answered worse."""

    question: str
    answer: str


@dataclass(frozen=True, slots=True)
class Removed:
    """What one removal took away, and how it was proven.

    `delete_markers` and `uploads` are ids. `drafts` counts other names that a killed write of ours had left for the
    same bytes. `traces` tells what is out of this door's reach: the bytes may be read there still.
    """

    key: str
    versions: tuple[RemovedVersion, ...] = ()
    delete_markers: tuple[str, ...] = ()
    uploads: tuple[str, ...] = ()
    drafts: int = 0
    asked: tuple[Asked, ...] = ()
    traces: tuple[str, ...] = ()

    @property
    def size_bytes(self) -> int:
        """Bytes that were freed, all versions together."""
        return sum(one.size_bytes for one in self.versions)


class Remover(Protocol):
    """Takes bytes away from one place where they rest. Safe to call from several threads and processes at once."""

    def remove(self, key: str, *, now: datetime) -> Removed:
        """Remove every version of exactly `key` and all that could bring it back, and prove that it is gone.

        Safe to repeat: a removal that was killed is finished by the next, and of what is not there (any more) only
        the proof is made. What the engine locks is refused before anything of it is touched, where the engine tells
        of its locks; no lock is ever bypassed. The oldest version, which is the object for our readers, goes last.

        Raises:
            StillLocked: the engine holds a version, `until` says how long (None: a legal hold, until it is lifted).
            FixityMismatch: what stands under the key is no object: somebody has been there, nothing was touched.
            StoreUnavailable: it is down, or it took the order and still gives what it was told to remove.
            Refused: it is the key of something that is never removed (`check_removable`).
            BadInput: it is no key.

        """
        ...

    def check_free(self, key: str, *, now: datetime) -> None:
        """Return when no lock and no hold would stop `remove` now, as far as the engine tells; nothing is touched.

        Raises:
            StillLocked: as `remove`. StoreUnavailable: it cannot be said now.

        """
        ...

    def traces(self, key: str) -> tuple[str, ...]:
        """Everything of `key` that still stands: versions, delete markers, uploads, other names. Empty: gone.

        Raises:
            StoreUnavailable: it cannot be said now.

        """
        ...
