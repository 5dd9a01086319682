# SPDX-License-Identifier: Apache-2.0
"""Disposal on the S3 engine: nothing readable is left, the log still verifies, the Tombstone proves it."""

import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from evidence.errors import StillLocked
from evidence.verdict import Verdict
from pipeline import archive, audit
from pipeline.appraise import Wish
from pipeline.tombstone import HOT
from storage import layout
from storage.register import search
from storage.removal import Remover
from tests.support.cameras import CAMERA, tiny
from tests.support.ceph import Ceph, memory_gateway
from tests.support.ending import LATER, Ending, ending
from tests.support.s3 import use_credentials

SOON_S = 3


class Bucket:
    """A bucket of the gateway, seen by its administrator."""

    def __init__(self, *, lock: bool = False, versioning: bool = False, mode: str = "none") -> None:
        self.server: Ceph = memory_gateway()
        use_credentials()
        self.name = self.server.new_bucket(lock=lock, versioning=versioning)
        self.url = self.server.url(self.name, lock=mode)
        self.client: Any = self.server.client

    def versions(self, *, of: str = "") -> list[dict[str, Any]]:
        """Every version and delete marker whose name holds the text."""
        answer = self.client.list_object_versions(Bucket=self.name, MaxKeys=1000)
        assert not answer["IsTruncated"]
        found = answer.get("Versions", []) + answer.get("DeleteMarkers", [])
        return [one for one in found if of in one["Key"]]

    def read(self, one: Mapping[str, Any]) -> bytes:
        body: bytes = self.client.get_object(Bucket=self.name, Key=one["Key"], VersionId=one["VersionId"])[
            "Body"
        ].read()
        return body


def footage_in(at: Ending) -> tuple[str, bytes]:
    at.home.add_device(CAMERA.serial)
    path = tiny("silent").path
    recording: str = at.home.ingest_one(path)["id"]
    return recording, path.read_bytes()


def locked_for(at: Ending, recording: str, seconds: int) -> datetime:
    """Lock all of a recording for a few seconds, as a term that is about to end has; when that is over."""
    until = datetime.now(UTC) + timedelta(seconds=seconds)
    for key in at.keys(recording):
        if at.home.ports.store.exists(key):
            at.home.ports.store.protect(key, until=until)
    return until


def put_in(bucket: Bucket, folder: Path) -> tuple[str, bytes]:
    """Footage that rests in a bucket with locks, unlocked: nobody can wait half a year for the catalog's floor."""
    with ending(folder, objects_url=bucket.server.url(bucket.name)) as at:
        return footage_in(at)


@pytest.mark.parametrize("mode", ["governance", "compliance"])
def test_nothing_readable_is_left_in_a_bucket_with_versions_and_locks_and_the_log_proves_it(
    tmp_path: Path, mode: str
) -> None:
    bucket = Bucket(lock=True, mode=mode)
    recording, data = put_in(bucket, tmp_path)
    with ending(tmp_path, objects_url=bucket.url) as at:
        with at.home.ports.register.view() as connection:
            sha256 = search.original(connection, recording)["sha256"]
        name = f"home/{layout.original_key(sha256)}"
        # Somebody put a copy over it, and a delete marker over that: both are versions that can be read.
        bucket.client.put_object(Bucket=bucket.name, Key=name, Body=data)
        bucket.client.delete_object(Bucket=bucket.name, Key=name)
        until = locked_for(at, recording, SOON_S)
        listed = at.approved(recording)
        kept = [one for one in bucket.versions() if "/details/" in one["Key"] or one["Key"].endswith(".receipt")]

        # (1) Before the lock has ended nothing is begun, by a clock that shows the true time.
        early = at.run(listed, places={HOT: _Now(at.places[HOT])})
        assert set(early.waiting) == {recording}
        assert at.state(recording) == "due"

        # (2) Afterwards it goes, in every version.
        time.sleep(max(0.0, (until - datetime.now(UTC)).total_seconds()) + 1.2)
        gone = bucket.versions(of=sha256)
        assert at.run(listed).disposed == (recording,)
        left = [one["Key"] for one in bucket.versions(of=sha256)]
        assert left == [f"{name}.receipt"], "the receipt holds no footage, and stays"
        for one in gone:
            if not one["Key"].endswith(".receipt"):
                with pytest.raises(ClientError) as refused:
                    bucket.read(one)
                assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 404
        assert all(data not in bucket.read(one) for one in bucket.versions() if "Size" in one)
        names = {(one["Key"], one["VersionId"]) for one in bucket.versions()}
        assert {(one["Key"], one["VersionId"]) for one in kept} <= names

        # (3) The log verifies, and the Tombstone says what went and what was asked.
        at.home.publish()
        report = audit.verify_all(at.home.ports)
        assert report.verdict is Verdict.PROVEN, report.findings
        assert any("Tombstone" in note for note in report.notes)
        stone = {one["key"]: one for one in at.told(recording)["removed"]}[layout.original_key(sha256)]
        assert [one["size_bytes"] for one in stone["versions"]] == [len(data)] * 2
        assert {one["id"] for one in stone["versions"]} <= {one["VersionId"] for one in gone}
        assert len(stone["delete_markers"]) == 1
        assert all(one["answer"].startswith("not there") for one in stone["asked"])
        assert len(stone["asked"]) >= 7
        _, rebuilt = at.home.rebuilt()
        assert rebuilt == at.home.facts()


