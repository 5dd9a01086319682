# SPDX-License-Identifier: Apache-2.0
# ruff: noqa: PTH102, PTH104, PTH108, PTH112, PTH120, PTH123, PTH208, PTH211
"""This is where random cards are tried as a dock would read them: walk, manifest, makers, settings, `device try`.

What must hold for each: nothing outside the card is opened, whatever links, swaps and settings say; nothing is raised
but an error of ours; the manifest holds every name once; what is told can be written down as JSON. Names here are bytes
(no text could hold them), so that the functions of `os` are used and not paths.
"""

import ctypes
import io
import json
import os
import random
import shutil
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from app.card import Trial, _tried, try_card
from app.cli.device_try import _told
from devices.manifest import read_manifest, write_manifest
from devices.safe_open import open_root
from devices.settle import Snapshot
from devices.walk import walk
from evidence.errors import EvidockError, SourceUnavailable
from tests.support import chaos
from tests.support.command import ROOT, evidock

SECRET = "SECRET9"
_LIBC = ctypes.CDLL(None, use_errno=True)
_OPENED, _ACCESSED, _NONBLOCK = 0x20, 0x01, 0o4000

NAMES = [
    b"GX010123.MP4", b"GX020123.MP4", b"GX990000.MP4", b"GOPR0001.MP4", b"DSC00001.JPG", b"FILE0001.MP4",
    b"DSJ_A1_000000_20260619_100324.mp4", b"DSJ_A1_000001_99999999_999999_IMP_enc.mp4",
    b"1234567_000001_20230615093012_0001.MP4", b"20230615093012_430417_A1B2C3D_IMP.MP4",
    b"2023_0615_093012_001.MP4", b"2023_0615_093112_002A.MP4", b"VID_20260619_100324_002.mp4",
    b"PXL_20260619_100324123.mp4", b"seg_9999999999999.mp4", b"li@2018-04-27_16-38-16.mp4",
    b"09.30.12-10.00.00[R][0@0][0].dav", b"CJZ001-000123.mp4", b"145036.mp4", b"145536_02.mp4",
    b"...", b"..mp4", b"DSJ_A1_000001_99991231_235959.mp4",
    b"DSJ_A1_000001_00010101_000000.mp4",
    b"..\\..\\x.mp4", b"%2e%2e", b"a\nb.mp4", b"a\tb.gpx", b"\xff\xfe.mp4", b"\xed\xa0\x80.mp4",
    "\u202e4pm.exe".encode(), "视频.mp4".encode("gb18030"), b"x" * 250 + b".mp4", b"CON", b"nul.mp4", b"-rf", b" ",
    b"dcim", b"DCIM", b"Dcim", b".hidden.mp4", b"a.part", b"$RECYCLE.BIN", b"track.gpx", b"a.nmea", b"A.NMEA",
    "VID_٢٠٢٦٠٦١٩_١٠٠٣٢٤.mp4".encode(), b"FILE" + b"9" * 200 + b".MP4",
]  # fmt: skip
FOLDERS = [b"DCIM", b"dcim", b"100MEDIA", b"2023-06-15", b"001", b"dav", b"IMP", b"video", b"..a", b"\xff", b"disk1"]
SIDES = [b"bind.ini", b"device.ini", b"configs.cson", b"LocalSettings.json", b"ID.txt", b"DCIM/configs.cson"]
HEADS = [
    b"",
    b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom",
    b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom\0\0\0\x10moov\xff\xff\xff\xfftrak",
    b"\0\0\0\x08wide\0\0\0\0moov\0\0\0\0udta\0\0\0\0GPMF",
    b"<gpx><trkpt lat='1' lon='",
    b'<?xml version="1.0"?><!DOCTYPE gpx [<!ENTITY a SYSTEM "/etc/passwd">]><gpx>&a;</gpx>',
    b"$GPRMC,,,,,,,,,,,\r\n$GPRMC,999999,A,9999.9,N,99999.9,E,,,999999\r\n",
    b"DHAV",
    b"#EXTM3U\nfile:///etc/passwd\n",
    b"RIFF\xff\xff\xff\xffAVI ",
    b"G" + bytes(187),
]


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """What lies beside the card, and must not be opened: settings, footage, a folder of a camera."""
    outside = tmp_path / "outside"
    (outside / "DCIM").mkdir(parents=True)
    for name in ("ID.txt", "bind.ini", "a.mp4", "track.gpx", "DCIM/a.mp4"):
        (outside / name).write_text(SECRET if name == "ID.txt" else f"sn={SECRET}\n")
    return outside


