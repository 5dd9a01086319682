# SPDX-License-Identifier: Apache-2.0
"""F2. Power is cut at random moments: what was acknowledged is there afterwards, once, and proven.

The camera forgets each file as soon as the register says that it is sealed, as a dock would let it. So a
promise that a power cut takes back is footage lost for ever, and the account at the end does not add up.
"""

import hashlib
import random
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from evidence.digest import Digest
from evidence.errors import NotMedia, StoreUnavailable
from pipeline.flow import Result
from storage.durable import sync_folder
from storage.objects_file import DirectoryStore
from tests.support.acknowledged import Witness
from tests.support.cameras import CAMERA, ClipKind, tiny
from tests.support.chaos import seeded, times
from tests.support.home import Home, open_home, track
from tests.support.killing import Running, let_through
from tests.support.mounts import Disk, Kind, disk, need_disks
from tests.support.oracle import assert_nothing_promised_is_lost, assert_whole, receipts

pytestmark = pytest.mark.timeout(3600)

_FOOTAGE: tuple[ClipKind, ...] = ("photo", "wav", "silent")
_BACK_WITHIN_S = 30.0
_AFTER_CUT_S = 0.03


@pytest.fixture
def folder() -> Iterator[Path]:
    """A short path: sockets live below it. Nothing is left of it."""
    need_disks()
    made = Path(tempfile.mkdtemp(prefix="evd-cut-", dir="/tmp"))
    yield made
    shutil.rmtree(made)


class Bench:
    """A machine whose home is a disk of its own, a card of which a camera keeps nothing that was acknowledged."""

    def __init__(self, folder: Path, machine: Disk) -> None:
        self.home, self.card, self._machine = machine.root, folder / "card", machine
        self.cuts, self.slowest_s, self._boots = 0, 0.0, 0
        self._masters = folder / "masters"
        fill(self._masters)
        shutil.copytree(self._masters, self.card)
        with open_home(self.home) as opened:
            opened.add_device(CAMERA.serial)
            opened.publish()
        self.witness = Witness(self.home)

    @property
    def masters(self) -> list[Path]:
        return files_of(self._masters)

    def start(self, *words: str | Path) -> Running:
        return Running(self.home, *words, boot=f"{self._boots}")

    def forget(self) -> set[str]:
        """The camera erases what it was told it may; the digests of all that it was ever told."""
        told = self.witness.told()
        for path in files_of(self.card):
            if digest_of(path) in told:
                path.unlink()
        return told

    def cut(self, *running: Running) -> None:
        """Cut the power; the machine comes back, and holds all that it had acknowledged."""
        self._machine.cut()
        self.cuts += 1
        time.sleep(_AFTER_CUT_S)  # who still runs may say what he likes: nothing of it is true but what rests
        for one in running:
            one.kill()
        self.witness.end()
        told = self.forget()
        self._machine.unmount()
        began = time.monotonic()
        self._machine.mount()
        with open_home(self.home) as opened:
            self.slowest_s = max(self.slowest_s, time.monotonic() - began)
            assert told <= receipts(opened), f"acknowledged and lost after cut {self.cuts}"
            assert_nothing_promised_is_lost(opened)
            assert_none_put_aside(opened)
        self._boots += 1
        self.witness = Witness(self.home)

    def settle(self) -> None:
        """At the end: each master's bytes are held once and proven, wherever its file is by now."""
        self.forget()
        self.witness.end()
        with open_home(self.home) as opened:
            assert_none_put_aside(opened)
            assert_whole(opened, self.masters)
        assert files_of(self.card) == []


def assert_none_put_aside(home: Home) -> None:
    """A power cut is no verdict on a file; only the text is one that nobody can use."""
    aside = [
        (row["name"], row["problem_code"], row["problem_text"]) for row in home.recordings() if row["problem_code"]
    ]
    assert {code for _, code, _ in aside} <= {NotMedia.code}, aside


def fill(card: Path) -> None:
    """Tracks, a video, a photo, a sound, and a file that is no footage; no two are equal."""
    for number in range(5):
        track(card, f"{number}.gpx", number=number)
    (card / "text.mp4").write_text("no film")
    for kind in _FOOTAGE:
        shutil.copy2(tiny(kind).path, card / tiny(kind).path.name)


