# SPDX-License-Identifier: Apache-2.0
"""This is where watching is tested: with a clock in hand and walking only, then with the kernel's hints."""

import errno
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from watchdog.observers.api import BaseObserver

from devices.dock_folder import DockChanged, DockFolder, Ignored, Notice, Settled, take_stock
from devices.safe_open import open_beneath
from devices.settle import Reason, unchanged
from devices.watch import FolderWatcher
from evidence.errors import BadInput, SourceUnavailable
from evidence.offer import raw


@dataclass
class Clock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Rig:
    """A watcher that walks only, every second, with files quiet after three."""

    root: Path
    clock: Clock
    watcher: FolderWatcher

    def at(self, now: float) -> list[Notice]:
        self.clock.now = now
        return self.watcher.step()

    def offered_at(self, now: float) -> list[str]:
        return [notice.offer.path for notice in self.at(now) if isinstance(notice, Settled)]


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    root, clock = tmp_path / "dock", Clock()
    root.mkdir()
    return Rig(root, clock, FolderWatcher({"d": root}, quiet_s=3, poll_s=1, clock=clock, observer=None))


def write(path: Path, content: bytes = b"footage") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def test_what_was_there_before_the_watcher_is_offered_once_quiet(rig: Rig) -> None:
    write(rig.root / "DCIM/video/a.mp4")
    assert [rig.offered_at(now) for now in (0, 2, 3, 4, 60)] == [[], [], ["DCIM/video/a.mp4"], [], []]


def test_an_offer_tells_how_the_file_looked_and_opens_to_the_same(rig: Rig) -> None:
    path = write(rig.root / "DCIM/a.mp4")
    rig.at(0)
    (settled,) = (notice for notice in rig.at(3) if isinstance(notice, Settled))
    assert (settled.offer.dock, settled.offer.name) == ("d", "a.mp4")
    assert (settled.offer.size_bytes, settled.offer.mtime_ns) == (7, path.stat().st_mtime_ns)
    with open_beneath(settled.root, settled.offer.path) as file:
        assert unchanged(settled.seen, file.fileno())


def test_a_file_that_grows_is_offered_only_after_the_last_write(rig: Rig) -> None:
    path = write(rig.root / "a.mp4")
    for now in range(5):
        with path.open("ab") as growing:
            growing.write(b"more")
        assert rig.offered_at(now) == []
    assert rig.offered_at(6.9) == []
    assert rig.offered_at(7) == ["a.mp4"]


def test_a_file_that_changed_after_its_offer_is_another_offer(rig: Rig) -> None:
    path = write(rig.root / "a.mp4")
    rig.at(0)
    rig.at(3)
    write(path, b"longer footage")
    assert [rig.offered_at(now) for now in (4, 7, 10)] == [[], ["a.mp4"], []]


def test_a_file_set_back_to_what_was_offered_is_not_offered_again(rig: Rig) -> None:
    path = write(rig.root / "a.mp4")
    os.utime(path, ns=(0, 10**18))
    rig.at(0)
    rig.at(3)
    write(path, b"longer footage")
    rig.at(4)
    rig.at(7)
    write(path)
    os.utime(path, ns=(0, 10**18))
    assert [rig.offered_at(now) for now in (8, 11, 14)] == [[], [], []]


def test_a_file_renamed_from_its_partial_name_settles_under_the_final_one(rig: Rig) -> None:
    path = write(rig.root / "a.mp4.part")
    assert rig.at(0) == [DockChanged("d", True, ""), Ignored("d", "a.mp4.part", Reason.PARTIAL)]
    path.rename(rig.root / "a.mp4")
    assert [rig.offered_at(now) for now in (1, 4)] == [[], ["a.mp4"]]


def test_a_file_gone_before_it_settled_is_forgotten(rig: Rig) -> None:
    path = write(rig.root / "x/a.mp4")
    rig.at(0)
    path.unlink()
    path.parent.rmdir()
    assert rig.offered_at(0.5) == []
    assert rig.offered_at(3) == []
    assert rig.watcher.waiting == 0 or rig.offered_at(3.5) == []
    assert rig.watcher.waiting == 0


def test_each_name_not_taken_is_told_once_with_its_reason(rig: Rig) -> None:
    (rig.root / "link.mp4").symlink_to("/etc/passwd")
    os.mkfifo(rig.root / "pipe.mp4")
    write(rig.root / ".hidden.mp4")
    told = {notice for notice in rig.at(0) if isinstance(notice, Ignored)}
    assert told == {
        Ignored("d", "link.mp4", Reason.SYMLINK),
        Ignored("d", "pipe.mp4", Reason.FIFO),
        Ignored("d", ".hidden.mp4", Reason.HIDDEN),
    }
    assert [rig.at(now) for now in (1, 5)] == [[], []]


def test_a_file_swapped_for_a_link_while_it_waited_is_not_offered(rig: Rig) -> None:
    path = write(rig.root / "a.mp4")
    rig.at(0)
    path.unlink()
    path.symlink_to("/etc/passwd")
    assert rig.at(3) == [Ignored("d", "a.mp4", Reason.SYMLINK)]
    assert rig.watcher.waiting == 0


