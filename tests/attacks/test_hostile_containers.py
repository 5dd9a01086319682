# SPDX-License-Identifier: Apache-2.0
"""Containers made to mislead or to hurt: each is refused with an error of ours, quickly, and nothing else is read."""

import contextlib
import random
import struct
import zlib
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from evidence.errors import (
    CodecRefused,
    IndexMissing,
    NotMedia,
    PlaylistRefused,
    Truncated,
    Unacceptable,
    Undecodable,
)
from pipeline.media.boxes import make_box, make_full_box
from pipeline.media.demux import open_media
from pipeline.media.encode import FrameTimes, Picture, Sound, encode_footage
from pipeline.media.examination import Examination
from pipeline.media.examine import examine
from pipeline.media.sniff import MP4, sniff
from tests.support.cameras import tiny_clip
from tests.support.footage import shared_media


def look(path: Path) -> Examination:
    return examine(path, container=sniff(path), table=path.with_suffix(".table"))


def written(folder: Path, data: bytes, name: str = "a.mp4") -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


def replaced(kind: bytes, body: bytes, *, at: int = 0) -> bytes:
    """The plain clip with the bytes of its first `kind` box, from byte `at` of the body on, replaced."""
    data = bytearray(tiny_clip("plain").read_bytes())
    start = data.index(kind, data.index(b"moov")) + 4 + at
    data[start : start + len(body)] = body
    return bytes(data)


