# SPDX-License-Identifier: Apache-2.0
"""Clips of footage whose frames bear numbers: what two players show is what was asked for, 200 times of 200."""

import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path

import av
import numpy as np
import pytest

from devices.simulator import counter
from evidence.clip_proof import verify_packets
from pipeline.media.clip_file import observe
from pipeline.media.cut import Cut
from pipeline.media.encode import FrameTimes, Picture, Planes, Samples, Sound, Wrapping, encode_footage
from tests.support.cameras import NTSC, luma_of, uneven
from tests.support.shown_frames import (
    Examined,
    examined,
    numbers_by_ffmpeg,
    numbers_by_libav,
    samples_by_ffmpeg,
)

SEED = 20_261_123
RANGES_PER_KIND = 20
THIRTY = Fraction(30)


PLAIN, FRAGMENTS = Wrapping(), Wrapping(index="fragments")


@dataclass(frozen=True, slots=True)
class Kind:
    """How one source is made. `delay`: how much later than painted its container shows each frame."""

    times: FrameTimes
    gop: int = 30
    b_frames: int = 0
    is_open_gop: bool = False
    has_sound: bool = True
    ending: str = "mp4"
    wrapping: Wrapping = PLAIN
    delay: Fraction = Fraction(0)


KINDS = {
    "gop-1s": Kind(FrameTimes.at_rate(THIRTY, 150)),
    "gop-8s-b-frames": Kind(FrameTimes.at_rate(THIRTY, 300), gop=240, b_frames=3),
    "ntsc-b-frames": Kind(FrameTimes.at_rate(NTSC, 150), gop=45, b_frames=2),
    "vfr-b-frames": Kind(uneven(150, seed=3), gop=40, b_frames=2),
    "open-gop": Kind(FrameTimes.at_rate(THIRTY, 150), b_frames=3, is_open_gop=True),
    "start-hidden-by-edit": Kind(FrameTimes.at_rate(THIRTY, 150, start=Fraction(-1, 2)), b_frames=2),
    "start-delayed-by-edit": Kind(FrameTimes.at_rate(THIRTY, 120, start=Fraction(7, 10)), b_frames=2),
    "fragments": Kind(FrameTimes.at_rate(THIRTY, 150), b_frames=2, wrapping=FRAGMENTS, delay=Fraction(2, 30)),
    "matroska": Kind(FrameTimes.at_rate(Fraction(25), 125), b_frames=2, has_sound=False, ending="mkv"),
    "transport-stream": Kind(FrameTimes.at_rate(THIRTY, 150), b_frames=2, has_sound=False, ending="ts"),
}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Examined]:
    """Each kind of source, made once."""
    folder = tmp_path_factory.mktemp("sources")

    @cache
    def make(name: str) -> Examined:
        kind = KINDS[name]
        path = folder / f"{name}.{kind.ending}"
        seconds = max(Fraction(1), kind.times.end)
        encode_footage(
            path,
            picture=Picture(
                paint=_paint,
                times=kind.times,
                width=320,
                height=180,
                gop=kind.gop,
                b_frames=kind.b_frames,
                is_open_gop=kind.is_open_gop,
                crf=28,
            ),
            sound=Sound(wave=_chirp, seconds=seconds) if kind.has_sound else None,
            wrapping=kind.wrapping,
        )
        return examined(path, folder)

    return make


def _paint(number: int, planes: Planes) -> None:
    """Stripes that move, so that pictures depend on one another, and the number."""
    width = planes.y.shape[1]
    planes.y[:] = ((np.arange(width) * 2 + number * 5) % 160 + 40).astype(np.uint8)
    planes.u[:], planes.v[:] = 110, 140
    counter.draw(planes.y, number)


def _chirp(first: int, count: int) -> Samples:
    """Sound that is nowhere like a second elsewhere, so that a shift by one sample shows."""
    at = np.arange(first, first + count, dtype=np.float64) / 48_000
    return (0.4 * np.sin(2 * np.pi * (300 * at + 40 * at**2))).astype(np.float32)


