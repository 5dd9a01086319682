# SPDX-License-Identifier: Apache-2.0
"""This is where it is decided which of an object's versions is the object: the first one.

A key is written once. In a bucket with versioning, whatever somebody puts over it later, and a delete marker too,
is another version beside the first; the first stays and is what every reader gets. That also settles a race of
writers at a service that ignores If-None-Match there (Ceph does): the first version won, the others are told.
Without versioning there is one version, and the service's own If-None-Match decides.

Source: Amazon S3 API reference, ListObjectVersions: versions of a key come newest first.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any

from evidence.errors import NotFound
from storage import layout
from storage.s3.client import S3Client, Said
from storage.s3.listing import in_order, ours, pages

PAGE = 500
_REMEMBERED = 4096
_ASKED_AGAIN_AFTER_S = 60.0


@dataclass(frozen=True, slots=True)
class Version:
    """One version of an object; `version_id` is None in a bucket without versioning.

    `etag` is what the service calls the bytes. It is never taken for a digest of them.
    """

    key: str
    version_id: str | None
    size_bytes: int
    etag: str
    modified: datetime
    is_latest: bool
    is_delete_marker: bool = False

    def named(self) -> dict[str, Any]:
        """What a request says to mean this version and no other."""
        return {} if self.version_id is None else {"VersionId": self.version_id}


class Versions:
    """The versions of the objects at one address."""

    def __init__(self, client: S3Client) -> None:
        self._client, self._address = client, client.address
        self._lock = threading.Lock()
        self._first: OrderedDict[str, Version] = OrderedDict()
        self._state: tuple[bool, float] | None = None

    def are_kept(self) -> bool:
        """True when the bucket keeps versions, or has kept some and was told to stop."""
        # That cannot be undone once it was so; the other way it can change under us.
        state = self._state
        if state is None or not (state[0] or time.monotonic() < state[1]):
            status = self._client.call("get_bucket_versioning").get("Status")
            state = self._state = (status is not None, time.monotonic() + _ASKED_AGAIN_AFTER_S)
        return state[0]

    def first(self, key: str) -> Version:
        """The version that is the object: asked for anew, remembered for `remembered`.

        Raises:
            NotFound: nothing rests under `key`.

        """
        found = self._pointed(key) if layout.is_pointer(key) or not self.are_kept() else self._oldest(key)
        with self._lock:
            self._first[key] = found
            self._first.move_to_end(key)
            while len(self._first) > _REMEMBERED:
                self._first.popitem(last=False)
        return found

    def remembered(self, key: str) -> Version:
        """The same, without a question when the answer cannot have changed: `forget` it when it is not there."""
        found = self._first.get(key)
        is_fixed = found is not None and found.version_id is not None and not layout.is_pointer(key)
        return found if found is not None and is_fixed else self.first(key)

    def forget(self, key: str) -> None:
        """Ask the service the next time."""
        with self._lock:
            self._first.pop(key, None)

    def all_of(self, key: str) -> list[Version]:
        """Every version of `key` and every delete marker, newest first; empty when there is none."""
        name = self._address.name(key)
        found: list[Version] = []
        for version in self._listed(name, page=100):
            if version.key != key:
                break  # names come in order, and ours is the first that begins so
            found.append(version)
        return found

    def grouped(self, prefix: str) -> Iterator[tuple[str, list[Version]]]:
        """Each name whose key would begin with `prefix`, with its versions and markers, newest first."""
        groups = groupby(self._listed(self._address.names(prefix)), key=lambda one: one.key)
        found: list[Version] = []

        def names() -> Iterator[str]:
            for name, group in groups:
                found[:] = group
                yield name

        for name in in_order(names()):
            yield name, list(found)

    def _oldest(self, key: str) -> Version:
        kept = [one for one in self.all_of(key) if not one.is_delete_marker]
        if not kept:
            raise NotFound(f"nothing rests under {key}", key=key)
        return kept[-1]

    def _pointed(self, key: str) -> Version:
        try:
            head = self._client.call("head_object", Key=self._address.name(key))
        except Said as error:
            if not error.is_absent:
                raise
            # The answer to HEAD has no body that could say whether it is the bucket that is not there.
            self._client.call("get_bucket_versioning")
            raise NotFound(f"nothing rests under {key}", key=key) from error
        return Version(
            key, head.get("VersionId"), head["ContentLength"], _bare(head["ETag"]), head["LastModified"], is_latest=True
        )

    def _listed(self, prefix: str, *, page: int = PAGE) -> Iterator[Version]:
        marks = {"KeyMarker": "NextKeyMarker", "VersionIdMarker": "NextVersionIdMarker"}
        for answer in pages(self._client, "list_object_versions", marks, Prefix=prefix, MaxKeys=page):
            yield from self._of_page(answer, prefix)

    def _of_page(self, answer: dict[str, Any], prefix: str) -> list[Version]:
        # boto3 parts what the service told in one order: objects first, markers after them.
        versions, markers = (ours(self._client, answer.get(name, []), prefix) for name in ("Versions", "DeleteMarkers"))
        found = [self._of(entry, is_marker=False) for entry in versions]
        found += [self._of(entry, is_marker=True) for entry in markers]
        return sorted(found, key=lambda one: one.key)

    def _of(self, entry: dict[str, Any], *, is_marker: bool) -> Version:
        return Version(
            entry["Key"].removeprefix(self._address.prefix),
            entry["VersionId"],
            entry.get("Size", 0),
            _bare(entry.get("ETag", "")),
            entry["LastModified"],
            entry["IsLatest"],
            is_marker,
        )


def _bare(etag: str) -> str:
    return etag.strip('"')
