# SPDX-License-Identifier: Apache-2.0
"""This is where a bucket is asked what it really keeps to, before anybody relies on it.

What a service says of itself is not asked: a few small objects are put below `.probe/` in our prefix, and what
happens to them is looked at. What can be removed is removed; a locked one goes with the next probe, a minute later.
"""

import base64
import hashlib
import secrets
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from evidence.errors import StoreUnavailable
from storage.s3.address import S3Address
from storage.s3.client import Patience, S3Client, Said, clock_difference, our_errors
from storage.s3.listing import ours

State = Literal["ok", "missing", "unknown"]

_QUICK = Patience(total_s=5.0, tries=2, longest_pause_s=0.5, connect_s=3.0, read_s=10.0)
_FOLDER = ".probe/"
_CLOCK_TOLERANCE_S = 60
_LOCKED_FOR = timedelta(seconds=60)
_MORE = timedelta(seconds=20)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was tried: its `code`, what came of it, and in words what that means and what to do.

    `is_needed` is False where we manage without: then a `missing` is told, and nothing is wrong.
    """

    code: str
    state: State
    words: str
    is_needed: bool = True

    @property
    def is_trouble(self) -> bool:
        """True when the store should not be relied on as its address says."""
        return self.is_needed and self.state != "ok"


def probe(address: S3Address, *, now: datetime, patience: Patience = _QUICK) -> tuple[Finding, ...]:
    """What the bucket at `address` keeps to. `now` is this machine's time, to be compared with the service's.

    Never raises for what is wrong. When the bucket cannot be reached that is the only finding.
    """
    client = S3Client(address, patience=patience)
    try:
        with our_errors("the bucket cannot be used"):
            answer = client.call("list_objects_v2", Prefix=address.prefix, MaxKeys=1)
    except StoreUnavailable as error:
        return (Finding("reachable", "missing", error.message),)
    ahead = clock_difference(answer, now=now) or 0.0
    probing = _Probe(client, server_now=now - timedelta(seconds=ahead))
    return (Finding("reachable", "ok", str(address)), _clock(ahead), *probing.findings())


def _clock(ahead: float) -> Finding:
    if abs(ahead) <= _CLOCK_TOLERANCE_S:
        return Finding("clock", "ok", f"within {abs(ahead):.0f} s of the service's")
    side = "ahead of" if ahead > 0 else "behind"
    return Finding("clock", "missing", f"this machine is {abs(ahead):.0f} s {side} the service: set its clock, by NTP")


class _Probe:
    def __init__(self, client: S3Client, *, server_now: datetime) -> None:
        self._client, self._address, self._now = client, client.address, server_now
        self._folder = self._address.prefix + _FOLDER
        self._run = secrets.token_hex(8)

    def findings(self) -> Iterator[Finding]:
        """Each thing in turn; what could not be tried is `unknown`."""
        self._clean()
        has_versions, has_lock = self._has_versions(), self._has_lock()
        is_locking = self._address.lock is not None
        yield self._tried("versioning", lambda: self._versioning(has_versions))
        yield self._tried("object-lock", lambda: self._object_lock(has_lock), is_needed=is_locking)
        yield self._tried("conditional-put", lambda: self._conditional(has_versions), is_needed=not has_versions)
        yield self._tried("wrong-md5", self._wrong_md5)
        yield self._tried("wrong-sha256", self._wrong_sha256, is_needed=False)
        yield self._tried("multipart", self._multipart)
        if has_lock and is_locking:
            yield from self._locking()
        self._clean()

    def _tried(self, code: str, look: Callable[[], Finding], *, is_needed: bool = True) -> Finding:
        try:
            with our_errors("this could not be tried"):
                return look()
        except StoreUnavailable as error:
            return Finding(code, "unknown", error.message, is_needed)

    def _has_versions(self) -> bool:
        with suppress(Said):
            return self._client.call("get_bucket_versioning").get("Status") == "Enabled"
        return False

    def _has_lock(self) -> bool:
        with suppress(Said):
            told = self._client.call("get_object_lock_configuration")
            return bool(told.get("ObjectLockConfiguration", {}).get("ObjectLockEnabled") == "Enabled")
        return False

    def _versioning(self, has_versions: bool) -> Finding:
        if has_versions:
            return Finding("versioning", "ok", "an overwritten or deleted object stays as an older version")
        return Finding(
            "versioning",
            "missing",
            "no versioning: whoever overwrites or deletes an object destroys it. Enable versioning on the bucket",
        )

    def _object_lock(self, has_lock: bool) -> Finding:
        mode = self._address.lock
        if has_lock and mode is not None:
            return Finding("object-lock", "ok", f"on, originals are locked in {mode} mode")
        if mode is not None:
            words = (
                f"no Object Lock, and the URL says lock={mode}: nothing can be sealed there. "
                "Make a bucket with Object Lock, it can hardly be switched on later, or write lock=none"
            )
            return Finding("object-lock", "missing", words)
        told = "the bucket could, the URL says lock=none" if has_lock else "the bucket has no Object Lock"
        words = (
            f"{told}: what rests is tamper-evident, not WORM. For WORM use a bucket with Object Lock, lock=compliance"
        )
        return Finding("object-lock", "missing", words, is_needed=False)

    def _conditional(self, has_versions: bool) -> Finding:
        name = self._put("once", b"1")
        with suppress(Said):
            self._client.call("put_object", Key=name, Body=b"2", ContentMD5=_md5(b"2"), IfNoneMatch="*")
            words = "the service ignores If-None-Match: " + (
                "the first version counts, which versioning keeps"
                if has_versions
                else "of two writers at once the later wins unseen. Enable versioning on the bucket"
            )
            return Finding("conditional-put", "missing", words, is_needed=not has_versions)
        return Finding("conditional-put", "ok", "a key that is taken is not overwritten")

    def _wrong_md5(self) -> Finding:
        with suppress(Said):
            self._client.once("put_object", Key=self._name("md5"), Body=b"q", ContentMD5=_md5(b"p"))
            return Finding(
                "wrong-md5", "missing", "the service does not compare Content-MD5: only the read-back sees a bad upload"
            )
        return Finding("wrong-md5", "ok", "a body that was changed on its way is refused")

    def _wrong_sha256(self) -> Finding:
        wrong = base64.b64encode(hashlib.sha256(b"p").digest()).decode()
        with suppress(Said):
            name = self._name("sha256")
            self._client.once("put_object", Key=name, Body=b"q", ContentMD5=_md5(b"q"), ChecksumSHA256=wrong)
            words = "the service ignores SHA-256 headers: nothing is built on them, what rests is read back"
            return Finding("wrong-sha256", "missing", words, is_needed=False)
        return Finding("wrong-sha256", "ok", "the service compares SHA-256 headers")

    def _multipart(self) -> Finding:
        name = self._in_parts("parts")
        body = self._client.call("get_object", Key=name)["Body"].read()
        if body != b"part":
            return Finding("multipart", "missing", "an object sent in parts did not come back as it was sent")
        return Finding("multipart", "ok", "large objects can be sent in parts")

    # --- locks ------------------------------------------------------------------------------

    def _locking(self) -> Iterator[Finding]:
        mode, until = str(self._address.lock).upper(), self._now + _LOCKED_FOR
        name = self._put("locked", b"1")
        version = self._newest(name)
        retention = {"Mode": mode, "RetainUntilDate": until}
        yield self._tried("lock-kept", lambda: self._lock_kept(name, version, retention))
        yield self._tried("delete-refused", lambda: self._delete_refused(name, version))
        yield self._tried("shorten-refused", lambda: self._shorten_refused(name, version, until))
        yield self._tried("multipart-lock", lambda: self._multipart_lock(retention), is_needed=False)

    def _lock_kept(self, name: str, version: dict[str, Any], retention: dict[str, Any]) -> Finding:
        self._client.call("put_object_retention", Key=name, Retention=retention, **version)
        if self._client.call("head_object", Key=name, **version).get("ObjectLockMode") == retention["Mode"]:
            return Finding("lock-kept", "ok", "an order to lock is kept, and can be read back")
        return Finding("lock-kept", "missing", "the service takes an order to lock and does not keep it: use another")

    def _delete_refused(self, name: str, version: dict[str, Any]) -> Finding:
        with suppress(Said):
            self._client.call("delete_object", Key=name, **version)
            return Finding(
                "delete-refused", "missing", "a locked version could be deleted: this is no lock, use another"
            )
        return Finding("delete-refused", "ok", "a locked version cannot be deleted")

    def _shorten_refused(self, name: str, version: dict[str, Any], until: datetime) -> Finding:
        shorter = {"Mode": str(self._address.lock).upper(), "RetainUntilDate": until - _MORE}
        with suppress(Said):
            self._client.call("put_object_retention", Key=name, Retention=shorter, **version)
            return Finding("shorten-refused", "missing", "a lock could be shortened: this is no lock, use another")
        return Finding("shorten-refused", "ok", "a lock cannot be shortened")

    def _multipart_lock(self, retention: dict[str, Any]) -> Finding:
        asked = {"ObjectLockMode": retention["Mode"], "ObjectLockRetainUntilDate": retention["RetainUntilDate"]}
        name = self._in_parts("locked-parts", **asked)
        if self._client.call("head_object", Key=name).get("ObjectLockMode") == retention["Mode"]:
            return Finding("multipart-lock", "ok", "lock headers of an upload in parts are kept")
        words = "lock headers of an upload in parts are dropped: we lock each object afterwards, and read that back"
        return Finding("multipart-lock", "missing", words, is_needed=False)

    # --- within -----------------------------------------------------------------------------

    def _name(self, what: str) -> str:
        return f"{self._folder}{self._run}-{what}"

    def _put(self, what: str, data: bytes) -> str:
        name = self._name(what)
        self._client.call("put_object", Key=name, Body=data, ContentMD5=_md5(data))
        return name

    def _newest(self, name: str) -> dict[str, Any]:
        version = self._client.call("head_object", Key=name).get("VersionId")
        return {} if version is None else {"VersionId": version}

    def _in_parts(self, what: str, **asked: Any) -> str:
        name = self._name(what)
        upload = self._client.call("create_multipart_upload", Key=name, **asked)["UploadId"]
        sent = self._client.call(
            "upload_part", Key=name, UploadId=upload, PartNumber=1, Body=b"part", ContentMD5=_md5(b"part")
        )
        parts = {"Parts": [{"PartNumber": 1, "ETag": sent["ETag"]}]}
        self._client.call("complete_multipart_upload", Key=name, UploadId=upload, MultipartUpload=parts)
        return name

    def _clean(self) -> None:
        """Remove what earlier probes and this one left, as far as it is not locked."""
        with suppress(Said):
            listed = self._client.call("list_object_versions", Prefix=self._folder)
            found = [*listed.get("Versions", []), *listed.get("DeleteMarkers", [])]
            # A service that does not know `prefix` lists the whole bucket: nothing but our trials is ever removed.
            for entry in ours(self._client, found, self._folder):
                with suppress(Said):
                    self._client.call("delete_object", Key=entry["Key"], VersionId=entry["VersionId"])


def _md5(data: bytes) -> str:
    return base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode()