@pytest.mark.parametrize("share", [1, 30, 60, 90, 99])
def test_a_recording_cut_short_is_named_so_wherever_it_was_cut(share: int, tmp_path: Path) -> None:
    whole = tiny_clip("plain").read_bytes()
    with pytest.raises((IndexMissing, Truncated, Undecodable)) as caught:
        look(written(tmp_path, whole[: len(whole) * share // 100]))
    if share >= 30:
        assert isinstance(caught.value, IndexMissing)


def test_fragments_cut_short_are_truncated(tmp_path: Path) -> None:
    whole = tiny_clip("fragments").read_bytes()
    with pytest.raises(Truncated):
        look(written(tmp_path, whole[: whole.rindex(b"mdat") + 100]))


def test_an_index_that_promises_samples_beyond_the_end_is_truncated(tmp_path: Path) -> None:
    data = bytearray(tiny_clip("plain").read_bytes())
    at = data.index(b"stco") + 8
    count = struct.unpack_from(">I", data, at)[0]
    struct.pack_into(">I", data, at + 4 * count, len(data) - 10)
    with pytest.raises(Truncated):
        look(written(tmp_path, bytes(data)))


def test_a_playlist_by_the_name_of_footage_is_refused_before_anything_opens_it() -> None:
    with pytest.raises(PlaylistRefused):
        sniff(shared_media() / "hostile-playlist.mp4")


def test_a_playlist_forced_upon_the_demuxer_reads_no_other_file(tmp_path: Path) -> None:
    secret = tmp_path / "secret.ts"
    encode_footage(secret, sound=Sound(wave=lambda _, count: np.zeros(count, np.float32), seconds=Fraction(1)))
    text = f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile://{secret}\n#EXT-X-ENDLIST\n"
    playlist = written(tmp_path, text.encode(), "a.m3u8")
    with av.open(playlist) as leak:
        assert leak.streams.audio  # what libav does when it is left to guess
    with pytest.raises(Undecodable), open_media(playlist, demuxer="mov"):
        pass
    with pytest.raises(Unacceptable):
        examine(playlist, container=MP4, table=tmp_path / "table")


def test_a_text_by_the_name_of_footage_is_not_media() -> None:
    with pytest.raises(NotMedia):
        sniff(shared_media() / "broken-text.mp4")


def test_a_codec_that_no_camera_writes_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.mov"
    with av.open(path, "w") as box:
        stream = box.add_stream("magicyuv", rate=Fraction(25))
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        frame = av.VideoFrame.from_ndarray(np.zeros((96, 64), np.uint8), format="yuv420p")
        box.mux([*stream.encode(frame), *stream.encode(None)])
    with pytest.raises(CodecRefused, match="magicyuv"):
        look(path)


def test_a_data_reference_to_another_file_is_not_followed(tmp_path: Path) -> None:
    # `url ` without the flag "in this file", and a path: QuickTime would open it.
    data = bytearray(tiny_clip("plain").read_bytes())
    at = data.index(b"url ") + 4
    struct.pack_into(">I", data, at, 0)
    try:
        found = look(written(tmp_path, bytes(data)))
    except Unacceptable:
        return
    assert found.kind == "video"


def test_a_sample_count_that_would_fill_the_memory_is_refused(tmp_path: Path) -> None:
    sizes = struct.pack(">II", 1, 0x7FFF_FFFF)
    with pytest.raises((Undecodable, Truncated)):
        look(written(tmp_path, replaced(b"stsz", sizes, at=4)))


def test_an_edit_list_that_claims_a_billion_entries_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Undecodable, match="edit list"):
        look(written(tmp_path, replaced(b"elst", struct.pack(">I", 1_000_000_000), at=4)))


def test_a_time_scale_of_zero_is_refused(tmp_path: Path) -> None:
    for kind in (b"mvhd", b"mdhd"):
        with pytest.raises(Undecodable, match="scale"):
            look(written(tmp_path, replaced(kind, bytes(4), at=12)))


def test_ten_thousand_nested_boxes_are_not_walked_down(tmp_path: Path) -> None:
    nest = b""
    for _ in range(10_000):
        nest = make_box(b"trak", nest)
    data = make_box(b"ftyp", b"isom\0\0\2\0isom") + make_box(b"moov", make_full_box(b"mvhd", 0, 0, bytes(96)), nest)
    with pytest.raises(Undecodable):
        look(written(tmp_path, data))


def test_more_tracks_than_any_camera_has_are_refused(tmp_path: Path) -> None:
    data = make_box(b"ftyp", b"isom\0\0\2\0isom")
    data += make_box(b"moov", make_full_box(b"mvhd", 0, 0, bytes(96)), *[make_box(b"trak")] * 1000)
    with pytest.raises(Undecodable, match="tracks"):
        look(written(tmp_path, data))


def test_an_index_without_tracks_is_refused(tmp_path: Path) -> None:
    mvhd = make_full_box(b"mvhd", 0, 0, bytes(8), struct.pack(">I", 1000), bytes(84))
    data = make_box(b"ftyp", b"isom\0\0\2\0isom") + make_box(b"moov", mvhd)
    with pytest.raises(Undecodable):
        look(written(tmp_path, data))


def test_a_container_of_noise_after_a_true_magic_number_is_refused(tmp_path: Path) -> None:
    noise = random.Random(3).randbytes(20_000)
    heads = {
        "a.mkv": b"\x1a\x45\xdf\xa3",
        "a.avi": b"RIFF\x10\0\0\0AVI ",
        "a.flv": b"FLV\x01",
        "a.jpg": b"\xff\xd8\xff\xe0",
        "a.ogg": b"OggS",
        "a.wmv": b"\x30\x26\xb2\x75\x8e\x66\xcf\x11",
    }
    for name, head in heads.items():
        with pytest.raises(Unacceptable):
            look(written(tmp_path, head + noise, name))


def test_broken_bytes_in_the_index_give_an_answer_or_an_error_of_ours(tmp_path: Path) -> None:
    whole = tiny_clip("plain").read_bytes()
    index = whole.index(b"moov")
    chance = random.Random(11)
    for _ in range(16):
        data = bytearray(whole)
        for _ in range(3):
            data[chance.randrange(index, len(data))] = chance.randrange(256)
        with contextlib.suppress(Unacceptable):
            assert look(written(tmp_path, bytes(data))).kind in ("video", "audio")


def test_a_photo_of_900_million_pixels_in_100_kilobytes_is_refused(tmp_path: Path) -> None:
    side, squeeze = 30_000, zlib.compressobj(9)
    rows = b"".join(squeeze.compress(bytes(side // 8 + 1)) for _ in range(side)) + squeeze.flush()
    with pytest.raises(Undecodable):
        look(written(tmp_path, png(side, side, rows), "a.png"))


def test_a_small_png_is_a_photo(tmp_path: Path) -> None:
    found = look(written(tmp_path, png(16, 2, zlib.compress(bytes(3) * 2)), "a.png"))
    assert (found.kind, found.streams[0].width) == ("photo", 16)


def png(width: int, height: int, rows: bytes) -> bytes:
    """A black and white PNG with these compressed rows."""
    size = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    parts = ((b"IHDR", size), (b"IDAT", rows), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in parts
    )


def test_pictures_that_never_come_are_undecodable(tmp_path: Path) -> None:
    # Every packet of this H.265 is one delimiter and no picture: nothing fails, nothing is shown.
    path, times = tmp_path / "whole.mp4", FrameTimes.at_rate(Fraction(30), 4)
    encode_footage(path, picture=Picture(lambda *_: None, times, width=64, height=64, codec="libx265"))
    data = bytearray(path.read_bytes())
    with av.open(path) as box:
        for packet in box.demux(video=0):
            if packet.pos is not None and packet.size:
                delimiter = (packet.size - 4).to_bytes(4, "big") + bytes((35 << 1, 1, 0x50))
                data[packet.pos : packet.pos + packet.size] = delimiter.ljust(packet.size, b"\x80")
    with pytest.raises(Undecodable, match="no frame"):
        look(written(tmp_path, bytes(data)))


def test_coded_pictures_of_noise_are_undecodable(tmp_path: Path) -> None:
    data = bytearray(tiny_clip("silent").read_bytes())
    start, end = data.index(b"mdat") + 4, data.index(b"moov") - 4
    data[start:end] = random.Random(5).randbytes(end - start)
    with pytest.raises(Undecodable):
        look(written(tmp_path, bytes(data)))
