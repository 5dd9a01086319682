# SPDX-License-Identifier: Apache-2.0
"""This is where the cost of the media sandbox is measured: `python -m bench.sandbox_cost` prints the table of its page.

All levels take turns in one run. The fastest of many is given first: on a machine that does other work, too, it says
most about the walls and least about the neighbours.
"""

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np

from pipeline.media.encode import FrameTimes, Picture, Planes, encode_footage
from pipeline.media.process import Limits, Streams, run_walled
from pipeline.media.sandbox.command import Level, Walls, bubblewrap
from pipeline.media.tools import find_ffmpeg

LEVELS: tuple[Level, ...] = ("off", "landlock", "full")
LIMITS = Limits(wall_s=300, cpu_s=300, address_space_bytes=4 << 30, output_bytes=1 << 30)
STARTS, ENCODES = 60, 5


def main() -> None:
    """Measure, and print a table in Markdown."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        levels = [level for level in LEVELS if level != "full" or bubblewrap()]
        source = _footage(folder / "source.mp4")
        starts = _in_turns(levels, STARTS, lambda level: _run(level, folder, ["true"]))
        encodes = _in_turns(levels, ENCODES, lambda level: _run(level, folder, _encode(source), source))
    sys.stdout.write(f"load {os.getloadavg()[0]:.1f}, {os.cpu_count()} processors\n\n")
    sys.stdout.write("| level | start: fastest | median | encode: fastest | its processor time | of `off` |\n")
    sys.stdout.write("|---|---:|---:|---:|---:|---:|\n")
    for level in levels:
        (start, _), (encode, encode_cpu) = starts[level], encodes[level]
        figures = (
            f"{1000 * min(start):.1f} ms",
            f"{1000 * statistics.median(start):.1f} ms",
            f"{min(encode):.2f} s",
            f"{min(encode_cpu):.2f} s",
            f"{min(encode_cpu) / min(encodes['off'][1]):.3f}",
        )
        sys.stdout.write(f"| `{level}` | {' | '.join(figures)} |\n")


def _in_turns(
    levels: list[Level], count: int, run: Callable[[Level], float]
) -> dict[Level, tuple[list[float], list[float]]]:
    """Seconds of each run, by the clock and of the processor; the first round is not counted."""
    took: dict[Level, tuple[list[float], list[float]]] = {level: ([], []) for level in levels}
    for number in range(count + 1):
        for level in levels:
            began = time.perf_counter()
            cpu_s = run(level)
            if number:
                took[level][0].append(time.perf_counter() - began)
                took[level][1].append(cpu_s)
    return took


def _run(level: Level, folder: Path, command: list[str], source: Path | None = None) -> float:
    walls = Walls(level, (source,) if source else (), (folder,))
    done = run_walled(command, walls=walls, limits=LIMITS, cwd=folder, streams=Streams(), env={})
    assert done.returncode == 0, done.stderr
    return done.cpu_s


def _encode(source: Path) -> list[str]:
    proxy = ("-vf", "scale=-2:480", "-c:v", "libx264", "-preset", "veryfast", "-crf", "27", "-threads", "2")
    return [str(find_ffmpeg().program), "-nostdin", "-v", "error", "-y", "-i", str(source), *proxy, "proxy.mp4"]


def _footage(path: Path) -> Path:
    """Ten seconds in which everything moves."""
    pattern = np.random.default_rng(1).integers(0, 256, (720, 2560), np.uint8)

    def paint(number: int, planes: Planes) -> None:
        planes.y[:] = pattern[:, 4 * number % 1280 :][:, :1280]
        planes.u[:] = planes.v[:] = 128

    encode_footage(path, picture=Picture(paint, FrameTimes.at_rate(Fraction(25), 250), width=1280, height=720))
    return path


if __name__ == "__main__":
    main()
