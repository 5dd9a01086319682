# SPDX-License-Identifier: Apache-2.0
"""This is where an object gets into the bucket once: whoever came first, and nobody after.

(1) Look: what rests already decides. (2) Put, asking the service to refuse when something came meanwhile. (3) Look
again: in a bucket with versions some services (Ceph) do not hear that request, and then the first version is the
object, not ours. Without versions, a service that does not hear it cannot be helped: the probe says so.
"""

import base64
import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evidence.digest import Digest
from evidence.errors import Conflict, FixityMismatch, NotFound, SourceUnavailable, StoreUnavailable
from storage.reading import opened_source
from storage.s3.client import S3Client, Said
from storage.s3.parts import part_size_of
from storage.s3.reading import Reader
from storage.s3.uploading import Lost, Uploader, read_fully
from storage.s3.versions import Version, Versions

_STARTS = 3


@dataclass(frozen=True, slots=True)
class _Made:
    """What the service said to a put: `is_ours` when it took it for sure, and the version that made."""

    is_ours: bool
    version_id: str | None = None


_SOMEBODY = _Made(is_ours=False)


class Writer:
    """Puts objects to one address."""

    def __init__(self, client: S3Client, versions: Versions, reader: Reader, uploader: Uploader) -> None:
        self._client, self._versions, self._reader, self._uploader = client, versions, reader, uploader
        self._is_conditional = True

    def put_file(self, key: str, source: Path, digest: Digest) -> None:
        """Make the bytes of `source` the object; see the port."""
        if self._rests(key, digest):
            return
        with opened_source(source) as incoming:
            made = self._sent(key, incoming, source, digest)
        self._settle(key, digest, made)

    def put_bytes(self, key: str, data: bytes) -> None:
        """Make `data` the object; see the port."""
        digest = Digest(hashlib.sha256(data).digest(), len(data))
        if not self._rests(key, digest):
            self._settle(key, digest, self._put(key, data, digest))

    def replace(self, key: str, data: bytes) -> None:
        """Put `data` over whatever is there."""
        self._client.call("put_object", Key=self._client.address.name(key), Body=data, ContentMD5=_md5(data))

    def put_on_top(self, key: str, source: Path, digest: Digest) -> None:
        """Put `source` as one more version over whatever is there, compared with `digest`."""
        with opened_source(source) as incoming:
            if _is_small(digest):
                self.replace(key, _compared(incoming, source, digest))
            else:
                self._uploader.upload(key, incoming, source, digest)

    def _sent(self, key: str, incoming: int, source: Path, digest: Digest) -> _Made:
        size_bytes = os.fstat(incoming).st_size
        if size_bytes != digest.size_bytes:
            raise FixityMismatch(f"{source} has {size_bytes} bytes, measured were {digest.size_bytes}", expected=digest)
        if _is_small(digest):
            return self._put(key, _compared(incoming, source, digest), digest)
        for _ in range(_STARTS):
            try:
                return _Made(is_ours=True, version_id=self._uploader.upload(key, incoming, source, digest))
            except Lost:
                if self._is_there(key, digest):
                    return _SOMEBODY  # it was completed, and the answer got lost
        raise StoreUnavailable(f"uploads of {key} are aborted again and again: is a lifecycle rule too short?")

    def _put(self, key: str, data: bytes, digest: Digest) -> _Made:
        address = self._client.address
        request: dict[str, Any] = {
            "Key": address.name(key),
            "Body": data,
            "ContentMD5": _md5(data),
            **address.placing(),
        }
        if self._is_conditional:
            try:
                return self._put_heard(key, digest, IfNoneMatch="*", **request)
            except Said as error:
                if error.is_precondition:
                    return _SOMEBODY
                if error.status != 501:
                    raise
                self._is_conditional = False
        return self._put_heard(key, digest, **request)

    def _put_heard(self, key: str, digest: Digest, **request: Any) -> _Made:
        # A try whose answer got lost may have made the object: trying again blindly would make a second version.
        answer = self._client.call("put_object", unless=lambda: self._is_there(key, digest), **request)
        return _Made(is_ours=True, version_id=answer.get("VersionId")) if answer else _SOMEBODY

    def _settle(self, key: str, digest: Digest, made: _Made) -> None:
        """Be sure that the object is `digest` now, whoever made it."""
        first = self._versions.first(key)
        is_ours = made.is_ours and first.version_id == made.version_id and first.size_bytes == digest.size_bytes
        if not is_ours:
            self._refuse_other(first, digest)

    def _rests(self, key: str, digest: Digest) -> bool:
        try:
            first = self._versions.first(key)
        except NotFound:
            return False
        self._refuse_other(first, digest)
        return True

    def _is_there(self, key: str, digest: Digest) -> bool:
        try:
            first = self._versions.first(key)
        except NotFound:
            return False
        return first.size_bytes == digest.size_bytes and self._reader.measure(first) == digest

    def _refuse_other(self, first: Version, digest: Digest) -> None:
        actual: Digest | str = f"{first.size_bytes} bytes"
        if first.size_bytes == digest.size_bytes:
            actual = self._reader.measure(first)
        if actual != digest:
            raise Conflict(
                f"other bytes rest under {first.key}: {actual}, offered {digest}",
                key=first.key,
                actual=actual,
                expected=digest,
            )


def _is_small(digest: Digest) -> bool:
    return digest.size_bytes <= part_size_of(digest.size_bytes)


def _md5(data: bytes) -> str:
    # Not for security: services compare it with what arrived, and some demand it with a lock.
    return base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode()


def _compared(incoming: int, source: Path, digest: Digest) -> bytes:
    """All bytes of a small source, which are `digest`."""
    try:
        data = read_fully(incoming, 0, digest.size_bytes + 1)
    except OSError as error:
        raise SourceUnavailable(f"cannot read {source}: {error.strerror}", errno=error.errno) from error
    actual = Digest(hashlib.sha256(data).digest(), len(data))
    if actual != digest:
        raise FixityMismatch(f"{source} measures {actual}, not {digest}", expected=digest, actual=actual)
    return data
