# SPDX-License-Identifier: Apache-2.0
"""F11: the network between a dock's machine and its servers loses packets, is slow, and is cut.

The dock's machine has a network of its own; PostgreSQL, the object store and Redis are real servers outside. Nothing
acknowledged is lost or doubled, and an upload that was cut goes on where it was.
"""

import hashlib
import os
import secrets
import shutil
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import psycopg
import pytest

from pipeline.audit import verify_all
from storage.s3.store import S3Store
from tests.support.ceph import memory_gateway
from tests.support.chaos import is_long, seeded, times
from tests.support.home import Home, open_home, track
from tests.support.network import JUMBO, Link, link, need_networks
from tests.support.postgres import database_url
from tests.support.s3 import use_credentials
from tests.support.servers import Process, separate_redis, until, write_tracks

PART = 16 << 20
TRY_LATER = 75
LEASE_S = 3.0
_PATIENCE_S = 280
_RUNS = 5
_OPERATE_PORT = 9100
_THREADS = 2
# Headers of packets, requests and their answers, and TCP's own repeats.
_OVERHEAD = 5 << 20
# With the shipped patience a cut is outlasted for minutes: only a release's run has the time.
EVIDOCK = "app" if is_long() else "tests.support.hasty_process"


@pytest.fixture
def engines() -> dict[str, str]:
    """Settings of one agency whose register and objects are outside, as this machine reaches them."""
    need_networks()
    use_credentials()
    ceph = memory_gateway()
    objects = ceph.url(ceph.new_bucket(lock=True), lock="compliance")
    return {"register_url": database_url(), "objects_url": objects, "agency": "agency.example/evidock"}


@pytest.fixture
def dock(engines: dict[str, str], tmp_path: Path) -> Iterator[Home]:
    """The dock's installation as it is seen from outside: what is asked here goes around its network."""
    with open_home(tmp_path / "dock", **engines) as home:
        yield home


def told(home: Path, settings: dict[str, str]) -> dict[str, str]:
    """The environment of a process of an installation."""
    return {f"EVIDOCK_{name.upper()}": value for name, value in {**settings, "home": str(home)}.items()}


def fill(card: Path, *, tracks: int, large: list[int], rng: Random) -> None:
    """Side files, and files that are no media: those are put aside, and sealed all the same."""
    write_tracks(card, tracks)
    for number, size in enumerate(large):
        (card / f"large-{number}.mp4").write_bytes(rng.randbytes(size))


def uploads(home: Home) -> list[Any]:
    """What was begun in the bucket and not ended."""
    assert isinstance(home.ports.store, S3Store)
    bucket = home.ports.store.address.bucket
    return list(memory_gateway().client.list_multipart_uploads(Bucket=bucket).get("Uploads", []))


def assert_held_once(home: Home, *cards: Path) -> None:
    """Every file is sealed, as one recording and one original; all is proven, and nothing is left half-way."""
    wanted = {hashlib.sha256(path.read_bytes()).hexdigest(): path for card in cards for path in card.iterdir()}
    assert home.open_jobs() == []
    assert len(home.recordings()) == len(wanted)
    for sha256, path in wanted.items():
        assert home.holds(path.read_bytes(), sha256), path.name
    for row in home.recordings():
        assert home.times(row["id"], "sealed") == 1
    assert uploads(home) == []
    home.publish()
    report = verify_all(home.ports)
    assert report.verdict == "proven", report.findings


# --- packets are lost -----------------------------------------------------------------------------

# Of 100 packets from the dock, and to it: three in ten round trips fail. With 30 *and* 30 every second one fails, and
# TCP, which doubles its wait each time, carries next to nothing: so it is at first, for a while.
_LOSSES = [(15, 15), (30, 0), (0, 30)]


