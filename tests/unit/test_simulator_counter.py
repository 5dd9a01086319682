# SPDX-License-Identifier: Apache-2.0
"""This is where the burnt-in frame number is held to: read back after coding and scaling, or not at all."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import pytest

from devices.simulator import counter
from devices.simulator.camera import SimulatedCamera
from devices.simulator.filming import Quality
from evidence.errors import BadInput
from pipeline.media.encode import FrameTimes
from tests.support.cameras import CAMERA, NOON, NTSC, luma_of, shown, tiny, uneven

Luma = npt.NDArray[np.uint8]

NUMBERS = [0, 1, 2, 255, 4095, 65_536, 10_815_315, counter.LIMIT - 1]
HD = Quality(b_frames=2, gop=40)
LOW = Quality(width=640, height=360, b_frames=3, gop=250, crf=38)


def drawn(number: int, *, height: int = 180, width: int = 320) -> Luma:
    frame = np.random.default_rng(5).integers(0, 256, (height, width), dtype=np.uint8)
    counter.draw(frame, number)
    return frame


@pytest.mark.parametrize("size", [(1080, 1920), (720, 1280), (480, 854), (360, 640), (180, 320), (96, 160)])
def test_each_number_is_read_back_from_the_frame_it_was_drawn_on(size: tuple[int, int]) -> None:
    height, width = size

    assert [counter.read(drawn(n, height=height, width=width)) for n in NUMBERS] == NUMBERS


@pytest.mark.parametrize("shade", [0, 16, 128, 235, 255])
def test_a_plain_frame_has_no_number(shade: int) -> None:
    assert counter.read(np.full((180, 320), shade, dtype=np.uint8)) is None


def test_noise_has_no_number() -> None:
    frames = np.random.default_rng(1).integers(0, 256, (300, 180, 320), dtype=np.uint8)

    assert {counter.read(frame) for frame in frames} == {None}


def test_a_frame_too_small_for_the_mark_has_no_number() -> None:
    assert counter.read(np.zeros((20, 20), dtype=np.uint8)) is None


def test_one_cell_swapped_is_refused_not_misread() -> None:
    height, width = 180, 320
    for column in range(3, 19):
        for row in (2, 3):
            frame = drawn(10_815_315, height=height, width=width)
            top, bottom = row * height // 24, (row + 1) * height // 24
            left, right = column * width // 32, (column + 1) * width // 32
            frame[top:bottom, left:right] = 255 - frame[top:bottom, left:right]

            assert counter.read(frame) is None


def test_a_grey_cell_is_doubtful_and_refused() -> None:
    frame = drawn(0)
    frame[2 * 180 // 24 : 3 * 180 // 24, 5 * 320 // 32 : 6 * 320 // 32] = 128

    assert counter.read(frame) is None


def test_two_frames_blended_are_refused() -> None:
    both = (drawn(1000).astype(np.uint16) + drawn(1001)) // 2

    assert counter.read(both.astype(np.uint8)) is None


@pytest.mark.parametrize("number", [-1, counter.LIMIT])
def test_a_number_that_does_not_fit_is_refused(number: int) -> None:
    with pytest.raises(BadInput, match="16777215"):
        counter.draw(np.zeros((180, 320), dtype=np.uint8), number)


@pytest.mark.parametrize(
    ("quality", "times"),
    [
        (HD, FrameTimes.at_rate(NTSC, 70)),
        (HD, uneven(70)),
        (LOW, FrameTimes.at_rate(Fraction(30), 150)),
        (LOW, uneven(150)),
    ],
    ids=["1080p 29.97", "1080p uneven", "360p crf 38", "360p crf 38 uneven"],
)
def test_every_frame_of_an_encode_with_b_frames_is_read_back_at_its_time(
    tmp_path: Path, quality: Quality, times: FrameTimes
) -> None:
    made = CAMERA.record(tmp_path, at=NOON, times=times, quality=quality, first_number=1000, has_sound=False)

    assert shown(made.path) == [(1000 + n, start) for n, start in enumerate(times.starts)]


def test_a_copy_scaled_to_480_lines_and_coded_again_is_read_back(tmp_path: Path) -> None:
    source = CAMERA.record(tmp_path, at=NOON, seconds=1, has_sound=False).path
    copy = tmp_path / "copy.mp4"
    with av.open(source) as box, av.open(copy, "w") as out:
        stream = out.add_stream("libx264", rate=30, options={"crf": "30", "preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = 854, 480, "yuv420p"
        for frame in box.decode(video=0):
            out.mux(stream.encode(frame.reformat(854, 480)))
        out.mux(stream.encode(None))

    assert [number for number, _ in shown(copy)] == list(range(30))


def test_a_copy_at_a_quarter_of_the_size_is_read_back() -> None:
    with av.open(tiny("plain").path) as box:
        frame = next(box.decode(video=0))

    assert counter.read(luma_of(frame.reformat(160, 90))) == 0


def test_two_cameras_at_the_same_time_do_not_film_the_same_thing(tmp_path: Path) -> None:
    with av.open(tiny("plain").path) as box:
        one = luma_of(next(box.decode(video=0))).astype(int)
    other_camera = SimulatedCamera("CAM002")
    made = other_camera.record(tmp_path, at=NOON, seconds=1, quality=Quality(width=320, height=180))
    with av.open(made.path) as box:
        other = luma_of(next(box.decode(video=0))).astype(int)

    assert np.abs(one - other)[60:160].mean() > 10
