# SPDX-License-Identifier: Apache-2.0
"""This is where cards made to harm are docked: each trap a test, then random trees of all traps together.

What must hold: nothing outside the dock's folder is read, nothing waits for ever, every name is offered or
told with its reason, and the watcher lives.
"""

import os
import random
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from devices.dock_folder import Ignored, Settled, take_stock
from devices.makers.registry import read_claims
from devices.makers.sidecar import read_side
from devices.safe_open import open_beneath, open_root
from devices.settle import Reason
from devices.walk import MAX_DEPTH, _walk_folder, walk
from devices.watch import FolderWatcher
from evidence.errors import BadInput, NotFound, SourceUnavailable
from evidence.offer import from_raw, raw

ENOUGH = 300  # times each side of a race is to be met
SECRET = b"not footage: a secret of this machine"


@pytest.fixture
def card(tmp_path: Path) -> Path:
    (tmp_path / "secret.mp4").write_bytes(SECRET)
    card = tmp_path / "card"
    card.mkdir()
    return card


def fates(card: Path) -> dict[str, Reason | None]:
    with open_root(card) as at:
        return {entry.path: entry.ignored for entry in walk(at)}


def test_a_folder_linked_to_the_root_of_the_machine_is_not_entered(card: Path) -> None:
    (card / "DCIM").symlink_to("/")
    assert fates(card) == {"DCIM": Reason.SYMLINK}


def test_a_folder_linked_to_its_own_parent_does_not_loop(card: Path) -> None:
    (card / "DCIM").mkdir()
    (card / "DCIM/again").symlink_to("..")
    assert fates(card) == {"DCIM": Reason.FOLDER, "DCIM/again": Reason.SYMLINK}


def test_every_kind_of_thing_that_is_no_file_is_named(card: Path) -> None:
    os.mkfifo(card / "a.mp4")
    (card / "b.mp4").symlink_to("/dev/zero")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(card / "c.mp4"))
        assert fates(card) == {"a.mp4": Reason.FIFO, "b.mp4": Reason.SYMLINK, "c.mp4": Reason.SOCKET}


def test_a_device_node_is_named_and_never_read(card: Path) -> None:
    try:
        os.mknod(card / "zero.mp4", 0o600 | 0o020000, os.makedev(1, 5))
    except PermissionError:
        pytest.skip("only root makes device nodes, so nobody else can put one on a card here")
    assert fates(card) == {"zero.mp4": Reason.DEVICE_NODE}
    with pytest.raises(BadInput):
        open_beneath(card, "zero.mp4")


@contextmanager
def nested(card: Path, depth: int) -> Iterator[None]:
    """`depth` folders in one another, deeper than a path can say, and taken away again."""
    here = os.open(card, os.O_RDONLY)
    above = []
    for _ in range(depth):
        os.mkdir("d", dir_fd=here)
        above.append(here)
        here = os.open("d", os.O_RDONLY, dir_fd=here)
    os.close(os.open("deep.mp4", os.O_CREAT | os.O_WRONLY, dir_fd=here))
    for parent in above:
        os.close(parent)
    os.close(here)
    yield
    here = os.open(card, os.O_RDONLY)
    while "d" in os.listdir(here):  # noqa: PTH208 (of a descriptor)
        inner = os.open("d", os.O_RDONLY, dir_fd=here)
        for name in os.listdir(inner):  # noqa: PTH208
            os.rename(name, f"up-{name}", src_dir_fd=inner, dst_dir_fd=here)
        os.close(inner)
        os.rmdir("d", dir_fd=here)
        for name in os.listdir(here):  # noqa: PTH208
            os.rename(name, name.removeprefix("up-"), src_dir_fd=here, dst_dir_fd=here)
    os.close(here)


def test_folders_without_end_are_followed_to_a_depth_and_told(card: Path) -> None:
    with nested(card, 100):
        found = fates(card)
        assert len(found) == MAX_DEPTH
        assert found["/".join(["d"] * MAX_DEPTH)] is Reason.TOO_DEEP


def test_folders_without_end_do_not_end_the_watcher(card: Path) -> None:
    (card / "a.mp4").write_bytes(b"footage")
    with nested(card, 1500), FolderWatcher({"d": card}, quiet_s=0, poll_s=0) as watcher:
        told = [*watcher.step(), *watcher.step()]
    assert [notice.offer.path for notice in told if isinstance(notice, Settled)] == ["a.mp4"]
    assert [notice.reason for notice in told if isinstance(notice, Ignored)] == [Reason.TOO_DEEP]


