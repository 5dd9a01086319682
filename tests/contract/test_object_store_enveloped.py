# SPDX-License-Identifier: Apache-2.0
"""The store with envelopes joins the contract: over a folder, switched off over one, and over a real bucket with locks.

The keys that the suite puts its things under are those of originals, so that all of it goes through envelopes.
"""

from pathlib import Path

import pytest

from storage.enveloped.store import EnvelopedStore
from storage.objects_file import DirectoryStore
from storage.s3.store import S3Store
from tests.contract.object_store import KEY, ObjectStoreContract, soon
from tests.support.envelopes import enveloped
from tests.support.s3 import new_store, same_place

WRAPPED = f"envelopes/{KEY}.key"


class TestOverAFolder(ObjectStoreContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> EnvelopedStore:
        return enveloped(DirectoryStore(tmp_path / "objects"), tmp_path)

    @pytest.fixture
    def same_store(self, store: EnvelopedStore, tmp_path: Path) -> EnvelopedStore:
        return enveloped(DirectoryStore(tmp_path / "objects", create=False), tmp_path)

    def test_the_suite_is_about_envelopes(self, store: EnvelopedStore) -> None:
        store.put_bytes_once(KEY, b"plain")
        assert store.inner.exists(WRAPPED)
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

    def test_a_lock_is_on_the_wrapped_key_too(self, store: EnvelopedStore) -> None:
        store.put_bytes_once(KEY, b"kept")
        until = soon(5)
        told = store.protect(KEY, until=until)
        wrapped = store.inner.protection(WRAPPED)
        assert wrapped.mode == told.mode == "governance"
        assert wrapped.until is not None
        assert wrapped.until >= until

    def test_a_wrapped_key_is_held_as_long_as_anything_that_it_opens(self, store: EnvelopedStore) -> None:
        store.put_bytes_once(KEY, b"held")
        store.put_bytes_once(f"{KEY}.chunks", b"held too")

        def is_wrapped_held() -> bool:
            return store.inner.protection(WRAPPED).is_held

        store.hold(KEY, is_held=True)
        assert is_wrapped_held()
        store.hold(f"{KEY}.chunks", is_held=True)
        assert not store.hold(KEY, is_held=False).is_held
        assert is_wrapped_held()
        store.hold(f"{KEY}.chunks", is_held=False)
        assert not is_wrapped_held()

    def test_what_is_told_of_a_lock_is_no_more_than_the_wrapped_key_has(self, store: EnvelopedStore) -> None:
        store.put_bytes_once(KEY, b"kept")
        store.inner.protect(KEY, until=soon(5))
        assert (store.protection(KEY).mode, store.protection(KEY).until) == (None, None)
        store.inner.protect(WRAPPED, until=soon(3))
        told, own = store.protection(KEY), store.inner.protection(KEY)
        assert told.mode == "governance"
        assert told.until is not None
        assert own.until is not None
        assert told.until < own.until
        store.inner.hold(KEY, is_held=True)
        assert not store.protection(KEY).is_held

    def test_a_thousand_keys_are_listed_once_each(self, store: EnvelopedStore) -> None:  # type: ignore[override]
        """Of forty: each costs several requests here, and the listing is the bucket's own."""
        put_keys = [f"originals/{n % 7:02x}/{n:04d}" for n in range(40)]
        for key in put_keys:
            store.put_bytes_once(key, b"")
        assert sorted(store.keys()) == sorted(put_keys)
