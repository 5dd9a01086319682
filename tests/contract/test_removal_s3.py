# SPDX-License-Identifier: Apache-2.0
"""The bucket's remover joins the contract on a real gateway, and keeps promises only a bucket can be asked about."""

import time
from pathlib import Path
from typing import Any

import pytest

from evidence.errors import StillLocked, StoreUnavailable
from storage.s3.address import S3Address
from storage.s3.client import Patience
from storage.s3.removal import S3Remover
from storage.s3.store import S3Store
from tests.contract.object_store import KEY, OTHER, digest_of, put, some_bytes, soon
from tests.contract.removal import RemoverContract, now
from tests.support.ceph import memory_gateway
from tests.support.lying_service import Asked, Lie, error, listed_versions, lying, versioning
from tests.support.s3 import SHORT, new_store, use_credentials

FULL = f"ours/{KEY}"
QUICK = Patience(total_s=0.5, tries=1, longest_pause_s=0.1, connect_s=1.0, read_s=1.0)


def remover_of(store: S3Store) -> S3Remover:
    return S3Remover(store.address, patience=SHORT)


class _OnBucket(RemoverContract):
    @pytest.fixture
    def remover(self, store: S3Store) -> S3Remover:
        return remover_of(store)

    @pytest.fixture
    def same_remover(self, store: S3Store) -> S3Remover:
        return remover_of(store)


class TestPlainBucket(_OnBucket):
    @pytest.fixture
    def store(self, tmp_path: Path) -> S3Store:
        return new_store(tmp_path)


class TestBucketWithVersions(_OnBucket):
    @pytest.fixture
    def store(self, tmp_path: Path) -> S3Store:
        return new_store(tmp_path, versioning=True)


class TestBucketWithLocks(_OnBucket):
    @pytest.fixture
    def store(self, tmp_path: Path) -> S3Store:
        return new_store(tmp_path, lock="governance")


def at(store: S3Store, key: str = KEY) -> dict[str, str]:
    return {"Bucket": store.address.bucket, "Key": store.address.name(key)}


def gateway() -> Any:
    return memory_gateway().client


# --- versions ---------------------------------------------------------------------------------------


def test_every_version_and_every_delete_marker_goes(tmp_path: Path) -> None:
    store = new_store(tmp_path, versioning=True)
    store.put_bytes_once(KEY, b"footage")
    for data in (b"forged", b"forged again"):
        gateway().put_object(**at(store), Body=data)
        gateway().delete_object(**at(store))
    store.put_bytes_once(OTHER, b"other")
    told = remover_of(store).remove(KEY, now=now())
    assert [one.size_bytes for one in told.versions] == [12, 6, 7], "the newest first, the object last"
    assert len({one.version_id for one in told.versions}) == 3
    assert len(told.delete_markers) == 2
    assert store.versions(KEY) == []
    assert list(store.strays()) == []
    assert store.read(OTHER, limit=10) == b"other"


def test_a_delete_marker_alone_is_a_trace_and_goes(tmp_path: Path) -> None:
    store = new_store(tmp_path, versioning=True)
    gateway().delete_object(**at(store))
    remover = remover_of(store)
    assert len(remover.traces(KEY)) == 1
    told = remover.remove(KEY, now=now())
    assert (told.versions, len(told.delete_markers)) == ((), 1)


def test_a_version_from_before_versioning_goes(tmp_path: Path) -> None:
    bucket = memory_gateway().new_bucket()
    use_credentials()
    store = S3Store(S3Address.parse(memory_gateway().url(bucket)), journal=tmp_path / "uploads", patience=SHORT)
    store.put_bytes_once(KEY, b"footage")
    gateway().put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    gateway().put_object(**at(store), Body=b"forged")
    told = remover_of(store).remove(KEY, now=now())
    assert {one.version_id for one in told.versions} >= {"null"}
    assert remover_of(store).traces(KEY) == ()