def test_a_folder_that_may_not_be_read_is_told_and_the_others_are_listed(card: Path) -> None:
    card.chmod(0o755)
    for folder in ("locked", "open"):
        (card / folder).mkdir()
        (card / folder / "a.mp4").touch()
    (card / "locked").chmod(0)
    with open_root(card) as at, without_rights():
        found = [(entry.path, entry.ignored) for entry in walk(at, in_order=True)]
    (card / "locked").chmod(0o755)
    assert found == [("locked", Reason.UNREADABLE), ("open", Reason.FOLDER), ("open/a.mp4", None)]


@contextmanager
def without_rights() -> Iterator[None]:
    """Root reads everything: be nobody for a while when we are root."""
    was = os.geteuid()
    if was == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(was)


NAMES = [
    "视频.mp4".encode("gb18030"),
    b"\xff\xfe\xfd.mp4",
    b"\xed\xa0\x80.mp4",
    b"a\nb.mp4",
    b"\x1b[2J.mp4",
    "\u202e4pm.exe".encode(),
    b"x" * 251 + b".mp4",
    b"-rf",
    b"$(reboot).mp4",
    b"a;b|c&d.mp4",
    b"\\x41.mp4",
    b" .mp4 ",
    b"CON",
]


def test_odd_names_are_offered_with_their_very_bytes_and_open_to_their_file(card: Path) -> None:
    for number, name in enumerate(NAMES):
        Path(os.fsdecode(os.fsencode(card) + b"/" + name)).write_bytes(b"%d" % number)
    stock = [one for one in take_stock("d", card) if isinstance(one, Settled)]
    assert sorted(raw(one.offer.name) for one in stock) == sorted(NAMES)
    for one in stock:
        with open_beneath(card, one.offer.path) as file:
            assert file.read() == b"%d" % NAMES.index(raw(one.offer.name))
        read_claims(one.offer.path, mtime_ns=one.offer.mtime_ns, side=read_side(card, one.offer.path))
    assert len({one.offer.id for one in stock}) == len(NAMES)


SWAP = """
import os, sys
place, kind, target = sys.argv[1:]
real = os.path.join(os.path.dirname(place), "real")
print("swapping", flush=True)
while True:
    os.rename(place, real)
    os.mkfifo(place) if kind == "pipe" else os.symlink(target, place)
    os.unlink(place)
    os.rename(real, place)
"""


