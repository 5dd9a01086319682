# SPDX-License-Identifier: Apache-2.0
"""This is where fingerprints of real pictures are taken, and copies find their originals."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from evidence.fingerprint import Fingerprint
from evidence.likeness import TEXTURE_MIN, Match, match
from pipeline.media import luma
from pipeline.media.fingerprint_bits import QUERY_RATE, REFERENCE_RATE, Hashed, fingerprint_of
from tests.support.footage import shared_media
from tests.support.tiny_media import make, stairs, tool

H264 = ("-an", "-pix_fmt", "yuv420p", "-c:v", "libx264", "-preset", "ultrafast")
COPIES = {
    "re-encoded, slower": ("-r", "15", "-crf", "32"),
    "scaled": ("-vf", "scale=-2:240", "-crf", "30"),
    "cropped, brighter": (
        "-vf",
        "crop=iw*0.95:ih*0.95,eq=brightness=0.1:contrast=1.2,scale=-2:360",
        "-crf",
        "26",
    ),
}


def look_at(path: Path, duration: float, rate: Fraction = REFERENCE_RATE, demuxer: str = "mov") -> Fingerprint:
    return fingerprint_of(
        path,
        demuxer=demuxer,
        duration=Fraction(duration).limit_denominator(1000),
        scratch=path.parent,
        tool=tool(),
        rate=rate,
    )


def copies_found(name: str, whole_s: int, start: str, length: int, scratch: Path) -> dict[str, list[Match]]:
    source = scratch / "whole.mp4"
    source.symlink_to(shared_media() / name)
    reference = look_at(source, whole_s)
    found = {}
    for kind, how in COPIES.items():
        cut = ("-ss", start, "-t", str(length), "-i", str(source), *H264, *how)
        found[kind] = match(look_at(make(scratch / "copy.mp4", *cut), length, QUERY_RATE), reference)
    return found


@pytest.mark.parametrize(
    ("name", "whole_s", "start", "length"),
    [
        ("people-walking-in.mp4", 60, "31.3", 8),  # a fixed camera
        ("gopro-karma-gpmf.mp4", 13, "3.1", 7),  # flying
        ("rotated-270.mp4", 5, "0.7", 4),  # held in the hand
    ],
)
def test_copies_of_an_excerpt_are_found_at_its_seconds(
    name: str, whole_s: int, start: str, length: int, tmp_path: Path
) -> None:
    for kind, found in copies_found(name, whole_s, start, length, tmp_path).items():
        assert len(found) == 1, kind
        assert float(found[0].reference.start - found[0].query.start) == pytest.approx(float(start), abs=0.5)
        assert found[0].query.length >= length - 1, kind
        assert found[0].is_placed, kind


def test_other_footage_is_not_found(tmp_path: Path) -> None:
    names = {"people-walking-in.mp4": 20, "gopro-karma-gpmf.mp4": 13, "vfr-360p.mp4": 10, "scene.mov": 20}
    seen = {}
    for name, seconds in names.items():
        footage = tmp_path / name
        footage.symlink_to(shared_media() / name)
        seen[name] = look_at(footage, seconds, QUERY_RATE)

    for name, query in seen.items():
        others = [every_fourth(reference) for other, reference in seen.items() if other != name]
        assert [match(query, reference) for reference in others] == [[]] * 3


def every_fourth(fine: Fingerprint) -> Fingerprint:
    return Fingerprint(fine.rate / 4, fine.looks[::4], fine.motions[::4], fine.textures[::4])


def test_black_frames_abstain(tmp_path: Path) -> None:
    black = make(tmp_path / "black.mp4", "-f", "lavfi", "-i", "color=black:s=320x240:r=10:d=6", *H264)
    seen = look_at(black, 6)

    assert max(seen.textures) < TEXTURE_MIN
    assert match(seen, seen) == []


def test_grainy_darkness_abstains(tmp_path: Path) -> None:
    dark = "color=0x101010:s=640x360:r=10:d=6,noise=alls=12:allf=t"
    seen = look_at(make(tmp_path / "dark.mp4", "-f", "lavfi", "-i", dark, *H264, "-crf", "23"), 6)

    assert max(seen.textures) < TEXTURE_MIN


def test_sample_k_is_the_frame_on_show_at_k_half_seconds(tmp_path: Path) -> None:
    levels: list[float] = []
    luma.watch(
        stairs(tmp_path / "stairs.mp4", 4),
        demuxer="mov",
        duration=Fraction(4),
        rate=Fraction(2),
        scratch=tmp_path,
        tool=tool(),
        on_frames=lambda frames: levels.extend(frames.mean(axis=(1, 2))),
    )
    steps = np.round(np.diff(levels)).tolist()

    assert len(levels) == 8
    assert [step > 5 for step in steps] == [True, False, True, False, True, False, True]


def test_samples_stop_at_the_examined_duration(tmp_path: Path) -> None:
    assert len(look_at(stairs(tmp_path / "stairs.mp4", 9), 4)) in (8, 9)


def test_a_fingerprint_does_not_depend_on_how_many_pictures_come_at_once() -> None:
    frames = np.random.default_rng(3).integers(0, 256, (30, 64, 64), np.uint8)
    together, apart = Hashed(Fraction(8)), Hashed(Fraction(8))
    together.take(frames)
    for k in (0, 1, 3, 6, 10, 15, 21, 28):
        apart.take(frames[k : {0: 1, 1: 3, 3: 6, 6: 10, 10: 15, 15: 21, 21: 28, 28: 30}[k]])

    assert apart.fingerprint() == together.fingerprint()


def test_what_moves_sets_the_cells_it_moves_in() -> None:
    frames = np.full((2, 64, 64), 100, np.uint8)
    frames[1, 0:8, 0:8] = 140  # the first cell brighter
    frames[1, 56:64, 56:64] = 60  # the last one darker
    hashed = Hashed(Fraction(2))
    hashed.take(frames)

    assert hashed.fingerprint().motions == (0, (1 << 127) | 1)


def test_a_change_of_exposure_is_not_motion() -> None:
    frames = np.full((2, 64, 64), 100, np.uint8)
    frames[1] = 140
    hashed = Hashed(Fraction(2))
    hashed.take(frames)

    assert hashed.fingerprint().motions == (0, 0)
