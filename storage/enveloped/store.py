# SPDX-License-Identifier: Apache-2.0
"""This is where footage rests encrypted, over any other object store: whoever destroys its data key has erased it.

Originals, their tables and derivatives rest in envelopes (`form`); receipts, details and the log rest as they are,
so that they stay public proof. A wrapped data key rests beside, where `layout.envelope_key_of` says. Whether an
object is in an envelope is told by that key being there, and by nothing in the object: a wrapped key always rests
before its first envelope, and what was there before stays plain, with all that would share a key with it.
"""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from evidence.digest import Digest
from evidence.errors import BadInput, Conflict, FixityMismatch, RecordMalformed
from storage import layout
from storage.durable import store_errors
from storage.enveloped import rooms
from storage.enveloped.form import Envelope, pieces_of
from storage.enveloped.keyring import Chance, Keyring
from storage.enveloped.opening import Opening
from storage.enveloped.sealing import Sealing
from storage.objects import BLOCK_SIZE, ObjectStore, Protection, check_key, check_prefix


class EnvelopedStore:
    """The ObjectStore promises over `inner`, with footage in envelopes; sizes and digests are of the plaintext.

    `is_on` False puts nothing new into envelopes, but reads those that are there, and completes what shares a data key
    with them. `rooms` is a folder of this machine, on the disk of a directory store if it can be, for drafts of
    envelopes and for opened copies. `lends_itself` says that `inner` lends its own files (a directory does): then its
    page cache is asked to forget an object before it is measured.
    """

    def __init__(
        self,
        inner: ObjectStore,
        keys: Keyring,
        *,
        chance: Chance,
        rooms: Path,
        is_on: bool = True,
        lends_itself: bool = False,
    ) -> None:
        self.inner = inner
        self._rooms, self._lends_itself = rooms, lends_itself
        self._opening = Opening(inner, keys)
        self._sealing = Sealing(inner, keys, self._opening, chance=chance, rooms=rooms, is_on=is_on)

    # --- writing ----------------------------------------------------------------------------

    def put_once(self, key: str, source: Path, *, digest: Digest, give: bool = False) -> None:
        """As the port says. What goes into an envelope is copied and compared, also with `give`."""
        name = layout.envelope_key_of(_ours(key))
        data_key = None if name is None else self._sealing.data_key(name)
        if data_key is None:
            self.inner.put_once(key, source, digest=digest, give=give)
        elif self.inner.exists(key):
            self._settle(key, source, digest=digest, give=give)
        else:
            self._sealing.seal_file(key, source, digest=digest, data_key=data_key)

    def put_bytes_once(self, key: str, data: bytes) -> None:
        """As the port says: equal bytes make equal envelopes."""
        name = layout.envelope_key_of(_ours(key))
        data_key = None if name is None else self._sealing.data_key(name)
        if data_key is None:
            self.inner.put_bytes_once(key, data)
        else:
            self._sealing.seal_bytes(key, data, data_key=data_key)

    def replace(self, key: str, data: bytes) -> None:
        """As the port says: no pointer rests in an envelope."""
        self.inner.replace(key, data)

    # --- reading ----------------------------------------------------------------------------

    def read(self, key: str, *, limit: int) -> bytes:
        """As the port says. Raises FixityMismatch also when the envelope does not open; so does every reading."""
        envelope = self._opening.envelope(key)
        if envelope is None:
            return self.inner.read(key, limit=limit)
        if envelope.size_bytes > limit:
            raise RecordMalformed(f"{key} is larger than the {limit} bytes it may have", key=key, limit=limit)
        return b"".join(self._opening.chunks(envelope))

    def read_range(self, key: str, start: int, length: int) -> bytes:
        """As the port says: only the chunks that are touched are read and opened, and they are authentic."""
        if start < 0 or length < 0:
            raise BadInput(f"no range of {key} starts at {start} and has {length} bytes", key=key)
        envelope = self._opening.envelope(key)
        if envelope is None:
            return self.inner.read_range(key, start, length)
        return self._opening.range(envelope, start, length)

    def blocks(self, key: str, size: int = BLOCK_SIZE) -> Iterator[bytes]:
        """As the port says; what was given is authentic, and an end that was cut off raises at the end."""
        if size <= 0:
            raise BadInput(f"no block of {key} has {size} bytes", key=key)
        envelope = self._opening.envelope(key)
        if envelope is None:
            yield from self.inner.blocks(key, size)
        else:
            yield from pieces_of(self._opening.chunks(envelope), size)

    def measure(self, key: str) -> Digest:
        """As the port says: the digest of the plaintext, opened from the bytes at rest.

        Raises:
            FixityMismatch: the envelope does not open: it was altered at rest.

        """
        envelope = self._opening.envelope(key)
        if envelope is None:
            return self.inner.measure(key)
        return self._measured(envelope)[0]

    def size(self, key: str) -> int:
        """As the port says: of the plaintext."""
        envelope = self._opening.envelope(key)
        if envelope is None:
            return self.inner.size(key)
        if self.inner.size(key) != envelope.sealed_size:
            raise FixityMismatch(f"{key} was cut off or lengthened at rest", key=key)
        return envelope.size_bytes

    def exists(self, key: str) -> bool:
        """As the port says."""
        return self.inner.exists(key)

    def keys(self, prefix: str = "") -> Iterator[str]:
        """As the port says: wrapped data keys are not objects of their own, and left out."""
        check_prefix(prefix)
        return (key for key in self.inner.keys(prefix) if not key.startswith(layout.ENVELOPES_PREFIX))

    def strays(self) -> Iterator[str]:
        """As the port says; also wrapped data keys that open nothing that is there."""
        yield from self.inner.strays()
        spare = set(self.inner.keys(layout.ENVELOPES_PREFIX))
        if spare:
            for prefix in (layout.ORIGINALS_PREFIX, layout.DERIVATIVES_PREFIX):
                spare.difference_update(map(layout.envelope_key_of, self.inner.keys(prefix)))
        yield from sorted(spare)

    @contextmanager
    def local_file(self, key: str) -> Iterator[Path]:
        """As the port says: an opened copy in a private folder, removed at the end."""
        envelope = self._opening.envelope(key)
        if envelope is None:
            with self.inner.local_file(key) as path:
                yield path
            return
        with rooms.room(self._rooms) as room:
            path = room / key.rpartition("/")[2]
            with store_errors(f"cannot open {key} into a file"), path.open("wb") as file:
                for chunk in self._opening.chunks(envelope):
                    file.write(chunk)
                os.fchmod(file.fileno(), 0o400)
            yield path

    # --- locks ------------------------------------------------------------------------------

    def protect(self, key: str, *, until: datetime) -> Protection:
        """As the port says; the wrapped data key first, without which the object is lost."""
        name = self._name_at_rest(key)
        if name is not None:
            self.inner.protect(name, until=until)
        self.inner.protect(key, until=until)
        return self.protection(key)

    def hold(self, key: str, *, is_held: bool) -> Protection:
        """As the port says. The wrapped data key is held as long as anything is that it opens."""
        name = self._name_at_rest(key)
        if name is not None and is_held:
            self.inner.hold(name, is_held=True)
        self.inner.hold(key, is_held=is_held)
        if name is not None and not is_held and not self._is_any_held(name):
            self.inner.hold(name, is_held=False)
        return self.protection(key)

    def protection(self, key: str) -> Protection:
        """As the port says: the weaker of the object's own and its wrapped data key's."""
        name, own = self._name_at_rest(key), self.inner.protection(key)
        return own if name is None else _weaker(own, self.inner.protection(name))

    # --- keeping ----------------------------------------------------------------------------

    def sweep(self, *, now: datetime) -> int:
        """As the port says; what killed processes left opened goes at once."""
        with store_errors("cannot sweep unfinished writes"):
            swept = rooms.sweep(self._rooms)
        return swept + self.inner.sweep(now=now)

    # --- within -----------------------------------------------------------------------------

    def _settle(self, key: str, source: Path, *, digest: Digest, give: bool) -> None:
        """Be sure that what rests under `key` is `digest`, and durable, whoever put it there."""
        envelope = self._opening.envelope(key)
        if envelope is None:
            self.inner.put_once(key, source, digest=digest, give=give)
            return
        actual, sealed = self._measured(envelope)
        if actual != digest:
            raise Conflict(f"other bytes rest under {key}: {actual}, offered {digest}", key=key, actual=actual)
        self._sealing.settle_key(key)
        self.inner.put_once(key, source, digest=sealed)

    def _measured(self, envelope: Envelope) -> tuple[Digest, Digest]:
        """Digest of the plaintext, and of the envelope, in one reading."""
        if self._lends_itself:
            with self.inner.local_file(envelope.key) as path:
                _forget_cached(path)
        plain, sealed = hashlib.sha256(), hashlib.sha256()
        for chunk in self._opening.chunks(envelope, watch=sealed.update):
            plain.update(chunk)
        return Digest(plain.digest(), envelope.size_bytes), Digest(sealed.digest(), envelope.sealed_size)

    def _name_at_rest(self, key: str) -> str | None:
        """Key of the wrapped data key without which the object cannot be read; None when it rests plain."""
        name = layout.envelope_key_of(check_key(key))
        return name if name is not None and self.inner.exists(name) else None

    def _is_any_held(self, name: str) -> bool:
        return any(
            self.inner.exists(key) and self.inner.protection(key).is_held for key in layout.enveloped_under(name)
        )


def at_rest(store: ObjectStore) -> ObjectStore:
    """The store below, whose objects are the bytes that really lie there: for copying and removing them."""
    return store.inner if isinstance(store, EnvelopedStore) else store


def _ours(key: str) -> str:
    if check_key(key).startswith(layout.ENVELOPES_PREFIX):
        raise BadInput(f"{key} is where wrapped data keys rest, and nothing else", key=key)
    return key


def _weaker(one: Protection, other: Protection) -> Protection:
    until = None if one.until is None or other.until is None else min(one.until, other.until)
    mode = None if other.mode is None else one.mode
    return Protection(mode, until, one.is_held and other.is_held)


def _forget_cached(path: Path) -> None:
    if hasattr(os, "posix_fadvise"):
        with store_errors(f"cannot read {path}"):
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            finally:
                os.close(descriptor)
