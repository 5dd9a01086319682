# SPDX-License-Identifier: Apache-2.0
"""This is where derivatives are looked at: what plays, when a thumbnail is from, what is gone."""

import itertools
import json
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from evidence.digest import Digest
from evidence.errors import BadInput, SourceUnavailable
from pipeline.media.transcode import Kind, Made, Source, make_derivatives
from tests.support.footage import shared_media
from tests.support.tiny_media import make, stairs, tool

DIGEST = Digest(bytes(range(32)), 1)


def derive(
    path: Path,
    scratch: Path,
    *,
    kind: Kind = "video",
    demuxer: str = "mov",
    s: float = 3,
    sound: bool = False,
) -> dict[str, Made]:
    scratch.mkdir(exist_ok=True)
    source = Source(path, DIGEST, demuxer, kind, Fraction(s).limit_denominator(1000), sound)
    return {made.kind: made for made in make_derivatives(source, scratch=scratch, tool=tool())}


def frames(path: Path) -> Iterator[tuple[float, int]]:
    with av.open(str(path)) as file:
        for frame in file.decode(video=0):
            assert frame.time is not None
            yield frame.time, round(float(frame.to_ndarray(format="gray").mean()))


@pytest.fixture(scope="module")
def footage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return stairs(tmp_path_factory.mktemp("footage") / "stairs.mp4", 5)


@pytest.fixture(scope="module")
def derived(footage: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Made]:
    return derive(footage, tmp_path_factory.mktemp("derived"), s=5)


def test_a_video_has_a_proxy_a_sprite_and_its_index(derived: dict[str, Made]) -> None:
    assert [(kind, made.path.name) for kind, made in derived.items()] == [
        ("proxy", "proxy.mp4"),
        ("sprite", "sprite.jpg"),
        ("sprite-index", "sprite.json"),
    ]


def test_a_proxy_is_h264_that_any_browser_plays(derived: dict[str, Made]) -> None:
    with av.open(str(derived["proxy"].path)) as file:
        (stream,) = file.streams
        assert stream.type == "video"
        assert stream.codec_context.name == "h264"
        assert next(file.decode(video=0)).format.name == "yuv420p"


def test_a_proxy_has_the_frames_of_the_original_at_their_times(footage: Path, derived: dict[str, Made]) -> None:
    for (at, level), (proxy_at, proxy_level) in zip(frames(footage), frames(derived["proxy"].path), strict=True):
        assert proxy_at == pytest.approx(at, abs=0.001)
        assert abs(level - proxy_level) <= 2


def test_a_proxy_can_start_before_it_is_loaded(derived: dict[str, Made]) -> None:
    data = derived["proxy"].path.read_bytes()

    assert 0 < data.index(b"moov") < data.index(b"mdat")


def test_a_proxy_has_a_key_frame_every_two_seconds(derived: dict[str, Made]) -> None:
    with av.open(str(derived["proxy"].path)) as file:
        keys = [float(p.pts * p.time_base) for p in file.demux(video=0) if p.is_keyframe and p.pts is not None]

    assert all(b - a <= 2.01 for a, b in itertools.pairwise(keys))
    assert len(keys) >= 3


def test_a_thumbnail_shows_what_was_seen_at_its_second(footage: Path, derived: dict[str, Made]) -> None:
    seen = {round(at): level for at, level in frames(footage) if at == int(at)}
    index = json.loads(derived["sprite-index"].path.read_bytes())
    with av.open(str(derived["sprite"].path)) as file:
        sheet = next(file.decode(video=0)).to_ndarray(format="gray")
    width, height = index["width"], index["height"]

    assert (index["tiles"], index["interval"], index["columns"]) == (5, 1, 5)
    for k in range(index["tiles"]):
        assert abs(float(np.mean(sheet[:height, k * width : (k + 1) * width])) - seen[k]) < 3