def test_a_bucket_that_began_to_keep_versions_since_the_remover_was_opened_keeps_none(tmp_path: Path) -> None:
    bucket = memory_gateway().new_bucket()
    use_credentials()
    store = S3Store(S3Address.parse(memory_gateway().url(bucket)), journal=tmp_path / "uploads", patience=SHORT)
    remover = remover_of(store)
    assert remover.traces(KEY) == ()
    gateway().put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    gateway().put_object(**at(store), Body=b"footage")
    remover.remove(KEY, now=now())
    assert "Versions" not in gateway().list_object_versions(Bucket=bucket)


def test_uploads_in_parts_of_that_key_are_ended_and_those_of_others_are_not(tmp_path: Path) -> None:
    store = new_store(tmp_path, versioning=True)
    client = gateway()
    ours = client.create_multipart_upload(**at(store))["UploadId"]
    client.upload_part(**at(store), UploadId=ours, PartNumber=1, Body=b"footage")
    other = client.create_multipart_upload(**at(store, f"{KEY}.chunks"))["UploadId"]
    remover = remover_of(store)
    assert remover.traces(KEY) == (f"upload {ours}",)
    assert remover.remove(KEY, now=now()).uploads == (ours,)
    assert remover.traces(KEY) == ()
    assert remover.traces(f"{KEY}.chunks") == (f"upload {other}",)


# --- locks ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["governance", "compliance"])
def test_a_locked_object_is_refused_until_its_lock_ends_and_then_goes(tmp_path: Path, mode: str) -> None:
    store = new_store(tmp_path, lock=mode)
    data = some_bytes(10_000)
    put(store, KEY, data, tmp_path)
    until = store.protect(KEY, until=soon(2)).until
    remover = remover_of(store)
    with pytest.raises(StillLocked) as refused:
        remover.remove(KEY, now=now())
    assert refused.value.values["until"] == until
    with pytest.raises(StillLocked):
        remover.check_free(KEY, now=now())
    assert store.measure(KEY) == digest_of(data)
    assert until is not None
    time.sleep(max(0.0, (until - now()).total_seconds()) + 0.5)
    remover.check_free(KEY, now=now())
    assert remover.remove(KEY, now=now()).size_bytes == len(data)
    assert store.versions(KEY) == []


@pytest.mark.parametrize("mode", ["governance", "compliance"])
def test_a_clock_of_ours_that_is_ahead_does_not_open_a_lock(tmp_path: Path, mode: str) -> None:
    store = new_store(tmp_path, lock=mode)
    store.put_bytes_once(KEY, b"footage")
    until = store.protect(KEY, until=soon(30)).until
    with pytest.raises(StillLocked) as refused:
        remover_of(store).remove(KEY, now=soon(3600))
    assert refused.value.values["until"] == until
    assert store.read(KEY, limit=10) == b"footage"


def test_nothing_of_an_object_is_removed_while_one_version_of_it_is_locked(tmp_path: Path) -> None:
    store = new_store(tmp_path, lock="governance")
    store.put_bytes_once(KEY, b"footage")
    store.protect(KEY, until=soon(30))
    gateway().put_object(**at(store), Body=b"forged")
    gateway().delete_object(**at(store))
    with pytest.raises(StillLocked):
        remover_of(store).remove(KEY, now=now())
    assert len(store.versions(KEY)) == 3


def test_a_legal_hold_is_refused_and_has_no_end(tmp_path: Path) -> None:
    store = new_store(tmp_path, lock="governance")
    store.put_bytes_once(KEY, b"footage")
    store.hold(KEY, is_held=True)
    with pytest.raises(StillLocked) as refused:
        remover_of(store).remove(KEY, now=now())
    assert refused.value.values["until"] is None
    store.hold(KEY, is_held=False)
    remover_of(store).remove(KEY, now=now())
    assert not store.exists(KEY)


def test_an_address_that_expects_no_lock_still_meets_one(tmp_path: Path) -> None:
    store = new_store(tmp_path, lock="compliance")
    store.put_bytes_once(KEY, b"footage")
    store.protect(KEY, until=soon(30))
    blind = S3Address.parse(memory_gateway().url(store.address.bucket, prefix=store.address.prefix))
    with pytest.raises(StillLocked):
        S3Remover(blind, patience=SHORT).remove(KEY, now=now())