@contextmanager
def unopened(folder: Path) -> Iterator[Callable[[], int]]:
    """Counts what is opened or read of a folder and what is in it, by anybody (inotify)."""
    watcher = _LIBC.inotify_init1(_NONBLOCK)
    try:
        for one in (folder, folder / "DCIM"):
            assert _LIBC.inotify_add_watch(watcher, os.fsencode(one), _OPENED | _ACCESSED) >= 0

        def opened() -> int:
            try:
                return len(os.read(watcher, 1 << 16))
            except BlockingIOError:
                return 0

        yield opened
    finally:
        os.close(watcher)


def grow(card: Path, outside: Path, chance: random.Random) -> None:
    """Plant a card of traps."""
    root = os.fsencode(card)
    folders = [root]
    for _ in range(chance.randrange(1, 10)):
        folder = chance.choice(folders) + b"/" + chance.choice(FOLDERS)
        if not os.path.lexists(folder):
            os.mkdir(folder)
            folders.append(folder)
    if chance.random() < 0.1:
        for _ in range(40):
            folders.append(folders[-1] + b"/d")
            os.mkdir(folders[-1])
    for name in chance.sample(SIDES, 3):
        plant(root + b"/" + name, outside, chance, garbage(chance))
    for _ in range(chance.randrange(3, 25)):
        path = chance.choice(folders) + b"/" + mutated(chance.choice(NAMES), chance)
        plant(path, outside, chance, chance.choice(HEADS) + chance.randbytes(chance.randrange(200)))


def plant(path: bytes, outside: Path, chance: random.Random, content: bytes) -> None:
    """A file, a link (out of the card, in a circle, to nothing), a pipe or a socket; nothing where something is."""
    if os.path.lexists(path) or not os.path.isdir(os.path.dirname(path)):
        return
    draw = chance.random()
    if draw < 0.15:
        up = os.path.relpath(os.fsencode(outside), os.path.dirname(path))
        aims = [os.fsencode(outside), up, up + b"/ID.txt", up + b"/a.mp4", b".", b"..", b"/dev/zero", b"nothing"]
        os.symlink(chance.choice(aims), path)
    elif draw < 0.2:
        os.mkfifo(path)
    elif draw < 0.22 and len(path) < 100:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path)
    else:
        with open(path, "wb") as file:
            file.write(content)
        at = chance.choice([0, 1, 2**31, 2**33, 1_781_834_604]) * 10**9 + chance.randrange(10**9)
        os.utime(path, ns=(at, at))


def mutated(name: bytes, chance: random.Random) -> bytes:
    if chance.random() < 0.6:
        return name
    place = chance.randrange(len(name))
    return (name[:place] + bytes((chance.choice(b"0129_.\xff\x80\n AZ"),)) + name[place + 1 :]).replace(b"/", b"_")


def garbage(chance: random.Random) -> bytes:
    told = [
        b"sn=A1\n",
        b'{"ID": "A1", "BadgeId": 1}',
        b"{" * 3000,
        b'{"a":' * 3000,
        b"\xff\xfe[\x00",
        b"id = ../../x\n",
    ]
    return chance.choice([*told, b"sn=" + b"A" * 70_000, chance.randbytes(300)])


@contextmanager
def swapping(card: Path, outside: Path, chance: random.Random) -> Iterator[None]:
    """Meanwhile names of the card become links out of it, and themselves again."""
    names = [name for name in os.listdir(os.fsencode(card)) if not name.endswith(b".swapped")]
    over = threading.Event()
    name = os.fsencode(card) + b"/" + chance.choice(names or [b"none"])

    def swap() -> None:
        while not over.is_set():
            try:
                os.rename(name, name + b".swapped")
                os.symlink(os.fsencode(outside), name)
                os.unlink(name)
                os.rename(name + b".swapped", name)
            except OSError:
                return

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def read_as_a_dock(card: Path) -> Trial:
    """All that is done with a card before anything of it is taken in; the trial of it."""
    text = io.BytesIO()
    with open_root(card) as at:
        summary = write_manifest("d", walk(at, in_order=True), text)
    text.seek(0)
    assert sum(1 for _ in read_manifest(text)) == summary.names
    trial = try_card(card)
    told = json.dumps(_told(trial), ensure_ascii=True)
    assert SECRET not in told
    json.dumps(_told(trial), ensure_ascii=False).encode()  # no broken half of a character is left
    return trial


def names_of(card: Path) -> int:
    return sum(len(files) + len(folders) for _, folders, files in os.walk(os.fsencode(card)))


