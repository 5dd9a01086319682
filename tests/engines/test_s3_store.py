# SPDX-License-Identifier: Apache-2.0
"""What only a bucket can be asked about: unfinished uploads, journals, forks, TLS, odd servers, long listings."""

import fcntl
import hashlib
import os
import subprocess
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from evidence.errors import Conflict, FixityMismatch, NotProtected, StoreUnavailable
from storage.layout import CHECKPOINT_KEY
from storage.s3 import journal as journals
from storage.s3.address import S3Address
from storage.s3.store import S3Store
from tests.contract.object_store import KEY, OTHER, digest_of, put, some_bytes, soon
from tests.support.ceph import memory_gateway
from tests.support.chaos import seeded
from tests.support.fault_proxy import Asked, fault_proxy
from tests.support.s3 import SHORT, new_store, same_place

PART = 16 << 20
LARGE = some_bytes(PART + 1)
NEVER = timedelta(days=-1)
IN_A_DAY = timedelta(days=1, minutes=1)
ROOT = Path(__file__).parents[2]


def begin(store: S3Store, key: str) -> str:
    """An upload in parts that nobody finishes."""
    at = {"Bucket": store.address.bucket, "Key": store.address.name(key)}
    upload = memory_gateway().client.create_multipart_upload(**at)["UploadId"]
    memory_gateway().client.upload_part(**at, UploadId=upload, PartNumber=1, Body=b"part")
    return str(upload)


def unfinished(store: S3Store) -> list[str]:
    told = memory_gateway().client.list_multipart_uploads(Bucket=store.address.bucket, Prefix=store.address.prefix)
    return [one["UploadId"] for one in told.get("Uploads", [])]


# --- large objects --------------------------------------------------------------------------------


@pytest.mark.parametrize("versioning", [False, True])
def test_a_large_object_comes_back_by_every_reader_and_leaves_no_journal(tmp_path: Path, versioning: bool) -> None:
    store = new_store(tmp_path, versioning=versioning)
    put(store, KEY, LARGE, tmp_path, give=True)
    assert store.size(KEY) == len(LARGE)
    assert store.measure(KEY) == digest_of(LARGE)
    assert store.read_range(KEY, PART - 10, 100) == LARGE[PART - 10 :]
    assert list((tmp_path / "uploads").iterdir()) == []
    assert unfinished(store) == []


def test_a_large_source_that_is_not_its_digest_leaves_nothing(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    source = tmp_path / "source"
    source.write_bytes(LARGE[:-1] + b"?")
    with pytest.raises(FixityMismatch):
        store.put_once(KEY, source, digest=digest_of(LARGE))
    assert [store.exists(KEY), unfinished(store), list((tmp_path / "uploads").iterdir())] == [False, [], []]


def test_writers_of_one_large_object_at_once_all_succeed(tmp_path: Path) -> None:
    store = new_store(tmp_path, versioning=True)
    source = tmp_path / "source"
    source.write_bytes(LARGE)
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda _: store.put_once(KEY, source, digest=digest_of(LARGE)), range(3)))
    assert store.measure(KEY) == digest_of(LARGE)
    assert unfinished(store) == []


