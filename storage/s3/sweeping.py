# SPDX-License-Identifier: Apache-2.0
"""This is where uploads in parts that nobody will finish are ended: they cost room, and no listing shows them."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from storage.s3 import journal, scratch
from storage.s3.client import S3Client
from storage.s3.listing import ours, pages
from storage.s3.uploading import Uploader


def sweep(client: S3Client, uploader: Uploader, folder: Path, *, before: datetime) -> int:
    """End uploads under our prefix begun before this moment, remove old journals and lent files; how many in all.

    An upload that a process of this machine is at is left alone. Raises Said.
    """
    at_work = journal.uploads_at_work(folder)
    stale = [(name, upload) for name, upload, begun in _unfinished(client) if begun < before and upload not in at_work]
    swept = sum(uploader.abort(name, upload) for name, upload in stale)
    return swept + journal.sweep(folder, before=before) + scratch.sweep(folder, before=before)


def _unfinished(client: S3Client) -> Iterator[tuple[str, str, datetime]]:
    """Name, id and beginning of every upload in parts that is under our prefix."""
    marks = {"KeyMarker": "NextKeyMarker", "UploadIdMarker": "NextUploadIdMarker"}
    for answer in pages(client, "list_multipart_uploads", marks, Prefix=client.address.prefix):
        for one in ours(client, answer.get("Uploads", [])):
            yield one["Key"], one["UploadId"], one["Initiated"]
