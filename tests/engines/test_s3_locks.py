# SPDX-License-Identifier: Apache-2.0
"""A bucket administrator against a locked original: the gateway refuses, or the original stands beside what was put.

The administrator here is the owner of the bucket, with every right the service knows.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from evidence.errors import Conflict, NotFound, NotProtected
from storage.objects import NO_PROTECTION
from storage.s3.address import S3Address
from storage.s3.store import S3Store
from tests.contract.object_store import KEY, OTHER, digest_of, put, some_bytes, soon
from tests.support.ceph import memory_gateway
from tests.support.s3 import SHORT, new_store, use_credentials

DATA = some_bytes(50_000)
LARGE = some_bytes((16 << 20) + 1)


class Administrator:
    """The owner of the bucket, at one object."""

    def __init__(self, store: S3Store, key: str = KEY) -> None:
        self.client = memory_gateway().client
        self.bucket = store.address.bucket
        self.at = {"Bucket": self.bucket, "Key": store.address.name(key)}
        self.first = {**self.at, "VersionId": store.versions(key)[-1].version_id}

    def overwrite(self, data: bytes) -> None:
        self.client.put_object(**self.at, Body=data)

    def delete(self) -> None:
        assert self.client.delete_object(**self.at)["DeleteMarker"] is True

    def retain(self, mode: str, until: datetime, **more: Any) -> None:
        self.client.put_object_retention(**self.first, Retention={"Mode": mode, "RetainUntilDate": until}, **more)


def compliance(folder: Path, data: bytes = DATA, *, seconds: int = 60) -> tuple[S3Store, Administrator]:
    """A store with one original under compliance lock."""
    store = new_store(folder, lock="compliance")
    put(store, KEY, data, folder)
    told = store.protect(KEY, until=soon(seconds))
    assert told.mode == "compliance"
    return store, Administrator(store)


ATTACKS: dict[str, Callable[[Administrator], object]] = {
    "deletes": lambda a: a.client.delete_object(**a.first),
    "deletes and bypasses": lambda a: a.client.delete_object(**a.first, BypassGovernanceRetention=True),
    "shortens": lambda a: a.retain("COMPLIANCE", soon(20)),
    "shortens and bypasses": lambda a: a.retain("COMPLIANCE", soon(20), BypassGovernanceRetention=True),
    "downgrades": lambda a: a.retain("GOVERNANCE", soon(90), BypassGovernanceRetention=True),
    "clears": lambda a: a.client.put_object_retention(**a.first, Retention={}, BypassGovernanceRetention=True),
    "suspends versioning": lambda a: a.client.put_bucket_versioning(
        Bucket=a.bucket, VersioningConfiguration={"Status": "Suspended"}
    ),
    "deletes the bucket": lambda a: a.client.delete_bucket(Bucket=a.bucket),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_an_administrator_is_refused_by_the_store_when_he(tmp_path: Path, attack: str) -> None:
    store, administrator = compliance(tmp_path)
    before = store.protection(KEY)
    with pytest.raises(ClientError) as refused:
        ATTACKS[attack](administrator)
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] in (400, 403, 409)
    assert store.measure(KEY) == digest_of(DATA)
    assert store.protection(KEY) == before
    assert len(store.versions(KEY)) == 1


def test_an_administrator_is_refused_by_the_store_when_he_deletes_in_a_batch(tmp_path: Path) -> None:
    store, administrator = compliance(tmp_path)
    one = {"Key": administrator.at["Key"], "VersionId": administrator.first["VersionId"]}
    told = administrator.client.delete_objects(Bucket=administrator.bucket, Delete={"Objects": [one]})
    assert [error["Code"] for error in told["Errors"]] == ["AccessDenied"]
    assert store.measure(KEY) == digest_of(DATA)


def test_an_overwritten_original_stands_for_our_readers_and_is_brought_back_for_others(tmp_path: Path) -> None:
    store, administrator = compliance(tmp_path)
    administrator.overwrite(b"forged")
    assert administrator.client.get_object(**administrator.at)["Body"].read() == b"forged", "what others see"
    assert store.read(KEY, limit=100_000) == DATA
    assert store.measure(KEY) == digest_of(DATA)
    assert list(store.strays()) == [KEY], "it is named"

    assert store.bring_back(KEY, digest_of(DATA)) is True
    assert administrator.client.get_object(**administrator.at)["Body"].read() == DATA
    assert store.bring_back(KEY, digest_of(DATA)) is False
    newest, *_ = store.versions(KEY)
    with pytest.raises(ClientError, match="AccessDenied"):
        administrator.client.delete_object(**administrator.at, VersionId=newest.version_id)


def test_a_delete_marker_hides_nothing_from_our_readers_and_is_undone_for_others(tmp_path: Path) -> None:
    store, administrator = compliance(tmp_path)
    administrator.delete()
    with pytest.raises(ClientError, match="NoSuchKey"):
        administrator.client.get_object(**administrator.at)
    assert store.exists(KEY)
    assert list(store.keys()) == [KEY]
    assert store.measure(KEY) == digest_of(DATA)
    assert list(store.strays()) == [KEY]
    assert store.bring_back(KEY, digest_of(DATA)) is True
    assert administrator.client.get_object(**administrator.at)["Body"].read() == DATA


def test_a_later_write_over_a_delete_marker_does_not_become_the_object(tmp_path: Path) -> None:
    store, administrator = compliance(tmp_path)
    administrator.delete()
    with pytest.raises(Conflict):
        store.put_bytes_once(KEY, b"other")
    store.put_bytes_once(KEY, DATA)
    assert store.read(KEY, limit=100_000) == DATA


def test_an_object_in_parts_gets_its_lock_although_the_gateway_drops_lock_headers(tmp_path: Path) -> None:
    store, administrator = compliance(tmp_path, LARGE)
    head = administrator.client.head_object(**administrator.at)
    assert (head["ObjectLockMode"], head["ContentLength"]) == ("COMPLIANCE", len(LARGE))
    with pytest.raises(ClientError, match="AccessDenied"):
        administrator.client.delete_object(**administrator.first, BypassGovernanceRetention=True)
    assert store.measure(KEY) == digest_of(LARGE)


def test_a_large_original_is_brought_back_in_parts(tmp_path: Path) -> None:
    store, administrator = compliance(tmp_path, LARGE)
    administrator.overwrite(b"forged")
    assert store.bring_back(KEY, digest_of(LARGE)) is True
    assert administrator.client.head_object(**administrator.at)["ContentLength"] == len(LARGE)
    assert store.measure(KEY) == digest_of(LARGE)


def test_a_legal_hold_outlasts_the_retention_and_goes_when_it_is_lifted(tmp_path: Path) -> None:
    store = new_store(tmp_path, lock="governance")
    put(store, KEY, DATA, tmp_path)
    assert store.hold(KEY, is_held=True).is_held
    administrator = Administrator(store)
    for more in ({}, {"BypassGovernanceRetention": True}):
        with pytest.raises(ClientError, match="AccessDenied"):
            administrator.client.delete_object(**administrator.first, **more)
    assert store.measure(KEY) == digest_of(DATA)
    assert not store.hold(KEY, is_held=False).is_held
    administrator.client.delete_object(**administrator.first)
    assert not store.exists(KEY)


def test_governance_mode_can_be_bypassed_and_that_is_seen(tmp_path: Path) -> None:
    store = new_store(tmp_path, lock="governance")
    put(store, KEY, DATA, tmp_path)
    store.protect(KEY, until=soon(60))
    administrator = Administrator(store)
    with pytest.raises(ClientError, match="AccessDenied"):
        administrator.client.delete_object(**administrator.first)
    administrator.client.delete_object(**administrator.first, BypassGovernanceRetention=True)
    assert not store.exists(KEY)
    with pytest.raises(NotFound):
        store.measure(KEY)
    with pytest.raises(NotFound):
        store.bring_back(KEY, digest_of(DATA))


def test_a_governance_address_never_weakens_a_compliance_lock(tmp_path: Path) -> None:
    store, _ = compliance(tmp_path)
    weaker = memory_gateway().url(store.address.bucket, lock="governance", prefix=store.address.prefix)
    told = S3Store(S3Address.parse(weaker), journal=tmp_path, patience=SHORT).protect(KEY, until=soon(120))
    assert told.mode == "compliance"
    assert told.until is not None
    assert told.until >= soon(110)


def test_a_protection_date_between_two_seconds_is_never_rounded_down(tmp_path: Path) -> None:
    store = new_store(tmp_path, lock="governance")
    store.put_bytes_once(KEY, b"x")
    until = (datetime.now(UTC) + timedelta(seconds=30)).replace(microsecond=999_999)
    told = store.protect(KEY, until=until)
    assert told.until is not None
    assert told.until >= until


@pytest.mark.parametrize("versioning", [False, True])
def test_a_bucket_that_cannot_lock_protects_nothing_and_gets_no_order(tmp_path: Path, versioning: bool) -> None:
    plain = new_store(tmp_path, versioning=versioning)
    plain.put_bytes_once(KEY, b"x")
    assert plain.protect(KEY, until=soon(60)) == NO_PROTECTION
    url = memory_gateway().url(plain.address.bucket, lock="compliance", prefix=plain.address.prefix)
    strict = S3Store(S3Address.parse(url), journal=tmp_path, patience=SHORT)
    with pytest.raises(NotProtected, match="has no Object Lock"):
        strict.protect(KEY, until=soon(60))
    with pytest.raises(NotProtected, match="has no Object Lock"):
        strict.hold(KEY, is_held=True)
    assert len(strict.versions(KEY)) == 1, "an order to a service that knows none may be taken for an object"
    assert strict.read(KEY, limit=10) == b"x"


def test_when_versioning_is_suspended_what_rests_already_stands(tmp_path: Path) -> None:
    use_credentials()
    server = memory_gateway()
    bucket = server.new_bucket(versioning=True)
    store = S3Store(S3Address.parse(server.url(bucket)), journal=tmp_path, patience=SHORT)
    put(store, KEY, DATA, tmp_path)
    server.client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Suspended"})
    name = store.address.name(KEY)
    for forged in (b"once", b"twice"):
        server.client.put_object(Bucket=bucket, Key=name, Body=forged)
    server.client.delete_object(Bucket=bucket, Key=name)
    assert store.measure(KEY) == digest_of(DATA)
    assert list(store.keys()) == [KEY]
    put(store, OTHER, DATA, tmp_path)
    put(store, OTHER, DATA, tmp_path)
    with pytest.raises(Conflict):
        store.put_bytes_once(OTHER, b"other")
    assert store.measure(OTHER) == digest_of(DATA)


def test_when_the_first_version_is_not_the_evidence_a_person_must_decide(tmp_path: Path) -> None:
    store = new_store(tmp_path, versioning=True)
    store.put_bytes_once(KEY, DATA)
    administrator = Administrator(store)
    administrator.overwrite(b"forged")
    store.bring_back(KEY, digest_of(DATA))
    administrator.client.delete_object(**administrator.first)
    assert store.measure(KEY) != digest_of(DATA), "no lock: the first is gone, and that is seen"
    with pytest.raises(Conflict, match="delete it by its id"):
        store.bring_back(KEY, digest_of(DATA))
    forged = store.versions(KEY)[-1]
    administrator.client.delete_object(**administrator.at, VersionId=forged.version_id)
    assert store.bring_back(KEY, digest_of(DATA)) is False
    assert store.measure(KEY) == digest_of(DATA)
