# SPDX-License-Identifier: Apache-2.0
"""This is where footage of our own is held to its word: exact times, where the index lies, long copies."""

from datetime import UTC, datetime
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any, cast, get_args

import av
import numpy as np
import pytest

from devices.simulator import counter
from devices.simulator.sound import voice
from evidence.errors import BadInput, StoreUnavailable
from pipeline.media.encode import (
    FrameTimes,
    Picture,
    Planes,
    Sound,
    Wrapping,
    encode_footage,
    encode_still,
)
from pipeline.media.repeat import repeat_footage
from tests.support.cameras import CAMERA, NOON, NTSC, ClipKind, shown, tiny, tiny_clip

SECOND = FrameTimes.at_rate(Fraction(30), 30)


def plain(number: int, planes: Planes) -> None:
    planes.y[:], planes.u[:], planes.v[:] = 40 + number, 120, 130


def small(times: FrameTimes = SECOND) -> Picture:
    return Picture(paint=plain, times=times, width=64, height=48)


def boxes(path: Path) -> list[str]:
    data, at, found = path.read_bytes(), 0, []
    while at < len(data):
        found.append(data[at + 4 : at + 8].decode("ascii"))
        at += int.from_bytes(data[at : at + 4], "big")
    return found


@pytest.mark.parametrize("kind", [kind for kind in get_args(ClipKind) if tiny(kind).kind == "video"])
def test_each_frame_is_shown_once_at_exactly_its_time(kind: ClipKind) -> None:
    times = tiny(kind).times
    assert times is not None

    assert shown(tiny_clip(kind)) == [(n, start) for n, start in enumerate(times.starts) if start >= 0]


def test_ntsc_times_are_multiples_of_1001_over_30000(tmp_path: Path) -> None:
    with av.open(tiny_clip("ntsc")) as box:
        assert box.streams.video[0].average_rate == NTSC


def test_b_frames_are_really_there() -> None:
    with av.open(tiny_clip("bframes")) as box:
        packets = [packet for packet in box.demux(video=0) if packet.size]

    assert any(packet.pts != packet.dts for packet in packets)
    assert [packet.pts for packet in packets] != sorted(packet.pts or 0 for packet in packets)


def test_key_frames_come_where_the_gop_says() -> None:
    with av.open(tiny_clip("plain")) as box:
        keys = [n for n, packet in enumerate(box.demux(video=0)) if packet.size and packet.is_keyframe]

    assert keys == [0, 30]


def test_a_change_of_scene_brings_no_key_frame_of_its_own(tmp_path: Path) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (30, 48, 64), dtype=np.uint8)

    def restless(number: int, planes: Planes) -> None:
        planes.y[:] = noise[number]

    out = tmp_path / "a.mp4"
    encode_footage(out, picture=Picture(paint=restless, times=SECOND, width=64, height=48, preset="fast"))
    with av.open(out) as box:
        assert sum(packet.is_keyframe for packet in box.demux(video=0) if packet.size) == 1


@pytest.mark.parametrize(
    ("index", "order"),
    [("end", ["mdat", "moov"]), ("front", ["moov", "mdat"]), ("fragments", ["moov", "moof", "mdat"])],
)
def test_the_index_lies_where_it_was_asked_for(tmp_path: Path, index: Any, order: list[str]) -> None:
    out = tmp_path / "a.mp4"
    encode_footage(out, picture=small(), wrapping=Wrapping(index=index))

    assert [name for name in boxes(out) if name in order][: len(order)] == order


def test_without_an_edit_list_the_frames_before_zero_are_shown(tmp_path: Path) -> None:
    times = FrameTimes.at_rate(Fraction(30), 30, start=Fraction(-1, 3))
    for has_edit_list, frames in ((True, 20), (False, 30)):
        out = tmp_path / f"{has_edit_list}.mp4"
        encode_footage(out, picture=small(times), wrapping=Wrapping(has_edit_list=has_edit_list))
        with av.open(out) as box:
            assert len(list(box.decode(video=0))) == frames