@pytest.mark.parametrize(("out", "back"), _LOSSES[: times(1, 3)])
def test_on_a_link_that_loses_three_in_ten_nothing_is_lost_or_doubled(
    out: int, back: int, engines: dict[str, str], dock: Home, tmp_path: Path
) -> None:
    card, log = tmp_path / "card", tmp_path / "log"
    rng = seeded("test_on_a_link_that_loses_three_in_ten_nothing_is_lost_or_doubled")
    fill(card, tracks=times(4, 40), large=[PART + 100_000] * times(1, 3), rng=rng)
    with link(mtu=JUMBO) as network:
        network.lose(out=30, back=30)
        began = time.monotonic()
        environment = told(dock.settings.home, network.reached(engines))
        ingest = network.start("app", "ingest", card, environment=environment, log=log)
        time.sleep(times(3, 20))
        network.lose(out=out, back=back)
        # On such a link a register may be out of reach for longer than a command waits: it says so, and is run again.
        for _ in range(_RUNS):
            status = ingest.wait(_PATIENCE_S * times(1, 5))
            if status != os.EX_TEMPFAIL:
                break
            ingest = network.start("app", "ingest", card, environment=environment, log=log)
        assert status == 0, log.read_text()
        lost = network.lost()
        print(f"{out} out, {back} back: {lost} packets lost, {time.monotonic() - began:.1f} s")
        assert lost > 300
    assert_held_once(dock, card)


def test_one_packet_in_twenty_lost_leaves_an_upload_most_of_its_speed(engines: dict[str, str], tmp_path: Path) -> None:
    rng, source = seeded("test_one_packet_in_twenty_lost_leaves_an_upload_most_of_its_speed"), tmp_path / "source"
    source.write_bytes(rng.randbytes(PART + (4 << 20)))
    with link() as network:
        network.limit(80)
        seconds: dict[int, float] = {}
        for percent in (0, 5):
            network.lose(out=percent, back=percent)
            seconds[percent] = min(upload(network, source, engines) for _ in range(times(2, 5)))
        control = network.congestion_control()
    goodput = {percent: source.stat().st_size * 8 / 1e6 / took for percent, took in seconds.items()}
    share = goodput[5] / goodput[0]
    print(f"{control}: {goodput[0]:.1f} Mbit/s without loss, {goodput[5]:.1f} at 5 %: {share:.2f}")
    assert goodput[0] < 80, "the link is as slow as it was said to be"
    # What takes each loss for a jam slows down, however well we send: the kernel's choice, and the operator's.
    assert share > (0.6 if control == "bbr" else 0.2)


def upload(network: Link, source: Path, engines: dict[str, str]) -> float:
    """Seconds to put a file into the bucket, as a seal does."""
    out, key = source.with_suffix(".told"), f"derivatives/{secrets.token_hex(4)}"
    out.unlink(missing_ok=True)
    url = network.reached(engines)["objects_url"]
    words = (url, source, key, source.parent / "journal")
    done = network.start("tests.support.timed_upload", *words, environment={}, log=out)
    assert done.wait(120) == 0, out.read_text()
    return float(out.read_text())


# --- the link is cut ------------------------------------------------------------------------------


def test_an_upload_that_was_cut_goes_on_and_sends_at_most_one_part_again(
    engines: dict[str, str], dock: Home, tmp_path: Path
) -> None:
    rng = seeded("test_an_upload_that_was_cut_goes_on_and_sends_at_most_one_part_again")
    cards = [tmp_path / f"card-{number}" for number in range(times(1, 6))]
    for number, card in enumerate(cards):
        track(card, number=number)
        fill(card, tracks=0, large=[3 * PART + 1], rng=rng)
        # In the third part: to begin anew would cost two parts more.
        at = rng.uniform(2.1, 2.9)
        sent, size = cut_once(engines, dock, card, at=at), 3 * PART + 1
        print(f"cut after {at:.2f} parts: {sent} bytes arrived for {size}, {(sent - size) / PART:.2f} of a part more")
        assert size < sent < size + PART + _OVERHEAD
    assert_held_once(dock, *cards)