def test_a_folder_swapped_for_a_link_while_its_file_waited_leads_nowhere(tmp_path: Path) -> None:
    clock, root = Clock(), tmp_path / "dock"
    watcher = FolderWatcher({"d": root}, quiet_s=3, poll_s=60, clock=clock, observer=None)
    write(root / "in/a.mp4")
    write(tmp_path / "out/a.mp4")
    watcher.step()
    (root / "in").rename(root / "was")
    (root / "in").symlink_to(tmp_path / "out")
    clock.now = 3
    assert watcher.step() == []
    assert watcher.waiting == 0


def test_a_missing_folder_is_told_and_found_when_it_comes(rig: Rig) -> None:
    rig.root.rmdir()
    (gone,) = rig.at(0)
    assert isinstance(gone, DockChanged)
    assert not gone.is_present
    assert rig.at(1) == []
    write(rig.root / "a.mp4")
    assert rig.at(2) == [DockChanged("d", True, "")]
    assert rig.offered_at(5) == ["a.mp4"]


def test_a_card_taken_out_and_put_back_is_not_offered_twice_and_what_is_new_is(rig: Rig) -> None:
    path = write(rig.root / "a.mp4")
    write(rig.root / "b.mp4.part")
    rig.at(0)
    rig.at(3)
    times = path.stat()
    rig.root.rename(rig.root.with_name("card"))
    assert [type(notice) for notice in rig.at(4)] == [DockChanged]
    write(path)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    write(rig.root / "c.mp4")
    rig.at(5)
    assert rig.offered_at(8) == ["c.mp4"]


def test_an_offer_that_could_not_be_taken_settles_and_is_told_again(rig: Rig) -> None:
    write(rig.root / "a.mp4")
    rig.at(0)
    (settled,) = (notice for notice in rig.at(3) if isinstance(notice, Settled))
    rig.watcher.offer_again(settled.offer)
    assert [rig.offered_at(now) for now in (4, 7, 8)] == [[], ["a.mp4"], []]


def test_names_that_are_not_utf8_are_offered_with_their_bytes(rig: Rig) -> None:
    name = b"\xca\xd3\xc6\xb5\xff.mp4"
    write(Path(os.fsdecode(os.fsencode(rig.root) + b"/" + name)))
    rig.at(0)
    (path,) = rig.offered_at(3)
    assert raw(path) == name


def test_names_that_differ_only_in_case_are_two_offers(rig: Rig) -> None:
    for name in ("A.MP4", "a.mp4"):
        write(rig.root / name)
    rig.at(0)
    assert sorted(rig.offered_at(3)) == ["A.MP4", "a.mp4"]


def test_the_same_name_in_two_docks_is_two_offers(tmp_path: Path) -> None:
    clock = Clock()
    roots = {"north": tmp_path / "n", "south": tmp_path / "s"}
    for root in roots.values():
        write(root / "a.mp4")
    watcher = FolderWatcher(roots, quiet_s=1, clock=clock, observer=None)
    watcher.step()
    clock.now = 1
    assert len({notice.offer.id for notice in watcher.step() if isinstance(notice, Settled)}) == 2


def test_a_slow_walk_does_not_count_as_quiet(tmp_path: Path) -> None:
    """The clock is read at each look: a file first seen late in a long walk waits from then."""
    ticks = iter(range(1000))
    for name in "abcdef":
        write(tmp_path / name)
    folder = DockFolder("d", tmp_path, quiet_s=6, clock=lambda: float(next(ticks)))
    assert [notice for notice in folder.scan() if isinstance(notice, Settled)] == []
    settled = [notice for notice in folder.scan() if isinstance(notice, Settled)]
    assert len(settled) == 6
    assert next(ticks) == 12


@pytest.mark.parametrize("inner", ["dock", "dock/inner", "."])
def test_one_watched_folder_inside_another_is_refused(tmp_path: Path, inner: str) -> None:
    with pytest.raises(BadInput):
        FolderWatcher({"a": tmp_path / "dock", "b": tmp_path / inner}, observer=None)


def test_no_folder_to_watch_is_refused() -> None:
    with pytest.raises(BadInput):
        FolderWatcher({}, observer=None)


def test_a_stock_is_taken_at_once_and_in_order(tmp_path: Path) -> None:
    for name in ("b.mp4", "a/c.mp4", "a.tmp"):
        write(tmp_path / name)
    stock = list(take_stock("d", tmp_path))
    assert [one.offer.path if isinstance(one, Settled) else one.reason for one in stock] == [
        "a/c.mp4",
        Reason.PARTIAL,
        "b.mp4",
    ]
    with pytest.raises(SourceUnavailable):
        list(take_stock("d", tmp_path / "gone"))


# --- with the kernel's hints -------------------------------------------------------------------