@pytest.mark.parametrize(("codec", "b_frames"), [("libx265", 3), ("mjpeg", 0)])
def test_other_codecs_do_not_mix_up_frames(tmp_path: Path, codec: Any, b_frames: int) -> None:
    out = tmp_path / "a.mov"

    def numbered(number: int, planes: Planes) -> None:
        planes.y[:] = 90
        counter.draw(planes.y, number)

    picture = Picture(paint=numbered, times=SECOND, width=320, height=180, codec=codec, b_frames=b_frames, crf=24)
    encode_footage(out, picture=picture)

    assert shown(out) == [(n, Fraction(n, 30)) for n in range(30)]


def test_rotation_and_creation_time_are_stated(tmp_path: Path) -> None:
    out = tmp_path / "a.mp4"
    picture = Picture(paint=plain, times=SECOND, width=64, height=48, rotation=90)
    encode_footage(out, picture=picture, wrapping=Wrapping(created=datetime(2026, 6, 19, 4, 0, 1, tzinfo=UTC)))
    with av.open(out) as box:
        assert next(box.decode(video=0)).rotation == 90
        assert box.metadata["creation_time"] == "2026-06-19T04:00:01.000000Z"


@pytest.mark.parametrize("name", ["a.mkv", "a.ts", "a.mov", "a.avi"])
def test_other_containers_hold_the_same_frames(tmp_path: Path, name: str) -> None:
    encode_footage(tmp_path / name, picture=small(), sound=silence())
    with av.open(tmp_path / name) as box:
        assert len(list(box.decode(video=0))) == 30


def silence(seconds: int = 1) -> Sound:
    return Sound(wave=lambda first, count: np.zeros(count, np.float32), seconds=Fraction(seconds))


def test_sound_has_exactly_its_length_and_its_click_at_the_whole_second() -> None:
    with av.open(tiny_clip("wav")) as box:
        samples = np.concatenate([cast("Any", frame.to_ndarray())[0] for frame in box.decode(audio=0)])

    assert len(samples) == 96_000
    loudest = np.abs(samples.astype(int))
    assert loudest[48_000:48_480].max() > 1.5 * loudest[40_000:48_000].max()


def test_aac_sound_is_in_step_with_the_picture() -> None:
    with av.open(tiny_clip("plain")) as box:
        frames = [(frame.pts, cast("Any", frame.to_ndarray())[0]) for frame in box.decode(audio=0)]
    first = frames[0][0] or 0
    samples = np.concatenate([wave for _, wave in frames])[-first if first < 0 else 0 :]
    asked = voice((0,), rate=48_000)(0, 48_000)
    click = np.abs(samples[47_000:49_000])

    assert np.abs(asked[:480]).max() > 0.5
    assert 900 <= int(np.argmax(click > 0.45)) <= 1100


@pytest.mark.parametrize(
    "starts", [(), (Fraction(1), Fraction(0)), (Fraction(0), Fraction(0)), (Fraction(0), Fraction(2))]
)
def test_frame_times_that_do_not_ascend_are_refused(starts: tuple[Fraction, ...]) -> None:
    with pytest.raises(BadInput, match="ascend"):
        FrameTimes(starts=starts, end=Fraction(2))


def test_times_finer_than_a_microsecond_are_refused(tmp_path: Path) -> None:
    times = FrameTimes(starts=(Fraction(0), Fraction(1, 1_000_003)), end=Fraction(1))
    with pytest.raises(BadInput, match="1000003"):
        encode_footage(tmp_path / "a.mp4", picture=small(times))


def test_footage_of_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="picture or a sound"):
        encode_footage(tmp_path / "a.mp4")


def test_an_unknown_container_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cannot be encoded"):
        encode_footage(tmp_path / "a.mp4", picture=small(), wrapping=Wrapping(container="none such"))


