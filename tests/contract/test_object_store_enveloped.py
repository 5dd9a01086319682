# SPDX-License-Identifier: Apache-2.0
"""The store with envelopes joins the contract: over a folder, switched off over one, and over a real bucket with locks.

The keys that the suite puts its things under are those of originals, so that all of it goes through envelopes.
"""

from pathlib import Path

import pytest

from storage.enveloped.store import EnvelopedStore
from storage.layout import ENVELOPES_PREFIX
from storage.objects_file import DirectoryStore
from storage.s3.store import S3Store
from tests.contract.object_store import KEY, ObjectStoreContract
from tests.support.envelopes import enveloped
from tests.support.s3 import new_store, same_place


class TestOverAFolder(ObjectStoreContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> EnvelopedStore:
        return enveloped(DirectoryStore(tmp_path / "objects"), tmp_path)

    @pytest.fixture
    def same_store(self, store: EnvelopedStore, tmp_path: Path) -> EnvelopedStore:
        return enveloped(DirectoryStore(tmp_path / "objects", create=False), tmp_path)

    def test_the_suite_is_about_envelopes(self, store: EnvelopedStore) -> None:
        store.put_bytes_once(KEY, b"plain")
        assert store.inner.exists(f"{ENVELOPES_PREFIX}{KEY}")
        assert b"plain" not in store.inner.read(KEY, limit=1_000)


class TestSwitchedOff(ObjectStoreContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> EnvelopedStore:
        return enveloped(DirectoryStore(tmp_path / "objects"), tmp_path, is_on=False)

    @pytest.fixture
    def same_store(self, store: EnvelopedStore, tmp_path: Path) -> EnvelopedStore:
        return enveloped(DirectoryStore(tmp_path / "objects", create=False), tmp_path, is_on=False)


class TestOverABucketWithLocks(ObjectStoreContract):
    @pytest.fixture
    def bucket(self, tmp_path: Path) -> S3Store:
        return new_store(tmp_path, lock="governance")

    @pytest.fixture
    def store(self, bucket: S3Store, tmp_path: Path) -> EnvelopedStore:
        return enveloped(bucket, tmp_path)

    @pytest.fixture
    def same_store(self, bucket: S3Store, tmp_path: Path) -> EnvelopedStore:
        return enveloped(same_place(bucket, tmp_path / "other"), tmp_path)

    def test_a_thousand_keys_are_listed_once_each(self, store: EnvelopedStore) -> None:  # type: ignore[override]
        """Of a hundred: each costs several requests here, and the listing is the bucket's own."""
        put_keys = [f"originals/{n % 7:02x}/{n:04d}" for n in range(100)]
        for key in put_keys:
            store.put_bytes_once(key, b"")
        assert sorted(store.keys()) == sorted(put_keys)
