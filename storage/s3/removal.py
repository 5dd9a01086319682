# SPDX-License-Identifier: Apache-2.0
"""This is where an object leaves the bucket: every version, every delete marker, every upload in parts of its name.

The order is the safety argument. (1) Every version is asked for its lock before one is touched; governance mode is
never bypassed. (2) The newest goes first: killed half-way, our readers, to whom the oldest is the object, still have
it, and never take for it what somebody put over it. (3) What an answer says of a removal counts for nothing: the
list, and each version by its id, are asked for afterwards.

Source: Amazon S3 user guide, "Deleting object versions from a versioning-enabled bucket".
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from evidence.errors import NotFound, StillLocked, StoreUnavailable
from storage.objects import check_key
from storage.removal import MISSING, Asked, Removed, RemovedVersion, check_removable
from storage.s3.address import S3Address
from storage.s3.client import Patience, S3Client, Said, our_errors
from storage.s3.listing import ours, pages
from storage.s3.versions import Version, Versions

_READS: Mapping[str, dict[str, Any]] = {"head_object": {}, "get_object": {"Range": "bytes=0-0"}}
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


class S3Remover:
    """The Remover promises over the place in a bucket that an address names."""

    def __init__(self, address: S3Address, *, patience: Patience | None = None) -> None:
        self._address = address
        self._client = S3Client(address, patience=patience)

    def remove(self, key: str, *, now: datetime) -> Removed:
        """As the port says. `now` is compared with the ends of locks; the service has the last word."""
        with our_errors(f"cannot remove {check_removable(key)}"):
            # (1) What is there, and is any of it locked? Nothing is touched before all of it has answered.
            found, uploads = self._found(key), tuple(self._uploads(key))
            for one in found:
                self._refuse_locked(one, now)
            # (2) The newest first.
            for upload in uploads:
                self._abort(key, upload)
            for one in found:
                self._delete(one)
            # (3) Gone is what cannot be listed, looked at or read.
            return _removed(key, found, uploads, asked=self._asked(key, found))

    def check_free(self, key: str, *, now: datetime) -> None:
        """As the port says."""
        with our_errors(f"cannot look for the locks of {check_removable(key)}"):
            for one in self._found(key):
                self._refuse_locked(one, now)

    def traces(self, key: str) -> tuple[str, ...]:
        """As the port says."""
        with our_errors(f"cannot look for {check_key(key)}"):
            return tuple([_named(one) for one in self._found(key)] + [f"upload {id_}" for id_ in self._uploads(key)])

    # --- what is there ----------------------------------------------------------------------

    def _found(self, key: str) -> list[Version]:
        """Every version and delete marker, newest first. Whether versions are kept is asked for anew."""
        versions = Versions(self._client)
        if versions.are_kept():
            return versions.all_of(key)
        try:
            return [versions.first(key)]
        except NotFound:
            return []

    def _uploads(self, key: str) -> Iterator[str]:
        """Ids of the uploads in parts of exactly this key."""
        name = self._address.name(key)
        marks = {"KeyMarker": "NextKeyMarker", "UploadIdMarker": "NextUploadIdMarker"}
        for answer in pages(self._client, "list_multipart_uploads", marks, Prefix=name):
            for one in ours(self._client, answer.get("Uploads", []), name):
                if one["Key"] == name:
                    yield one["UploadId"]

    # --- may it go? ---------------------------------------------------------------------------

    def _refuse_locked(self, one: Version, now: datetime) -> None:
        if one.is_delete_marker:
            return  # S3 locks no delete markers
        try:
            head = self._client.call("head_object", Key=self._address.name(one.key), **one.named())
        except Said as error:
            if not error.is_absent:
                raise
            return  # gone since it was listed
        until: datetime | None = head.get("ObjectLockRetainUntilDate")
        is_held = head.get("ObjectLockLegalHoldStatus") == "ON"
        if is_held or (until is not None and until > now):
            raise _still_locked(one, until=until, is_held=is_held)

    # --- away with it ---------------------------------------------------------------------------

    def _abort(self, key: str, upload: str) -> None:
        try:
            self._client.call("abort_multipart_upload", Key=self._address.name(key), UploadId=upload)
        except Said as error:
            if not error.is_absent:
                raise

    def _delete(self, one: Version) -> None:
        try:
            self._client.call("delete_object", Key=self._address.name(one.key), **one.named())
        except Said as error:
            if error.is_absent:
                return
            if error.status == 403:
                # Locked since it was looked at, or by a clock that is behind ours: the service's word counts.
                self._refuse_locked(one, _LONG_AGO)
            raise

    # --- is it gone? ----------------------------------------------------------------------------

    def _asked(self, key: str, removed: list[Version]) -> tuple[Asked, ...]:
        """Ask in every way there is whether it is gone.

        Raises:
            StoreUnavailable: it is not.

        """
        still = self.traces(key)
        if still:
            raise StoreUnavailable(
                f"{key} was removed, and the store at {self._address} still has {', '.join(still[:4])}", key=key
            )
        name = self._address.name(key)
        asked = [Asked("list of versions and uploads", MISSING)]
        asked += [self._gone(operation, name, {}) for operation in _READS]
        kept = [one for one in removed if one.version_id is not None and not one.is_delete_marker]
        asked += [self._gone(operation, name, one.named()) for one in kept for operation in _READS]
        return tuple(asked)

    def _gone(self, operation: str, name: str, version: dict[str, Any]) -> Asked:
        of = f" of version {version['VersionId']}" if version else ""
        try:
            self._client.call(operation, Key=name, **_READS[operation], **version)
        except Said as error:
            if error.is_absent:
                return Asked(f"{operation}{of}", f"{MISSING} ({error})")
            if error.status != 416:  # no range of an empty object: it is there
                raise
        raise StoreUnavailable(f"{name} was removed, and the store still answers {operation}{of} with it", key=name)


def _named(one: Version) -> str:
    if one.version_id is None:
        return f"the object, {one.size_bytes} bytes"
    if one.is_delete_marker:
        return f"delete marker {one.version_id}"
    return f"version {one.version_id}, {one.size_bytes} bytes"


def _removed(key: str, found: list[Version], uploads: tuple[str, ...], *, asked: tuple[Asked, ...]) -> Removed:
    return Removed(
        key,
        versions=tuple(RemovedVersion(one.version_id, one.size_bytes) for one in found if not one.is_delete_marker),
        delete_markers=tuple(str(one.version_id) for one in found if one.is_delete_marker),
        uploads=uploads,
        asked=asked,
    )


def _still_locked(one: Version, *, until: datetime | None, is_held: bool) -> StillLocked:
    why = "under a legal hold, until it is lifted" if is_held else f"locked until {until}"
    return StillLocked(f"{_named(one)} of {one.key} is {why}: nothing of it was removed", key=one.key, until=until)
