# SPDX-License-Identifier: Apache-2.0
"""This is where a program under limits tries to outlast, outgrow or outlive them."""

import contextlib
import os
import resource
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from evidence.errors import BadInput, SourceUnavailable, ToolMissing, Unavailable, Undecodable
from pipeline.media.limits import Completed, Limits, run_limited
from pipeline.media.process import Streams, run_walled
from pipeline.media.sandbox.command import Level, Walls, interpreter
from pipeline.media.sandbox.probe import probe
from tests.support.footage import missing

PLENTY = Limits(wall_s=20, cpu_s=10, address_space_bytes=1 << 30, output_bytes=1 << 20, may_fork=True)
ROOT = Path(__file__).parents[2]


def run(script: str, cwd: Path, limits: Limits = PLENTY) -> Completed:
    return run_limited(["sh", "-c", script], limits=limits, cwd=cwd, writes=(cwd,))


def run_python(code: str, cwd: Path) -> Completed:
    return run_limited([sys.executable, "-I", "-S", "-c", code], limits=PLENTY, cwd=cwd, reads=interpreter())


def is_alive(mark: str) -> bool:
    """True while a process has `mark` among its arguments: a program behind walls does not know its own number."""
    for arguments in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if mark.encode() in arguments.read_bytes():
                return True
    return False


def is_gone_soon(mark: str) -> bool:
    return soon(lambda: not is_alive(mark))


def soon(is_so: Callable[[], bool]) -> bool:
    for _ in range(250):
        if is_so():
            return True
        time.sleep(0.02)
    return False


@pytest.fixture
def mark() -> str:
    return f"mark-{secrets.token_hex(8)}"


def test_a_program_that_ends_tells_its_code_its_output_and_its_cost(tmp_path: Path) -> None:
    ended = run("echo out; echo err >&2; exit 3", tmp_path)

    assert (ended.returncode, ended.stdout, ended.stderr) == (3, b"out\n", "err\n")
    assert ended.cpu_s >= 0
    assert ended.peak_bytes > 0


@pytest.mark.parametrize("level", ["full", "landlock", "off"])
def test_what_a_program_used_is_told_whatever_stands_around_it(level: Level, tmp_path: Path) -> None:
    if level == "full" and probe().level != "full":
        missing("bubblewrap", remedy="install bubblewrap")
    code = "import time\nheld = bytearray(200 << 20)\nwhile time.process_time() < 0.3: pass"
    ended = run_walled(
        [sys.executable, "-I", "-S", "-c", code],
        walls=Walls(level, interpreter()),
        limits=PLENTY,
        cwd=tmp_path,
        streams=Streams(),
        env={},
    )

    assert 0.3 <= ended.cpu_s < 2
    # The kernel counts what the process that started it had in memory, until the program takes its place.
    ours = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    assert 200 << 20 <= ended.peak_bytes < max(400 << 20, ours + (64 << 20))


def test_a_program_that_ignores_the_signal_of_its_limit_is_ended_and_told_so(tmp_path: Path) -> None:
    code = "import signal\nsignal.signal(signal.SIGXCPU, signal.SIG_IGN)\nwhile True: pass"
    with pytest.raises(Undecodable) as caught:
        run_limited(
            [sys.executable, "-I", "-S", "-c", code],
            limits=Limits(30, 1, 1 << 30, 1 << 20),
            cwd=tmp_path,
            reads=interpreter(),
        )

    assert caught.value.values["limit"] == "cpu_s"


def test_a_program_that_sleeps_is_ended_by_the_clock(tmp_path: Path) -> None:
    began = time.monotonic()
    with pytest.raises(Undecodable) as caught:
        run("sleep 60", tmp_path, Limits(0.3, 10, 1 << 30, 1 << 20, may_fork=True))

    assert caught.value.values["limit"] == "wall_s"
    assert time.monotonic() - began < 5


def test_a_program_that_closes_its_output_and_goes_on_is_ended_by_the_clock(tmp_path: Path) -> None:
    with pytest.raises(Undecodable) as caught:
        run("exec >/dev/null 2>&1; sleep 60", tmp_path, Limits(0.3, 10, 1 << 30, 1 << 20, may_fork=True))

    assert caught.value.values["limit"] == "wall_s"


def test_a_program_that_ignores_termination_is_ended_by_the_clock(tmp_path: Path) -> None:
    with pytest.raises(Undecodable) as caught:
        run("trap '' TERM INT HUP; sleep 60", tmp_path, Limits(0.3, 10, 1 << 30, 1 << 20, may_fork=True))

    assert caught.value.values["limit"] == "wall_s"


def test_a_grandchild_left_behind_is_ended_with_the_group(tmp_path: Path, mark: str) -> None:
    run(f"sh -c 'touch begun; sleep 60' {mark} >/dev/null 2>&1 & until [ -e begun ]; do sleep 0.01; done", tmp_path)

    assert is_gone_soon(mark)


