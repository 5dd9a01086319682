# SPDX-License-Identifier: Apache-2.0
"""This is where a decoder that was taken over uses what the walls leave open, call by call, and what it leaves behind.

Each attack is code that worked before its wall stood; `GONE` of them must print that it did.
"""

import os
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import pytest

from evidence.errors import Unacceptable, Undecodable
from pipeline.media.examination import Examination
from pipeline.media.ffmpeg import _Progress
from pipeline.media.limits import Limits
from pipeline.media.made import is_plain
from pipeline.media.process import Streams, run_walled
from pipeline.media.sandbox.command import Level, Walls, bubblewrap, interpreter
from pipeline.media.sandbox.walls import landlock_abi
from pipeline.media.sprite import sheet_for
from pipeline.media.transcode import _write_index
from tests.support.footage import missing

LIMITS = Limits(wall_s=20, cpu_s=10, address_space_bytes=2 << 30, output_bytes=1 << 20)
BEGIN = "import ctypes, errno, fcntl, os, struct, sys; libc = ctypes.CDLL(None, use_errno=True)\n"
GONE = "it worked"
# Old Landlock, newest Landlock, and namespaces on a kernel that has none.
POORER = [("landlock", 2), ("landlock", 5), ("landlock", 99), ("full", 0)]


def captured(
    code: str,
    folder: Path,
    *,
    level: Level = "landlock",
    abi: int = 99,
    reads: tuple[Path, ...] = (),
    filtered: bool = True,
) -> str:
    """What a decoder says that runs `code`."""
    if level == "full" and bubblewrap() is None:
        missing("bubblewrap", remedy="install bubblewrap")
    if level == "landlock" and not landlock_abi():
        missing("Landlock", remedy="run a kernel of 5.13 or newer that has it switched on")
    done = run_walled(
        [sys.executable, "-I", "-S", "-c", f"{BEGIN}{code}\nprint({GONE!r})"],
        walls=Walls(level, (*interpreter(), *reads), (folder,), abi=abi, has_filter=filtered),
        limits=LIMITS,
        cwd=folder,
        streams=Streams(),
        env={},
    )
    return done.stdout.decode() + done.stderr


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "output"
    made.mkdir()
    return made


@pytest.fixture
def original(tmp_path: Path) -> Path:
    (tmp_path / "original").write_bytes(b"evidence")
    return tmp_path / "original"


@pytest.fixture
def neighbour() -> Iterator["subprocess.Popen[bytes]"]:
    with subprocess.Popen(["/bin/sleep", "60"]) as process:
        yield process
        process.kill()


# --- other processes --------------------------------------------------------------------------------

OWNED_PIPE = """
r, w = os.pipe()
fcntl.fcntl(r, 8, {pid})
fcntl.fcntl(r, 10, 9)
fcntl.fcntl(r, fcntl.F_SETFL, os.O_ASYNC)
os.write(w, b'x')
"""


@pytest.mark.parametrize(("level", "abi"), POORER)
def test_a_pipe_that_is_told_to_signal_another_process_does_not_kill_it(
    level: Level, abi: int, folder: Path, neighbour: "subprocess.Popen[bytes]"
) -> None:
    assert "not permitted" in captured(OWNED_PIPE.format(pid=neighbour.pid), folder, level=level, abi=abi)
    assert neighbour.poll() is None


def test_without_the_filter_a_pipe_kills_another_process(folder: Path, neighbour: "subprocess.Popen[bytes]") -> None:
    assert GONE in captured(OWNED_PIPE.format(pid=neighbour.pid), folder, abi=5, filtered=False)
    assert neighbour.wait(5) == -9


@pytest.mark.parametrize(("level", "abi"), POORER)
def test_a_decoder_cannot_outlive_its_worker_by_forgetting_its_death_signal(
    level: Level, abi: int, folder: Path
) -> None:
    code = "assert libc.prctl(1, 0, 0, 0, 0) == 0, ctypes.get_errno()"
    assert f"AssertionError: {1}" in captured(code, folder, level=level, abi=abi)


@pytest.mark.parametrize("way", ["os.sched_setaffinity(0, [0])", "os.sched_setscheduler(0, 3, os.sched_param(0))"])
def test_how_processes_are_scheduled_is_not_for_a_decoder_to_say(way: str, folder: Path) -> None:
    assert "not permitted" in captured(way, folder)


def test_a_socket_that_needs_no_address_is_refused_too(folder: Path) -> None:
    assert "not permitted" in captured("import socket; socket.socketpair()", folder)