@contextmanager
def swapping(place: Path, kind: str, target: str) -> Iterator[None]:
    """Meanwhile another process puts a trap in the place of `place`, and `place` back, as fast as it can."""
    argv = [sys.executable, "-c", SWAP, str(place), kind, target]
    with subprocess.Popen(argv, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        try:
            yield
        finally:
            other.kill()


def descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


@pytest.mark.parametrize("in_one_call", [True, False], ids=["openat2", "part-by-part"])
@pytest.mark.parametrize(
    ("place", "kind", "target"),
    [
        ("DCIM", "link", ".."),
        ("DCIM/secret.mp4", "link", "../../secret.mp4"),
        ("DCIM/secret.mp4", "pipe", ""),
    ],
    ids=["folder", "file", "pipe"],
)
def test_a_name_swapped_while_it_is_opened_never_leads_out(
    card: Path, place: str, kind: str, target: str, in_one_call: bool
) -> None:
    """The race itself: only footage ever comes out, nothing waits, and no descriptor is left."""
    (card / "DCIM").mkdir()
    (card / "DCIM/secret.mp4").write_bytes(b"footage")
    (card / "secret.mp4").write_bytes(SECRET)
    before = descriptors()
    with swapping(card / place, kind, target):
        outcomes = raced(lambda: read_in_the_race(card, in_one_call=in_one_call))
    assert min(outcomes.values()) > 0
    assert len(outcomes) == 2
    assert descriptors() == before


def raced(turn: Callable[[], str]) -> Counter[str]:
    """Turns until both sides of the race were met often, however the machine shares its time."""
    outcomes: Counter[str] = Counter()
    end = time.monotonic() + 20
    while min(outcomes["read"], outcomes["refused"]) < ENOUGH and time.monotonic() < end:
        outcomes[turn()] += 1
    return outcomes


def read_in_the_race(card: Path, *, in_one_call: bool) -> str:
    try:
        with open_beneath(card, "DCIM/secret.mp4", in_one_call=in_one_call) as file:
            assert file.read() == b"footage"
    except (BadInput, NotFound):
        return "refused"
    return "read"


def test_a_folder_swapped_while_it_is_listed_never_leads_out(card: Path) -> None:
    (card / "DCIM").mkdir()
    (card / "DCIM/a.mp4").touch()
    seen: set[str] = set()
    end = time.monotonic() + 0.3
    with swapping(card / "DCIM", "link", ".."), open_root(card) as at:
        while time.monotonic() < end or "DCIM/a.mp4" not in seen:
            seen |= {entry.path for entry in walk(at)}
    assert seen <= {"DCIM", "real", "DCIM/a.mp4", "real/a.mp4"}


def test_a_folder_that_became_a_link_between_the_look_and_the_opening_is_not_entered(card: Path) -> None:
    (card / "DCIM").symlink_to("..")
    with open_root(card) as at:
        looked_like_a_folder = card.stat()
        assert list(_walk_folder(at, "DCIM", looked_like_a_folder, (), False)) == []


def test_a_medium_that_no_longer_answers_is_unavailable_and_not_empty(card: Path) -> None:
    with open_root(card) as at:
        gone = os.dup(at)
    os.close(gone)
    with pytest.raises(SourceUnavailable):
        list(walk(gone))


def test_a_folder_mounted_inside_itself_is_told_and_not_entered(card: Path) -> None:
    (card / "DCIM/again").mkdir(parents=True)
    mounted = subprocess.run(["mount", "--bind", card, card / "DCIM/again"], capture_output=True, check=False)  # noqa: S607
    if mounted.returncode:
        pytest.skip("nothing can be mounted here, so a card cannot do it either")
    try:
        assert fates(card) == {"DCIM": Reason.FOLDER, "DCIM/again": Reason.LOOP}
    finally:
        subprocess.run(["umount", card / "DCIM/again"], check=True)  # noqa: S607


@pytest.mark.parametrize("seed", range(25))
def test_a_random_tree_of_traps_is_told_whole_and_read_only_inside(card: Path, seed: int) -> None:
    chance = random.Random(seed)
    footage = grow(card, chance, size=60)
    stock = list(take_stock("d", card))
    read = {one.offer.path: content_of(card, one) for one in stock if isinstance(one, Settled)}
    assert read == footage
    told = {one.path for one in stock if isinstance(one, Ignored)}
    assert told == everything_else(card, footage)


def grow(card: Path, chance: random.Random, *, size: int) -> dict[str, bytes]:
    """Plants a tree of files and traps; gives the files that must be offered, with their bytes."""
    footage: dict[str, bytes] = {}
    folders = [card]
    for number in range(size):
        stem = bytes(chance.choice(b"ab.\xff\n \xe8~") for _ in range(chance.randint(1, 6)))
        path = chance.choice(folders) / f"{number}-{os.fsdecode(stem)}"
        match chance.randrange(6):
            case 0:
                path.mkdir()
                folders.append(path)
            case 1:
                path.symlink_to(chance.choice(["/", "..", str(card.parent / "secret.mp4"), "/dev/zero", "x"]))
            case 2:
                os.mkfifo(path)
            case _:
                path.write_bytes(b"footage %d" % number)
                if not path.name.endswith("~"):
                    footage[from_raw(os.fsencode(path.relative_to(card)))] = b"footage %d" % number
    return footage


def content_of(card: Path, settled: Settled) -> bytes:
    with open_beneath(card, settled.offer.path) as file:
        return file.read()


def everything_else(card: Path, footage: dict[str, bytes]) -> set[str]:
    names = {
        from_raw(os.fsencode(Path(folder, name).relative_to(card)))
        for folder, _, files in os.walk(card)
        for name in files
    }
    links = {
        from_raw(os.fsencode(Path(folder, name).relative_to(card)))
        for folder, folders, _ in os.walk(card)
        for name in folders
        if Path(folder, name).is_symlink()
    }
    return (names | links) - set(footage)
