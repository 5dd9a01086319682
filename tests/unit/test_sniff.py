# SPDX-License-Identifier: Apache-2.0
"""This is where it is tried that bytes say what they are, whatever their name."""

from pathlib import Path

import pytest

from evidence.errors import EmptyFile, NotMedia, PlaylistRefused, SourceUnavailable
from pipeline.media.sniff import TEXT_TRACK, is_side_file, sniff, sniff_bytes
from tests.support.cameras import tiny_clip
from tests.support.footage import shared_media

MP3_FRAME = b"\xff\xfb\x90\x00" + b"\0" * 413
ADTS_FRAME = b"\xff\xf1\x50\x80\x02\x1f\xfc" + b"\0" * 9


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (b"\0\0\0\x18ftypmp42" + b"\0" * 12, "mp4"),
        (b"\0\0\0\x14ftypqt  " + b"\0" * 8, "mov"),
        (b"\0\0\0\x08wide\0\0\0\x08mdat", "mov"),
        (b"\0\0\0\x18ftypheic" + b"\0" * 12, "heif"),
        (b"\x1a\x45\xdf\xa3" + b"\0" * 20, "matroska"),
        ((b"\x47" + b"\0" * 187) * 3, "mpegts"),
        ((b"\0\0\0\0\x47" + b"\0" * 187) * 3, "mpegts"),
        (b"RIFF\x10\0\0\0AVI LIST", "avi"),
        (b"RIFF\x10\0\0\0WAVEfmt ", "wav"),
        (b"\xff\xd8\xff\xe1\0\0Exif", "jpeg"),
        (b"\x89PNG\r\n\x1a\n", "png"),
        (MP3_FRAME * 2, "mp3"),
        (ADTS_FRAME * 2, "aac"),
        (b"#!AMR\n", "amr"),
        (b"OggS\0", "ogg"),
        (b"fLaC\0", "flac"),
    ],
)
def test_magic_numbers_decide_whatever_the_name(head: bytes, name: str) -> None:
    assert sniff_bytes(head, name="holiday.txt").name == name


@pytest.mark.parametrize(
    "text",
    [
        b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n",
        b"\xef\xbb\xbf  \r\n#EXTM3U\n",
        "\n#EXTM3U\nfile:///etc/passwd".encode("utf-16"),
        b"#ext-x-version:3\n",
        b"ffconcat version 1.0\nfile 'a.mp4'\n",
        b"file '/etc/passwd'\n",
        b"v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\n",
        b'<?xml version="1.0"?>\n<MPD xmlns="urn:mpeg:dash:schema:mpd:2011"/>',
        b"<SmoothStreamingMedia/>",
        b"[playlist]\nFile1=/etc/passwd\n",
        b"http://127.0.0.1/video.mp4\n",
        b"concat:/etc/passwd|/etc/hosts",
    ],
)
@pytest.mark.parametrize("name", ["clip.mp4", "clip.txt"])
def test_a_list_of_other_files_is_refused(text: bytes, name: str) -> None:
    with pytest.raises(PlaylistRefused, match=name):
        sniff_bytes(text, name=name)


@pytest.mark.parametrize("text", [b"$GPRMC,040000.00,A,", b"<?xml version='1.0'?><gpx>", b"1\r\n00:00:01,000 --> 0"])
def test_a_track_in_text_is_a_side_file_only_by_a_side_files_name(text: bytes) -> None:
    assert is_side_file(sniff_bytes(text, name="0001.GPS"))
    assert sniff_bytes(text, name="0001.srt") == TEXT_TRACK
    with pytest.raises(NotMedia):
        sniff_bytes(text, name="0001.mp4")


def test_plain_text_is_not_media_by_any_name(tmp_path: Path) -> None:
    for name in ("notes.txt", "video.mp4"):
        (tmp_path / name).write_text("this is not a video\n")
        with pytest.raises(NotMedia, match=name):
            sniff(tmp_path / name)


def test_one_frame_header_alone_is_no_sign_of_sound() -> None:
    with pytest.raises(NotMedia):
        sniff_bytes(MP3_FRAME + b"no second header here", name="a.mp3")


def test_zero_bytes_are_an_empty_file(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").touch()
    with pytest.raises(EmptyFile):
        sniff(tmp_path / "a.mp4")


def test_a_file_that_has_gone_is_worth_another_try(tmp_path: Path) -> None:
    with pytest.raises(SourceUnavailable):
        sniff(tmp_path / "gone.mp4")


def test_the_simulators_files_are_what_they_are() -> None:
    assert sniff(tiny_clip("plain")).demuxer == "mov"
    assert sniff(tiny_clip("wav")).name == "wav"
    assert sniff(tiny_clip("photo")).kind == "photo"


def test_the_shared_footage_is_told_apart() -> None:
    media = shared_media()
    names = {path.name: path for path in media.rglob("*") if path.is_file()}
    assert sniff(names["camcorder.mts"]).name == "mpegts"
    assert sniff(names["scene.mov"]).name == "mov"
    assert sniff(names["track-sf-30km-h.gpx"]) == TEXT_TRACK
    with pytest.raises(PlaylistRefused):
        sniff(names["hostile-playlist.mp4"])
    with pytest.raises(NotMedia):
        sniff(names["broken-text.mp4"])
