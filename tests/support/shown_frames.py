# SPDX-License-Identifier: Apache-2.0
"""This is where tests ask two players what a clip shows, picture by picture and sample by sample."""

import subprocess
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from devices.simulator import counter
from evidence.media_time import Span
from pipeline.media.boxes import ReadRange
from pipeline.media.cut import Cut, cut
from pipeline.media.examination import Examination
from pipeline.media.examine import examine
from pipeline.media.sniff import sniff
from pipeline.media.tools import find_ffmpeg
from tests.support.cameras import shown


@cache
def program() -> str:
    """The ffmpeg program."""
    return str(find_ffmpeg().program)


@dataclass(frozen=True, slots=True)
class Examined:
    """A recording with its packet table, ready to be cut."""

    path: Path
    table: Path
    examination: Examination

    def cut(self, start: Fraction | int | str, end: Fraction | int | str, out: Path) -> Cut:
        """A clip of `[start, end)` at `out`."""
        return cut(
            table_read=reader(self.table),
            media_read=reader(self.path),
            packet_root=self.examination.packet_root or "",
            seal=self.examination.table_seal,
            span=Span(Fraction(start), Fraction(end)),
            out=out,
        )

    @property
    def shifts(self) -> dict[int, Fraction]:
        """What the original's container adds to the stored times of each stream."""
        return {stream.index: stream.shift for stream in self.examination.streams}


def reader(path: Path) -> ReadRange:
    """A `ReadRange` over a file."""

    def read(offset: int, length: int) -> bytes:
        with path.open("rb") as file:
            file.seek(offset)
            return file.read(length)

    return read


def examined(path: Path, folder: Path) -> Examined:
    """Examine `path`; the table goes into `folder`."""
    table = folder / f"{path.name}.packets"
    return Examined(path, table, examine(path, container=sniff(path), table=table))


def numbers_by_libav(clip: Path) -> list[int | None]:
    """The burnt-in numbers of the pictures that libav shows of `clip`."""
    return [number for number, _ in shown(clip)]


def numbers_by_ffmpeg(clip: Path, *, width: int = 320, height: int = 180) -> list[int | None]:
    """The same, as the ffmpeg program shows it."""
    raw = _run("-i", str(clip), "-map", "0:v:0", "-fps_mode", "passthrough", "-pix_fmt", "gray", "-f", "rawvideo")
    frames = np.frombuffer(raw, np.uint8).reshape(-1, height, width)
    return [counter.read(frame) for frame in frames]


def samples_by_ffmpeg(path: Path) -> npt.NDArray[np.float32]:
    """The sound of `path` as the ffmpeg program plays it, from time 0 on: mono float32."""
    return np.frombuffer(_run("-i", str(path), "-map", "0:a:0", "-ac", "1", "-f", "f32le"), np.float32)


def _run(*arguments: str) -> bytes:
    command = [program(), "-nostdin", "-v", "error", "-threads", "1", *arguments, "-"]
    return subprocess.run(command, check=True, capture_output=True, timeout=60).stdout
