# SPDX-License-Identifier: Apache-2.0
"""This is where a simulated lens and microphone become tracks: the scene, the caption, the counter."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction
from functools import lru_cache
from typing import Literal

from devices.simulator import counter
from devices.simulator.lettering import ADVANCE, LINE, write
from devices.simulator.scene import Scene, scene
from devices.simulator.sound import voice
from pipeline.media.encode import FrameTimes, Picture, Planes, Sound


@dataclass(frozen=True, slots=True)
class Quality:
    """How a camera codes; sizes are even. `index` says where the MP4 keeps its moov."""

    width: int = 1920
    height: int = 1080
    gop: int = 30
    b_frames: int = 0
    is_open_gop: bool = False
    crf: int = 23
    rotation: int = 0
    index: Literal["end", "front", "fragments"] = "end"
    sound_rate: int = 48_000


FULL_HD = Quality()
TINY = Quality(width=320, height=180, crf=26)


@dataclass(frozen=True, slots=True)
class Caption:
    """What is burnt in at the bottom: the camera's local clock as it runs, the device and the officer."""

    serial: str
    officer: str
    clock: datetime

    def text(self, elapsed: Fraction) -> str:
        """The line shown `elapsed` seconds after the recording began."""
        now = self.clock + timedelta(seconds=int(elapsed // 1))
        return f"{now:%Y-%m-%d %H:%M:%S} {self.serial} {self.officer}"


def picture(
    seed: tuple[int, ...], *, caption: Caption, times: FrameTimes, quality: Quality, first_number: int
) -> Picture:
    """The video track: frame n of `times` bears the number `first_number + n`."""
    return Picture(
        paint=painter(seed, caption=caption, times=times, quality=quality, first_number=first_number),
        times=times,
        width=quality.width,
        height=quality.height,
        gop=quality.gop,
        b_frames=quality.b_frames,
        is_open_gop=quality.is_open_gop,
        crf=quality.crf,
        rotation=quality.rotation,
    )


def painter(
    seed: tuple[int, ...], *, caption: Caption, times: FrameTimes, quality: Quality, first_number: int
) -> Callable[[int, Planes], None]:
    """The function that draws frame n: a pure function of these values and n."""
    view = _scene(seed, quality.width, quality.height)
    scale = max(1, quality.width // (52 * ADVANCE))
    top = quality.height - quality.height // 20 - LINE * scale

    def paint(number: int, planes: Planes) -> None:
        view.paint(number, planes)
        write(planes.y, caption.text(times.starts[number]), top=top, left=8 * scale, scale=scale)
        counter.draw(planes.y, first_number + number)

    return paint


def sound(seed: tuple[int, ...], *, seconds: Fraction, rate: int, codec: Literal["aac", "pcm_s16le"]) -> Sound:
    """The audio track: `seconds` of this seed's voice."""
    return Sound(wave=voice(seed, rate=rate), seconds=seconds, rate=rate, codec=codec)


@lru_cache(maxsize=2)
def _scene(seed: tuple[int, ...], width: int, height: int) -> Scene:
    return scene(seed, width=width, height=height)
