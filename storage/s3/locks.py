# SPDX-License-Identifier: Apache-2.0
"""This is where the bucket is told to refuse: retention and legal hold on the version that is the object.

An order that was taken is not yet a lock: services were met that drop lock headers without a word, and one that
stores the order as a new version of the object. So (1) a bucket that does not say it locks gets no order,
(2) the order names the version, and (3) what counts is what the service says of that version afterwards.

Source: Amazon S3 user guide, "Locking objects with Object Lock".
"""

from datetime import datetime, timedelta
from typing import Any

from evidence.errors import NotProtected
from storage.objects import NO_PROTECTION, Protection
from storage.s3.address import LockMode
from storage.s3.client import S3Client, Said
from storage.s3.versions import Version, Versions


class Locks:
    """The locks at one address, in the mode it names; None locks nothing."""

    def __init__(self, client: S3Client, versions: Versions) -> None:
        self._client, self._versions, self._mode = client, versions, client.address.lock
        self._is_known_to_lock = False

    def protect(self, key: str, until: datetime) -> Protection:
        """As the port says. A stricter mode or a later date that is there already stays."""
        version = self._versions.first(key)
        if self._mode is None:
            return NO_PROTECTION
        self._check_bucket()
        has = self._of(version)
        mode = _stricter(has.mode, self._mode)
        wanted = _whole_second(max(until, has.until) if has.until else until)
        if has.mode != mode or has.until is None or has.until < wanted:
            self._order("put_object_retention", version, Retention={"Mode": mode.upper(), "RetainUntilDate": wanted})
            has = self._of(version)
        if has.mode is None or has.until is None or has.until < until or _stricter(has.mode, mode) != has.mode:
            raise NotProtected(
                f"{key} was to be locked ({mode}) until {until}, and the store answers for {has.mode}, {has.until}",
                key=key,
            )
        return has

    def hold(self, key: str, *, is_held: bool) -> Protection:
        """As the port says."""
        version = self._versions.first(key)
        if self._mode is None:
            return NO_PROTECTION
        self._check_bucket()
        self._order("put_object_legal_hold", version, LegalHold={"Status": "ON" if is_held else "OFF"})
        has = self._of(version)
        if has.is_held != is_held:
            raise NotProtected(f"the legal hold of {key} was to be {is_held}, and the store says otherwise", key=key)
        return has

    def protection(self, key: str) -> Protection:
        """As the port says."""
        version = self._versions.first(key)
        return NO_PROTECTION if self._mode is None else self._of(version)

    def carry_over(self, version: Version, onto: Version) -> None:
        """Lock another version of the object as this one is.

        Raises:
            NotProtected: that did not hold.

        """
        if self._mode is None:
            return
        has = self._of(version)
        if has.mode is not None and has.until is not None:
            self._order(
                "put_object_retention",
                onto,
                Retention={"Mode": has.mode.upper(), "RetainUntilDate": _whole_second(has.until)},
            )
        if has.is_held:
            self._order("put_object_legal_hold", onto, LegalHold={"Status": "ON"})
        now = self._of(onto)
        if (now.mode, now.is_held) != (has.mode, has.is_held) or (
            has.until and (not now.until or now.until < has.until)
        ):
            raise NotProtected(f"the new version of {version.key} was to be locked like the first, and is not")

    def _check_bucket(self) -> None:
        if self._is_known_to_lock:
            return
        try:
            answer = self._client.call("get_object_lock_configuration")
        except Said as error:
            if error.status not in (400, 404, 405, 501):
                raise
            answer = {}
        if answer.get("ObjectLockConfiguration", {}).get("ObjectLockEnabled") != "Enabled":
            raise NotProtected(
                f"the bucket {self._client.address.bucket} has no Object Lock, and the URL says lock={self._mode}: "
                "use a bucket that was made with Object Lock"
            )
        self._is_known_to_lock = True

    def _order(self, operation: str, version: Version, **order: Any) -> None:
        name = self._client.address.name(version.key)
        try:
            self._client.call(operation, Key=name, **version.named(), **order)
        except Said as error:
            # Another process may have ordered more a moment ago, and less is refused: what is read back decides.
            if error.status not in (400, 403):
                raise

    def _of(self, version: Version) -> Protection:
        head = self._client.call("head_object", Key=self._client.address.name(version.key), **version.named())
        if head.get("VersionId", version.version_id) != version.version_id:
            raise NotProtected(
                f"the store was asked for the lock of version {version.version_id} of {version.key}, and tells that "
                f"of {head['VersionId']}",
                key=version.key,
            )
        mode: str | None = head.get("ObjectLockMode")
        until: datetime | None = head.get("ObjectLockRetainUntilDate")
        return Protection(mode.lower() if mode else None, until, head.get("ObjectLockLegalHoldStatus") == "ON")


def _stricter(has: str | None, wanted: LockMode | str) -> str:
    return "compliance" if "compliance" in (has, wanted) else wanted


def _whole_second(moment: datetime) -> datetime:
    # Services keep whole seconds, some by cutting the rest off: never earlier than asked.
    return moment if moment.microsecond == 0 else moment.replace(microsecond=0) + timedelta(seconds=1)
