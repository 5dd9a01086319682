# SPDX-License-Identifier: Apache-2.0
"""This is where footage that never ends is taken in: each limit ends it, and nothing of it is left (F19)."""

import sys
import time
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest

from evidence.digest import Digest
from evidence.errors import Undecodable
from pipeline.media import transcode
from pipeline.media.limits import Limits, run_limited
from pipeline.media.sandbox.command import interpreter
from tests.support.home import Home, open_home
from tests.support.hostile_media import black
from tests.support.tiny_media import make, tool

GRACE_S = 5.0
PLENTY: dict[str, Any] = {"wall_s": 60.0, "cpu_s": 60, "address_space_bytes": 4 << 30, "output_bytes": 1 << 28}


@pytest.fixture(scope="module")
def noise(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty seconds that take long to encode, and much room."""
    picture = "color=gray:s=640x480:r=25:d=20,noise=alls=100:allf=t"
    path = tmp_path_factory.mktemp("noise") / "noise.mp4"
    return make(
        path, "-f", "lavfi", "-i", picture, "-c:v", "libx264", "-preset", "ultrafast", "-crf", "40", "-threads", "2"
    )


def scratch(home: Home) -> list[Path]:
    return [
        path
        for path in (home.settings.home / "spool").rglob("*")
        if path.is_file() or path.name.startswith(("tmp", ".ask"))
    ]


@pytest.mark.parametrize(
    ("limit", "tight"),
    [
        ("wall_s", {"wall_s": 1.0}),
        ("cpu_s", {"cpu_s": 1}),
        ("output_bytes", {"output_bytes": 20_000}),
        ("address_space_bytes", {"address_space_bytes": 150 << 20, "wall_s": 4.0}),
    ],
)
def test_a_transcode_past_its_limit_is_ended_and_its_scratch_emptied(
    limit: str, tight: dict[str, Any], noise: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    took: list[float] = []
    monkeypatch.setattr(transcode, "_limits", lambda _: Limits(**{**PLENTY, **tight}))
    whole = transcode.make_derivatives

    def timed(*args: Any, **options: Any) -> Any:
        began = time.monotonic()
        try:
            return whole(*args, **options)
        finally:
            took.append(time.monotonic() - began)

    monkeypatch.setattr("pipeline.transcode.make_derivatives", timed)
    with open_home(tmp_path / "home") as home:
        recording = home.ingest_one(noise)
        assert home.times(recording["id"], "flagged") == 1
        assert home.times(recording["id"], "sealed") == 1, "the original is kept as it is"
        assert scratch(home) == []
    assert took[0] <= min(tight.get("wall_s", 60), tight.get("cpu_s", 60)) + GRACE_S


def test_ten_hours_in_50_kilobytes_give_a_proxy_of_the_seconds_that_were_examined(tmp_path: Path) -> None:
    (tmp_path / "black.mp4").write_bytes(black())
    source = transcode.Source(tmp_path / "black.mp4", Digest(bytes(32), 1), "mov", "video", Fraction(20))
    began = time.monotonic()
    (tmp_path / "made").mkdir()
    made = transcode.make_derivatives(source, scratch=tmp_path / "made", tool=tool())
    assert time.monotonic() - began < 20
    with av.open(str(made[0].path)) as file:
        assert file.duration is not None
        assert file.duration <= 60_000_000


BOMBS = {
    "forks": "import os\nwhile True: os.fork()",
    "threads": "import threading, time\nwhile True: threading.Thread(target=time.sleep, args=(60,)).start()",
    "memory": "held = []\nwhile True: held.append(bytearray(1 << 26))",
    "processor": "while True: pass",
    "sleep": "import time\ntime.sleep(600)",
    "file": "file = open('big', 'wb')\nwhile True: file.write(bytes(1 << 20)); file.flush()",
    "open files": "held = [open('/dev/null') for _ in range(10_000)]",
    "words": "while True: print('x' * 1000)",
    "stack": "import sys\nsys.setrecursionlimit(1 << 30)\ndef deep(n): return [deep(n + 1)]\ndeep(0)",
    "memory without a name": "import os\nwhile True: os.memfd_create('x')",
    "processes by the shell": "import os\nwhile True: os.posix_spawn('/bin/sh', ['sh', '-c', 'sleep 9'], {})",
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_decoder_that_turns_into_a_bomb_is_ended(name: str, tmp_path: Path) -> None:
    limits = Limits(wall_s=4.0, cpu_s=1, address_space_bytes=512 << 20, output_bytes=1 << 20)
    began = time.monotonic()
    try:
        ended = run_limited(
            [sys.executable, "-I", "-S", "-c", BOMBS[name]],
            limits=limits,
            cwd=tmp_path,
            reads=interpreter(),
            writes=(tmp_path,),
        )
        assert ended.returncode != 0
        assert ended.peak_bytes <= 512 << 20
    except Undecodable:
        pass
    assert time.monotonic() - began <= limits.wall_s + GRACE_S
    assert sum(path.stat().st_size for path in tmp_path.rglob("*")) <= limits.output_bytes
