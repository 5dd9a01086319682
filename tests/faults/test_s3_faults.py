# SPDX-License-Identifier: Apache-2.0
"""F10: an S3 server that fails in every way, a killed upload, a killed server. Nothing acknowledged is ever lost.

The faults happen to requests to a real gateway. The oracle is a second handle that goes there directly.
"""

import hashlib
import json
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from evidence.digest import Digest
from evidence.errors import StoreUnavailable, Unavailable
from storage.s3.client import Patience
from storage.s3.store import S3Store
from tests.contract.object_store import KEY, OTHER, digest_of, put, some_bytes
from tests.support.ceph import gateway, memory_gateway
from tests.support.chaos import seeded, times
from tests.support.fault_proxy import FAULTS, Asked, FaultProxy, fault_proxy
from tests.support.s3 import new_store, same_place

ROOT = Path(__file__).parents[2]
PART = 16 << 20
LARGE = some_bytes(2 * PART + 12_345)
HASTY = Patience(total_s=15.0, tries=8, longest_pause_s=0.1, connect_s=2.0, read_s=2.0)
IN_A_DAY = timedelta(days=1, minutes=1)


@pytest.fixture
def proxy(request: pytest.FixtureRequest) -> Iterator[FaultProxy]:
    with fault_proxy(memory_gateway().endpoint, seeded(request.node.originalname)) as made:
        yield made


def through(proxy: FaultProxy, folder: Path, *, versioning: bool = True) -> tuple[S3Store, S3Store]:
    """A store behind the proxy, and a handle on the same place that goes around it."""
    direct = new_store(folder, versioning=versioning)
    failing = same_place(direct, folder, endpoint=proxy.endpoint)
    return S3Store(failing.address, journal=folder / "uploads", patience=HASTY), direct


def unfinished(store: S3Store) -> list[Any]:
    client = memory_gateway().client
    told = client.list_multipart_uploads(Bucket=store.address.bucket, Prefix=store.address.prefix)
    return list(told.get("Uploads", []))


# --- each fault by its name -----------------------------------------------------------------------


@pytest.mark.parametrize("fault", [name for name in FAULTS if not name.startswith("200-error")])
def test_a_write_and_a_read_outlast(proxy: FaultProxy, tmp_path: Path, fault: str) -> None:
    failing, direct = through(proxy, tmp_path)
    failing.put_bytes_once(OTHER, b"before")
    data = some_bytes(100_000)
    proxy.weather.plan = [fault] * 2
    put(failing, KEY, data, tmp_path)
    assert failing.read(KEY, limit=200_000) == data
    assert failing.measure(KEY) == digest_of(data)
    assert proxy.happened[fault] == 2
    assert direct.measure(KEY) == digest_of(data)
    assert len(direct.versions(KEY)) == 1


@pytest.mark.parametrize("fault", ["500-after", "reset-after", "wrong-request"])
def test_a_put_that_nobody_heard_of_is_looked_for_before_it_is_made_again(
    proxy: FaultProxy, tmp_path: Path, fault: str
) -> None:
    failing, direct = through(proxy, tmp_path)

    def strike(asked: Asked) -> None:
        if asked.method == "PUT" and not proxy.happened:
            proxy.weather.plan = [fault]

    proxy.weather.on_request = strike
    put(failing, KEY, b"data", tmp_path)
    failing.put_bytes_once(OTHER, b"data")
    assert proxy.happened == {fault: 1}
    assert [len(direct.versions(key)) for key in (KEY, OTHER)] == [1, 1]


@pytest.mark.parametrize("fault", ["200-error", "200-error-after", "500-after", "reset-after", "reset"])
def test_completing_an_upload_outlasts(proxy: FaultProxy, tmp_path: Path, fault: str) -> None:
    failing, direct = through(proxy, tmp_path)

    def strike(asked: Asked) -> None:
        if asked.method == "POST" and "uploadId" in asked.query and not proxy.happened:
            proxy.weather.plan = [fault]

    proxy.weather.on_request = strike
    put(failing, KEY, LARGE, tmp_path)
    assert proxy.happened == {fault: 1}
    assert direct.measure(KEY) == digest_of(LARGE)
    assert [len(direct.versions(KEY)), len(unfinished(direct))] == [1, 0]