def test_a_long_video_has_at_most_a_hundred_thumbnails(tmp_path: Path) -> None:
    picture = "color=gray:s=64x48:r=1:d=1210"
    footage = make(tmp_path / "long.mp4", "-f", "lavfi", "-i", picture, "-c:v", "libx264", "-crf", "30")
    index = json.loads(derive(footage, tmp_path / "out", s=1210)["sprite-index"].path.read_bytes())

    assert index["interval"] == 13
    assert index["tiles"] == 94


def test_equal_input_and_tool_give_equal_bytes_and_recipes(
    footage: Path, derived: dict[str, Made], tmp_path: Path
) -> None:
    again = derive(footage, tmp_path, s=5)

    for kind, made in derived.items():
        assert made.path.read_bytes() == again[kind].path.read_bytes()
        assert made.recipe == again[kind].recipe


def test_a_recipe_names_no_path_and_says_what_made_it(derived: dict[str, Made], footage: Path) -> None:
    recipe = derived["proxy"].recipe

    assert (recipe.id, recipe.tool, recipe.input_sha256) == ("proxy-480p/v1", "ffmpeg", DIGEST.hex)
    assert recipe.version == tool().version
    assert "{input}" in recipe.arguments
    assert str(footage.parent) not in recipe.to_json().decode()


def test_progress_rises_to_one(footage: Path, tmp_path: Path) -> None:
    told: list[float] = []
    source = Source(footage, DIGEST, "mov", "video", Fraction(5))
    make_derivatives(source, scratch=tmp_path, tool=tool(), on_progress=told.append)

    assert told == sorted(told)
    assert told[-1] == 1.0


def test_a_wide_picture_keeps_its_shape_and_an_odd_one_becomes_even(tmp_path: Path) -> None:
    picture = "testsrc=s=1023x541:r=10:d=1"
    footage = make(tmp_path / "odd.mkv", "-f", "lavfi", "-i", picture, "-c:v", "mjpeg")
    proxy = derive(footage, tmp_path / "out", demuxer="matroska,webm", s=1)["proxy"].path

    with av.open(str(proxy)) as file:
        stream = file.streams.video[0]
        assert (stream.width, stream.height) == (906, 480)


def test_pixels_that_are_not_square_become_square(tmp_path: Path) -> None:
    footage = stairs(tmp_path / "sar.mp4", 1, size="360x240", extra=("-vf", "setsar=4/3"))
    proxy = derive(footage, tmp_path / "out", s=1)["proxy"].path

    with av.open(str(proxy)) as file:
        assert (file.streams.video[0].width, file.streams.video[0].height) == (480, 240)


def test_sound_that_starts_late_stays_in_step(tmp_path: Path) -> None:
    late = ("-itsoffset", "2", "-f", "lavfi", "-i", "sine=d=2", "-map", "0", "-map", "1", "-c:a", "aac")
    footage = stairs(tmp_path / "late.mp4", 4, extra=late)
    proxy = derive(footage, tmp_path / "out", s=4, sound=True)["proxy"].path

    with av.open(str(proxy)) as file:
        loud = [
            float(frame.time)
            for frame in file.decode(audio=0)
            if frame.time is not None and np.abs(frame.to_ndarray()).max() > 0.01
        ]
    assert loud[0] == pytest.approx(2, abs=0.05)


def test_sound_alone_has_an_aac_proxy(tmp_path: Path) -> None:
    footage = make(tmp_path / "note.wav", "-f", "lavfi", "-i", "sine=d=3")
    made = derive(footage, tmp_path / "out", kind="audio", demuxer="wav", s=3, sound=True)

    assert list(made) == ["proxy"]
    with av.open(str(made["proxy"].path)) as file:
        (stream,) = file.streams
        assert stream.codec.canonical_name == "aac"
        assert file.duration == pytest.approx(3_000_000, abs=60_000)