def test_a_grandchild_that_fled_the_group_ends_too_where_there_are_namespaces(tmp_path: Path, mark: str) -> None:
    if probe().level != "full":
        missing("bubblewrap", remedy="install bubblewrap")
    run(f"setsid sh -c 'touch begun; sleep 60' {mark} >/dev/null 2>&1 & until [ -e begun ]; do :; done", tmp_path)

    assert is_gone_soon(mark)


def test_a_grandchild_that_fled_the_group_cannot_hold_us_by_its_open_output(tmp_path: Path) -> None:
    began = time.monotonic()
    with pytest.raises(Undecodable, match="longer"):
        run("setsid sleep 3 & sleep 60", tmp_path, Limits(0.3, 10, 1 << 30, 1 << 20, may_fork=True))

    assert time.monotonic() - began < 2


def test_a_program_that_burns_processor_time_is_ended(tmp_path: Path) -> None:
    with pytest.raises(Undecodable) as caught:
        run("while :; do :; done", tmp_path, Limits(20, 1, 1 << 30, 1 << 20))

    assert caught.value.values["limit"] == "cpu_s"


def test_a_file_that_grows_past_the_limit_ends_the_program(tmp_path: Path) -> None:
    with pytest.raises(Undecodable) as caught:
        run("exec head -c 9000000 /dev/zero > big", tmp_path)

    assert caught.value.values["limit"] == "output_bytes"
    assert (tmp_path / "big").stat().st_size == PLENTY.output_bytes


def test_output_to_a_file_of_ours_is_bounded_too(tmp_path: Path) -> None:
    with pytest.raises(Undecodable) as caught:
        run_limited(["head", "-c", "9000000", "/dev/zero"], limits=PLENTY, cwd=tmp_path, stdout=tmp_path / "big")

    assert caught.value.values["limit"] == "output_bytes"


def test_output_into_memory_is_bounded(tmp_path: Path) -> None:
    with pytest.raises(Undecodable) as caught:
        run_limited(["head", "-c", "9000000", "/dev/zero"], limits=PLENTY, cwd=tmp_path, stdout_max_bytes=1000)

    assert caught.value.values["limit"] == "stdout_bytes"


def test_a_line_without_an_end_is_bounded(tmp_path: Path) -> None:
    lines: list[str] = []
    with pytest.raises(Undecodable) as caught:
        run_limited(["head", "-c", "9000000", "/dev/zero"], limits=PLENTY, cwd=tmp_path, on_line=lines.append)

    assert caught.value.values["limit"] == "line_bytes"


def test_errors_without_end_leave_only_their_tail(tmp_path: Path) -> None:
    ended = run("head -c 9000000 /dev/zero >&2; echo last >&2", tmp_path)

    assert len(ended.stderr) == 1 << 14
    assert ended.stderr.endswith("last\n")


def test_memory_past_the_limit_is_refused_to_the_program(tmp_path: Path) -> None:
    ended = run_limited(
        [sys.executable, "-I", "-S", "-c", "bytearray(1 << 30)"],
        limits=Limits(20, 10, 300 << 20, 1 << 20),
        cwd=tmp_path,
        reads=interpreter(),
    )

    assert ended.returncode != 0
    assert "MemoryError" in ended.stderr


def test_files_past_the_limit_are_refused_to_the_program(tmp_path: Path) -> None:
    ended = run_limited(
        [sys.executable, "-I", "-S", "-c", "k = [open('/dev/null') for _ in range(40)]"],
        limits=Limits(20, 10, 1 << 30, 1 << 20, open_files=32),
        cwd=tmp_path,
        reads=interpreter(),
    )

    assert "Too many open files" in ended.stderr


def test_a_program_killed_from_outside_is_worth_another_try(tmp_path: Path) -> None:
    with pytest.raises(Unavailable):
        run("kill -9 $$", tmp_path)


def test_a_program_that_crashes_is_told_by_its_signal(tmp_path: Path) -> None:
    assert run("kill -SEGV $$", tmp_path).returncode == -signal.SIGSEGV


def test_a_missing_program_is_named(tmp_path: Path) -> None:
    with pytest.raises(ToolMissing, match="no-such-program"):
        run_limited(["no-such-program"], limits=PLENTY, cwd=tmp_path)


def test_a_program_of_another_machine_is_a_missing_tool(tmp_path: Path) -> None:
    program = tmp_path / "alien"
    program.write_bytes(b"\x7fELF" + bytes(100))
    program.chmod(0o700)

    with pytest.raises(ToolMissing, match="alien"):
        run_limited([str(program)], limits=PLENTY, cwd=tmp_path)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceUnavailable, match="nowhere"):
        run("true", tmp_path / "nowhere")


