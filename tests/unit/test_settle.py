# SPDX-License-Identifier: Apache-2.0
"""This is where quiet is tested: which files settle, when, and which never do."""

import os
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from devices.settle import Reason, Snapshot, StabilityTracker, refusal, unchanged
from evidence.errors import SourceUnavailable

SEEN = Snapshot(size_bytes=10, mtime_ns=1, inode=2, device=3)
FILE = stat.S_IFREG | 0o644


def test_one_look_is_never_enough_however_old_the_file() -> None:
    assert not StabilityTracker(quiet_s=0).look("a", SEEN, 100.0)


def test_a_file_settles_when_it_looked_the_same_for_long_enough() -> None:
    tracker = StabilityTracker(quiet_s=5)
    assert [tracker.look("a", SEEN, now) for now in (0.0, 4.9, 5.0)] == [False, False, True]


@pytest.mark.parametrize(
    "other",
    [
        replace(SEEN, size_bytes=11),
        replace(SEEN, size_bytes=9),
        replace(SEEN, mtime_ns=2),
        replace(SEEN, mtime_ns=0),
        replace(SEEN, inode=9),
        replace(SEEN, device=9),
    ],
    ids=["grown", "shrunk", "written", "set-back", "replaced", "other-medium"],
)
def test_a_file_that_changed_in_any_way_waits_anew(other: Snapshot) -> None:
    tracker = StabilityTracker(quiet_s=5)
    tracker.look("a", SEEN, 0.0)
    assert not tracker.look("a", other, 5.0)
    assert not tracker.look("a", other, 9.9)
    assert tracker.look("a", other, 10.0)


def test_a_file_that_grows_in_steps_settles_only_after_the_last() -> None:
    tracker = StabilityTracker(quiet_s=3)
    looks = [tracker.look("a", replace(SEEN, size_bytes=min(now, 20)), float(now)) for now in range(24)]
    assert looks.index(True) == 23


def test_a_settled_file_begins_anew() -> None:
    tracker = StabilityTracker(quiet_s=1)
    tracker.look("a", SEEN, 0.0)
    assert tracker.look("a", SEEN, 1.0)
    assert not tracker.look("a", SEEN, 2.0)


def test_a_clock_that_goes_back_only_makes_a_file_wait_longer() -> None:
    tracker = StabilityTracker(quiet_s=5)
    tracker.look("a", SEEN, 100.0)
    assert not tracker.look("a", SEEN, 0.0)
    assert list(tracker.due(4.0)) == []
    assert tracker.look("a", SEEN, 5.0)


def test_what_is_due_comes_the_longest_quiet_first_and_nothing_else() -> None:
    tracker = StabilityTracker(quiet_s=5)
    for now, path in enumerate("abc"):
        tracker.look(path, SEEN, float(now))
    tracker.look("a", replace(SEEN, size_bytes=11), 3.0)
    tracker.forget("x")
    assert list(tracker.due(7.0)) == ["b", "c"]
    assert list(tracker.due(8.0)) == ["b", "c", "a"]
    tracker.forget("b")
    assert list(tracker.due(8.0)) == ["c", "a"]


@pytest.mark.parametrize(
    ("path", "mode", "reason"),
    [
        ("DCIM/a.mp4", FILE, None),
        ("DCIM/empty.mp4", FILE, None),
        ("a~b.mp4", FILE, None),
        ("partial.mp4", FILE, None),
        ("a..mp4", FILE, None),
        ("a.mp4.tmp", FILE, Reason.PARTIAL),
        ("a.MP4.PART", FILE, Reason.PARTIAL),
        ("a.mp4~", FILE, Reason.PARTIAL),
        ("a\n.part", FILE, Reason.PARTIAL),
        (".a.mp4", FILE, Reason.HIDDEN),
        (".Trash-1000/files/a.mp4", FILE, Reason.HIDDEN),
        ("System Volume Information/WPSettings.dat", FILE, Reason.SYSTEM),
        ("$RECYCLE.BIN/a.mp4", FILE, Reason.SYSTEM),
        ("a.mp4", stat.S_IFLNK | 0o777, Reason.SYMLINK),
        ("a.mp4", stat.S_IFIFO, Reason.FIFO),
        ("a.mp4", stat.S_IFCHR, Reason.DEVICE_NODE),
        ("a.mp4", stat.S_IFBLK, Reason.DEVICE_NODE),
        ("a.mp4", stat.S_IFSOCK, Reason.SOCKET),
        ("a.mp4", stat.S_IFDIR, Reason.FOLDER),
        ("a.mp4", 0, Reason.UNKNOWN_TYPE),
    ],
)
def test_what_is_not_taken_is_not_taken_for_a_reason(path: str, mode: int, reason: Reason | None) -> None:
    assert refusal(path, mode) is reason


def test_a_file_that_grew_while_it_was_read_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(b"one")
    with path.open("rb") as file:
        seen = Snapshot.of(os.fstat(file.fileno()))
        file.read()
        assert unchanged(seen, file.fileno())
        with path.open("ab") as writer:
            writer.write(b"two")
        assert not unchanged(seen, file.fileno())


def test_a_file_rewritten_at_the_same_length_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(b"one")
    os.utime(path, ns=(0, 10**9))
    with path.open("rb") as file:
        seen = Snapshot.of(os.fstat(file.fileno()))
        path.write_bytes(b"two")
        assert not unchanged(seen, file.fileno())


def test_another_file_under_the_same_name_is_seen(tmp_path: Path) -> None:
    path, other = tmp_path / "a.mp4", tmp_path / "b.mp4"
    for each in (path, other):
        each.write_bytes(b"one")
        os.utime(each, ns=(0, 10**9))
    seen = Snapshot.of(path.stat())
    other.replace(path)
    with path.open("rb") as file:
        assert not unchanged(seen, file.fileno())


def test_a_descriptor_that_no_longer_answers_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"")
    descriptor = os.open(tmp_path / "a", os.O_RDONLY)
    os.close(descriptor)
    with pytest.raises(SourceUnavailable):
        unchanged(SEEN, descriptor)
