# SPDX-License-Identifier: Apache-2.0
"""Where tests get an S3 store on the session's gateway, each under a prefix of its own."""

import os
import secrets
from dataclasses import replace
from functools import cache
from pathlib import Path

from storage.s3.address import S3Address
from storage.s3.client import Patience
from storage.s3.store import S3Store
from tests.support.ceph import ACCESS, SECRET, Ceph, memory_gateway

# Enough for a busy machine, little enough for a test that waits for its end.
SHORT = Patience(total_s=20.0, tries=4, longest_pause_s=0.5, connect_s=2.0, read_s=5.0)


def use_credentials() -> dict[str, str]:
    """Let boto3 find the gateway's keys, and nothing of the person who runs the tests."""
    keys = {
        "AWS_ACCESS_KEY_ID": ACCESS,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    os.environ.update(keys)
    return keys


def new_store(
    folder: Path,
    *,
    lock: str = "none",
    versioning: bool = False,
    server: Ceph | None = None,
    endpoint: str | None = None,
) -> S3Store:
    """An empty store; its bucket has Object Lock when the store is to lock."""
    server = server or memory_gateway()
    use_credentials()
    bucket = _bucket(server, lock != "none", versioning)
    address = S3Address.parse(server.url(bucket, lock=lock, prefix=f"home/{secrets.token_hex(6)}", endpoint=endpoint))
    return S3Store(address, journal=folder / "uploads", patience=SHORT)


@cache
def _bucket(server: Ceph, lock: bool, versioning: bool) -> str:
    return server.new_bucket(lock=lock, versioning=versioning)


def same_place(store: S3Store, folder: Path, *, endpoint: str | None = None) -> S3Store:
    """Another handle on the same objects, as another machine has."""
    address = replace(store.address, endpoint=endpoint or store.address.endpoint)
    return S3Store(address, journal=folder / "uploads", patience=SHORT)