def test_a_journal_of_another_upload_or_none_at_all_is_not_gone_on_with(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    put(store, KEY, LARGE, tmp_path)
    folder = tmp_path / "uploads"
    name = hashlib.sha256(f"{store.address}\n{OTHER}".encode()).hexdigest()[:40] + ".upload"
    for text in ("", "{}", '{"key"', "[1]\nnull", '{"key": "x", "upload": "y"}\n{"part": "z"}', "\0" * 100):
        (folder / name).write_text(text)
        put(store, OTHER, LARGE, tmp_path)
        assert store.measure(OTHER) == digest_of(LARGE)
        assert not (folder / name).exists()
        memory_gateway().client.delete_object(Bucket=store.address.bucket, Key=store.address.name(OTHER))


def test_an_upload_that_somebody_aborted_is_begun_anew(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    source = tmp_path / "source"
    source.write_bytes(LARGE)
    with journals.opened(tmp_path / "uploads", str(store.address), KEY) as journal:
        journal.begin(KEY, digest_of(LARGE), part_size=PART, upload="2~never-was")
    store.put_once(KEY, source, digest=digest_of(LARGE))
    assert store.measure(KEY) == digest_of(LARGE)


def test_an_upload_that_is_aborted_while_it_is_at_work_is_begun_anew(tmp_path: Path) -> None:
    direct = new_store(tmp_path)
    with fault_proxy(memory_gateway().endpoint, seeded("aborted_at_work")) as proxy:
        store = same_place(direct, tmp_path, endpoint=proxy.endpoint)
        aborted: list[str] = []

        def abort(asked: Asked) -> None:
            if asked.query.get("partNumber") == ["2"] and not aborted:
                aborted.extend(unfinished(direct))
                memory_gateway().client.abort_multipart_upload(
                    Bucket=store.address.bucket, Key=store.address.name(KEY), UploadId=aborted[0]
                )

        proxy.weather.on_request = abort
        put(store, KEY, LARGE, tmp_path)
    assert len(aborted) == 1
    assert direct.measure(KEY) == digest_of(LARGE)
    assert unfinished(direct) == []


# --- sweeping -------------------------------------------------------------------------------------


def test_uploads_and_journals_are_swept_when_they_are_a_day_old_and_only_ours(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    neighbour = S3Store(
        S3Address.parse(memory_gateway().url(store.address.bucket, prefix=store.address.prefix.strip("/") + "-too")),
        journal=tmp_path,
        patience=SHORT,
    )
    begin(store, KEY)
    begin(neighbour, KEY)
    folder = tmp_path / "uploads"
    (folder / "read-killed").mkdir(parents=True)
    (folder / "abcd.upload").write_text("{}")
    assert store.sweep(now=datetime.now(UTC)) == 0
    assert len(unfinished(store)) == 1
    assert store.sweep(now=datetime.now(UTC) + IN_A_DAY) == 3
    assert [unfinished(store), list(folder.iterdir())] == [[], []]
    assert len(unfinished(neighbour)) == 1, "what is not under our prefix is not ours"


def test_an_upload_at_work_is_not_swept_however_old(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    upload = begin(store, KEY)
    folder = tmp_path / "uploads"
    folder.mkdir()
    path = folder / "abcd.upload"
    path.write_text(f'{{"upload": "{upload}"}}')
    with path.open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert store.sweep(now=datetime.now(UTC) + IN_A_DAY) == 0
        assert unfinished(store) == [upload]
    assert store.sweep(now=datetime.now(UTC) + IN_A_DAY) == 2


def test_a_lent_file_is_gone_after_use_and_cannot_change_the_object(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    store.put_bytes_once(KEY, b"lent")
    with store.local_file(KEY) as path:
        assert path.stat().st_mode & 0o222 == 0
        assert path.read_bytes() == b"lent"
    assert list((tmp_path / "uploads").iterdir()) == []


# --- odd servers ----------------------------------------------------------------------------------


@pytest.mark.parametrize("oddity", ["range-untold", "longer"])
def test_bytes_that_were_not_asked_for_are_not_taken(tmp_path: Path, oddity: str) -> None:
    direct = new_store(tmp_path)
    data = some_bytes(50_000)
    direct.put_bytes_once(KEY, data)
    with fault_proxy(memory_gateway().endpoint, seeded("bytes_not_asked_for")) as proxy:
        store = same_place(direct, tmp_path, endpoint=proxy.endpoint)
        readings: list[Asked] = []
        proxy.weather.on_request = lambda asked: readings.append(asked) if asked.is_data else None
        proxy.weather.plan = [oddity]
        assert store.read_range(KEY, 100, 200) == data[100:300]
        assert proxy.happened[oddity] == 1
        assert len(readings) == 2, "the odd answer was thrown away, and asked for again"


def test_an_order_to_lock_that_is_taken_and_not_kept_is_not_protected(tmp_path: Path) -> None:
    direct = new_store(tmp_path, lock="governance")
    direct.put_bytes_once(KEY, b"x")
    with fault_proxy(memory_gateway().endpoint, seeded("order_not_kept")) as proxy:
        store = same_place(direct, tmp_path, endpoint=proxy.endpoint)
        proxy.weather.plan = ["order-dropped"] * 2
        with pytest.raises(NotProtected, match="was to be locked"):
            store.protect(KEY, until=soon(60))
        with pytest.raises(NotProtected, match="hold"):
            store.hold(KEY, is_held=True)
        assert proxy.happened["order-dropped"] == 2
    assert direct.protect(KEY, until=soon(60)).mode == "governance"


def test_an_object_brought_back_without_its_lock_is_told(tmp_path: Path) -> None:
    direct = new_store(tmp_path, lock="governance")
    direct.put_bytes_once(KEY, b"x")
    direct.protect(KEY, until=soon(60))
    memory_gateway().client.delete_object(Bucket=direct.address.bucket, Key=direct.address.name(KEY))
    with fault_proxy(memory_gateway().endpoint, seeded("brought_back_unlocked")) as proxy:
        store = same_place(direct, tmp_path, endpoint=proxy.endpoint)
        proxy.weather.plan = ["order-dropped"]
        with pytest.raises(NotProtected, match="like the first"):
            store.bring_back(KEY, digest_of(b"x"))


def test_an_object_replaced_between_two_requests_is_not_read_half_and_half(tmp_path: Path) -> None:
    direct = new_store(tmp_path)
    direct.put_bytes_once(KEY, b"a" * 3_000_000)
    with fault_proxy(memory_gateway().endpoint, seeded("replaced_between")) as proxy:
        store = same_place(direct, tmp_path, endpoint=proxy.endpoint)

        def replace(_: Asked) -> None:
            if proxy.happened:
                at = {"Bucket": store.address.bucket, "Key": store.address.name(KEY)}
                memory_gateway().client.put_object(**at, Body=b"b" * 3_000_000)

        proxy.weather.on_request, proxy.weather.plan = replace, ["truncated"]
        with pytest.raises(StoreUnavailable, match="PreconditionFailed"):
            list(store.blocks(KEY))
        assert store.read(KEY, limit=3_000_000) == b"b" * 3_000_000


# --- over TLS, across forks, over pages -----------------------------------------------------------


def test_uploads_work_over_tls_at_a_server_that_refuses_newer_checksums(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = memory_gateway()
    direct = new_store(tmp_path)
    monkeypatch.setenv("AWS_CA_BUNDLE", str(server.tls_certificate))
    store = same_place(direct, tmp_path, endpoint=server.tls_endpoint)
    put(store, KEY, b"small", tmp_path)
    put(store, OTHER, LARGE, tmp_path)
    assert direct.measure(KEY) == digest_of(b"small")
    assert store.measure(OTHER) == digest_of(LARGE)


def test_a_certificate_that_nobody_vouches_for_is_refused(tmp_path: Path) -> None:
    store = same_place(new_store(tmp_path), tmp_path, endpoint=memory_gateway().tls_endpoint)
    with pytest.raises(StoreUnavailable, match="CERTIFICATE_VERIFY_FAILED"):
        store.exists(KEY)


def test_a_store_is_of_use_on_both_sides_of_a_fork_under_way(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    store.put_bytes_once(KEY, b"before")
    with ThreadPoolExecutor(4) as pool:
        busy = [pool.submit(lambda: [store.read(KEY, limit=10) for _ in range(20)]) for _ in range(4)]
        children = [_forked(store, n) for n in range(3)]
        assert [os.waitpid(child, 0)[1] for child in children] == [0, 0, 0]
        assert {text for one in busy for text in one.result()} == {b"before"}
    assert sorted(store.keys("child")) == ["child/0", "child/1", "child/2"]


def _forked(store: S3Store, number: int) -> int:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        try:
            has_forgotten = store._client._made is None  # a connection that both sides use tells each the other's
            store.put_bytes_once(f"child/{number}", b"x")
            os._exit(0 if has_forgotten else 1)
        finally:
            os._exit(1)
    return child


def test_a_key_with_more_versions_than_a_page_still_has_its_first(tmp_path: Path) -> None:
    store = new_store(tmp_path, versioning=True)
    store.put_bytes_once(KEY, b"first")
    store.put_bytes_once(f"{KEY}.chunks", b"another key that begins so")
    at = {"Bucket": store.address.bucket, "Key": store.address.name(KEY)}

    def overwrite(n: int) -> None:
        if n % 3:
            memory_gateway().client.put_object(**at, Body=b"%d" % n)
        else:
            memory_gateway().client.delete_object(**at)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(overwrite, range(150)))
    assert store.read(KEY, limit=10) == b"first"
    told = memory_gateway().client.list_object_versions(Bucket=at["Bucket"], Prefix=at["Key"], MaxKeys=1000)
    listed = [one for kind in ("Versions", "DeleteMarkers") for one in told[kind] if one["Key"] == at["Key"]]
    assert len(store.versions(KEY)) == len(listed) > 120
    assert sorted(store.keys()) == [KEY, f"{KEY}.chunks"]
    assert list(store.strays()) == [KEY]


def test_a_pointer_is_the_newest_version_and_no_stray(tmp_path: Path) -> None:
    store = new_store(tmp_path, versioning=True)
    for text in (b"1", b"2", b"3"):
        store.replace(CHECKPOINT_KEY, text)
    assert store.read(CHECKPOINT_KEY, limit=1) == b"3"
    assert list(store.strays()) == []


def test_an_object_replaced_in_a_bucket_without_versions_is_never_read_half_and_half(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    store.put_bytes_once(KEY, b"a" * 3_000_000)
    blocks = store.blocks(KEY, 1 << 20)
    assert next(blocks) == b"a" * (1 << 20)
    name = store.address.name(KEY)
    memory_gateway().client.put_object(Bucket=store.address.bucket, Key=name, Body=b"b" * 3_000_000)
    assert store.read(KEY, limit=3_000_000) == b"b" * 3_000_000
    rest = b"".join(blocks)
    assert rest == b"a" * (3_000_000 - (1 << 20)), "a body that has begun goes on as it began"
    with pytest.raises(Conflict):
        store.put_bytes_once(KEY, b"a" * 3_000_000)


def test_boto3_is_not_imported_before_a_bucket_is_used() -> None:
    program = "import sys, app.wiring, storage.s3, storage.s3.address; sys.exit('boto3' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=False).returncode == 0