class _Now:
    """A door of true time: what a run long after, in 2040, would find is not what the gateway's clock shows today."""

    def __init__(self, door: Remover) -> None:
        self._door = door

    def remove(self, key: str, *, now: datetime) -> Any:
        return self._door.remove(key, now=datetime.now(UTC))

    def check_free(self, key: str, *, now: datetime) -> None:
        self._door.check_free(key, now=datetime.now(UTC))

    def traces(self, key: str) -> tuple[str, ...]:
        return self._door.traces(key)


def test_a_lock_that_outlasts_the_beginning_waits_and_is_gone_on_with(tmp_path: Path) -> None:
    bucket = Bucket(lock=True, mode="governance")
    recording, _ = put_in(bucket, tmp_path)
    with ending(tmp_path, objects_url=bucket.url) as at:
        listed = at.approved(recording)
        # Our clock says 2040; the service's own word is what stops it, after `disposing` was recorded.
        until = locked_for(at, recording, SOON_S)
        ran = at.run(listed)
        assert at.state(recording) == "disposing"
        assert set(ran.waiting) == {recording}
        assert not ran.is_finished
        time.sleep(max(0.0, (until - datetime.now(UTC)).total_seconds()) + 1.2)
        assert at.run(listed).is_finished
        assert at.standing(recording) == []


def test_a_plain_bucket_is_emptied_of_it_too(tmp_path: Path) -> None:
    bucket = Bucket()
    with ending(tmp_path, objects_url=bucket.url) as at:
        recording, data = footage_in(at)
        at.run(at.approved(recording))
        assert at.standing(recording) == []
        at.home.publish()
        assert audit.verify_all(at.home.ports).verdict is Verdict.PROVEN
        listing = bucket.client.list_objects_v2(Bucket=bucket.name)["Contents"]
        for one in listing:
            assert data not in bucket.client.get_object(Bucket=bucket.name, Key=one["Key"])["Body"].read()


def test_footage_in_envelopes_loses_its_key_first_and_then_every_copy_is_noise(tmp_path: Path) -> None:
    bucket = Bucket(versioning=True)
    with ending(tmp_path, objects_url=bucket.url, envelope="on") as at:
        recording, data = footage_in(at)
        tape = {(one["Key"], one["VersionId"]): bucket.read(one) for one in bucket.versions() if "Size" in one}
        assert any("/envelopes/" in key for key, _ in tape)
        listed = at.approved(recording)
        at.run(listed)
        removed = [one["key"] for one in at.told(recording)["removed"]]
        assert removed[0].startswith("envelopes/"), "the key goes before what it opens"
        assert not bucket.versions(of="/envelopes/originals/")
        at.home.publish()
        assert audit.verify_all(at.home.ports).verdict is Verdict.PROVEN
        # A tape of everything but the wrapped key: ciphertext.
        assert all(data not in copy for copy in tape.values())


def test_an_archive_in_a_bucket_class_takes_footage_and_gives_it_back(tmp_path: Path) -> None:
    hot, cold = Bucket(versioning=True), Bucket(versioning=True)
    url = f"{cold.url}&class=STANDARD"
    with ending(tmp_path, objects_url=hot.url, cold_url=url) as at:
        recording, data = footage_in(at)
        at.appraise(recording, wish=Wish.ARCHIVE)
        archive.archive(recording, judge=at.judge(), ports=at.home.ports, now=LATER)
        assert archive.leave(recording, at.places[HOT], ports=at.home.ports, now=LATER) is None
        key = at.keys(recording)[0]
        assert not at.home.ports.store.exists(key)
        assert at.home.ports.cold is not None
        assert at.home.ports.cold.store.read(key, limit=len(data)) == data
        at.home.publish()
        assert audit.verify_all(at.home.ports).verdict is Verdict.PROVEN
        archive.restore(recording, why="court", recall=None, judge=at.judge(), ports=at.home.ports, now=LATER)
        assert at.home.ports.store.read(key, limit=len(data)) == data
        at.run(at.approved(recording))
        assert hot.versions(of="originals/") == hot.versions(of=".receipt")
        assert cold.versions(of="originals/") == []


def test_a_lock_keeps_archived_bytes_where_they_were_and_says_until_when(tmp_path: Path) -> None:
    bucket = Bucket(lock=True, mode="governance")
    recording, _ = put_in(bucket, tmp_path)
    with ending(tmp_path, objects_url=bucket.url, cold_url=f"file://{tmp_path / 'cold'}") as at:
        until = locked_for(at, recording, 60)
        at.appraise(recording, wish=Wish.ARCHIVE)
        archive.archive(recording, judge=at.judge(), ports=at.home.ports, now=LATER)
        lock = archive.leave(recording, at.places[HOT], ports=at.home.ports, now=datetime.now(UTC))
        assert isinstance(lock, StillLocked)
        told = lock.values["until"]
        assert isinstance(told, datetime)
        assert told >= until - timedelta(seconds=1)
        assert at.home.ports.store.exists(at.keys(recording)[0])
        assert at.state(recording) == "archived"
        at.home.publish()
        assert audit.verify_all(at.home.ports).verdict is Verdict.PROVEN