def files_of(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def digest_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


# --- evidock ingest -----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["xfs", "ext4"])
def test_power_cut_while_ingesting_takes_back_nothing_that_was_acknowledged(folder: Path, kind: Kind) -> None:
    chance, wanted, cuts, slowest_s, rounds = seeded(f"power_cut_while_ingesting and {kind}"), times(7, 100), 0, 0.0, 0
    while cuts < wanted:
        rounds += 1
        bench = ingest_through(folder / f"{rounds}", kind, chance, most=wanted - cuts)
        cuts, slowest_s = cuts + bench.cuts, max(slowest_s, bench.slowest_s)
    print(f"{kind}: {cuts} cuts in {rounds} rounds; back within {slowest_s:.2f} s")
    assert slowest_s <= _BACK_WITHIN_S


def ingest_through(folder: Path, kind: Kind, chance: random.Random, *, most: int) -> Bench:
    """One card through as many cuts as fall into its ingest, at `most`."""
    with disk(folder, kind) as machine:
        bench = Bench(folder, machine)
        try:
            while True:
                running = bench.start("ingest", bench.card)
                let_through(bench.home, running)
                if running.ended_within(chance.uniform(0, 1.0) if bench.cuts < most else 120.0):
                    break
                bench.forget()
                bench.cut(running)
            assert running.status in (0, 3), running.words()
            finish(bench)
        finally:
            bench.witness.end()
        return bench


def finish(bench: Bench) -> None:
    """Steps of what the camera has forgotten meanwhile are no business of an ingest: a worker does them."""
    worker = bench.start("worker")
    wait_until_all_is_done(bench, worker)
    worker.kill()
    bench.settle()


def wait_until_all_is_done(bench: Bench, *running: Running, timeout_s: float = 60.0) -> None:
    deadline = time.monotonic() + timeout_s
    with open_home(bench.home) as opened:
        while len(opened.facts()["offers"]) < len(bench.masters) or opened.open_jobs():
            assert time.monotonic() < deadline, (opened.open_jobs(), *(one.words() for one in running))
            time.sleep(0.1)


# --- evidock watch and evidock worker -------------------------------------------------------------


@pytest.mark.parametrize("kind", ["xfs", "ext4"])
def test_power_cut_under_watcher_and_worker_takes_back_nothing_that_was_acknowledged(folder: Path, kind: Kind) -> None:
    chance, wanted, cuts, slowest_s, rounds = seeded(f"power_cut_under_watcher and {kind}"), times(3, 50), 0, 0.0, 0
    while cuts < wanted:
        rounds += 1
        bench = dock_through(folder / f"{rounds}", kind, chance, cuts=min(5, wanted - cuts))
        cuts, slowest_s = cuts + bench.cuts, max(slowest_s, bench.slowest_s)
    print(f"{kind}, watcher and worker: {cuts} cuts in {rounds} rounds; back within {slowest_s:.2f} s")
    assert slowest_s <= _BACK_WITHIN_S


def dock_through(folder: Path, kind: Kind, chance: random.Random, *, cuts: int) -> Bench:
    """One card in a dock through `cuts` cuts."""
    with disk(folder, kind) as machine:
        bench = Bench(folder, machine)
        try:
            for _ in range(cuts):
                both = [bench.start("watch", bench.card), bench.start("worker")]
                let_through(bench.home, both[1])
                time.sleep(chance.uniform(0.1, 1.2))
                bench.forget()
                bench.cut(*both)
            both = [bench.start("watch", bench.card), bench.start("worker")]
            wait_until_all_is_done(bench, *both)
            for one in both:
                one.kill()
            bench.settle()
        finally:
            bench.witness.end()
        return bench


# --- between two steps ----------------------------------------------------------------------------


class FullStore(DirectoryStore):
    """A store that takes nothing more than a chunk list."""

    def put_once(self, key: str, source: Path, *, digest: Digest, give: bool = False) -> None:
        if not key.endswith(".chunks"):
            raise StoreUnavailable(f"cannot store {key}: the disk is full")
        super().put_once(key, source, digest=digest, give=give)


@pytest.mark.parametrize("kind", ["xfs", "ext4"])
def test_two_power_cuts_between_measuring_and_sealing_are_no_verdict_on_the_file(folder: Path, kind: Kind) -> None:
    """The first takes the chunk list, so the source is read again; the second must not take that copy's bytes."""
    source = track(folder / "card")
    with disk(folder, kind) as machine:
        with open_home(machine.root) as home:
            recording = home.offer(source)
            assert home.run("fixity", recording) is Result.DONE
            next(home.ports.spool.glob("rec-*.chunks")).write_bytes(b"")
            full = home.with_ports(store=FullStore(home.settings.home / "objects"))
            assert full.run("seal", recording) is Result.AGAIN
            sync_folder(home.ports.spool)  # as any other step may, which has its own names there
        machine.cut()
        machine.power_cycle()
        with open_home(machine.root) as home:
            home.drain(recording)
            assert_whole(home, [source])
            assert home.recording(recording)["problem_code"] is None


# --- the rig itself -------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["xfs", "ext4"])
def test_the_rig_takes_back_what_was_not_made_durable(folder: Path, kind: Kind) -> None:
    with disk(folder, kind) as machine:
        path = machine.root / "not-durable"
        path.write_bytes(b"here until the power goes")
        machine.cut()
        machine.power_cycle()
        assert not path.exists() or path.read_bytes() == b""
