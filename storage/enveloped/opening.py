# SPDX-License-Identifier: Apache-2.0
"""This is where envelopes are found at rest and opened: whole in order, or the chunks of a range alone.

A chunk or a data key that does not open is read once more, by itself, before it is called altered: it may have been
changed on its way.
"""

import threading
from collections.abc import Callable, Iterator

from evidence.errors import FixityMismatch, IntegrityError, NotFound
from storage import layout
from storage.enveloped.form import CHUNK_SIZE, HEADER_SIZE, SEALED_CHUNK_SIZE, Envelope, pieces_of
from storage.enveloped.keyring import WRAPPED_SIZE, Keyring
from storage.objects import ObjectStore, check_key

Watch = Callable[[bytes | memoryview], object]

_READ_AT_ONCE = 16  # chunks
_REMEMBERED = 16  # envelopes


def _unwatched(_: bytes | memoryview) -> None:
    """Nobody wants to see it."""


class Opening:
    """Opens what rests in `inner` with the data keys that `keys` unwraps."""

    def __init__(self, inner: ObjectStore, keys: Keyring) -> None:
        self._inner, self._keys = inner, keys
        self._known: dict[str, tuple[bytes, Envelope]] = {}
        self._lock = threading.Lock()

    def wrapped(self, name: str) -> bytes | None:
        """The wrapped data key under `name` as it came, None when there is none."""
        try:
            # A range is one request, and `unwrapped` is its witness.
            return self._inner.read_range(name, 0, WRAPPED_SIZE + 1)
        except NotFound:
            return None

    def unwrapped(self, wrapped: bytes, name: str) -> bytes:
        """The data key that came wrapped from under `name`.

        Raises:
            FixityMismatch, RecordMalformed: it was altered at rest.
            StoreUnavailable: the key it is wrapped under is not here, or the store is down.

        """
        try:
            return self._keys.unwrap(wrapped, name)
        except IntegrityError:
            return self._keys.unwrap(self._inner.read(name, limit=WRAPPED_SIZE), name)

    def envelope(self, key: str) -> Envelope | None:
        """The envelope that rests under `key`; None when what rests there (if anything) is plain.

        Raises:
            NotFound: a data key is there, and nothing that it opens under `key`.
            FixityMismatch, RecordMalformed: the data key or the envelope was altered.
            StoreUnavailable: the key it is wrapped under is not here, or the store is down.

        """
        name = layout.envelope_key_of(check_key(key))
        if name is None:
            return None
        wrapped = self.wrapped(name)
        if wrapped is None and self._inner.exists(key):
            # Asked again: an envelope that came between the two questions came after its key.
            wrapped = self.wrapped(name)
        if wrapped is None:
            return None
        # The data key is read each time, so that an erased one is gone at once; the header need not be.
        with self._lock:
            known = self._known.get(key)
        if known is not None and known[0] == wrapped:
            return known[1]
        data_key = self.unwrapped(wrapped, name)
        envelope = Envelope.read(key, self._inner.read_range(key, 0, HEADER_SIZE), data_key=data_key)
        self._remember(wrapped, envelope)
        return envelope

    def range(self, envelope: Envelope, start: int, length: int) -> bytes:
        """The `length` bytes of the plaintext from `start`, fewer only where it ends.

        Raises:
            NotFound: it is there no more. FixityMismatch: a chunk that is touched does not open.

        """
        stop = min(start + length, envelope.size_bytes)
        if start >= stop:
            # Nothing to open: be sure all the same that it ends there.
            self._one(envelope, envelope.chunks - 1)
            return b""
        first, last = start // CHUNK_SIZE, (stop - 1) // CHUNK_SIZE
        plain = b"".join(self._run(envelope, first, last + 1))
        return plain[start - first * CHUNK_SIZE : stop - first * CHUNK_SIZE]

    def chunks(self, envelope: Envelope, *, watch: Watch = _unwatched) -> Iterator[bytes]:
        """All chunks of the plaintext in order; `watch` is given the bytes at rest, piece by piece.

        Raises:
            NotFound: it is there no more. FixityMismatch: a chunk does not open, or there are fewer or more.

        """
        index = 0
        for sealed in pieces_of(self._body(envelope, watch), SEALED_CHUNK_SIZE):
            if index >= envelope.chunks or len(sealed) > envelope.place(index)[1]:
                raise FixityMismatch(f"{envelope.key} was lengthened at rest", key=envelope.key)
            yield self._opened(envelope, index, sealed)
            index += 1
        if index < envelope.chunks:
            raise FixityMismatch(
                f"{envelope.key} was cut off at rest: {index} of its {envelope.chunks} chunks are there",
                key=envelope.key,
            )

    def _body(self, envelope: Envelope, watch: Watch) -> Iterator[bytes]:
        """What follows the header, which must still be the one that the envelope was found by."""
        head = b""
        for block in self._inner.blocks(envelope.key):
            watch(block)
            missing = HEADER_SIZE - len(head)
            head += block[:missing]
            yield block[missing:]
        if head != envelope.header and self._inner.read_range(envelope.key, 0, HEADER_SIZE) != envelope.header:
            raise FixityMismatch(f"the header of {envelope.key} was altered at rest", key=envelope.key)

    def _run(self, envelope: Envelope, first: int, stop: int) -> Iterator[bytes]:
        for begin in range(first, stop, _READ_AT_ONCE):
            wanted = [envelope.place(index) for index in range(begin, min(begin + _READ_AT_ONCE, stop))]
            start = wanted[0][0]
            run = self._inner.read_range(envelope.key, start, sum(length for _, length in wanted))
            for index, (at, length) in enumerate(wanted, begin):
                yield self._opened(envelope, index, run[at - start : at - start + length])

    def _opened(self, envelope: Envelope, index: int, sealed: bytes) -> bytes:
        try:
            return envelope.opened(index, sealed)
        except FixityMismatch:
            return self._one(envelope, index)

    def _one(self, envelope: Envelope, index: int) -> bytes:
        return envelope.opened(index, self._inner.read_range(envelope.key, *envelope.place(index)))

    def _remember(self, wrapped: bytes, envelope: Envelope) -> None:
        with self._lock:
            self._known[envelope.key] = (wrapped, envelope)
            if len(self._known) > _REMEMBERED:
                del self._known[next(iter(self._known))]
