# SPDX-License-Identifier: Apache-2.0
"""This is where things go into envelopes: the order of writes is what keeps an envelope from losing its key.

(1) A draft of the envelope, compared with its digest: what is refused leaves no data key behind. (2) The wrapped
data key, durably, and only one: of writers that race the first one's counts. (3) The envelope. A kill after (2)
leaves a wrapped key that opens nothing; the repeat uses it.
"""

import hashlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from evidence.digest import Digest
from evidence.errors import Conflict, FixityMismatch
from storage import layout
from storage.durable import store_errors
from storage.enveloped.form import KEY_SIZE, Envelope
from storage.enveloped.keyring import WRAPPED_SIZE, Chance, Keyring
from storage.enveloped.opening import Opening, Watch
from storage.enveloped.rooms import room
from storage.objects import ObjectStore
from storage.reading import blocks_of_source, opened_source


@dataclass(frozen=True, slots=True)
class DataKey:
    """A data key, wrapped as it rests (or is to rest) under `name`; its text form does not show it."""

    name: str
    wrapped: bytes
    plain: bytes = field(repr=False)


class Sealing:
    """Puts envelopes into `inner`; with `is_on` False only those that share a data key with one that is there."""

    def __init__(
        self, inner: ObjectStore, keys: Keyring, opening: Opening, *, chance: Chance, rooms: Path, is_on: bool
    ) -> None:
        self._inner, self._keys, self._opening = inner, keys, opening
        self._chance, self._rooms, self._is_on = chance, rooms, is_on

    def data_key(self, name: str) -> DataKey | None:
        """The data key that rests under `name`, or a new one that does not rest yet; None: its objects are plain.

        Raises:
            FixityMismatch, RecordMalformed: the one that rests was altered.
            StoreUnavailable: the key it is wrapped under is not here, or the store is down.

        """
        wrapped = self._opening.wrapped(name)
        if wrapped is None and any(self._inner.exists(key) for key in layout.enveloped_under(name)):
            # Asked again: an envelope that came between the two questions came after its key.
            wrapped = self._opening.wrapped(name)
            if wrapped is None:
                return None
        if wrapped is not None:
            return DataKey(name, wrapped, self._opening.unwrapped(wrapped, name))
        if not self._is_on:
            return None
        plain = self._chance(KEY_SIZE)
        return DataKey(name, self._keys.wrap(plain, name, chance=self._chance), plain)

    def seal_file(self, key: str, source: Path, *, digest: Digest, data_key: DataKey) -> None:
        """Rest the bytes of `source` in an envelope under `key`. Raises as `put_once` of the port."""
        with room(self._rooms) as folder:
            draft = folder / "envelope"
            sealed = self._draft(draft, key, source, digest=digest, data_key=data_key)
            rested = self._rested(data_key)
            if rested.plain != data_key.plain:
                sealed = self._draft(draft, key, source, digest=digest, data_key=rested)
            self._inner.put_once(key, draft, digest=sealed, give=True)

    def seal_bytes(self, key: str, data: bytes, *, data_key: DataKey) -> None:
        """Rest `data` in an envelope under `key`. Raises as `put_bytes_once` of the port."""
        plain = Digest(hashlib.sha256(data).digest(), len(data))
        envelope = Envelope.of(key, plain, data_key=self._rested(data_key).plain)
        self._inner.put_bytes_once(key, b"".join(envelope.sealed([data])))

    def settle_key(self, key: str) -> None:
        """Be sure that the wrapped data key of `key`, which is there, is durable."""
        name = layout.envelope_key_of(key)
        if name is not None:
            self._inner.put_bytes_once(name, self._inner.read(name, limit=WRAPPED_SIZE))

    def _rested(self, data_key: DataKey) -> DataKey:
        """The data key that rests durably under the name now: this one, or that of a writer who was quicker."""
        name = data_key.name
        try:
            self._inner.put_bytes_once(name, data_key.wrapped)
        except Conflict:
            first = self._inner.read(name, limit=WRAPPED_SIZE)
            # Of the other writer's key nobody knows yet that it is durable.
            self._inner.put_bytes_once(name, first)
            return DataKey(name, first, self._keys.unwrap(first, name))
        return data_key

    def _draft(self, path: Path, key: str, source: Path, *, digest: Digest, data_key: DataKey) -> Digest:
        """Make `path` the envelope of `source`; the digest of that file.

        A draft that is refused was sealed with a seed that is not its own. It is never published, and lay
        for a moment beside the plaintext: it tells nothing that the spool does not tell.
        """
        envelope = Envelope.of(key, digest, data_key=data_key.plain)
        measured, sealed = hashlib.sha256(), hashlib.sha256()
        with opened_source(source) as incoming, store_errors(f"cannot seal {key}"), path.open("wb") as file:
            size_bytes = os.fstat(incoming).st_size
            if size_bytes != digest.size_bytes:
                raise FixityMismatch(
                    f"{source} has {size_bytes} bytes, measured were {digest.size_bytes}", expected=digest
                )
            blocks = _watched(blocks_of_source(incoming, source), measured.update)
            for piece in envelope.sealed(blocks):
                sealed.update(piece)
                file.write(piece)
        actual = Digest(measured.digest(), size_bytes)
        if actual != digest:
            raise FixityMismatch(f"{source} measures {actual}, not {digest}", key=key, expected=digest, actual=actual)
        return Digest(sealed.digest(), envelope.sealed_size)


def _watched(blocks: Iterable[memoryview], watch: Watch) -> Iterator[memoryview]:
    for block in blocks:
        watch(block)
        yield block
