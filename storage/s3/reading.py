# SPDX-License-Identifier: Apache-2.0
"""This is where bytes come back from the bucket: whole lengths or none, and never taken at their first word.

A body that ends early is asked for again from where it ended. A body that arrives whole but changed cannot be seen
by its length: where a whole object is read, its own name or its ETag must agree, or two readings in a row must.
So what differs in the end differs at rest. A range has no such witness: its reader checks it (the chunk tree, the
packet table), and TLS is what keeps it whole on its way.
"""

import hashlib
import re
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any, TypeVar

import urllib3.exceptions
from botocore.exceptions import ReadTimeoutError

from evidence.digest import Digest
from evidence.errors import StoreUnavailable
from storage.objects import BLOCK_SIZE
from storage.s3.client import PASSING, S3Client, Said
from storage.s3.parts import EtagCheck
from storage.s3.versions import Version, Versions

T = TypeVar("T")

_READINGS = 6
_OWN_DIGEST = re.compile(r"(?:.*/)?([0-9a-f]{64})", re.ASCII)
_BROKEN = (*PASSING, ReadTimeoutError, urllib3.exceptions.HTTPError, OSError)


class Short(Exception):
    """A body was not of the length that was promised."""


class Reader:
    """Reads the objects at one address; memory is flat in their size."""

    def __init__(self, client: S3Client, versions: Versions) -> None:
        self._client, self._versions = client, versions

    def range(self, key: str, start: int, length: int) -> bytes:
        """The bytes from `start`, fewer only where the object ends."""
        try:
            return self._range(self._versions.remembered(key), start, length)
        except Said as error:
            if not (error.is_absent or error.is_precondition):
                raise
        self._versions.forget(key)
        return self._range(self._versions.first(key), start, length)

    def _range(self, version: Version, start: int, length: int) -> bytes:
        if start >= version.size_bytes or length == 0:
            # Nothing to ask for: be sure all the same that it is there.
            version = self._versions.first(version.key)
        return b"".join(self.pieces(version, start, min(start + length, version.size_bytes)))

    def pieces(self, version: Version, start: int, stop: int) -> Iterator[bytes]:
        """The bytes from `start` to before `stop`, at most a mebibyte at a time; `stop` is within the object.

        Raises:
            StoreUnavailable: they did not come. Raises Said when the version is not there, or not as it was.

        """
        at, tries = start, self._client.tries(f"reading {version.key}")
        while at < stop:
            try:
                for piece in self._body(version, at, stop):
                    at += len(piece)
                    tries.went_on()
                    yield piece
            except Said as error:
                if not error.may_pass:
                    raise
                tries.pause(error)
            except (*_BROKEN, Short) as error:
                tries.pause(error)

    def _body(self, version: Version, start: int, stop: int) -> Iterator[bytes]:
        answer = self._client.once(
            "get_object", Key=self._name(version.key), Range=f"bytes={start}-{stop - 1}", **_meaning(version)
        )
        _check_range(answer, version, start, stop)
        left = stop - start
        with closing(answer["Body"]) as body:
            while piece := body.read(BLOCK_SIZE):
                left -= len(piece)
                if left < 0:
                    raise Short(f"more came than the {stop - start} bytes asked for")
                yield piece
        if left:
            raise Short(f"{left} of {stop - start} bytes did not come")

    def whole(self, key: str, take: Callable[[Version, Iterator[bytes]], T]) -> tuple[T, Digest]:
        """What `take` makes of all the object's bytes, and their digest; `take` may be called several times.

        Raises:
            StoreUnavailable: the service gives other bytes at each reading.

        """
        return self._agreed(lambda: self._versions.first(key), take)

    def measure(self, version: Version) -> Digest:
        """Digest of this version, whichever it is."""
        return self._agreed(lambda: version, lambda _, pieces: drained(pieces))[1]

    def _agreed(self, find: Callable[[], Version], take: Callable[[Version, Iterator[bytes]], T]) -> tuple[T, Digest]:
        seen: set[Digest] = set()
        for _ in range(_READINGS):
            version = find()
            witness = _Witness(version)
            try:
                taken = take(version, witness.watched(self.pieces(version, 0, version.size_bytes)))
            except Said as error:
                if error.is_absent or error.is_precondition:
                    continue  # it changed between the question and the reading: ask again
                raise
            if witness.is_content() or witness.digest in seen:
                return taken, witness.digest
            seen.add(witness.digest)
        raise StoreUnavailable(
            f"{version.key} reads differently each time: something between us and the store alters it"
        )

    def _name(self, key: str) -> str:
        return self._client.address.name(key)


class _Witness:
    """Looks on while a whole object is read, and says whether it came as it rests."""

    def __init__(self, version: Version) -> None:
        self._size_bytes = version.size_bytes
        match = _OWN_DIGEST.fullmatch(version.key)
        self._own = match.group(1) if match else None
        self._etag = EtagCheck(version.etag, version.size_bytes) if self._own is None else None
        self._sha256 = hashlib.sha256()

    def watched(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        for piece in pieces:
            self._sha256.update(piece)
            if self._etag is not None:
                self._etag.update(piece)
            yield piece

    @property
    def digest(self) -> Digest:
        return Digest(self._sha256.digest(), self._size_bytes)

    def is_content(self) -> bool:
        if self._etag is None:
            return self._own == self._sha256.hexdigest()
        # Nothing to compare with (an encrypted bucket): TLS has kept it, one reading must do.
        return not self._etag.is_usable or self._etag.holds()


def _meaning(version: Version) -> dict[str, Any]:
    # Without versions the object may be replaced between two requests: then the ETag is another.
    return version.named() or {"IfMatch": f'"{version.etag}"'}


def _check_range(answer: dict[str, Any], version: Version, start: int, stop: int) -> None:
    told = answer.get("ContentRange")
    if told is None and start == 0 and answer.get("ContentLength") == version.size_bytes == stop:
        return
    if told != f"bytes {start}-{stop - 1}/{version.size_bytes}":
        answer["Body"].close()
        raise Short(f"bytes {start}-{stop - 1}/{version.size_bytes} were asked for, {told} came")


def drained(pieces: Iterator[bytes]) -> None:
    """Read on to the end, and keep nothing."""
    for _ in pieces:
        pass
