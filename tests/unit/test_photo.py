# SPDX-License-Identifier: Apache-2.0
"""This is where it is tried that EXIF is read, and broken EXIF is a warning."""

from fractions import Fraction
from pathlib import Path

import pytest

from evidence.errors import SourceUnavailable
from pipeline.media.photo import PhotoFacts, read_exif
from tests.support.cameras import CAMERA, tiny_clip
from tests.support.footage import shared_media


def test_a_simulated_photo_says_when_where_and_with_what() -> None:
    facts = read_exif(tiny_clip("photo"))
    assert facts.taken == "2026-06-19T12:00:00"
    assert facts.serial == CAMERA.serial
    assert facts.latitude is not None
    assert facts.longitude is not None
    assert facts.make
    assert facts.model
    assert facts.warnings == ()


def test_a_real_photo_says_its_place_exactly_and_its_distance_from_utc() -> None:
    facts = read_exif(shared_media() / "photos" / "DSC00001.JPG")
    assert (facts.taken, facts.offset) == ("2018-06-08T13:24:10", "-07:00")
    assert (facts.make, facts.model) == ("SONY", "HDR-AS300")
    assert facts.latitude == Fraction(163_860_851, 3_600_000)
    assert facts.longitude is not None
    assert facts.longitude < 0


def test_a_photo_lying_on_its_side_says_so() -> None:
    assert read_exif(shared_media() / "photos" / "orientation-6.jpg").orientation == 6


@pytest.mark.parametrize(
    "name", ["corrupt_exif.jpg", "corrupt_exif_large_thumbnail.jpg", "corrupt_exif_wrong_type.jpg", "empty_exif.jpg"]
)
def test_broken_exif_is_no_error(name: str) -> None:
    assert isinstance(read_exif(shared_media() / "photos" / name), PhotoFacts)


def test_every_single_broken_byte_of_exif_is_survived(tmp_path: Path) -> None:
    whole = tiny_clip("photo").read_bytes()
    copy = tmp_path / "photo.jpg"
    for at in range(2, 400, 7):
        copy.write_bytes(whole[:at] + bytes((whole[at] ^ 0xFF,)) + whole[at + 1 :])
        facts = read_exif(copy)
        assert facts.latitude is None or abs(facts.latitude) <= 90
        assert 1 <= facts.orientation <= 8


def test_no_exif_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"\xff\xd8\xff\xd9")
    assert read_exif(tmp_path / "a.jpg").warnings != ()


def test_a_photo_that_has_gone_is_worth_another_try(tmp_path: Path) -> None:
    with pytest.raises(SourceUnavailable):
        read_exif(tmp_path / "gone.jpg")