@pytest.mark.parametrize("level", ["full", "landlock"])
def test_capabilities_that_a_service_hands_down_do_not_reach_the_decoder(level: Level, tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root has capabilities to hand down")
    (tmp_path / "theirs").write_text("secret")
    (tmp_path / "theirs").chmod(0)
    code = (
        "from pathlib import Path; from tests.attacks.test_captured_decoder import captured; "
        f"folder = Path({str(tmp_path)!r}); "
        f"print(captured(\"open('theirs')\", folder, level={level!r}))"
    )
    handed = [
        "/usr/bin/setpriv",
        "--inh-caps=+dac_override",
        "--ambient-caps=+dac_override",
        sys.executable,
        "-c",
        code,
    ]
    told = subprocess.run(handed, capture_output=True, text=True, timeout=60, check=True).stdout
    assert "Permission denied" in told


# --- the original -----------------------------------------------------------------------------------


def test_flags_of_the_original_cannot_be_set_through_a_descriptor_that_only_reads(folder: Path, original: Path) -> None:
    # FS_IOC_GETFLAGS, FS_IOC_SETFLAGS with FS_NODUMP_FL: its owner may, and "read only" does not forbid it.
    code = (
        f"f = os.open({str(original)!r}, os.O_RDONLY)\n"
        "try: fcntl.ioctl(f, 0x80086601, bytes(8))\n"
        "except OSError as e: print('asked', e.errno)\n"
        "fcntl.ioctl(f, 0x40086602, struct.pack('Q', 0x40))"
    )
    told = captured(code, folder, reads=(original,))
    assert "asked 25" in told
    assert "Inappropriate ioctl" in told


@pytest.mark.parametrize("number", [463, 466, 469, 470, 1023], ids=lambda number: f"call-{number}")
def test_calls_newer_than_the_filter_do_not_exist(number: int, folder: Path, original: Path) -> None:
    # 463 is setxattrat: it changed the attributes of originals on a kernel of 6.13, for the filter knew only setxattr.
    code = f"print(libc.syscall({number}, -100, {str(original)!r}.encode(), 0, 0, 0, 0), ctypes.get_errno())"
    assert captured(code, folder, reads=(original,)).startswith("-1 38\n")


@pytest.mark.parametrize("command", [1024, 1026], ids=["lease", "notify"])
def test_nobody_else_waits_for_the_original_because_a_decoder_leased_it(
    command: int, folder: Path, original: Path
) -> None:
    code = f"fcntl.fcntl(os.open({str(original)!r}, os.O_RDONLY), {command}, 1)"
    assert "not permitted" in captured(code, folder, reads=(original,))


# --- the disk ---------------------------------------------------------------------------------------


def test_room_is_not_taken_past_the_limit_of_a_file_by_reserving_it(folder: Path) -> None:
    code = (
        "f = os.open('big', os.O_CREAT | os.O_RDWR)\n"
        "assert libc.fallocate(f, 1, ctypes.c_long(0), ctypes.c_long(64 << 20)) == 0"
    )
    assert "AssertionError" in captured(code, folder)
    assert (folder / "big").stat().st_blocks == 0


@pytest.mark.parametrize(
    "way",
    [
        "os.open('.', os.O_TMPFILE | os.O_RDWR)",
        "open('a', 'w').write('x'); os.unlink('a')",
        "open('a', 'w'); open('b', 'w'); os.rename('a', 'b')",
    ],
    ids=["nameless", "removed", "replaced"],
)
def test_nothing_that_a_decoder_writes_can_be_out_of_sight(way: str, folder: Path) -> None:
    assert GONE not in captured(way, folder)


@pytest.mark.parametrize(("level", "abi"), POORER)
@pytest.mark.parametrize(
    "way",
    [
        "os.symlink('/etc/passwd', 'sprite.json')",
        "os.mkfifo('sprite.json')",
        "os.mkdir('sprite.json')",
        "open('a', 'w'); os.link('a', 'sprite.json')",
    ],
    ids=["link", "pipe", "folder", "second-name"],
)
def test_nothing_but_plain_files_can_be_left_for_us_to_open(way: str, level: Level, abi: int, folder: Path) -> None:
    assert GONE not in captured(way, folder, level=level, abi=abi)
    assert not (folder / "sprite.json").is_symlink()
    assert not (folder / "sprite.json").exists()


@pytest.mark.parametrize("abi", [0, 99])
def test_memory_is_not_filled_through_shared_memory(abi: int, folder: Path) -> None:
    assert GONE not in captured("open('/dev/shm/x', 'w').write('y')", folder, level="full", abi=abi)


@pytest.mark.parametrize("what", ["mem", "environ", "fd"])
def test_the_processes_that_set_up_the_walls_are_out_of_reach_without_landlock(what: str, folder: Path) -> None:
    for process in (1, 2):
        way = f"os.listdir('/proc/{process}/fd')" if what == "fd" else f"open('/proc/{process}/{what}', 'r+b')"
        assert GONE not in captured(way, folder, level="full", abi=0)


@pytest.mark.parametrize(
    "way",
    [
        "import time\nfor n in range(40):\n open(str(n), 'wb').write(os.urandom(1 << 20))\ntime.sleep(15)",
        "import time\nfor n in range(1200):\n open(str(n), 'wb')\ntime.sleep(15)",
    ],
    ids=["many-large-files", "very-many-files"],
)
def test_files_that_are_each_within_the_limit_do_not_fill_the_disk_together(way: str, folder: Path) -> None:
    begun = time.monotonic()
    with pytest.raises(Undecodable) as error:
        captured(way, folder)
    assert error.value.values["limit"] == "output_bytes"
    assert time.monotonic() - begun < 10


def test_what_lay_in_the_folder_before_is_not_counted(folder: Path) -> None:
    (folder / "before").write_bytes(os.urandom(4 << 20))
    assert GONE in captured("import time; open('after', 'w').write('x'); time.sleep(0.6)", folder)


# --- what is left to this process -----------------------------------------------------------------------


@pytest.mark.parametrize("left", ["link", "pipe", "folder"])
def test_the_index_is_not_written_through_what_a_decoder_left_by_its_name(left: str, folder: Path) -> None:
    theirs, index = folder.parent / "theirs", folder / "sprite.json"
    theirs.write_text("evidence")
    picture = folder / "sprite.jpg"
    picture.write_bytes(b"\xff\xd8\xff\xc0\0\x11\x08\0\x10\0\x10" + bytes(20))
    if left == "link":
        index.symlink_to(theirs)
    elif left == "pipe":
        os.mkfifo(index)
    else:
        index.mkdir()
    try:
        _write_index(index, picture, sheet_for(Fraction(5)), Fraction(5))
        assert stat.S_ISREG(index.lstat().st_mode)
    except Undecodable:
        assert left == "folder"
    assert theirs.read_text() == "evidence"


def test_a_file_that_was_made_unreadable_is_undecodable_and_not_a_full_disk(folder: Path) -> None:
    (folder / "proxy.mp4").write_bytes(b"x")
    (folder / "proxy.mp4").chmod(0)
    with pytest.raises(Undecodable, match="nobody can read it"):
        is_plain(folder / "proxy.mp4")


@pytest.mark.parametrize("number", ["\u00b2", "9" * 5000, "\u0663\u0663", "-1", "", "1" * 19])
def test_progress_that_is_no_number_is_no_defect_of_the_worker(number: str) -> None:
    told: list[float] = []
    _Progress(Fraction(5), told.append).take(f"out_time_us={number}")
    assert all(0 <= one <= 1 for one in told)


EXAMINATION = {
    "kind": "video",
    "container": "mp4",
    "demuxer": "mov",
    "duration": "5",
    "streams": [],
    "packet_root": "a" * 64,
    "lines": [],
    "table_seal": "b" * 64,
    "tags": {},
    "random_access": [],
    "warnings": [],
}


OTHER_FORMS: dict[str, list[object]] = {
    "kind": ["evil", {}, None],
    "duration": ["-5", "1e999999999", "1e-999999999", "9" * 400, "\u0665", "5_0", " 5", [], "1/0"],
    "random_access": [["1e999999999"], 7],
    "tags": [{"model": {}}, [], {"model": 7}],
    **{name: [[7], [{}], "abc", 7] for name in ("lines", "warnings")},
    **{name: [7] for name in ("container", "demuxer", "packet_root", "table_seal", "streams")},
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name in OTHER_FORMS for value in OTHER_FORMS[name]])
def test_an_answer_of_another_form_is_refused_at_once_and_in_our_words(name: str, value: object) -> None:
    assert Examination.from_dict(EXAMINATION).kind == "video"
    begun = time.monotonic()
    with pytest.raises(Unacceptable):
        Examination.from_dict({**EXAMINATION, name: value})
    assert time.monotonic() - begun < 2
