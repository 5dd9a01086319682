# SPDX-License-Identifier: Apache-2.0
"""This is where tests get small footage of known content: made once a session, in well under a second each.

Every frame bears its number; `devices.simulator.counter.read` gets it back.
"""

import atexit
import shutil
import tempfile
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Literal

import av
import numpy as np
import numpy.typing as npt

from devices.simulator import counter
from devices.simulator.camera import Recorded, SimulatedCamera
from devices.simulator.filming import TINY, Quality
from pipeline.media.encode import FrameTimes

NOON = datetime(2026, 6, 19, 4, 0, 0, tzinfo=UTC)  # 12:00 on the camera's own clock, in China
NTSC = Fraction(30_000, 1001)
CAMERA = SimulatedCamera(serial="36NCC009910", officer="000001")

ClipKind = Literal[
    "plain", "bframes", "vfr", "ntsc", "silent", "fragments", "late", "hidden", "audio_only", "wav", "photo"
]

_B_FRAMES = Quality(width=320, height=180, crf=26, b_frames=2, gop=30)
_FRAGMENTS = Quality(width=320, height=180, crf=26, gop=30, index="fragments")


@cache
def _shelf() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="evidock-clips-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


@cache
def tiny(kind: ClipKind) -> Recorded:
    """Small footage of this kind and the truth about it; the same file for the whole session: only read it.

    plain       2 s, 30 fps, 320×180, key frame each second, AAC
    bframes     the same with two B-frames between others
    vfr         60 frames unevenly spaced over about 2 s, B-frames
    ntsc        2 s at 30000/1001, B-frames
    silent      1 s, no audio track
    fragments   2 s in movie fragments
    late        1 s whose first frame is shown at 0.5 s (an empty edit)
    hidden      2 s of which the first 0.5 s is hidden by an edit list
    audio_only  2 s of AAC in .m4a; `wav`: the same as PCM
    photo       a JPEG with EXIF
    """
    card = _shelf() / kind
    match kind:
        case "audio_only":
            return CAMERA.record_sound(card, at=NOON, seconds=2)
        case "wav":
            return CAMERA.record_sound(card, at=NOON, seconds=2, ending="wav")
        case "photo":
            return CAMERA.photograph(card, at=NOON, quality=TINY, number=7)
        case "silent":
            return CAMERA.record(card, at=NOON, seconds=1, quality=TINY, has_sound=False)
        case "plain":
            return CAMERA.record(card, at=NOON, seconds=2, quality=TINY)
        case "fragments":
            return CAMERA.record(card, at=NOON, seconds=2, quality=_FRAGMENTS)
        case _:
            return CAMERA.record(card, at=NOON, times=_times(kind), quality=_B_FRAMES)


def tiny_clip(kind: ClipKind) -> Path:
    """The file of `tiny(kind)`."""
    return tiny(kind).path


def shown(path: Path) -> list[tuple[int | None, Fraction]]:
    """What a player shows: each frame's burnt-in number (None when unreadable) and its time, in order."""
    with av.open(path) as box:
        return [
            (counter.read(luma_of(frame)), Fraction(frame.pts or 0) * (frame.time_base or Fraction(0)))
            for frame in box.decode(video=0)
        ]


def luma_of(frame: av.VideoFrame) -> npt.NDArray[np.uint8]:
    """The brightness of a frame: uint8, height × width."""
    plane = frame.planes[0]
    rows = np.frombuffer(memoryview(plane), dtype=np.uint8).reshape(-1, plane.line_size)
    return rows[: frame.height, : frame.width]


def uneven(frames: int, *, seed: int = 1) -> FrameTimes:
    """Frames 20 to 60 ms apart, in ticks of 1/30000 s, starting at 0."""
    steps = np.random.default_rng(seed).integers(600, 1800, frames)
    edges = [Fraction(int(tick), 30_000) for tick in [0, *np.cumsum(steps)]]
    return FrameTimes(starts=tuple(edges[:-1]), end=edges[-1])


def one_hour_off(serial: str = "36NCC009911") -> SimulatedCamera:
    """A camera whose clock is an hour slow."""
    return SimulatedCamera(serial=serial, officer="000002", clock_offset=timedelta(hours=-1))


def _times(kind: str) -> FrameTimes:
    if kind == "vfr":
        return uneven(60)
    if kind == "ntsc":
        return FrameTimes.at_rate(NTSC, 60)
    start = {"late": Fraction(1, 2), "hidden": Fraction(-1, 2)}.get(kind, Fraction(0))
    return FrameTimes.at_rate(Fraction(30), 30 if kind == "late" else 60, start=start)
