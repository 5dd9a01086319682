# SPDX-License-Identifier: Apache-2.0
"""This is where a large object goes up in parts, with a journal: a killed upload goes on where it was.

One part is in flight while the next is read, so a kill costs at most that one. The whole source is hashed at every
start, also the parts that are there already: nothing is completed that is not the digest.
"""

import base64
import hashlib
import os
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from evidence.digest import Digest
from evidence.errors import FixityMismatch, SourceUnavailable
from storage.s3 import journal as journals
from storage.s3.client import S3Client, Said
from storage.s3.journal import Journal, Part
from storage.s3.listing import pages
from storage.s3.parts import part_size_of

_OVER = ("InvalidPart", "InvalidPartOrder")


class Lost(Exception):
    """The service no longer knows the upload or its parts: aborted by somebody, or completed unheard."""


class Uploader:
    """Uploads in parts to one address, with journals in one folder."""

    def __init__(self, client: S3Client, folder: Path) -> None:
        self._client, self._folder = client, folder

    def upload(self, key: str, incoming: int, source: Path, digest: Digest) -> str | None:
        """Put the file open as `incoming` under `key`; the id of the version this made, None without versioning.

        Raises Lost when nothing of the upload is left, and Said.

        Raises:
            FixityMismatch: the bytes are not `digest`; nothing was published.
            SourceUnavailable: the source stopped giving. What was sent is kept for the next try.

        """
        name, part_size = self._client.address.name(key), part_size_of(digest.size_bytes)
        with journals.opened(self._folder, str(self._client.address), key) as journal:
            journal.resume(key, digest, part_size=part_size)
            held = self._held(name, journal)
            if held is None:
                upload = self._begun(name)
                journal.begin(key, digest, part_size=part_size, upload=upload)
            try:
                return self._carry_out(name, journal, _cut(incoming, source, part_size), held or {}, digest)
            except Said as error:
                if not (_is_gone(error) or error.code in _OVER):
                    raise
                self.abort(name, str(journal.upload))
                journal.clear()
                raise Lost from error

    def _begun(self, name: str) -> str:
        answer = self._client.call("create_multipart_upload", Key=name, **self._client.address.placing())
        return str(answer["UploadId"])

    def abort(self, name: str, upload: str) -> bool:
        """Have the service forget an upload and its parts; False when it has already."""
        try:
            self._client.call("abort_multipart_upload", Key=name, UploadId=upload)
        except Said as error:
            if not _is_gone(error):
                raise
            return False
        return True

    def _held(self, name: str, journal: Journal) -> dict[int, tuple[str, int]] | None:
        """ETag and size of each part the service holds of the journal's upload; None when there is no such upload."""
        if journal.upload is None:
            return None
        held: dict[int, tuple[str, int]] = {}
        marks = {"PartNumberMarker": "NextPartNumberMarker"}
        try:
            for answer in pages(self._client, "list_parts", marks, Key=name, UploadId=journal.upload):
                held |= {one["PartNumber"]: (one["ETag"].strip('"'), one["Size"]) for one in answer.get("Parts", [])}
        except Said as error:
            if not _is_gone(error):
                raise
            return None
        return held

    def _carry_out(
        self, name: str, journal: Journal, parts: Iterator[bytes], held: dict[int, tuple[str, int]], digest: Digest
    ) -> str | None:
        # (1) Every part is there and known by its own SHA-256; (2) all together are the digest; (3) make it an object.
        upload = str(journal.upload)
        etags, actual = self._sent(name, journal, parts, held)
        if actual != digest:
            self.abort(name, upload)
            journal.clear()
            raise FixityMismatch(
                f"the source of {name} measures {actual}, not {digest}", expected=digest, actual=actual
            )
        listed = [{"PartNumber": number, "ETag": f'"{etag}"'} for number, etag in sorted(etags.items())]
        answer = self._client.call(
            "complete_multipart_upload", Key=name, UploadId=upload, MultipartUpload={"Parts": listed}
        )
        journal.clear()
        return answer.get("VersionId")

    def _sent(
        self, name: str, journal: Journal, parts: Iterator[bytes], held: dict[int, tuple[str, int]]
    ) -> tuple[dict[int, str], Digest]:
        """ETag of each part, all of them with the service now, and the digest of the whole source."""
        etags: dict[int, str] = {}
        sha256, size_bytes = hashlib.sha256(), 0
        with ThreadPoolExecutor(1) as pool:
            flying: tuple[int, Future[str]] | None = None
            for number, data in enumerate(parts, start=1):
                sha256.update(data)
                size_bytes += len(data)
                part = _part(number, data)
                etag = _known(part, journal, held.get(number))
                if flying is not None:
                    etags[flying[0]] = _landed(journal, flying)
                    flying = None
                if etag is not None:
                    etags[number] = etag
                    continue
                journal.will_send(part)
                flying = (number, pool.submit(self._send, name, str(journal.upload), part, data))
            if flying is not None:
                etags[flying[0]] = _landed(journal, flying)
        return etags, Digest(sha256.digest(), size_bytes)

    def _send(self, name: str, upload: str, part: Part, data: bytes) -> str:
        md5 = base64.b64encode(bytes.fromhex(part.md5)).decode()
        answer: dict[str, Any] = self._client.call(
            "upload_part", Key=name, UploadId=upload, PartNumber=part.number, Body=data, ContentMD5=md5
        )
        return str(answer["ETag"]).strip('"')


def _is_gone(error: Said) -> bool:
    # NoSuchUpload, by the book; Ceph answers ListParts with NoSuchKey.
    return error.status == 404 and error.code != "NoSuchBucket"


def _landed(journal: Journal, flying: tuple[int, "Future[str]"]) -> str:
    number, future = flying
    etag = future.result()
    journal.was_sent(number, etag)
    return etag


def _known(part: Part, journal: Journal, held: tuple[str, int] | None) -> str | None:
    """ETag of a part that the service holds as it is in the source now; None when it must be sent."""
    if held is None or journal.parts.get(part.number) != part:
        return None
    etag, size_bytes = held
    # Killed before the answer was noted: then only an ETag that is the MD5 tells that it is ours.
    is_ours = etag in (part.md5, journal.etags.get(part.number))
    return etag if is_ours and size_bytes == part.size_bytes else None


def _part(number: int, data: bytes) -> Part:
    md5 = hashlib.md5(data, usedforsecurity=False).hexdigest()
    return Part(number, hashlib.sha256(data).hexdigest(), md5, len(data))


def _cut(incoming: int, source: Path, part_size: int) -> Iterator[bytes]:
    """The source in parts; reading starts at its beginning."""
    at = 0
    while True:
        try:
            data = read_fully(incoming, at, part_size)
        except OSError as error:
            raise SourceUnavailable(f"cannot read {source}: {error.strerror}", errno=error.errno) from error
        if not data:
            return
        yield data
        at += len(data)


def read_fully(descriptor: int, at: int, length: int) -> bytes:
    """The `length` bytes from `at`, fewer only where the file ends."""
    pieces = []
    while length and (piece := os.pread(descriptor, length, at)):
        pieces.append(piece)
        at += len(piece)
        length -= len(piece)
    return b"".join(pieces)