def cut_once(engines: dict[str, str], dock: Home, card: Path, *, at: float) -> int:
    """Ingest a card whose upload is cut after so many parts, and again; the bytes that arrived, of both."""
    log = card.with_suffix(".log")
    with link() as network:
        network.limit(200)
        # What the first held is free a lease later; the usual one lasts for half a minute.
        environment = told(dock.settings.home, {**network.reached(engines), "lease_s": str(LEASE_S)})
        first = network.start(EVIDOCK, "ingest", card, environment=environment, log=log)
        until(lambda: network.arrived() > at * PART or first.poll() is not None, "parts are under way", pause_s=0.005)
        assert first.poll() is None, log.read_text()
        network.cut()
        began = time.monotonic()
        assert first.wait(_PATIENCE_S) == TRY_LATER, log.read_text()
        print(f"gave up {time.monotonic() - began:.1f} s after the cut: {log.read_text()}")
        assert len(uploads(dock)) == 1
        network.mend()
        again = network.start(EVIDOCK, "ingest", card, environment=environment, log=log)
        assert again.wait(_PATIENCE_S) == 0, log.read_text()
        return network.arrived()


def test_what_a_worker_does_that_was_cut_off_past_its_lease_is_done_by_another_and_its_late_result_is_refused(
    engines: dict[str, str], dock: Home, tmp_path: Path
) -> None:
    card, gate, far = tmp_path / "card", tmp_path / "gate", tmp_path / "far"
    gate.mkdir()
    shutil.copytree(dock.settings.home / "keys", far / "keys")
    write_tracks(card, times(4, 40))
    recordings = [dock.offer(path) for path in sorted(card.iterdir())]
    for recording in recordings:
        dock.run("fixity", recording)
        dock.run("seal", recording)
    with separate_redis(tmp_path / "redis") as redis, link() as network:
        settings = {**engines, "broker_url": redis.url, "lease_s": str(LEASE_S), "workers": str(_THREADS)}
        slow = network.start(
            "tests.support.gated_worker",
            *("segment", gate, "wait"),
            environment=told(
                dock.settings.home, {**network.reached(settings), "operate": f"{network.far}:{_OPERATE_PORT}"}
            ),
            log=tmp_path / "slow.log",
        )
        # All its threads: none is publishing, whose session would hold up the others for half a minute more.
        until(lambda: len(list(gate.iterdir())) == _THREADS, "it has done the work of its steps")
        network.cut()
        held = {path.name.partition(".")[0] for path in gate.iterdir()}
        other = Process("tests.support.worker_process", environment=told(far, settings), log=tmp_path / "far.log")
        try:
            began = time.monotonic()
            until(lambda: not dock.open_jobs(), "the other machine does all", timeout_s=200)
            print(f"{len(held)} steps taken over, all done {time.monotonic() - began:.1f} s after the cut")
            before = [dock.story(recording) for recording in recordings]
            network.mend()
            (gate / "open").touch()
            until(lambda: leases_lost(network.far) >= len(held), "its late results are refused")
            assert slow.poll() is None
        finally:
            other.end()
    assert [dock.story(recording) for recording in recordings] == before
    assert all(story.count("segmented") == 1 for story in before)
    assert_held_once(dock, card)


def test_a_session_that_was_cut_off_while_its_answer_was_on_its_way_ends_at_the_server(
    engines: dict[str, str], tmp_path: Path
) -> None:
    url = engines["register_url"]
    with link() as network:
        words = (network.reached(engines)["register_url"], "3")
        network.start("tests.support.waiting_session", *words, environment={}, log=tmp_path / "log")
        until(lambda: sessions(url, network.far) == ["active"], "it waits for the answer")
        network.cut()
        until(lambda: sessions(url, network.far) == ["idle"], "the answer is given")
        until(lambda: not sessions(url, network.far), "the server ends the session", timeout_s=15)


def sessions(url: str, address: str) -> list[str]:
    """What the sessions of a machine do at the database server."""
    with psycopg.connect(url) as asks:
        query = "SELECT state FROM pg_stat_activity WHERE client_addr = %s::inet"
        return [row[0] for row in asks.execute(query, (address,)) if row[0] is not None]


def leases_lost(host: str) -> float:
    """What a worker counts of results that were refused because another had been given the job."""
    try:
        with urllib.request.urlopen(f"http://{host}:{_OPERATE_PORT}/metrics", timeout=5) as answer:
            text: str = answer.read().decode()
    except OSError:
        return 0.0
    return sum(float(line.split()[1]) for line in text.splitlines() if line.startswith("evidock_lease_lost_total "))