def test_a_body_that_ends_early_is_asked_for_from_where_it_ended(proxy: FaultProxy, tmp_path: Path) -> None:
    failing, direct = through(proxy, tmp_path)
    put(direct, KEY, LARGE, tmp_path)
    proxy.weather.plan = ["truncated"]
    assert hashlib.sha256(b"".join(failing.blocks(KEY))).digest() == digest_of(LARGE).sha256
    proxy.weather.plan = ["truncated"]
    assert failing.read_range(KEY, 5_000_000, 3_000_000) == LARGE[5_000_000:8_000_000]
    proxy.weather.plan = ["truncated"]
    with failing.local_file(KEY) as path:
        assert path.read_bytes() == LARGE
    assert proxy.happened["truncated"] == 3
    proxy.weather.chance, proxy.weather.kinds = 0.6, ("truncated",)
    for _ in range(times(2, 50)):
        assert hashlib.sha256(b"".join(failing.blocks(KEY))).digest() == digest_of(LARGE).sha256


def test_bytes_changed_on_their_way_back_are_never_believed(proxy: FaultProxy, tmp_path: Path) -> None:
    failing, direct = through(proxy, tmp_path)
    own = f"originals/ab/cd/{digest_of(LARGE).hex}"
    for key, data in ((KEY, some_bytes(70_000)), (OTHER, LARGE), (own, LARGE)):
        put(direct, key, data, tmp_path)
        for _ in range(times(2, 50)):
            proxy.weather.plan = ["wrong-answer"]
            assert failing.measure(key) == digest_of(data)
            proxy.weather.plan = ["wrong-answer"]
            assert failing.read(key, limit=len(data)) == data
            with failing.local_file(key) as path:
                assert path.read_bytes() == data
    assert proxy.happened["wrong-answer"] == times(2, 50) * 6


def test_a_network_that_changes_every_body_is_refused_and_not_mistaken_for_rot(
    proxy: FaultProxy, tmp_path: Path
) -> None:
    failing, direct = through(proxy, tmp_path)
    put(direct, KEY, some_bytes(70_000), tmp_path)
    proxy.weather.chance, proxy.weather.kinds = 1.0, ("wrong-answer",)
    with pytest.raises(StoreUnavailable, match="reads differently each time"):
        failing.measure(KEY)


def test_bytes_that_rest_changed_are_told_as_they_rest(proxy: FaultProxy, tmp_path: Path) -> None:
    failing, direct = through(proxy, tmp_path, versioning=False)
    data = some_bytes(70_000)
    put(direct, KEY, data, tmp_path)
    rotten = data[:-1] + bytes([data[-1] ^ 1])
    name = direct.address.name(KEY)
    memory_gateway().client.put_object(Bucket=direct.address.bucket, Key=name, Body=rotten)
    proxy.weather.plan = ["wrong-answer"]
    assert failing.measure(KEY) == digest_of(rotten)


def test_a_server_that_stays_away_is_told_in_bounded_time_and_a_repeat_works(proxy: FaultProxy, tmp_path: Path) -> None:
    failing, direct = through(proxy, tmp_path)
    hasty = S3Store(failing.address, journal=tmp_path / "hasty", patience=Patience(total_s=0.5, tries=3))
    proxy.weather.chance, proxy.weather.kinds = 1.0, ("503", "slow-down", "reset")
    begun = time.monotonic()
    with pytest.raises(StoreUnavailable, match="tried"):
        put(hasty, KEY, b"data", tmp_path)
    assert time.monotonic() - begun < 5
    proxy.weather.chance = 0
    put(hasty, KEY, b"data", tmp_path)
    assert direct.measure(KEY) == digest_of(b"data")


# --- all of them at once --------------------------------------------------------------------------


@pytest.mark.parametrize("versioning", [False, True])
def test_under_thirty_percent_faults_nothing_acknowledged_is_lost_or_doubled(
    proxy: FaultProxy, tmp_path: Path, versioning: bool
) -> None:
    failing, direct = through(proxy, tmp_path, versioning=versioning)
    rng = random.Random(1)
    sizes = [rng.randrange(200_000) for _ in range(times(60, 1000))] + [len(LARGE)] * times(2, 20)
    wanted = {f"derivatives/{n:04d}": rng.randbytes(size) for n, size in enumerate(sizes)}
    proxy.weather.chance = 0.3

    def write(key: str) -> bool:
        try:
            put(failing, key, wanted[key], tmp_path)
        except Unavailable:
            return False
        return True

    with ThreadPoolExecutor(6) as pool:
        acknowledged = dict(zip(wanted, pool.map(write, wanted), strict=True))
    assert sum(acknowledged.values()) >= 0.9 * len(wanted), "faults are outlasted, not passed on"
    assert sum(proxy.happened.values()) > 0.2 * len(wanted)
    for key, is_there in acknowledged.items():
        assert not is_there or direct.measure(key) == digest_of(wanted[key])
    proxy.weather.chance = 0
    for key in wanted:
        put(failing, key, wanted[key], tmp_path)
    assert sorted(direct.keys()) == sorted(wanted), "each once, and nothing else"
    direct.sweep(now=datetime.now(UTC) + IN_A_DAY)
    assert unfinished(direct) == []
    doubled = sum(len(direct.versions(key)) - 1 for key in wanted)
    print(f"{sum(proxy.happened.values())} faults {dict(proxy.happened)}; {doubled} second versions")
    assert list((tmp_path / "uploads").glob("*.upload")) == []