def test_no_secret_of_the_environment_reaches_the_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVIDOCK_SECRET", "hush")
    names = {line.split("=")[0] for line in run("env", tmp_path).stdout.decode().splitlines()}

    assert names <= {"PATH", "LANG", "PWD", "SHLVL", "_"}


def test_no_open_file_reaches_the_program(tmp_path: Path) -> None:
    with (tmp_path / "secret").open("wb") as held:
        os.set_inheritable(held.fileno(), True)
        code = "import os\nfor n in range(256):\n try: print(n, os.fstat(n).st_ino)\n except OSError: pass"
        told = run_python(code, tmp_path).stdout.decode().splitlines()
        secret = os.fstat(held.fileno()).st_ino

    assert [line.split()[0] for line in told] == ["0", "1", "2"]
    assert not any(line.endswith(f" {secret}") for line in told)


def test_arguments_are_never_read_by_a_shell(tmp_path: Path) -> None:
    odd = "$(touch pwned); `touch pwned` \n' \" *"
    ended = run_limited(["printf", "%s", odd], limits=PLENTY, cwd=tmp_path)

    assert ended.stdout.decode() == odd
    assert list(tmp_path.iterdir()) == []


def test_signals_blocked_in_the_worker_are_not_blocked_in_the_program(tmp_path: Path) -> None:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    try:
        # Not by way of a shell: it would clear the mask of what it starts.
        ended = run_python("import signal; print(len(signal.pthread_sigmask(signal.SIG_BLOCK, ())))", tmp_path)
        after = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)

    assert ended.stdout == b"0\n"
    assert {signal.SIGTERM, signal.SIGINT} <= after


def test_an_error_in_the_receiver_of_lines_ends_the_program(tmp_path: Path, mark: str) -> None:
    def stumble(line: str) -> None:
        raise KeyboardInterrupt(line)

    with pytest.raises(KeyboardInterrupt, match="begun"):
        run_limited(
            ["sh", "-c", "echo begun; sleep 60", mark],
            limits=PLENTY,
            cwd=tmp_path,
            on_line=stumble,
        )

    assert is_gone_soon(mark)


def test_a_slow_receiver_of_lines_does_not_stretch_the_clock(tmp_path: Path, mark: str) -> None:
    def dawdle(_: str) -> None:
        assert is_gone_soon(mark)

    with pytest.raises(Undecodable, match="longer"):
        run_limited(
            ["sh", "-c", "echo begun; sleep 60", mark],
            limits=Limits(0.3, 10, 1 << 30, 1 << 20, may_fork=True),
            cwd=tmp_path,
            on_line=dawdle,
        )


@pytest.mark.parametrize("level", ["full", "landlock", "off"])
def test_a_killed_worker_leaves_no_program_behind(level: str, tmp_path: Path, mark: str) -> None:
    if level == "full" and probe().level != "full":
        missing("bubblewrap", remedy="install bubblewrap")
    code = (
        "from pathlib import Path; from pipeline.media.process import *\n"
        "from pipeline.media.sandbox.command import Walls\n"
        f"here = Path({str(tmp_path)!r})\n"
        f"run_walled(['sh', '-c', ': > begun; while :; do :; done', {mark!r}], streams=Streams(), env={{}}, cwd=here,"
        f"walls=Walls({level!r}, (), (here,)), limits=Limits(60, 60, 1 << 30, 1 << 20))"
    )
    with subprocess.Popen([sys.executable, "-c", code], cwd=ROOT) as worker:
        assert soon((tmp_path / "begun").exists)
        assert is_alive(mark)
        worker.kill()

    assert is_gone_soon(mark)


def test_a_program_reads_nothing_unless_it_is_given_input(tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(b"given")

    assert run("cat", tmp_path).stdout == b""
    given = run_limited(["cat"], limits=PLENTY, cwd=tmp_path, stdin=tmp_path / "in")
    assert given.stdout == b"given"


def test_lines_arrive_whole_and_the_last_needs_no_newline(tmp_path: Path) -> None:
    lines: list[str] = []
    run_limited(
        ["sh", "-c", "printf 'on'; sleep 0.05; printf 'e\\ntwo'"],
        limits=PLENTY,
        cwd=tmp_path,
        on_line=lines.append,
    )

    assert lines == ["one", "two"]


def test_two_receivers_for_one_output_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput):
        run_limited(["true"], limits=PLENTY, cwd=tmp_path, on_line=print, on_bytes=print)


def test_many_programs_at_once_do_not_mix_their_endings(tmp_path: Path) -> None:
    codes: dict[int, int] = {}

    def one(code: int) -> None:
        codes[code] = run(f"exit {code}", tmp_path).returncode

    threads = [threading.Thread(target=one, args=(code,)) for code in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert codes == {code: code for code in range(12)}
