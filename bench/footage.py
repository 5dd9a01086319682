# SPDX-License-Identifier: Apache-2.0
"""This is where footage for the benchmarks is made: a simulated camera, with grain, repeated to the size asked for."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path

import numpy as np

from devices.simulator import filming
from devices.simulator.filming import Caption, Quality
from pipeline.media.encode import FrameTimes, Planes, Wrapping, encode_footage
from pipeline.media.repeat import repeat_footage

SERIAL = "0000900"
BEGAN = datetime(2026, 6, 19, 2, tzinfo=UTC)
_NAME = f"DSJ_{SERIAL}_000123_20260619_100000.mp4"
_SEED = 9
_RATE = 30
_SHORT_S = 10


@dataclass(frozen=True, slots=True)
class Footage:
    """One recording on disk: 1080p H.264 at 30 frames a second, a key frame every second, AAC."""

    path: Path
    size_bytes: int
    seconds: Fraction

    @property
    def bits_per_s(self) -> int:
        """Pictures, sound and container together."""
        return int(self.size_bytes * 8 / self.seconds)


def film(folder: Path, *, seconds: int, grain: int = 0, crf: int = 23, seed: int = 0) -> Footage:
    """A recording of a simulated camera, `grain` shades of sensor noise on its luma: noise is what costs bits."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / _NAME
    times = FrameTimes.at_rate(Fraction(_RATE), _RATE * seconds)
    caption = Caption(SERIAL, "000123", BEGAN)
    quality = Quality(crf=crf)
    picture = filming.picture((seed,), caption=caption, times=times, quality=quality, first_number=0)
    if grain:
        picture = replace(picture, paint=_grainy(picture.paint, quality, grain))
    sound = filming.sound((seed,), seconds=times.end, rate=quality.sound_rate, codec="aac")
    encode_footage(path, picture=picture, sound=sound, wrapping=Wrapping(created=BEGAN))
    return Footage(path, path.stat().st_size, times.end)


def film_long(folder: Path, *, size_bytes: int = 0, seconds: int = 0, grain: int, crf: int = 23) -> Footage:
    """A recording of at least this size and length: ten filmed seconds, their packets repeated."""
    short = film(folder / "short", seconds=_SHORT_S, grain=grain, crf=crf)
    times = max(-(-size_bytes // short.size_bytes), -(-seconds // _SHORT_S))
    path = folder / _NAME
    length = repeat_footage(short.path, path, times=times)
    return Footage(path, path.stat().st_size, length)


def _grainy(paint: Callable[[int, Planes], None], quality: Quality, grain: int) -> Callable[[int, Planes], None]:
    """The same pictures with noise that is another one in each frame."""
    rng = np.random.default_rng(_SEED)
    rows, columns = quality.height, quality.width
    noise = rng.integers(0, grain + 1, (rows * 2, columns * 2), dtype=np.uint8)
    corners = rng.integers(0, (rows, columns), (97, 2))

    def with_grain(number: int, planes: Planes) -> None:
        paint(number, planes)
        top, left = (int(place) for place in corners[number % len(corners)])
        luma = planes.y
        luma += noise[top : top + rows, left : left + columns]

    return with_grain
