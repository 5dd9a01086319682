# SPDX-License-Identifier: Apache-2.0
"""200 kills at random moments over real processes: zero lost, zero doubled, and the register can be remade.

Half of them hit `evidock ingest`, a quarter the watcher, a quarter the worker. `CHAOS_KILLS` makes more
of them, `CHAOS_SEED` replays a run (as far as a machine's timing can be).
"""

import random
import shutil
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from app.rebuild import rebuild_register
from app.settings import load_settings
from evidence.errors import NotMedia
from tests.support.cameras import CAMERA, ClipKind, tiny
from tests.support.chaos import seeded
from tests.support.home import open_home, track
from tests.support.killing import Running, let_through, on_last_attempt, wanted_kills
from tests.support.oracle import assert_nothing_promised_is_lost, assert_whole

pytestmark = pytest.mark.timeout(900)

_LOOK_EVERY = 10
_FOOTAGE: tuple[ClipKind, ...] = ("silent", "photo", "wav")


def new_home(folder: Path) -> Path:
    home = folder / "home"
    with open_home(home) as opened:
        opened.add_device(CAMERA.serial)
        opened.publish()
    return home


def assert_all_is_there(home: Path, folder: Path) -> None:
    """Everything in the folder is taken once, and nothing but the text is put aside."""
    with open_home(home) as opened:
        assert_whole(opened, files_of(folder))
        aside = [row["problem_code"] for row in opened.recordings() if row["problem_code"] is not None]
    assert aside == [NotMedia.code]