def test_a_folder_that_is_not_there_is_the_store_being_away(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable):
        encode_footage(tmp_path / "no" / "a.mp4", picture=small())


def test_a_still_is_a_whole_jpeg_without_exif() -> None:
    jpeg = encode_still(plain, width=64, height=48)

    assert jpeg[:2] == b"\xff\xd8"
    assert jpeg[-2:] == b"\xff\xd9"
    assert b"Exif" not in jpeg


@pytest.mark.parametrize("kind", ["plain", "bframes", "vfr", "ntsc", "silent"])
def test_repeated_footage_shows_each_round_exactly_one_length_later(tmp_path: Path, kind: ClipKind) -> None:
    made, out = tiny(kind), tmp_path / "long.mp4"
    assert made.times is not None

    length = repeat_footage(made.path, out, times=3) / 3

    # An MP4 times decoding, so it cannot say how long the last shown of uneven B-frames lasts.
    assert length == made.times.end or kind == "vfr"
    rounds = [k * length for k in range(3)]
    assert shown(out) == [(n, k + start) for k in rounds for n, start in enumerate(made.times.starts)]


def test_repeated_sound_never_overlaps_nor_drifts(tmp_path: Path) -> None:
    out = tmp_path / "long.mp4"
    length = repeat_footage(tiny_clip("ntsc"), out, times=20) / 20
    with av.open(out) as box:
        starts = [packet.pts or 0 for packet in box.demux(audio=0) if packet.size]

    assert all(after - before >= 1024 for before, after in pairwise(starts))
    assert max(starts) >= int((19 * length) * 48_000)
    assert Fraction(max(starts) + 1024, 48_000) <= 20 * length


def test_the_last_of_uneven_frames_keeps_its_length(tmp_path: Path) -> None:
    times = FrameTimes(starts=(Fraction(0), Fraction(1, 10), Fraction(1, 2)), end=Fraction(3, 5))
    encode_footage(tmp_path / "a.mp4", picture=small(times))

    assert repeat_footage(tmp_path / "a.mp4", tmp_path / "b.mp4", times=1) == Fraction(3, 5)


def test_sound_longer_than_the_picture_is_cut_at_the_seam(tmp_path: Path) -> None:
    encode_footage(tmp_path / "a.mp4", picture=small(), sound=silence(seconds=2))
    repeat_footage(tmp_path / "a.mp4", tmp_path / "b.mp4", times=3)
    with av.open(tmp_path / "b.mp4") as box:
        starts = [packet.pts or 0 for packet in box.demux(audio=0) if packet.size]

    assert len(starts) == 3 * (48_000 // 1024)
    assert all(after - before >= 1024 for before, after in pairwise(starts))


def test_repeating_into_another_time_base_keeps_durations(tmp_path: Path) -> None:
    repeat_footage(tiny_clip("plain"), tmp_path / "b.mkv", times=3)
    with av.open(tmp_path / "b.mkv") as box:
        durations = [packet.duration or 0 for packet in box.demux(audio=0) if packet.size]

    assert set(durations) <= {21, 22}


def test_repeated_audio_alone_is_as_long_as_said(tmp_path: Path) -> None:
    out = tmp_path / "long.m4a"
    length = repeat_footage(tiny_clip("audio_only"), out, times=4)
    with av.open(out) as box:
        assert Fraction(box.duration or 0, 1_000_000) == pytest.approx(float(length), abs=0.03)


def test_repeating_what_is_no_media_is_refused(tmp_path: Path) -> None:
    source = tmp_path / "a.mp4"
    source.write_text("not media at all")
    with pytest.raises(BadInput):
        repeat_footage(source, tmp_path / "out.mp4", times=2)


def test_the_same_paint_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.mp4", "b.mp4"):
        CAMERA.record(tmp_path / name, at=NOON, seconds=1, rate=10)
    one, other = (next((tmp_path / name).rglob("*.mp4")) for name in ("a.mp4", "b.mp4"))

    assert one.read_bytes() == other.read_bytes()