# --- killed half-way, and services that lie or are down -----------------------------------------------


def test_a_removal_that_was_killed_is_finished_by_the_next_and_the_object_stood_to_the_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = new_store(tmp_path, versioning=True)
    store.put_bytes_once(KEY, b"footage")
    gateway().put_object(**at(store), Body=b"forged")
    delete, left = S3Remover._delete, [1]

    def killed(self: S3Remover, one: Any) -> None:
        if not left:
            raise KeyboardInterrupt
        left.pop()
        delete(self, one)

    monkeypatch.setattr(S3Remover, "_delete", killed)
    with pytest.raises(KeyboardInterrupt):
        remover_of(store).remove(KEY, now=now())
    monkeypatch.undo()
    assert store.read(KEY, limit=10) == b"footage", "never what was put over it"
    told = remover_of(store).remove(KEY, now=now())
    assert len(told.versions) == 1
    assert store.versions(KEY) == []


def remover_at(endpoint: str) -> S3Remover:
    use_credentials()
    return S3Remover(S3Address.parse(f"s3://bucket/ours?endpoint={endpoint}"), patience=QUICK)


def liar(listings: list[Lie], reads: Lie) -> Any:
    """A bucket with versions whose lists come one after another, the last again and again."""
    deleted: list[Asked] = []

    def say(asked: Asked) -> Lie:
        if asked.what == "versioning":
            return versioning("Enabled")
        if asked.what == "versions":
            return listings.pop(0) if len(listings) > 1 else listings[0]
        if asked.what == "uploads":
            return Lie("<ListMultipartUploadsResult><IsTruncated>false</IsTruncated></ListMultipartUploadsResult>")
        if asked.method == "DELETE":
            deleted.append(asked)
            return Lie(status=204)
        return reads if deleted else Lie(headers={"ETag": '"x"'})

    return say


def test_a_service_that_takes_the_order_and_lists_the_version_still_is_not_believed() -> None:
    still = listed_versions((FULL, "first"))
    with lying(liar([still], error("NoSuchKey", 404))) as service, pytest.raises(StoreUnavailable, match="still has"):
        remover_at(service.endpoint).remove(KEY, now=now())


def test_a_service_that_unlists_the_version_and_serves_it_still_is_not_believed() -> None:
    listings = [listed_versions((FULL, "first")), listed_versions()]
    served = Lie("x", headers={"ETag": '"x"', "x-amz-version-id": "first"})
    with lying(liar(listings, served)) as service, pytest.raises(StoreUnavailable, match="still answers"):
        remover_at(service.endpoint).remove(KEY, now=now())


def test_a_service_that_will_not_say_whether_it_is_gone_proves_nothing() -> None:
    listings = [listed_versions((FULL, "first")), listed_versions()]
    with lying(liar(listings, error("AccessDenied", 403))) as service, pytest.raises(StoreUnavailable, match="403"):
        remover_at(service.endpoint).remove(KEY, now=now())


def test_a_service_that_lists_the_versions_of_others_has_none_of_theirs_removed() -> None:
    listings = [listed_versions(("theirs/a", "1"), (f"ours/{OTHER}", "2"), (FULL, "3")), listed_versions()]
    with lying(liar(listings, error("NoSuchKey", 404))) as service:
        remover_at(service.endpoint).remove(KEY, now=now())
        assert set(service.did("DELETE")) <= {f"/bucket/{FULL}"}


def test_a_service_that_is_down_is_unavailable_and_nothing_was_removed() -> None:
    with lying(lambda _: error("SlowDown", 503)) as service, pytest.raises(StoreUnavailable):
        remover_at(service.endpoint).remove(KEY, now=now())
    assert service.did("DELETE") == []


def test_a_bucket_that_has_gone_is_not_an_object_that_has_gone() -> None:
    with lying(lambda _: error("NoSuchBucket", 404)) as service, pytest.raises(StoreUnavailable, match="make it"):
        remover_at(service.endpoint).remove(KEY, now=now())