# --- a killed upload ------------------------------------------------------------------------------

_PROGRAM = """
import json, os, pathlib, sys
from evidence.digest import Digest
from storage.s3.address import S3Address
from storage.s3.store import S3Store
told = json.loads(sys.argv[1])
store = S3Store(S3Address.parse(told["url"]), journal=pathlib.Path(told["journal"]))
store.put_once(told["key"], pathlib.Path(told["source"]), digest=Digest(bytes.fromhex(told["sha256"]), told["size"]))
"""


def test_a_killed_upload_goes_on_and_sends_at_most_one_part_again(proxy: FaultProxy, tmp_path: Path) -> None:
    rng = seeded("test_a_killed_upload_goes_on_and_sends_at_most_one_part_again")
    data = some_bytes(5 * PART + 1)
    source = tmp_path / "source"
    source.write_bytes(data)
    for round_ in range(times(2, 30)):
        failing, direct = through(proxy, tmp_path / str(round_))
        _kill_in_part(rng.randrange(1, 6), proxy, failing, source, digest_of(data), pause_s=rng.uniform(0, 0.1))
        assert not direct.exists(KEY)
        failing.put_once(KEY, source, digest=digest_of(data))
        sent = dict(proxy.parts_sent)
        assert sorted(map(int, sent)) == [1, 2, 3, 4, 5, 6]
        assert sum(sent.values()) - 6 <= 1, sent
        assert direct.measure(KEY) == digest_of(data)
        assert unfinished(direct) == []


def _kill_in_part(
    number: int, proxy: FaultProxy, store: S3Store, source: Path, digest: Digest, *, pause_s: float
) -> None:
    """Start an upload in a process of its own, and kill it when it sends a part."""
    begun = threading.Event()

    def watch(asked: Asked) -> None:
        if asked.query.get("partNumber") == [str(number)]:
            begun.set()
            time.sleep(pause_s)

    proxy.parts_sent.clear()
    proxy.weather.on_request = watch
    url = memory_gateway().url(
        store.address.bucket, prefix=store.address.prefix.strip("/"), endpoint=store.address.endpoint
    )
    told = {
        "url": url,
        "key": KEY,
        "source": str(source),
        "sha256": digest.hex,
        "size": digest.size_bytes,
        "journal": str(store._folder),
    }
    process = subprocess.Popen([sys.executable, "-c", _PROGRAM, json.dumps(told)], cwd=ROOT)
    try:
        assert begun.wait(30)
        time.sleep(pause_s)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
        proxy.weather.on_request = None
    # What the server has still to do with what it got is over before anybody asks.
    time.sleep(0.2)


# --- a killed server ------------------------------------------------------------------------------


def test_a_server_killed_right_after_its_answers_has_kept_what_it_acknowledged(tmp_path: Path) -> None:
    rng = seeded("test_a_server_killed_right_after_its_answers_has_kept_what_it_acknowledged")
    with gateway("bluestore") as server:
        store = new_store(tmp_path, versioning=True, server=server)
        hasty = S3Store(store.address, journal=tmp_path / "hasty", patience=Patience(total_s=0.5, tries=1))
        acknowledged: dict[str, bytes] = {}
        for round_ in range(times(1, 20)):
            _write_until_killed(round_, hasty, server.kill, acknowledged, rng)
            server.start()
            for key in [key for key in acknowledged if key.startswith(f"derivatives/{round_}/")]:
                assert store.measure(key) == digest_of(acknowledged[key]), key
        for key, data in acknowledged.items():
            assert store.measure(key) == digest_of(data), key
        assert len(acknowledged) >= 10


def _write_until_killed(
    round_: int, store: S3Store, kill: Any, acknowledged: dict[str, bytes], rng: random.Random
) -> None:
    wanted = {f"derivatives/{round_}/{n:04d}": rng.randbytes(rng.randrange(100_000)) for n in range(400)}
    killer = threading.Timer(rng.uniform(0.5, 1.5), kill)
    killer.start()

    def write(key: str) -> None:
        store.put_bytes_once(key, wanted[key])
        acknowledged[key] = wanted[key]

    with ThreadPoolExecutor(4) as pool:
        writes = [pool.submit(write, key) for key in wanted]
        for one in writes:
            if one.exception() is not None:
                for rest in writes:
                    rest.cancel()
                break
    killer.join()