def files_of(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def fill_card(card: Path) -> None:
    """Tracks, two of them equal, a video, a photo, a sound, and a file that is no footage."""
    for number in range(6):
        track(card, f"{number}.gpx", number=number)
    track(card / "copy", "0.gpx", number=0)
    (card / "text.mp4").write_text("no film")
    for kind in _FOOTAGE:
        shutil.copy2(tiny(kind).path, card / tiny(kind).path.name)


# --- evidock ingest -----------------------------------------------------------------------------


def test_an_ingest_killed_a_hundred_times_loses_nothing_and_doubles_nothing(tmp_path: Path) -> None:
    chance, kills, rounds = seeded("ingest"), 0, 0
    card = tmp_path / "card"
    fill_card(card)
    length_s = clean_run(tmp_path / "clean", card)
    began = time.monotonic()
    while kills < wanted_kills(100):
        rounds += 1
        most = wanted_kills(100) - kills
        kills += killed_until_done(tmp_path / f"round-{rounds}", card, chance, length_s=length_s, most=most)
    print(f"{kills} kills of an ingest of {length_s:.1f} s in {rounds} rounds: {time.monotonic() - began:.0f} s")


def clean_run(folder: Path, card: Path) -> float:
    """How long an ingest takes that nobody kills; it is held to the same account."""
    home = new_home(folder)
    Running(home, "ingest", card.parent / "nothing").ended_within(60)  # the first start of all waits for imports
    began = time.monotonic()
    running = Running(home, "ingest", card)
    assert running.ended_within(120), running.words()
    length_s = time.monotonic() - began
    assert_all_is_there(home, card)
    return length_s


def killed_until_done(folder: Path, card: Path, chance: random.Random, *, length_s: float, most: int) -> int:
    """Run an ingest again and again, each a while, until one comes to its end; how many were killed, at `most`.

    Half of the restarts are after a reboot: then every lease has ended. Otherwise the next run must wait
    for the leases of the dead. Three deaths of one job in a row would put its recording aside, as they
    should; so a job that died twice is let through.
    """
    home, kills, boots = new_home(folder), 0, 0
    while True:
        running = Running(home, "ingest", card, boot=f"{boots}")
        let_through(home, running)
        if running.ended_within(chance.uniform(0, length_s / 3) if kills < most else 120.0):
            break
        running.kill()
        kills += 1
        boots += chance.random() < 0.5
        if kills % _LOOK_EVERY == 0:
            with open_home(home) as opened:
                assert_nothing_promised_is_lost(opened)
    assert running.status == 0, running.words()
    assert_all_is_there(home, card)
    return kills


def test_a_register_lost_between_kills_is_remade_and_the_ingest_goes_on_from_there(tmp_path: Path) -> None:
    chance, card = seeded("lost register"), tmp_path / "card"
    fill_card(card)
    home, kills = new_home(tmp_path), 0
    running = Running(home, "ingest", card, boot="0")
    while not running.ended_within(chance.uniform(0.1, 0.7) if kills < wanted_kills(10) else 120.0):
        running.kill()
        kills += 1
        for lost in home.glob("register.db*"):
            lost.unlink()
        rebuild_register(load_settings({"EVIDOCK_HOME": str(home)}))
        running = Running(home, "ingest", card, boot=str(kills))
    assert running.status == 0, running.words()
    assert_all_is_there(home, card)
    print(f"{kills} times killed, the register lost and remade")


# --- evidock watch and evidock worker -----------------------------------------------------------


class Station:
    """A dock folder, its watcher, and a worker, each started again as soon as it is killed."""

    def __init__(self, home: Path, dock: Path) -> None:
        self.home = home
        self._words: dict[str, tuple[str | Path, ...]] = {"watch": ("watch", dock), "worker": ("worker",)}
        self._running = {name: Running(home, *words) for name, words in self._words.items()}

    def kill(self, name: str) -> None:
        running = self._running[name]
        assert running.status is None, f"{name} ended by itself:\n{running.words()}"
        running.kill()
        self._running[name] = Running(self.home, *self._words[name])

    def spare(self) -> None:
        """Wait until no job would be put aside by one more death."""
        let_through(self.home, self._running["worker"])

    def end(self) -> None:
        for running in self._running.values():
            running.kill()

    def words(self) -> str:
        return self._running["worker"].words()


@contextmanager
def station(home: Path, dock: Path) -> Iterator[Station]:
    dock.mkdir()
    made = Station(home, dock)
    try:
        yield made
    finally:
        made.end()


def put_into(dock: Path, files: list[Path]) -> None:
    """Copy the next file as copying programs do: under another name until it is whole."""
    if files:
        source = files.pop()
        part = dock / f"{len(files)}.{source.name}.part"
        shutil.copy2(source, part)
        part.rename(part.with_suffix(""))


def test_watchers_and_workers_killed_fifty_times_each_lose_nothing_and_double_nothing(tmp_path: Path) -> None:
    chance, kills = seeded("watcher and worker"), Counter[str]()
    wanted = wanted_kills(50)
    began = time.monotonic()
    for number in range(2):
        kills += shift(tmp_path / f"shift-{number}", chance, each=(wanted + 1) // 2)
    print(f"{dict(kills)} kills: {time.monotonic() - began:.0f} s")
    assert min(kills["watch"], kills["worker"]) >= wanted


def shift(folder: Path, chance: random.Random, *, each: int) -> Counter[str]:
    """Files come to a dock while its watcher and its worker are killed; the kills of each."""
    home, dock, kills = new_home(folder), folder / "dock", Counter[str]()
    targets = ["watch", "worker"] * each
    chance.shuffle(targets)
    files = stock(folder / "stock", count=len(targets))
    with station(home, dock) as running:
        for target in targets:
            put_into(dock, files)
            time.sleep(chance.uniform(0.05, 0.9))
            running.spare()
            running.kill(target)
            kills[target] += 1
            if sum(kills.values()) % _LOOK_EVERY == 0:
                with open_home(home) as opened:
                    assert_nothing_promised_is_lost(opened)
        while files:
            put_into(dock, files)
        wait_until_all_is_done(home, dock, running)
    assert_all_is_there(home, dock)
    return kills


def stock(folder: Path, *, count: int) -> list[Path]:
    """`count` files to come: tracks, some of them equal, and some footage among them."""
    paths = [
        track(folder, f"{number}.gpx", number=number // 2 if number % 6 == 1 else number) for number in range(count)
    ]
    (folder / "text.mp4").write_text("no film")
    footage = [tiny(kind).path for kind in _FOOTAGE]
    for place, path in enumerate([folder / "text.mp4", *footage]):
        paths.insert(place * count // 5, path)
    return paths


def wait_until_all_is_done(home: Path, dock: Path, running: Station, *, timeout_s: float = 60.0) -> None:
    deadline = time.monotonic() + timeout_s
    with open_home(home) as opened:
        while len(opened.facts()["offers"]) < len(files_of(dock)) or opened.open_jobs():
            assert time.monotonic() < deadline, (opened.open_jobs(), on_last_attempt(opened), running.words())
            time.sleep(0.2)
