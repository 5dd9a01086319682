# SPDX-License-Identifier: Apache-2.0
"""The S3 store joins the contract, on a real gateway: a plain bucket, and one with versions and locks."""

from pathlib import Path

import pytest

from storage.s3.store import S3Store
from tests.contract.object_store import ObjectStoreContract
from tests.support.s3 import new_store, same_place


class TestPlainBucket(ObjectStoreContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> S3Store:
        return new_store(tmp_path)

    @pytest.fixture
    def same_store(self, store: S3Store, tmp_path: Path) -> S3Store:
        return same_place(store, tmp_path / "other")


class TestBucketWithLocks(ObjectStoreContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> S3Store:
        return new_store(tmp_path, lock="governance")

    @pytest.fixture
    def same_store(self, store: S3Store, tmp_path: Path) -> S3Store:
        return same_place(store, tmp_path / "other")