def _asked(kind: Kind, start: Fraction, end: Fraction) -> list[int]:
    """The numbers of the frames that a player of the whole recording shows in `[start, end)`."""
    first = max(start, Fraction(0))
    return [n for n, time in enumerate(kind.times.starts) if first <= time + kind.delay < end]


def _check_proof(recording: Examined, made: Cut, clip: Path, folder: Path) -> None:
    """The clip is proven from its file and its proof alone, the proof having been text."""
    proof = json.loads(json.dumps(made.packet_part))
    seen = observe(clip, indexes=[one.stream for one in made.ranges], scratch=folder)
    verify_packets(proof, seen.streams, source_offsets=recording.shifts)
    assert seen.shown.end - seen.shown.start == made.delivered.length


@pytest.mark.parametrize("name", KINDS)
def test_of_twenty_random_ranges_twenty_show_the_asked_first_and_last_frame(
    name: str, source: Callable[[str], Examined], tmp_path: Path
) -> None:
    kind, recording, chance = KINDS[name], source(name), random.Random(f"{SEED} {name}")
    clip = tmp_path / "clip.mp4"
    milliseconds = int(recording.examination.duration * 1000)
    done = 0
    while done < RANGES_PER_KIND:
        start = Fraction(chance.randrange(milliseconds), 1000)
        end = start + Fraction(chance.randrange(40, 2500), 1000)
        asked = _asked(kind, start, end)
        if not asked:
            continue
        made = recording.cut(start, end, clip)
        assert numbers_by_libav(clip) == asked, f"libav, {name} {start} to {end}, seed {SEED}"
        assert numbers_by_ffmpeg(clip) == asked, f"ffmpeg, {name} {start} to {end}, seed {SEED}"
        assert made.frames == len(asked)
        done += 1
    _check_proof(recording, made, clip, tmp_path)


@pytest.mark.parametrize("name", KINDS)
def test_a_clip_from_zero_to_the_end_shows_every_frame(
    name: str, source: Callable[[str], Examined], tmp_path: Path
) -> None:
    kind, recording, clip = KINDS[name], source(name), tmp_path / "clip.mp4"

    made = recording.cut(0, recording.examination.duration, clip)

    asked = _asked(kind, Fraction(0), recording.examination.duration + 1)
    assert numbers_by_libav(clip) == numbers_by_ffmpeg(clip) == asked
    _check_proof(recording, made, clip, tmp_path)


@pytest.mark.parametrize("name", ["open-gop", "gop-8s-b-frames"])
def test_pictures_around_a_key_picture_are_those_of_the_original_to_the_bit(
    name: str, source: Callable[[str], Examined], tmp_path: Path
) -> None:
    # In an open group the pictures just before a key picture are decoded after it, from the group before.
    recording, clip = source(name), tmp_path / "clip.mp4"
    whole = _pictures(recording.path)
    for number in range(56, 62):
        recording.cut(Fraction(number, 30), Fraction(number + 2, 30), clip)
        assert _pictures(clip) == whole[number : number + 2]


def _pictures(path: Path) -> list[bytes]:
    with av.open(path) as box:
        return [luma_of(frame).tobytes() for frame in box.decode(video=0)]


@pytest.mark.parametrize("name", ["gop-1s", "ntsc-b-frames", "start-hidden-by-edit", "fragments"])
def test_sound_is_in_step_to_one_sample(name: str, source: Callable[[str], Examined], tmp_path: Path) -> None:
    recording, clip = source(name), tmp_path / "clip.mp4"
    whole = samples_by_ffmpeg(recording.path)
    for start in (Fraction(0), Fraction(1001, 1000), Fraction(23, 7)):
        made = recording.cut(start, start + 1, clip)
        part = samples_by_ffmpeg(clip)
        at = round(made.delivered.start * 48_000)
        assert abs(len(part) - made.delivered.length * 48_000) <= 1 or start > 3
        assert min(_difference(whole, part, at + by) for by in (-1, 0, 1)) < 1e-3


def _difference(whole: Samples, part: Samples, at: int) -> float:
    """The largest difference between the two where they overlap, `part` laid at sample `at`."""
    if at < 0:
        whole, part, at = whole, part[-at:], 0
    held = whole[at : at + len(part)]
    return float(np.abs(held - part[: len(held)]).max())
