# SPDX-License-Identifier: Apache-2.0
"""This is where it is tried that files are examined in their child process."""

import json
from fractions import Fraction
from pathlib import Path

import pytest

from evidence import canonical_json
from evidence.errors import BadInput, IndexMissing
from pipeline.media.examination import Examination
from pipeline.media.examine import examine
from pipeline.media.sniff import sniff
from tests.support.cameras import ClipKind, tiny_clip
from tests.support.footage import shared_media


def look(path: Path, folder: Path) -> Examination:
    return examine(path, container=sniff(path), table=folder / "table")


def test_simulated_footage_is_what_it_was_made_to_be(tmp_path: Path) -> None:
    found = look(tiny_clip("bframes"), tmp_path)
    assert (found.kind, found.container) == ("video", "mp4")
    assert found.duration == 2
    assert found.video is not None
    assert (found.video.codec, found.video.width, found.video.rate) == ("h264", 320, Fraction(30))
    assert found.audio is not None
    assert found.audio.sample_rate == 48_000
    assert found.random_access == (Fraction(0), Fraction(1))
    assert found.warnings == ()


@pytest.mark.parametrize(
    ("kind", "points", "duration"),
    [("late", (Fraction(1, 2),), Fraction(3, 2)), ("hidden", (Fraction(0), Fraction(1, 2)), Fraction(3, 2))],
)
def test_edit_lists_place_the_media(
    kind: ClipKind, points: tuple[Fraction, ...], duration: Fraction, tmp_path: Path
) -> None:
    found = look(tiny_clip(kind), tmp_path)
    assert found.random_access == points
    assert found.duration == duration


def test_without_a_table_of_key_frames_the_pictures_themselves_are_asked(tmp_path: Path) -> None:
    data = tiny_clip("bframes").read_bytes()
    assert data.count(b"stss") == 1
    (tmp_path / "a.mp4").write_bytes(data.replace(b"stss", b"free"))
    found = look(tmp_path / "a.mp4", tmp_path)
    assert found.random_access == (Fraction(0), Fraction(1))
    assert found.warnings == ("missing-sync-table:0",)


@pytest.mark.parametrize("kind", ["audio_only", "wav"])
def test_sound_alone_is_sound(kind: ClipKind, tmp_path: Path) -> None:
    found = look(tiny_clip(kind), tmp_path)
    assert (found.kind, found.video) == ("audio", None)
    assert abs(found.duration - 2) < Fraction(1, 20)


def test_a_photo_has_a_size_and_no_packets(tmp_path: Path) -> None:
    found = look(tiny_clip("photo"), tmp_path)
    assert (found.kind, found.packet_root) == ("photo", None)
    assert found.streams[0].width > 0
    assert not (tmp_path / "table").exists()


def test_a_side_file_is_a_document(tmp_path: Path) -> None:
    (tmp_path / "a.nmea").write_text("$GPRMC,040000.00,A,3112.0,N,12128.0,E,1.0,,190626,,*00\n")
    assert look(tmp_path / "a.nmea", tmp_path).kind == "document"


def test_an_examination_survives_being_written_down(tmp_path: Path) -> None:
    found = look(tiny_clip("ntsc"), tmp_path)
    text = canonical_json.dumps(found.to_dict())
    assert Examination.from_dict(json.loads(text)) == found
    with pytest.raises(BadInput):
        Examination.from_dict({"kind": "video"})


def test_nothing_is_left_behind_but_the_table(tmp_path: Path) -> None:
    look(tiny_clip("plain"), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["table"]


def test_progress_goes_up_and_stays_within_one(tmp_path: Path) -> None:
    told: list[float] = []
    examine(
        tiny_clip("plain"),
        container=sniff(tiny_clip("plain")),
        table=tmp_path / "table",
        on_progress=told.append,
    )
    assert told == sorted(told)
    assert all(0 <= fraction <= 1 for fraction in told)


def test_a_phone_recording_begins_where_its_edit_list_says(tmp_path: Path) -> None:
    found = look(shared_media() / "phone-edit-list.mp4", tmp_path)
    assert found.duration == Fraction(1529, 600)
    assert found.random_access[0] == 0
    assert found.video is not None
    # The edit begins inside a picture, which players skip: the first whole one is at 0.
    assert found.video.shift == -Fraction(280, 600)


def test_telemetry_of_a_real_camera_is_in_the_tree(tmp_path: Path) -> None:
    found = look(shared_media() / "gopro-karma-gpmf.mp4", tmp_path)
    assert [stream.codec for stream in found.streams] == ["h264", "aac", "tmcd", "gpmd", "fdsc"]
    assert found.streams[3].packets == 13
    assert found.tags["firmware"] == "HD5.02.02.00.00"


def test_real_footage_of_every_kind_is_examined(tmp_path: Path) -> None:
    for name in ("camcorder.mts", "scene.mov", "rotated-270.mp4", "vfr-360p.mp4", "axis-signed-h264.mp4"):
        found = look(shared_media() / name, tmp_path)
        assert found.kind == "video"
        assert found.duration > 0
        assert found.random_access


def test_a_file_cut_short_by_a_power_loss_misses_its_index(tmp_path: Path) -> None:
    with pytest.raises(IndexMissing):
        look(shared_media() / "broken-cut-short.mp4", tmp_path)
