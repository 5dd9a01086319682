# SPDX-License-Identifier: Apache-2.0
"""The same work on the engines of a large agency: PostgreSQL, an S3 service with Object Lock, a Redis of its own."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from evidence.term import parse_term
from evidence.verdict import Verdict
from pipeline import audit
from storage import layout
from storage.register import jobs, search
from tests.support.ceph import ACCESS, SECRET, Ceph, memory_gateway
from tests.support.command import evidock_process
from tests.support.home import Home, open_home, track
from tests.support.postgres import database_url
from tests.support.servers import separate_redis

COUNTS = ("recordings", "segments", "cases", "unfiled", "clips", "proofs_verified", "quarantined")


@pytest.fixture
def ceph(monkeypatch: pytest.MonkeyPatch) -> Ceph:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    return memory_gateway()


@pytest.fixture
def locking(ceph: Ceph, tmp_path: Path) -> Iterator[Home]:
    """An installation on a bucket that locks, and on PostgreSQL."""
    url = ceph.url(ceph.new_bucket(lock=True), lock="compliance")
    with open_home(tmp_path / "home", objects_url=url, register_url=database_url()) as home:
        yield home


def summary(path: Path, **environment: str) -> dict[str, Any]:
    told = evidock_process("demo", "--once", "--home", str(path), home=None, **environment)
    assert told.status == 0, told.err
    body: dict[str, Any] = json.loads(told.out)
    return {name: body[name] for name in COUNTS}


def test_the_demonstration_counts_the_same_on_real_engines(ceph: Ceph, tmp_path: Path) -> None:
    with separate_redis(tmp_path / "redis") as redis:
        real = summary(
            tmp_path / "real",
            EVIDOCK_REGISTER_URL=database_url(),
            EVIDOCK_OBJECTS_URL=ceph.url(ceph.new_bucket(lock=True), lock="compliance"),
            EVIDOCK_BROKER_URL=redis.url,
        )
    assert real == summary(tmp_path / "embedded")


def test_what_is_sealed_is_locked_for_the_floor_and_the_record_says_so(locking: Home, tmp_path: Path) -> None:
    began = datetime.now(UTC)
    recording = locking.ingest_one(track(tmp_path / "card"))["id"]
    sealed = next(event for event in locking.events(f"recording/{recording}") if event["kind"] == "sealed")
    assert '"lock":"compliance"' in sealed["note"]
    assert "locked_until" in sealed["note"]
    with locking.ports.register.view() as connection:
        sha256 = search.original(connection, recording)["sha256"]
        item = search.recording(connection, recording)["item"]
    shortest = locking.ports.catalog.shortest_floor.end(began)
    of_item = locking.ports.catalog.items[item].floor.end(began)
    assert shortest is not None
    assert of_item is not None
    for key in (layout.original_key(sha256), layout.chunks_key(sha256), layout.receipt_key(sha256)):
        has = locking.ports.store.protection(key)
        assert has.mode == "compliance"
        assert has.until is not None
        assert has.until >= max(shortest, of_item) - timedelta(seconds=1)
    locking.publish()
    assert audit.verify_all(locking.ports).verdict is Verdict.PROVEN


def test_a_bucket_that_does_not_lock_gets_no_receipt_out_of_us(ceph: Ceph, tmp_path: Path) -> None:
    url = ceph.url(ceph.new_bucket(lock=False), lock="compliance")
    with open_home(tmp_path / "home", objects_url=url) as home:
        recording = home.offer(track(tmp_path / "card"))
        home.run("fixity", recording)
        assert home.run("seal", recording).value == "again"
        assert home.recording(recording)["state"] == "measured"
        assert not [key for key in home.ports.store.keys("originals/") if key.endswith(".receipt")]
        with home.ports.register.view() as connection:
            row = next(row for row in jobs.open_jobs(connection) if row.id == f"seal:{recording}")
        assert row.error_code == "not-protected"


def test_a_lost_register_comes_back_from_the_bucket(locking: Home, tmp_path: Path) -> None:
    for number in range(3):
        locking.ingest_one(track(tmp_path / "card", f"{number}.gpx", number=number))
    locking.publish()
    assert locking.rebuilt()[1] == locking.facts()


def test_terms_end_where_a_calendar_says() -> None:
    start = datetime(2024, 8, 31, tzinfo=UTC)
    ends = {text: parse_term(text).end(start) for text in ("P30D", "P6M", "P2Y", "permanent")}
    assert ends == {
        "P30D": datetime(2024, 9, 30, tzinfo=UTC),
        "P6M": datetime(2025, 2, 28, tzinfo=UTC),
        "P2Y": datetime(2026, 8, 31, tzinfo=UTC),
        "permanent": None,
    }
