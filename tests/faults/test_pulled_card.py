# SPDX-License-Identifier: Apache-2.0
"""F4. The card is pulled while it is read: nothing is said to be received, and a card that comes back is read whole."""

import os
import random
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from hashlib import sha256
from pathlib import Path

import pytest

from app import clocks, foreground
from evidence.verdict import Verdict
from pipeline.audit import verify_all
from pipeline.flow import Result
from tests.support.chaos import seeded, times
from tests.support.command import Said, evidock
from tests.support.footage import missing
from tests.support.home import NOON, Home, at_tick, dsj_name, open_home
from tests.support.oracle import assert_whole, receipts
from tests.support.pulled_card import docked
from tests.support.quick_folder import quick_folder

pytestmark = pytest.mark.timeout(1800)

_BLOCK = 8 << 20  # what a copy reads at a time
_SERIAL = "A1"


@pytest.fixture
def folder() -> Iterator[Path]:
    if os.geteuid() != 0:
        pytest.skip("only root mounts file systems")
    if not Path("/dev/fuse").exists():
        missing("/dev/fuse", remedy="modprobe fuse")
    with quick_folder("evd-card-") as made:
        (made / "card").mkdir()
        with open_home(made / "home") as home:
            home.add_device(_SERIAL)
            home.publish()
        yield made


def long_track(card: Path, number: int, size: int) -> Path:
    """A GPS track of about `size` bytes, like no other: it needs no media program."""
    path = card / dsj_name(_SERIAL, at=NOON + timedelta(minutes=number))
    filler = random.Random(number).randbytes(size // 2).hex()
    path.write_text(f'<?xml version="1.0"?>\n<gpx version="1.1" creator="test"><!-- {number} {filler} --></gpx>\n')
    return path


# --- at many places ---------------------------------------------------------------------------------


def test_a_card_pulled_at_any_byte_is_read_whole_when_it_comes_back(folder: Path) -> None:
    chance, tries, again = seeded("test_a_card_pulled_at_any_byte"), times(100, 1000), 0
    masters = []
    with open_home(folder / "home") as home:
        for number in range(tries):
            size = chance.randint(2, 2 * _BLOCK) if number % 20 == 0 else chance.randint(2, 1 << 19)
            master = long_track(folder / "card", number, size)
            masters.append(master)
            pull_at = chance.randrange(master.stat().st_size)
            again += pulled_and_docked_again(home, folder, master, pull_at, dies=chance.random() < 0.3)
        home.publish()
        assert verify_all(home.ports).verdict is Verdict.PROVEN
        assert receipts(home) == {sha256(path.read_bytes()).hexdigest() for path in masters}
        assert len(home.recordings()) == tries
    total = sum(path.stat().st_size for path in masters)
    print(f"{tries} of {tries} read whole at their second docking, which read {again / total:.2f} of their bytes anew")


def pulled_and_docked_again(home: Home, folder: Path, master: Path, pull_at: int, *, dies: bool) -> int:
    """Pull the card at a byte of `master`, dock it again, and see it sealed; how much was read the second time."""
    dock = folder / "dock"
    offered = dock / master.name
    with docked(folder / "card", dock, pull_at=pull_at, dies=dies):
        recording = home.offer(offered)
        assert home.run("fixity", recording) is Result.AGAIN, f"pulled at {pull_at}"
    digest = sha256(master.read_bytes()).hexdigest()
    assert home.recording(recording)["state"] == "arrived"
    assert digest not in receipts(home)
    assert not list(home.ports.spool.glob("rec-*")), "half a copy was kept"
    with docked(folder / "card", dock) as card:
        assert home.offer(offered) == recording
        clock = at_tick("after", 0.0, now=clocks.now() + timedelta(minutes=1))
        assert home.run("fixity", recording, clock=clock) is Result.DONE
        read = card.given_bytes
    assert home.run("seal", recording, clock=clock) is Result.DONE
    assert home.ports.store.measure(f"originals/{digest[:2]}/{digest[2:4]}/{digest}").hex == digest
    return read


# --- as an officer sees it ----------------------------------------------------------------------------


def ingest(folder: Path) -> Said:
    return evidock("ingest", folder / "dock", "--json", home=folder / "home")


def test_who_pulled_the_card_is_told_and_not_that_all_was_received(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(foreground, "_PATIENCE", 2)
    master = long_track(folder / "card", 1, 200_000)
    with docked(folder / "card", folder / "dock", pull_at=150_000, dies=True):
        said = ingest(folder)
    assert (said.status, said.json["code"]) == (75, "unavailable"), said
    assert f"{folder}/dock cannot be read" in said.json["message"]
    with open_home(folder / "home") as home:
        assert receipts(home) == set()
    with docked(folder / "card", folder / "dock"):
        assert ingest(folder).status == 0
    with open_home(folder / "home") as home:
        assert_whole(home, [master])


def test_a_card_that_is_put_back_soon_is_taken_in_by_the_same_run(folder: Path) -> None:
    master, dock = long_track(folder / "card", 1, 200_000), folder / "dock"
    with ExitStack() as cards:
        card = cards.enter_context(docked(folder / "card", dock, pull_at=100_000))

        def put_back() -> None:
            card.pull()
            cards.enter_context(docked(folder / "card", dock))

        timer = threading.Timer(1.0, put_back)
        timer.start()
        said = ingest(folder)
        timer.join()
    assert said.status == 0, said
    with open_home(folder / "home") as home:
        assert_whole(home, [master])
