# SPDX-License-Identifier: Apache-2.0
"""This is where a decoder that was taken over tries to leave its walls: every wall alone, and all together.

`attempt` is the decoder: it does what injected code would do. Each test that expects it to fail stands beside one
that shows it succeed with that wall taken away, so that a wall which does nothing would be seen.
"""

import errno
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from evidence.errors import SandboxMissing, Undecodable
from pipeline.media import limits
from pipeline.media.examine import examine
from pipeline.media.limits import Limits, run_limited
from pipeline.media.made import is_plain, jpeg_size, length_of
from pipeline.media.process import Streams, run_walled
from pipeline.media.sandbox import command
from pipeline.media.sandbox.command import Level, Walls, bubblewrap, interpreter
from pipeline.media.sandbox.probe import decided, level_in_force, probe, tried
from pipeline.media.sandbox.walls import landlock_abi
from pipeline.media.sniff import MP4
from tests.support.cameras import tiny_clip
from tests.support.footage import missing
from tests.support.hostile_media import bare_ffmpeg
from tests.support.hostile_run import Watched, came, listening
from tests.support.hostile_texts import Bait, texts
from tests.support.tiny_media import stairs

ALLOWED = {"input", "output"}
OUT = {
    "read",
    "list",
    "create",
    "change",
    "truncate",
    "truncate-open",
    "chmod",
    "link",
    "tcp",
    "udp",
    "unix",
    "signal",
    "fork",
}
LIMITS = Limits(wall_s=20, cpu_s=10, address_space_bytes=2 << 30, output_bytes=1 << 20)
LEVELS: tuple[Level, ...] = ("full", "landlock")


def need(level: Level) -> None:
    if level == "full" and bubblewrap() is None:
        missing("bubblewrap", remedy="install bubblewrap")
    if level == "landlock" and not landlock_abi():
        missing("Landlock", remedy="run a kernel of 5.13 or newer that has it switched on")


# --- the walls ------------------------------------------------------------------------------------


@pytest.mark.parametrize("level", LEVELS)
def test_behind_walls_nothing_but_the_input_is_read_and_the_output_written(level: Level) -> None:
    need(level)
    assert tried(Walls(level)) == ALLOWED


def test_without_walls_everything_can_be_done() -> None:
    assert tried(Walls("off", may_fork=True)) >= ALLOWED | OUT - {"link"}


@pytest.mark.parametrize("abi", [1, 2, 3, 4, 5, 6])
def test_the_walls_hold_on_a_kernel_with_an_older_landlock(abi: int) -> None:
    need("landlock")
    assert tried(Walls("landlock", abi=abi)) == ALLOWED


def test_without_landlock_and_bubblewrap_other_files_are_open() -> None:
    assert {"read", "list", "create", "change"} <= tried(Walls("landlock", abi=0))


def test_without_the_filter_landlock_lets_datagrams_modes_and_children_pass() -> None:
    need("landlock")
    managed = tried(Walls("landlock", has_filter=False))
    assert {"udp", "unix", "chmod", "fork"} <= managed
    assert not {"read", "list", "create", "change", "truncate-open"} & managed


def test_bubblewrap_alone_hides_files_and_the_network() -> None:
    need("full")
    managed = tried(Walls("full", abi=0, has_filter=False))
    assert not {"read", "list", "create", "change", "truncate", "chmod", "tcp", "unix", "signal"} & managed


