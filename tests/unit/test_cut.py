# SPDX-License-Identifier: Apache-2.0
"""This is where it is tried that clips are cut, and refuse what was changed."""

import json
import struct
from dataclasses import replace
from fractions import Fraction
from hashlib import sha256
from pathlib import Path

import av
import numpy as np
import pytest

from evidence.clip_proof import verify_packets
from evidence.errors import BadInput, FixityMismatch, ProofInvalid
from evidence.media_time import Span
from pipeline.media.boxes import in_memory
from pipeline.media.clip_file import observe
from pipeline.media.cut import Cut, cut
from pipeline.media.packet_table import BLOCK_RECORDS, MAGIC, PREFIX, RECORD, TableHeader
from tests.support.cameras import ClipKind, tiny_clip
from tests.support.footage import shared_media
from tests.support.shown_frames import Examined, examined, numbers_by_libav, samples_by_ffmpeg


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Examined:
    return examined(tiny_clip("bframes"), tmp_path_factory.mktemp("tables"))


def prove(recording: Examined, made: Cut, clip: Path) -> None:
    seen = observe(clip, indexes=[one.stream for one in made.ranges], scratch=clip.parent)
    proof = json.loads(json.dumps(made.packet_part))
    verify_packets(proof, seen.streams, source_offsets=recording.shifts)


def cut_from_bytes(recording: Examined, media: bytes, table: bytes, out: Path, *, seal: bool = True) -> Cut:
    found = recording.examination
    return cut(
        table_read=in_memory(table),
        media_read=in_memory(media),
        packet_root=found.packet_root or "",
        seal=found.table_seal if seal else None,
        span=Span(Fraction(1, 2), Fraction(3, 2)),
        out=out,
    )


def test_the_same_span_gives_the_same_bytes(recording: Examined, tmp_path: Path) -> None:
    recording.cut("1/2", 1, tmp_path / "a.mp4")
    recording.cut("1/2", 1, tmp_path / "b.mp4")
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()


def test_a_clip_says_what_it_shows_and_what_it_hides(recording: Examined, tmp_path: Path) -> None:
    made = recording.cut("27/20", "8/5", tmp_path / "a.mp4")
    assert made.delivered == Span(Fraction(41, 30), Fraction(8, 5))
    assert made.frames == 7
    assert made.hidden == Fraction(11, 30)
    assert made.left_out == ()


@pytest.mark.parametrize(("start", "end"), [(2, 3), (100, 101), (-2, 0)])
def test_a_span_outside_the_recording_is_told_how_long_it_is(
    start: int, end: int, recording: Examined, tmp_path: Path
) -> None:
    with pytest.raises(BadInput, match=r"00:00:02\.000"):
        recording.cut(start, end, tmp_path / "a.mp4")
    assert list(tmp_path.iterdir()) == []


