# SPDX-License-Identifier: Apache-2.0
"""What doctor says of a bucket: of a good one, of one without versions, of one without locks, of none at all."""

import os
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from app.examination import examine_installation
from app.settings import load_settings
from evidence.errors import StoreUnavailable
from storage.s3.address import S3Address
from storage.s3.client import Patience
from storage.s3.probe import Finding, probe
from storage.s3.store import S3Store
from tests.support.ceph import memory_gateway
from tests.support.footage import missing
from tests.support.s3 import new_store, use_credentials

FAKETIME = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1")
ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _credentials() -> None:
    use_credentials()


def found(address: S3Address, *, ahead_s: int = 0) -> dict[str, Finding]:
    return {one.code: one for one in probe(address, now=datetime.now(UTC) + timedelta(seconds=ahead_s))}


def states(findings: dict[str, Finding]) -> dict[str, str]:
    return {code: one.state for code, one in findings.items()}


def test_a_bucket_with_locks_keeps_to_everything_we_need(tmp_path: Path) -> None:
    store = new_store(tmp_path, lock="compliance")
    findings = found(store.address)
    assert [one for one in findings.values() if one.is_trouble] == []
    assert states(findings) == {
        "reachable": "ok",
        "clock": "ok",
        "versioning": "ok",
        "object-lock": "ok",
        "conditional-put": "missing",  # this gateway does not hear it where there are versions
        "wrong-md5": "ok",
        "wrong-sha256": "missing",  # nor does it compare SHA-256 headers
        "multipart": "ok",
        "lock-kept": "ok",
        "delete-refused": "ok",
        "shorten-refused": "ok",
        "multipart-lock": "missing",  # it drops them without a word
    }
    assert list(store.keys()) == [], "the probe's objects are none of ours"


def test_a_bucket_without_versions_is_told_to_enable_them(tmp_path: Path) -> None:
    findings = found(new_store(tmp_path).address)
    assert findings["versioning"].is_trouble
    assert "Enable versioning" in findings["versioning"].words
    assert findings["conditional-put"].state == "ok"
    assert "tamper-evident, not WORM" in findings["object-lock"].words
    assert not findings["object-lock"].is_trouble, "lock=none asks for none"


def test_a_bucket_without_locks_that_should_lock_is_trouble(tmp_path: Path) -> None:
    server = memory_gateway()
    address = S3Address.parse(server.url(new_store(tmp_path).address.bucket, lock="compliance"))
    findings = found(address)
    assert findings["object-lock"].is_trouble
    assert "Make a bucket with Object Lock" in findings["object-lock"].words


def test_a_probe_leaves_nothing_that_is_not_locked(tmp_path: Path) -> None:
    store = new_store(tmp_path, versioning=True)
    found(store.address)
    left = memory_gateway().client.list_object_versions(Bucket=store.address.bucket, Prefix=store.address.prefix)
    assert (left.get("Versions", []), left.get("DeleteMarkers", [])) == ([], [])


def test_a_clock_that_is_wrong_is_told_in_seconds(tmp_path: Path) -> None:
    clock = found(new_store(tmp_path).address, ahead_s=3600)["clock"]
    assert clock.is_trouble
    assert re.search(r"is (359\d|360\d) s ahead of the service", clock.words), clock.words


@pytest.mark.parametrize(
    ("bucket", "environment", "words"),
    [
        ("no-such-bucket", {}, "there is no such bucket"),
        ("any-bucket", {"AWS_ACCESS_KEY_ID": "stranger"}, "does not know this access key"),
        ("any-bucket", {"AWS_SECRET_ACCESS_KEY": "wrong"}, "the secret key is wrong"),
    ],
)
def test_what_is_wrong_with_a_bucket_or_its_keys_is_said_in_words(
    monkeypatch: pytest.MonkeyPatch, bucket: str, environment: dict[str, str], words: str
) -> None:
    done = in_a_process(memory_gateway().url(bucket), **environment)
    assert words in done.stderr, done.stderr
    assert "StoreUnavailable" in done.stderr
    assert "wrong" not in done.stderr.replace("the secret key is wrong", ""), "a secret is never repeated"


def test_a_machine_an_hour_ahead_is_told_the_difference(tmp_path: Path) -> None:
    if not FAKETIME.exists():
        missing("libfaketime", remedy="install libfaketime")
    store = new_store(tmp_path)
    faked = {"LD_PRELOAD": str(FAKETIME), "FAKETIME": "+1h", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
    done = in_a_process(memory_gateway().url(store.address.bucket), **faked)
    assert "set the clock" in done.stderr, done.stderr
    assert re.search(r"differ by (359\d|360\d) s \(ours is ahead\)", done.stderr), done.stderr


def in_a_process(url: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    program = (
        "import sys, pathlib\n"
        "from storage.s3.address import S3Address\n"
        "from storage.s3.store import S3Store\n"
        "S3Store(S3Address.parse(sys.argv[1]), journal=pathlib.Path('/nowhere')).put_bytes_once('a', b'x')\n"
    )
    command = [sys.executable, "-c", program, url]
    return subprocess.run(
        command, cwd=ROOT, env=os.environ | environment, capture_output=True, text=True, check=False, timeout=120
    )


def test_a_server_that_is_not_there_is_said_in_words(tmp_path: Path) -> None:
    address = S3Address.parse("s3://bucket/home?endpoint=http%3A%2F%2F127.0.0.1%3A9")
    (only,) = probe(address, now=datetime.now(UTC), patience=Patience(total_s=0.1, tries=2))
    assert only.is_trouble
    assert "127.0.0.1:9" in only.words
    with pytest.raises(StoreUnavailable, match="tried"):
        S3Store(address, journal=tmp_path, patience=Patience(total_s=0.1, tries=2)).exists("a")


def test_doctor_tells_of_a_bucket_line_by_line(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    url = memory_gateway().url(store.address.bucket, prefix=store.address.prefix.strip("/"))
    settings = load_settings({"EVIDOCK_HOME": str(tmp_path / "home"), "EVIDOCK_OBJECTS_URL": url})
    checks = {one.name: one for one in examine_installation(settings)}
    assert checks["object store: reachable"].advice is None
    assert "Enable versioning" in str(checks["object store: versioning"].advice)
    assert checks["object store: object-lock"].advice is None
    assert "tamper-evident" in checks["object store: object-lock"].found