def test_random_cards_of_traps_lead_nowhere_and_break_nothing(tmp_path: Path, outside: Path) -> None:
    chance = chaos.seeded("random_cards_of_traps")
    with unopened(outside) as opened:
        for number in range(chaos.times(300, 10_000)):
            card = tmp_path / "card"
            card.mkdir()
            grow(card, outside, chance)
            is_swapped = number % 5 == 0
            try:
                if is_swapped:
                    with swapping(card, outside, chance):
                        read_as_a_dock(card)
                else:
                    trial = read_as_a_dock(card)
                    assert len(trial.files) + len(trial.skipped) <= names_of(card)
            except SourceUnavailable:
                if not is_swapped:
                    raise
            assert opened() == 0, f"card {number} led out"
            shutil.rmtree(card)


def test_the_counting_of_what_is_opened_sees_an_escape(tmp_path: Path, outside: Path) -> None:
    """The oracle itself: a reader that follows a link is seen."""
    (tmp_path / "card").mkdir()
    (tmp_path / "card/ID.txt").symlink_to(outside / "ID.txt")
    with unopened(outside) as opened:
        assert opened() == 0
        assert (tmp_path / "card/ID.txt").read_text() == SECRET
        assert opened() > 0


def test_telemetry_that_lists_the_same_bytes_over_and_over_is_left_within_its_bound(tmp_path: Path) -> None:
    """200,000 samples of a mebibyte, all the same one: 200 GB to read, were they read."""

    def box(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body) + 8) + kind + body

    stsd = box(b"stsd", struct.pack(">III", 0, 1, 20) + b"gpmd" + bytes(8))
    stsz = box(b"stsz", struct.pack(">3I", 0, 1 << 20, 200_000))
    stco = box(b"stco", struct.pack(">2I", 0, 200_000) + struct.pack(">I", 40) * 200_000)
    stsc = box(b"stsc", struct.pack(">5I", 0, 1, 1, 1, 1))
    stbl = box(b"stbl", stsd + stsz + stco + stsc + box(b"stts", struct.pack(">4I", 0, 1, 200_000, 1)))
    mdia = box(b"mdia", box(b"mdhd", struct.pack(">6I", 0, 0, 0, 1, 5, 0)) + box(b"minf", stbl))
    payload = b"".join(b"STNMc\1\0\1a\0\0\0" for _ in range(1 << 16)) + bytes(1 << 20)
    film = b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom" + box(b"mdat", payload) + box(b"moov", box(b"trak", mdia))
    (tmp_path / "GX010001.MP4").write_bytes(film)
    began = time.monotonic()
    (one,) = try_card(tmp_path).files

    assert one.track is None
    assert time.monotonic() - began < 5


def test_a_file_that_became_a_link_since_it_was_listed_is_not_followed(tmp_path: Path, outside: Path) -> None:
    (tmp_path / "card").mkdir()
    (tmp_path / "card/a.mp4").touch()
    seen = Snapshot.of((tmp_path / "card/a.mp4").stat())
    (tmp_path / "card/a.mp4").unlink()
    (tmp_path / "card/a.mp4").symlink_to(outside / "a.mp4")
    with unopened(outside) as opened:
        tried = _tried(tmp_path / "card", "a.mp4", seen, {})
        assert opened() == 0

    assert (tried.container, tried.problem) == (None, "bad-input")


BOXES = [b"moov", b"trak", b"mdia", b"mdhd", b"minf", b"stbl", b"stsd", b"stts", b"stsc", b"stsz", b"stco", b"co64"]


def movie(chance: random.Random) -> bytes:
    """A tree of boxes that looks like a film with telemetry, of random lengths and numbers."""

    def box(kind: bytes, body: bytes) -> bytes:
        size = len(body) + 8 if chance.random() < 0.9 else chance.randrange(1 << 32)
        return struct.pack(">I", size) + kind + body

    def table(kind: bytes) -> bytes:
        numbers = [chance.choice([0, 1, 2, 16, 100, 0xFFFFFFFF]) for _ in range(chance.randrange(8))]
        return box(kind, struct.pack(f">{len(numbers)}I", *numbers) + chance.randbytes(chance.randrange(4)))

    stsd = box(b"stsd", struct.pack(">III", 0, 1, 20) + b"gpmd" + bytes(8))
    stbl = box(b"stbl", stsd + b"".join(table(kind) for kind in chance.sample(BOXES[7:], 4)))
    mdhd = box(b"mdhd", struct.pack(">IIIII", 0, 0, 0, chance.choice([0, 1, 1000]), 5))
    trak = box(b"trak", box(b"mdia", mdhd + box(b"minf", stbl)))
    gpmf = box(b"udta", box(b"GPMF", b"DEVC\0\1" + struct.pack(">H", 40) + chance.randbytes(60)))
    gps = box(b"gps ", bytes(8) + struct.pack(">4I", 0, 200, chance.randrange(1 << 32), 4000))
    moov = box(b"moov", trak + gpmf + gps)
    return b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom" + box(b"mdat", chance.randbytes(300)) + moov