def test_a_document_has_no_derivatives(tmp_path: Path) -> None:
    assert derive(tmp_path / "track.gpx", tmp_path, kind="document", demuxer="") == {}


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_photo_is_shown_upright_whichever_way_it_was_held(tmp_path: Path, orientation: int) -> None:
    upright = np.zeros((40, 60), np.uint8)
    upright[:20, :30], upright[:20, 30:], upright[20:, :30] = 250, 170, 90
    # What the camera stores so that EXIF 2.32's reading of `orientation` gives `upright`.
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.T,
        6: np.rot90(upright, 1),
        7: upright[::-1, ::-1].T,
        8: np.rot90(upright, -1),
    }[orientation]
    raw = tmp_path / "raw.gray"
    raw.write_bytes(np.ascontiguousarray(stored).tobytes())
    size = f"{stored.shape[1]}x{stored.shape[0]}"
    photo = make(tmp_path / "p.jpg", "-f", "rawvideo", "-pixel_format", "gray", "-video_size", size, "-i", str(raw))
    source = Source(photo, DIGEST, "jpeg_pipe", "photo", orientation=orientation)
    (made,) = make_derivatives(source, scratch=tmp_path, tool=tool())

    with av.open(str(made.path)) as file:
        shown = next(file.decode(video=0)).to_ndarray(format="gray")
    assert shown.shape == (40, 60)
    corners = [int(shown[10, 15]), int(shown[10, 45]), int(shown[30, 15]), int(shown[30, 45])]
    assert corners == sorted(corners, reverse=True)
    assert corners[0] - corners[3] > 150


def test_a_photo_loses_its_metadata_and_is_at_most_640_pixels(tmp_path: Path) -> None:
    photo = shared_media() / "photos" / "DSC00001.JPG"
    (made,) = make_derivatives(Source(photo, DIGEST, "jpeg_pipe", "photo"), scratch=tmp_path, tool=tool())
    data = made.path.read_bytes()

    assert b"Exif" in photo.read_bytes()[:4096]
    assert b"Exif" not in data
    assert b"ffmpeg" not in data.lower()
    assert b"Lavc" not in data
    with av.open(str(made.path)) as file:
        assert (file.streams.video[0].width, file.streams.video[0].height) == (640, 360)


def test_a_real_photo_held_upright_is_turned_once(tmp_path: Path) -> None:
    photo = shared_media() / "photos" / "orientation-6.jpg"
    source = Source(photo, DIGEST, "jpeg_pipe", "photo", orientation=6)
    (made,) = make_derivatives(source, scratch=tmp_path, tool=tool())

    assert b"Exif" not in made.path.read_bytes()
    with av.open(str(made.path)) as file:
        assert (file.streams.video[0].width, file.streams.video[0].height) == (426, 640)


def test_no_metadata_of_the_original_is_in_the_proxy(tmp_path: Path) -> None:
    tags = ("-metadata", "location=+31.23+121.47/", "-metadata", "title=hush", "-metadata", "comment=hush")
    footage = stairs(tmp_path / "tagged.mov", 1, extra=tags)
    data = derive(footage, tmp_path / "out", s=1)["proxy"].path.read_bytes()

    assert b"hush" in footage.read_bytes()
    assert b"hush" not in data
    assert b"+31.23" not in data
    assert b"Lavf" not in data


def test_a_missing_file_is_not_an_undecodable_one(tmp_path: Path) -> None:
    with pytest.raises(SourceUnavailable):
        derive(tmp_path / "gone.mp4", tmp_path)


def test_a_negative_length_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput):
        Source(tmp_path / "a.mp4", DIGEST, "mov", "video", Fraction(-1))


def test_a_single_frame_without_a_length_has_all_derivatives(tmp_path: Path) -> None:
    picture = ("-f", "lavfi", "-i", "testsrc=s=64x48:r=10:d=1", "-frames:v", "1", "-c:v", "libx264")
    made = derive(make(tmp_path / "one.mp4", *picture), tmp_path / "out", s=0)

    assert json.loads(made["sprite-index"].path.read_bytes())["tiles"] == 1
    assert len(list(frames(made["proxy"].path))) == 1


def test_an_orientation_that_exif_does_not_know_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput):
        Source(tmp_path / "a.jpg", DIGEST, "jpeg_pipe", "photo", orientation=9)