def test_root_has_none_of_its_powers_behind_walls(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root has powers to lose")
    (tmp_path / "theirs").write_text("secret")
    (tmp_path / "theirs").chmod(0o600)
    os.chown(tmp_path / "theirs", 65534, 65534)
    code = f"open({str(tmp_path / 'theirs')!r})"
    for level in (*LEVELS, "off"):
        ended = _python(code, level, tmp_path)
        assert "Permission denied" in ended, level


def test_a_handed_down_descriptor_is_closed_and_a_signal_mask_is_open(tmp_path: Path) -> None:
    code = (
        "import signal, os; print(signal.getsignal(signal.SIGXFSZ), len(signal.pthread_sigmask(signal.SIG_BLOCK, ())))"
    )
    for level in LEVELS:
        need(level)
        assert "0" in _python(code, level, tmp_path)


def _python(code: str, level: Level, folder: Path) -> str:
    done = run_walled(
        [sys.executable, "-I", "-S", "-c", code],
        walls=Walls(level, interpreter(), (folder,)),
        limits=LIMITS,
        cwd=folder,
        streams=Streams(),
        env={},
    )
    return done.stdout.decode() + done.stderr


def test_without_the_filter_an_older_landlock_lets_the_input_be_emptied() -> None:
    need("landlock")
    assert {"empty-input", "empty-input-open"} <= tried(Walls("landlock", abi=2, has_filter=False))


@pytest.mark.parametrize("number", [57, 58, 200, 129], ids=["fork", "vfork", "tkill", "rt_sigqueueinfo"])
def test_the_older_calls_that_reach_other_processes_are_refused_too(number: int, tmp_path: Path) -> None:
    code = (
        "import ctypes; libc = ctypes.CDLL(None, use_errno=True); "
        f"print(libc.syscall({number}, 1, 0, 0), ctypes.get_errno())"
    )
    if os.uname().machine != "x86_64":
        missing("a machine that has these calls", remedy="run the tests on x86-64, too")
    for level in LEVELS:
        need(level)
        assert _python(code, level, tmp_path) == f"-1 {errno.EPERM}\n"


# --- the probe and the policy -----------------------------------------------------------------------


def test_the_probe_finds_the_best_level_of_this_machine() -> None:
    need("full")
    need("landlock")
    found = probe()
    assert (found.level, found.escapes, found.why) == ("full", frozenset(), "")
    assert found.abi == landlock_abi()


IN_A_POORER_MACHINE = """
import sys
from pathlib import Path
from pipeline.media.sandbox.probe import probe, level_in_force
from pipeline.media.examine import examine
from pipeline.media.sniff import MP4
found = probe()
print(found.level)
print(found.why)
try:
    print(examine(Path(sys.argv[1]), container=MP4, table=Path(sys.argv[2])).kind)
except Exception as error:
    print(type(error).__name__, error)
"""


def _with_another_bubblewrap(instead: Path, tmp_path: Path) -> list[str]:
    """What a process says that sees `instead` where bubblewrap was, in a mount namespace of its own."""
    if os.geteuid() != 0:
        pytest.skip("only root can put something over a program in a mount namespace")
    words = [sys.executable, "-c", IN_A_POORER_MACHINE, str(tiny_clip("plain")), str(tmp_path / "table")]
    script = 'mount --bind "$1" "$2" && shift 2 && exec "$@"'
    command_line = ["unshare", "-m", "sh", "-c", script, "sh", str(instead), str(bubblewrap()), *words]
    done = subprocess.run(command_line, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_without_bubblewrap_landlock_and_the_filter_are_walls_enough(tmp_path: Path) -> None:
    need("full")
    need("landlock")
    level, why, kind = _with_another_bubblewrap(Path("/dev/null"), tmp_path)
    assert (level, kind) == ("landlock", "video")
    assert "no bubblewrap" in why


def test_a_bubblewrap_that_does_not_work_is_found_out_and_not_passed_over_in_silence(tmp_path: Path) -> None:
    need("full")
    need("landlock")
    # As in a container whose rules forbid it: the program is there, and fails.
    forbidden = tmp_path / "bwrap"
    forbidden.write_text(
        "#!/bin/sh\necho 'bwrap: Creating new namespace failed: Operation not permitted' >&2\nexit 1\n"
    )
    forbidden.chmod(0o755)
    level, why, kind = _with_another_bubblewrap(forbidden, tmp_path)
    assert (level, kind) == ("landlock", "video")
    assert "full: the sandbox could not be set up: bwrap" in why


def _without_landlock(level: Level, reads: tuple[Path, ...] = (), writes: tuple[Path, ...] = (), *_: object) -> Walls:
    return Walls(level, reads, writes, abi=0)


@contextmanager
def no_walls_stand(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """This machine without bubblewrap, and a launcher that cannot set Landlock: what an old kernel comes to."""
    with monkeypatch.context() as poorer:
        poorer.setattr(command, "_NEWEST_ABI", 0)
        poorer.setattr("pipeline.media.sandbox.probe.bubblewrap", lambda: None)
        poorer.setattr("pipeline.media.sandbox.probe.Walls", _without_landlock)
        poorer.setattr("pipeline.media.sandbox.probe._found", [])
        yield


def test_where_no_walls_stand_media_is_refused_and_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with no_walls_stand(monkeypatch):
        found = probe()
        assert (found.level, found.has_other_files) == ("none", True)
        with pytest.raises(SandboxMissing, match="EVIDOCK_SANDBOX"):
            examine(tiny_clip("plain"), container=MP4, table=tmp_path / "table")
    assert examine(tiny_clip("plain"), container=MP4, table=tmp_path / "table").kind == "video", "found again"


def test_where_no_walls_stand_a_person_may_do_without(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with no_walls_stand(monkeypatch), decided("off"):
        assert level_in_force() == "off"
        assert examine(tiny_clip("plain"), container=MP4, table=tmp_path / "table").kind == "video"
    assert level_in_force() != "off"


def test_a_wall_that_cannot_be_set_is_no_fault_of_the_footage(tmp_path: Path) -> None:
    with pytest.raises(SandboxMissing, match="could not be set up"):
        run_limited(["true"], limits=LIMITS, cwd=tmp_path, reads=(tmp_path / "gone",))


# --- hostile files at a decoder that has no other guard ---------------------------------------------------


@pytest.fixture(scope="module")
def secret(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return stairs(tmp_path_factory.mktemp("other-case") / "secret.ts", 1, extra=("-f", "mpegts"))


def followed(level: Level, secret: Path, folder: Path) -> tuple[set[str], int]:
    """Which lists a bare ffmpeg followed to the secret, and how often anything was sent."""
    reached, sent = set(), 0
    with listening() as (port, tcp, udp):
        bait, watched = Bait(secret, "neighbour.ts", port), Watched(secret)
        for hostile in texts():
            if hostile.name not in FOLLOWED:
                continue
            file = folder / hostile.file
            file.write_bytes(hostile.make(bait))
            walls = Walls(level, (file,), (), may_fork=level == "off")
            run_walled(bare_ffmpeg(file), walls=walls, limits=LIMITS, cwd=Path("/"), streams=Streams(), env={})
            if watched.opened():
                reached.add(hostile.name)
        sent = came(tcp, udp)
    return reached, sent


FOLLOWED = {
    *(
        "hls-file",
        "hls-bare-path",
        "hls-http",
        "hls-subfile-protocol",
        "hls-key-file",
        "hls-master",
        "hls-concat-protocol",
    ),
    *("ffconcat-absolute", "dash-file", "dash-http"),
}


@pytest.mark.parametrize("level", LEVELS)
def test_walls_alone_hold_a_decoder_that_follows_every_list(level: Level, secret: Path, tmp_path: Path) -> None:
    need(level)
    assert followed(level, secret, tmp_path) == (set(), 0)


def test_a_decoder_without_walls_follows_lists_to_other_cases(secret: Path, tmp_path: Path) -> None:
    reached, sent = followed("off", secret, tmp_path)
    assert {"hls-file", "hls-bare-path", "ffconcat-absolute", "dash-file"} <= reached
    assert sent > 0


# --- what is left behind by a decoder that was taken over ----------------------------------------------------


@pytest.mark.parametrize("look", [is_plain, jpeg_size, lambda path: length_of(path, "video")])
def test_a_link_left_as_an_output_is_not_followed(look: object, tmp_path: Path) -> None:
    (tmp_path / "proxy.mp4").symlink_to(tiny_clip("plain"))
    assert callable(look)
    with pytest.raises(Undecodable):
        look(tmp_path / "proxy.mp4")


@pytest.mark.parametrize("data", [b"", b"\xff\xd8", b"\xff\xd8\xff\xe0\0\0", b"\xff\xd8\xff\xc0\0\x11\x08", bytes(99)])
def test_an_output_that_is_no_picture_or_no_proxy_is_undecodable(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "made").write_bytes(data)
    with pytest.raises(Undecodable):
        jpeg_size(tmp_path / "made")
    with pytest.raises(Undecodable):
        length_of(tmp_path / "made", "video")


def test_no_link_can_be_made_behind_walls(tmp_path: Path) -> None:
    for level in LEVELS:
        need(level)
        assert "Error" in _python(f"import os; os.symlink('/etc/passwd', {str(tmp_path / 'link')!r})", level, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_there_is_one_door_to_programs_in_the_room_where_media_is_decoded() -> None:
    room = Path(limits.__file__).parent
    starts = [path.name for path in room.rglob("*.py") if "subprocess." in path.read_text("utf-8")]
    assert starts == ["process.py"]