def test_films_with_random_boxes_of_telemetry_are_no_error(tmp_path: Path) -> None:
    chance = chaos.seeded("films_with_random_boxes")
    path = tmp_path / "GX010001.MP4"
    for _ in range(chaos.times(300, 10_000)):
        path.write_bytes(movie(chance))
        (one,) = try_card(tmp_path).files
        assert one.container == "mp4"


def test_names_at_the_ends_of_the_calendar_are_no_error(tmp_path: Path) -> None:
    for day in ("99991231_235959", "00010101_000000", "20260619_100000", "20260619_100500"):
        (tmp_path / f"DSJ_A1_000001_{day}.mp4").write_bytes(HEADS[1])

    assert len(try_card(tmp_path).files) == 4


def test_a_folder_that_is_not_there_is_an_error_of_ours(tmp_path: Path) -> None:
    with pytest.raises(EvidockError):
        try_card(tmp_path / "none")


def test_the_command_says_what_would_be_read_and_why_the_rest_is_left(tmp_path: Path) -> None:
    card = tmp_path / "card"
    (card / "DCIM/video").mkdir(parents=True)
    (card / "ID.txt").write_text("AB12")
    for number, name in enumerate(("VID_20260619_100000_001.mp4", "VID_20260619_100500_002.mp4")):
        file = card / "DCIM/video" / name
        file.write_bytes(HEADS[1] + bytes(100))
        at = 1_781_834_400 + 300 * (number + 1)  # 10:05 and 10:10 in China
        os.utime(file, (at, at))
    (card / "DCIM/link.mp4").symlink_to("/dev/zero")
    (card / "DCIM/a.txt").write_text("no footage")
    body = evidock("device", "try", card, "--json").json

    assert [len(one) for one in body["captures"]] == [2]
    by_name = {one["name"]: one for one in body["files"]}
    first = by_name["DCIM/video/VID_20260619_100000_001.mp4"]
    assert {"field": "device", "source": "sidecar", "value": "AB12"} in first["claims"]
    assert {"field": "maker", "source": "file-name", "value": "phone"} in first["claims"]
    assert (first["container"], first["problem"]) == ("mp4", None)
    assert by_name["DCIM/a.txt"]["problem"] == "not-media"
    left = {one["name"]: one["reason"] for one in body["left"]}
    assert left == {"DCIM/link.mp4": "symlink", "ID.txt": "settings"}
    shown = evidock("device", "try", card)
    assert shown.status == 0
    assert "likely one capture in 2 files" in shown.out


COUNT = """
import sys, time
from pathlib import Path
from devices.manifest import write_manifest
from devices.safe_open import open_root
from devices.walk import walk
from app.card import try_card
began = time.monotonic()
with open_root(Path(sys.argv[1])) as at, open("/dev/null", "wb") as out:
    names = write_manifest("d", walk(at, in_order=True), out).names
walked = time.monotonic() - began
trial = try_card(Path(sys.argv[1]))
# Not by getrusage: a child inherits the highest mark of the process that made it.
peak = next(line.split()[1] for line in Path("/proc/self/status").open() if line.startswith("VmHWM"))
print(names, len(trial.files) + trial.further, walked, time.monotonic() - began, peak)
"""


def test_a_card_of_very_many_names_needs_little_memory_and_no_long_time(tmp_path: Path) -> None:
    wanted = chaos.times(10_000, 1_000_000)
    for folder in range(wanted // 1000):
        (tmp_path / f"card/{folder:04}").mkdir(parents=True)
        at = os.open(tmp_path / f"card/{folder:04}", os.O_RDONLY)
        for number in range(1000):
            os.mknod(f"FILE{number:04}.MP4", 0o600, dir_fd=at)
        os.close(at)
    done = subprocess.run(
        [sys.executable, "-c", COUNT, tmp_path / "card"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=200,
    )
    names, files, walked_s, whole_s, peak_kib = done.stdout.split()
    print(f"\n{names} names: manifest {walked_s} s, with the trial {whole_s} s, {peak_kib} KiB at most")
    assert int(files) == wanted
    assert int(names) == wanted + wanted // 1000
    assert float(walked_s) < 60
    assert int(peak_kib) < 300 * 1024
