# SPDX-License-Identifier: Apache-2.0
"""This is where it is tried that a clip file is observed as an auditor would."""

import struct
from fractions import Fraction
from pathlib import Path

import pytest

from evidence.clip_proof import verify_packets
from evidence.errors import BadInput, NotMedia, ProofInvalid
from pipeline.media.clip_file import ObservedClip, observe
from pipeline.media.cut import Cut
from tests.support.cameras import tiny_clip
from tests.support.shown_frames import Examined, examined


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Examined:
    return examined(tiny_clip("bframes"), tmp_path_factory.mktemp("tables"))


@pytest.fixture
def clip(recording: Examined, tmp_path: Path) -> tuple[Path, Cut]:
    path = tmp_path / "clip.mp4"
    return path, recording.cut("1/2", "3/2", path)


def look(path: Path, made: Cut) -> ObservedClip:
    return observe(path, indexes=[one.stream for one in made.ranges], scratch=path.parent)


def test_a_clip_is_seen_as_it_was_cut(clip: tuple[Path, Cut], recording: Examined) -> None:
    path, made = clip
    seen = look(path, made)
    assert seen.shown.start == 0
    assert seen.shown.end == made.delivered.length
    verified = verify_packets(made.packet_part, seen.streams, source_offsets=recording.shifts)
    assert {stream.origin for stream in verified.streams if stream.media_type == "video"} == {Fraction(1, 2)}


def test_a_flipped_bit_in_a_packet_of_the_clip_is_found(clip: tuple[Path, Cut]) -> None:
    path, made = clip
    data = bytearray(path.read_bytes())
    data[-200] ^= 1
    path.write_bytes(data)
    with pytest.raises(ProofInvalid, match="packet"):
        verify_packets(made.packet_part, look(path, made).streams)


def test_an_edit_list_moved_by_a_quarter_second_is_found(clip: tuple[Path, Cut], recording: Examined) -> None:
    path, made = clip
    data = bytearray(path.read_bytes())
    at = data.index(b"elst") + 16
    media_time = struct.unpack_from(">i", data, at)[0]
    struct.pack_into(">i", data, at, media_time - 15_360 // 4)
    path.write_bytes(data)
    with pytest.raises(ProofInvalid, match="the proof says"):
        verify_packets(made.packet_part, look(path, made).streams, source_offsets=recording.shifts)


def test_an_edit_list_that_skips_is_refused(clip: tuple[Path, Cut]) -> None:
    path, made = clip
    data = bytearray(path.read_bytes())
    at = data.index(b"elst") + 18 + 2
    struct.pack_into(">I", data, at, 1 << 15)  # half speed
    path.write_bytes(data)
    with pytest.raises(ProofInvalid, match="straight through"):
        look(path, made)


def test_another_number_of_tracks_than_the_proof_has_is_refused(clip: tuple[Path, Cut]) -> None:
    path, _ = clip
    with pytest.raises(ProofInvalid, match="tracks"):
        observe(path, indexes=[0], scratch=path.parent)


def test_what_is_no_mp4_is_no_clip(tmp_path: Path) -> None:
    with pytest.raises(BadInput):
        observe(tiny_clip("wav"), indexes=[0], scratch=tmp_path)
    (tmp_path / "a.mp4").write_text("no clip")
    with pytest.raises(NotMedia):
        observe(tmp_path / "a.mp4", indexes=[0], scratch=tmp_path)
