# SPDX-License-Identifier: Apache-2.0
"""This is where the object store is a promise: what every engine owes, whatever it is made of.

Bytes rest under keys; `storage/layout.py` is the only place that spells them. An object is whole or
absent: no reader ever meets a part of one under its key, whatever dies while it is written. There is
no removal here: only the disposal step may take bytes away, and it has its own door.
The suite in `tests/contract/object_store.py` holds every engine to these words.
"""

import re
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from evidence.digest import Digest
from evidence.errors import BadInput

BLOCK_SIZE = 1 << 20
KEY_LIMIT = 200

# Lower case only, so that no two keys meet on a file system that folds case; no segment begins with
# a dot or ends with one, so that none is hidden, climbs, or is trimmed by Windows.
_SEGMENT = r"[a-z0-9](?:[a-z0-9._-]*[a-z0-9_-])?"
_KEY = re.compile(rf"{_SEGMENT}(?:/{_SEGMENT})*", re.ASCII)
_PREFIX = re.compile(r"(?:[a-z0-9][a-z0-9._-]*/)*(?:[a-z0-9][a-z0-9._-]*)?", re.ASCII)


def check_key(key: str) -> str:
    """Return `key` when every engine can hold it: relative, 1 to 200 bytes, `a-z 0-9 . _ - /` only.

    Raises:
        BadInput: it is anything else; nothing was touched.

    """
    if len(key) > KEY_LIMIT or not _KEY.fullmatch(key):
        raise BadInput(f"not a key of the object store: {key[:KEY_LIMIT]!r}", key=key)
    return key


def check_prefix(prefix: str) -> str:
    """Return `prefix` when keys could begin with it; the empty prefix begins every key.

    Raises:
        BadInput: no key begins so.

    """
    if len(prefix) > KEY_LIMIT or not _PREFIX.fullmatch(prefix):
        raise BadInput(f"no key begins with {prefix[:KEY_LIMIT]!r}", prefix=prefix)
    return prefix


@dataclass(frozen=True, slots=True)
class Protection:
    """What the engine itself refuses to undo: `mode` is `compliance`, `governance` or None; `until` its end (UTC).

    An engine without such a lock (a directory) says NO_PROTECTION: what it keeps is tamper-evident, not WORM.
    """

    mode: str | None
    until: datetime | None
    is_held: bool


NO_PROTECTION = Protection(None, None, False)


class ObjectStore(Protocol):
    """Where bytes rest. Every method may be called from several threads and processes at once.

    Every method that takes a key raises BadInput when the key is none (`check_key`), and
    StoreUnavailable when the engine cannot answer now; nothing was published then, and a retry is safe.
    A method that reads raises FixityMismatch when something that is no object stands under the key
    (a link, a pipe): somebody has been there.
    """

    def put_once(self, key: str, source: Path, *, digest: Digest, give: bool = False) -> None:
        """Rest the bytes of `source` under `key`, durably, before returning.

        Safe to repeat and to race: an object already there that measures `digest` is left alone
        (`source` is then not read), and one of several writers wins. `source` keeps its name; a
        symbolic link is not followed.

        Without `give` the bytes are compared with `digest` on their way in: an object under the key
        is `digest`. With `give` the caller promises never to write `source` again, and an engine
        that can keeps the file itself (same inode, mode 0444; the caller removes the old name when
        it likes): then only the size is compared, and the caller's digest is TRUSTED UNTIL
        `measure(key)`, which the caller owes before anyone relies on the object. An engine that
        must copy compares as without `give`.

        Raises:
            FixityMismatch: the bytes (or their number) are not `digest`; nothing was published.
            Conflict: other bytes rest under `key`; they stay.
            SourceUnavailable: `source` cannot be read, or is no plain file.

        """
        ...

    def put_bytes_once(self, key: str, data: bytes) -> None:
        """Rest `data` under `key`, durably, before returning. Equal bytes already there: nothing happens.

        Raises:
            Conflict: other bytes rest under `key`; they stay.

        """
        ...

    def replace(self, key: str, data: bytes) -> None:
        """Make `key` hold `data`, durably; a reader sees the old bytes or the new, never a mixture.

        Only for the few pointers that `layout.is_pointer` names (the newest checkpoint): what is
        not a pointer is never overwritten. Of two writers at once the later wins; who may write is
        the caller's to settle.

        Raises:
            Conflict: `key` is no pointer.

        """
        ...

    def read(self, key: str, *, limit: int) -> bytes:
        """All bytes of the object, at most `limit`: what a hostile object can cost is bounded here.

        Raises:
            NotFound: nothing rests under `key`.
            RecordMalformed: the object is larger than `limit`.

        """
        ...

    def read_range(self, key: str, start: int, length: int) -> bytes:
        """The `length` bytes from `start`; fewer only where the object ends (none at or after its end).

        Raises:
            NotFound: nothing rests under `key`.
            BadInput: `start` or `length` is negative.

        """
        ...

    def blocks(self, key: str, size: int = BLOCK_SIZE) -> Iterator[bytes]:
        """The object in order, in blocks of exactly `size` bytes, the last one shorter but not empty.

        Memory is flat in the size of the object. Errors come with the first block.

        Raises:
            NotFound: nothing rests under `key`.
            BadInput: `size` is not positive.

        """
        ...

    def measure(self, key: str) -> Digest:
        """Digest of the bytes at rest, read anew: caches in front of them are dropped where the engine can.

        Raises:
            NotFound: nothing rests under `key`.

        """
        ...

    def size(self, key: str) -> int:
        """Number of bytes of the object.

        Raises:
            NotFound: nothing rests under `key`.

        """
        ...

    def exists(self, key: str) -> bool:
        """True when a whole object rests under `key`."""
        ...

    def keys(self, prefix: str = "") -> Iterator[str]:
        """Every key that begins with the text `prefix`, each once, in no promised order.

        Objects put while this runs may or may not be among them. Unfinished writes never are.
        Errors come while iterating.

        Raises:
            BadInput: no key begins with `prefix`.

        """
        ...

    def strays(self) -> Iterator[str]:
        """Names of what stands in the store and is nobody's object, and of objects that something was put over.

        Our readers are not misled by either; somebody has been there all the same.

        """
        ...

    def local_file(self, key: str) -> AbstractContextManager[Path]:
        """A readable file that holds the object, for as long as the context is open. Never write to it.

        Raises:
            NotFound: nothing rests under `key`.

        """
        ...

    def protect(self, key: str, *, until: datetime) -> Protection:
        """Have the engine refuse to delete or change the object before `until`; never shortens what it promised.

        Returns what the engine now answers for, read back from it: at least `until` with an engine that locks,
        NO_PROTECTION with one that cannot.

        Raises:
            NotFound: nothing rests under `key`.
            NotProtected: the engine was to lock, took the order, and does not hold it.

        """
        ...

    def hold(self, key: str, *, is_held: bool) -> Protection:
        """Put the object under a legal hold, or lift it; returns what the engine now answers for, read back.

        Raises:
            NotFound: nothing rests under `key`.
            NotProtected: the engine was to hold, took the order, and does not.

        """
        ...

    def protection(self, key: str) -> Protection:
        """What the engine answers for now.

        Raises:
            NotFound: nothing rests under `key`.

        """
        ...

    def sweep(self, *, now: datetime) -> int:
        """Remove unfinished writes that are a day old, and return how many; objects are never touched."""
        ...