def test_a_span_between_two_pictures_holds_none(recording: Examined, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no picture"):
        recording.cut("1001/1000", "1002/1000", tmp_path / "a.mp4")


def test_a_span_that_begins_before_the_recording_begins_with_it(recording: Examined, tmp_path: Path) -> None:
    made = recording.cut(-5, "1/10", tmp_path / "a.mp4")
    assert made.delivered.start == 0
    assert numbers_by_libav(tmp_path / "a.mp4") == [0, 1, 2]


def test_one_flipped_bit_in_the_original_is_refused_by_packet_and_chunk(recording: Examined, tmp_path: Path) -> None:
    media = bytearray(recording.path.read_bytes())
    with av.open(recording.path) as box:
        packet = next(p for p in box.demux(video=0) if p.pts and p.pts * p.time_base > 1)
        assert packet.pos is not None
        media[packet.pos + 9] ^= 4
    with pytest.raises(FixityMismatch, match="stream 0") as caught:
        cut_from_bytes(recording, bytes(media), recording.table.read_bytes(), tmp_path / "a.mp4")
    assert caught.value.values["chunk"] == packet.pos // 65_536
    assert caught.value.values["offset"] == packet.pos
    assert list(tmp_path.iterdir()) == []


def test_an_original_that_has_shrunk_is_refused(recording: Examined, tmp_path: Path) -> None:
    media = recording.path.read_bytes()
    with pytest.raises(FixityMismatch):
        cut_from_bytes(recording, media[: len(media) // 2], recording.table.read_bytes(), tmp_path / "a.mp4")


def test_a_changed_table_never_gives_another_clip(recording: Examined, tmp_path: Path) -> None:
    media, table = recording.path.read_bytes(), recording.table.read_bytes()
    cut_from_bytes(recording, media, table, tmp_path / "whole.mp4")
    whole = (tmp_path / "whole.mp4").read_bytes()
    refused = 0
    for at in range(0, len(table), 61):
        changed = table[:at] + bytes((table[at] ^ 1,)) + table[at + 1 :]
        try:
            cut_from_bytes(recording, media, changed, tmp_path / "a.mp4")
        except ProofInvalid:
            refused += 1
        else:
            assert (tmp_path / "a.mp4").read_bytes() == whole
    assert refused > 100


def test_a_table_forged_as_a_whole_is_refused_even_without_its_seal(recording: Examined, tmp_path: Path) -> None:
    table, media = recording.table.read_bytes(), recording.path.read_bytes()
    cut_from_bytes(recording, media, table, tmp_path / "a.mp4", seal=False)
    with pytest.raises(ProofInvalid, match="not in its tree"):
        cut_from_bytes(recording, media, forged(table), tmp_path / "b.mp4", seal=False)
    with pytest.raises(ProofInvalid, match="header"):
        cut_from_bytes(recording, media, forged(table), tmp_path / "b.mp4")


def forged(table: bytes) -> bytes:
    """The table with another time for packet 20 of stream 0, and every hash over it put right again."""
    body = PREFIX.size + PREFIX.unpack_from(table)[1]
    data, header = bytearray(table[body:]), TableHeader.from_json(table[PREFIX.size : body])
    stream = header.streams[0]
    struct.pack_into("<q", data, stream.records.offset + 21 * RECORD.size + 16, 1)
    block = data[stream.records.offset :][: min(stream.leaf_count, BLOCK_RECORDS) * RECORD.size]
    data[stream.blocks.offset + 64 : stream.blocks.offset + 96] = sha256(block).digest()
    blocks = data[stream.blocks.offset :][: stream.blocks.size_bytes]
    streams = (replace(stream, blocks_sha256=sha256(blocks).hexdigest()), *header.streams[1:])
    text = replace(header, streams=streams).to_json()
    return PREFIX.pack(MAGIC, len(text), sha256(text).digest()) + text + bytes(data)


def test_little_more_than_the_clip_is_read(recording: Examined, tmp_path: Path) -> None:
    made = recording.cut(1, "3/2", tmp_path / "a.mp4")
    assert made.bytes_read <= 1.2 * made.size_bytes + (1 << 20)
    assert made.requests == 1
    assert made.table_bytes_read < 1 << 20


@pytest.mark.parametrize("kind", ["plain", "vfr", "ntsc", "silent", "fragments", "late", "hidden"])
def test_every_kind_of_footage_is_cut_and_proven(kind: ClipKind, tmp_path: Path) -> None:
    source, clip = examined(tiny_clip(kind), tmp_path), tmp_path / "clip.mp4"
    made = source.cut("3/5", "4/5", clip)
    assert made.frames == len(numbers_by_libav(clip)) > 0
    prove(source, made, clip)


@pytest.mark.parametrize("kind", ["audio_only", "wav"])
def test_sound_alone_is_cut_to_the_sample(kind: ClipKind, tmp_path: Path) -> None:
    source, clip = examined(tiny_clip(kind), tmp_path), tmp_path / "clip.mp4"
    made = source.cut("1/3", "4/3", clip)
    assert made.delivered.length == 1
    part, whole = samples_by_ffmpeg(clip), samples_by_ffmpeg(source.path)
    rate = source.examination.streams[0].sample_rate
    assert len(part) == rate
    at = round(made.delivered.start * rate)
    # The median: AAC decoders fill some bands with noise of their own.
    assert np.median(np.abs(part - whole[at : at + rate])) < 1e-5
    prove(source, made, clip)


@pytest.mark.parametrize(
    ("name", "tracks"),
    [
        ("gopro-karma-gpmf.mp4", ["video", "audio", "data", "data"]),
        ("phone-edit-list.mp4", ["video", "audio", "data", "data"]),
        ("dashcam-5s.mp4", ["video", "audio"]),
        ("axis-signed-h264.mp4", ["video"]),
        ("camcorder.mts", ["video"]),
        ("scene.mov", ["video"]),
        ("vfr-360p.mp4", ["video", "audio"]),
        ("h265-metadata-track.mp4", ["video", "data", "audio"]),
    ],
)
def test_real_footage_is_cut_with_its_telemetry_and_proven(name: str, tracks: list[str], tmp_path: Path) -> None:
    source, clip = examined(shared_media() / name, tmp_path), tmp_path / "clip.mp4"
    end = source.examination.duration
    made = source.cut(end / 3, end, clip)
    with av.open(clip) as box:
        assert [stream.type for stream in box.streams] == tracks
        assert sum(1 for packet in box.demux(video=0) for _ in packet.decode()) == made.frames
    prove(source, made, clip)


def test_sound_that_begins_later_than_the_pictures_does_so_in_the_clip(tmp_path: Path) -> None:
    source, clip = examined(shared_media() / "vfr-360p.mp4", tmp_path), tmp_path / "clip.mp4"
    made = source.cut(0, 1, clip)
    with av.open(clip) as box:
        assert box.streams.audio[0].start_time == 144  # 3 ms at 48 kHz, as in the original
    prove(source, made, clip)


def test_rotation_and_codec_tag_are_those_of_the_original(tmp_path: Path) -> None:
    for name, tag in (("rotated-270.mp4", "avc1"), ("phone-edit-list.mp4", "hvc1")):
        source, clip = examined(shared_media() / name, tmp_path), tmp_path / "clip.mp4"
        source.cut(1, 2, clip)
        with av.open(clip) as made, av.open(source.path) as box:
            assert made.streams.video[0].codec_context.codec_tag == tag
            assert next(made.decode(video=0)).rotation == next(box.decode(video=0)).rotation != 0