def rounds(watcher: FolderWatcher, until: Callable[[list[Notice]], bool], seconds: float = 5) -> list[Notice]:
    """Real rounds, a hundredth of a second apart, until enough was told."""
    told: list[Notice] = []
    pause = threading.Event()
    for _ in range(int(seconds * 100)):
        told += watcher.step()
        if until(told):
            return told
        pause.wait(0.01)
    raise AssertionError(f"only this was told: {told}")


def offered(count: int) -> Callable[[list[Notice]], bool]:
    return lambda told: sum(isinstance(notice, Settled) for notice in told) >= count


def test_a_hint_makes_a_new_file_known_long_before_the_next_walk(tmp_path: Path) -> None:
    with FolderWatcher({"d": tmp_path}, quiet_s=0.05, poll_s=3600) as watcher:
        watcher.step()
        assert watcher.hinted == {"d"}
        write(tmp_path / "a.mp4")
        write(tmp_path / "DCIM/video/2026-06-19/b.mp4")
        told = rounds(watcher, offered(2))
    assert {n.offer.path for n in told if isinstance(n, Settled)} == {"a.mp4", "DCIM/video/2026-06-19/b.mp4"}


def test_a_folder_moved_in_whole_is_found_with_all_that_is_in_it(tmp_path: Path) -> None:
    root = tmp_path / "dock"
    root.mkdir()
    for number in range(3):
        write(tmp_path / f"card/DCIM/{number}.mp4")
    with FolderWatcher({"d": root}, quiet_s=0.05, poll_s=3600) as watcher:
        watcher.step()
        (tmp_path / "card").rename(root / "card")
        rounds(watcher, offered(3))


def test_hints_come_again_after_the_folder_was_replaced(tmp_path: Path) -> None:
    root, ahead = tmp_path / "dock", [0.0]
    root.mkdir()
    with FolderWatcher({"d": root}, quiet_s=0.05, poll_s=3600, clock=lambda: time.monotonic() + ahead[0]) as watcher:
        watcher.step()
        root.rename(tmp_path / "was")
        root.mkdir()
        ahead[0] += 3600  # one walk finds another folder there; no walk comes after it
        watcher.step()
        assert watcher.hinted == {"d"}
        write(root / "a.mp4")
        rounds(watcher, offered(1))


def test_a_folder_hinted_at_is_looked_into(tmp_path: Path) -> None:
    clock = Clock()
    folder = DockFolder("d", tmp_path, quiet_s=1, clock=clock)
    write(tmp_path / "card/DCIM/a.mp4")
    assert list(folder.look_at(["card", "../card", "gone"])) == []
    clock.now = 1
    assert [n.offer.path for n in folder.look_again() if isinstance(n, Settled)] == ["card/DCIM/a.mp4"]


def test_more_hints_than_are_kept_lead_to_a_walk(tmp_path: Path) -> None:
    with FolderWatcher({"d": tmp_path}, quiet_s=0.05, poll_s=3600) as watcher:
        watcher.step()
        for number in range(1200):
            (tmp_path / f"{number}.mp4").touch()
        rounds(watcher, offered(1200))


def no_instances() -> BaseObserver:
    raise OSError(errno.EMFILE, "inotify instance limit reached")


def test_without_inotify_everything_is_still_found_by_walking(tmp_path: Path) -> None:
    with FolderWatcher({"d": tmp_path}, quiet_s=0.02, poll_s=0.02, observer=no_instances) as watcher:
        assert watcher.hinted == frozenset()
        write(tmp_path / "a.mp4")
        rounds(watcher, offered(1))


def test_a_run_ends_when_told_and_its_threads_are_gone(tmp_path: Path) -> None:
    write(tmp_path / "a.mp4")
    (tmp_path / "link").symlink_to("a.mp4")
    before, stop = threading.active_count(), threading.Event()
    offers: list[str] = []
    notices: list[Notice] = []

    def on_offer(settled: Settled) -> None:
        offers.append(settled.offer.path)
        stop.set()

    with FolderWatcher({"d": tmp_path}, quiet_s=0.02, poll_s=0.02) as watcher:
        watcher.run(stop, on_offer, on_notice=notices.append, tick_s=0.01)
    assert offers == ["a.mp4"]
    assert notices == [DockChanged("d", True, ""), Ignored("d", "link", Reason.SYMLINK)]
    assert threading.active_count() == before


def test_an_offer_whose_taker_failed_is_the_first_of_the_next_run(tmp_path: Path) -> None:
    for name in ("a.mp4", "b.mp4"):
        write(tmp_path / name)
    offers: list[str] = []
    stop = threading.Event()

    def fails(settled: Settled) -> None:
        raise SourceUnavailable(settled.offer.path)

    def takes(settled: Settled) -> None:
        offers.append(settled.offer.path)
        if len(offers) == 2:
            stop.set()

    with FolderWatcher({"d": tmp_path}, quiet_s=0.02, poll_s=0.02, observer=None) as watcher:
        with pytest.raises(SourceUnavailable) as failed:
            watcher.run(stop, fails, tick_s=0.01)
        watcher.run(stop, takes, tick_s=0.01)
    assert offers[0] == failed.value.message
    assert sorted(offers) == ["a.mp4", "b.mp4"]
