# SPDX-License-Identifier: Apache-2.0
"""This is where hostile and broken files meet the ffmpeg program, and get a reason instead of a traceback."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import pytest

from evidence.digest import Digest
from evidence.errors import BadInput, CodecRefused, StoreUnavailable, Unavailable, Undecodable
from pipeline.media import ffmpeg, transcode
from pipeline.media.examine import examine
from pipeline.media.limits import Limits
from pipeline.media.sniff import MP4
from pipeline.media.transcode import Made, Source, make_derivatives
from tests.support.footage import shared_media
from tests.support.tiny_media import make, stairs, tool

DIGEST = Digest(bytes(32), 1)
LIMITS = Limits(wall_s=30, cpu_s=30, address_space_bytes=6 << 30, output_bytes=1 << 22)


def derive(path: Path, scratch: Path, demuxer: str = "mov", s: int = 5) -> list[Made]:
    return make_derivatives(Source(path, DIGEST, demuxer, "video", Fraction(s)), scratch=scratch, tool=tool())


@pytest.mark.parametrize(
    "name", ["broken-cut-short.mp4", "broken-empty.mp4", "broken-text.mp4", "hostile-playlist.mp4"]
)
def test_a_broken_file_is_undecodable_and_the_reason_names_no_path(name: str, tmp_path: Path) -> None:
    with pytest.raises(Undecodable) as caught:
        derive(shared_media() / name, tmp_path)

    assert "moov" in caught.value.message
    assert "/" not in caught.value.message
    assert "0x" not in caught.value.message


def playlist(folder: Path) -> Path:
    other = stairs(folder / "other-case.ts", 2, extra=("-f", "mpegts"))
    file = folder / "clip.mp4"
    file.write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nfile://{other}\n#EXT-X-ENDLIST\n")
    return file


def test_a_playlist_named_mp4_cannot_read_the_footage_of_another_case(tmp_path: Path) -> None:
    with pytest.raises(Undecodable):
        derive(playlist(tmp_path), tmp_path)


@pytest.mark.parametrize("demuxer", ["hls", "concat", "dash", "image2", "lavfi", "sdp", "", "mov -i"])
def test_a_demuxer_that_opens_other_things_is_never_used(demuxer: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="demuxer"):
        derive(playlist(tmp_path), tmp_path, demuxer)


def test_a_list_of_files_named_mp4_is_not_followed(tmp_path: Path) -> None:
    stairs(tmp_path / "neighbour.mp4", 1)
    file = tmp_path / "clip.mp4"
    file.write_text("ffconcat version 1.0\nfile neighbour.mp4\n")

    with pytest.raises(Undecodable):
        derive(file, tmp_path)


def test_a_codec_no_recorder_writes_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    picture = ("-f", "lavfi", "-i", "testsrc2=d=1:s=64x64", "-c:v", "magicyuv")

    with pytest.raises(CodecRefused, match="magicyuv"):
        derive(make(tmp_path / "exotic.mov", *picture), tmp_path)


def test_hours_of_black_behind_a_short_header_are_not_decoded(tmp_path: Path) -> None:
    black = ("-f", "lavfi", "-i", "color=black:s=64x48:r=1:d=36000", "-c:v", "libx264", "-g", "3600")
    made = derive(make(tmp_path / "black.mp4", *black), tmp_path, s=10)

    with av.open(str(made[0].path)) as file:
        assert file.duration is not None
        assert 10_000_000 <= file.duration <= 14_000_000


def test_a_length_of_years_is_not_tried(tmp_path: Path) -> None:
    with pytest.raises(Undecodable) as caught:
        derive(stairs(tmp_path / "a.mp4", 1), tmp_path, s=10**9)
    assert caught.value.values["limit"] == "duration_s"


def test_a_proxy_that_grows_past_its_bound_ends_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small = Limits(wall_s=30, cpu_s=30, address_space_bytes=6 << 30, output_bytes=4096)
    monkeypatch.setattr(transcode, "_limits", lambda _: small)
    noise = "nullsrc=s=320x240:r=10:d=3,geq=random(1)*255:128:128"
    footage = make(tmp_path / "noise.mp4", "-f", "lavfi", "-i", noise, "-c:v", "libx264", "-crf", "20")

    with pytest.raises(Undecodable) as caught:
        derive(footage, tmp_path)
    assert caught.value.values["limit"] == "output_bytes"


def test_a_picture_too_large_to_hold_is_refused(tmp_path: Path) -> None:
    bomb = ("-f", "lavfi", "-i", "color=black:s=16000x12000:r=1:d=1,format=gray", "-frames:v", "1")
    photo = make(tmp_path / "bomb.png", *bomb)

    with pytest.raises(Undecodable):
        make_derivatives(Source(photo, DIGEST, "png_pipe", "photo"), scratch=tmp_path, tool=tool())


def test_memory_past_the_limit_is_not_to_be_had(tmp_path: Path) -> None:
    footage = stairs(tmp_path / "a.mp4", 1, size="1920x1080")
    graph = ffmpeg.arguments(
        [ffmpeg.output([ffmpeg.guarded_input(demuxer="mov")["V:0"]], "o.mp4", container="mp4", **{"c:v": "libx264"})]
    )
    # Out of memory, ffmpeg ends with an error (also for want of a thread's stack), or stands still
    # until the clock ends it; it never has more.
    tight = Limits(wall_s=4, cpu_s=30, address_space_bytes=350 << 20, output_bytes=1 << 22)

    with pytest.raises((Undecodable, Unavailable)):
        ffmpeg.run(graph, tool=tool(), source=footage, scratch=tmp_path, limits=tight)


def test_a_name_that_looks_like_an_option_or_a_protocol_is_only_a_name(tmp_path: Path) -> None:
    footage = stairs(tmp_path / "a.mp4", 1)
    for name in ("-y", "concat:a.mp4|b.mp4", "pipe:0", "a%03d.mp4", "$(touch pwned).mp4", "记录仪 1.mp4"):
        shutil.copy(footage, tmp_path / name)
        out = tmp_path / "out"
        out.mkdir(exist_ok=True)
        assert derive(tmp_path / name, out, s=1)

    assert not list(tmp_path.rglob("pwned"))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("only root can mount a small disk")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)  # noqa: S607


def test_a_full_disk_is_not_the_fault_of_the_footage(small_disk: Path, tmp_path: Path) -> None:
    footage = stairs(tmp_path / "a.mp4", 5)
    picture = ffmpeg.guarded_input(demuxer="mov")["V:0"]
    output = ffmpeg.output([picture], "full.ts", container="mpegts", **{"c:v": "mpeg2video"})

    with pytest.raises(StoreUnavailable):
        ffmpeg.run(ffmpeg.arguments([output]), tool=tool(), source=footage, scratch=small_disk, limits=LIMITS)


def test_a_full_disk_under_an_examination_is_not_the_fault_of_the_footage(small_disk: Path, tmp_path: Path) -> None:
    footage = stairs(tmp_path / "a.mp4", 30)

    with pytest.raises(StoreUnavailable):
        examine(footage, container=MP4, table=small_disk / "table")


def test_a_picture_that_changes_its_size_on_the_way_has_one_proxy(tmp_path: Path) -> None:
    parts = [
        stairs(tmp_path / f"{n}.ts", 2, size=size, extra=("-f", "mpegts"))
        for n, size in enumerate(("640x480", "320x180", "1280x720"))
    ]
    joined = tmp_path / "joined.ts"
    joined.write_bytes(b"".join(part.read_bytes() for part in parts))
    made = derive(joined, tmp_path, "mpegts", s=6)

    with av.open(str(made[0].path)) as file:
        sizes = {(frame.width, frame.height) for frame in file.decode(video=0)}
    assert sizes == {(640, 480)}


def test_noise_in_the_middle_of_a_file_costs_frames_and_not_the_proxy(tmp_path: Path) -> None:
    footage = stairs(tmp_path / "a.ts", 4, extra=("-f", "mpegts", "-g", "10"))
    data = bytearray(footage.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 2000] = bytes(range(250)) * 8
    footage.write_bytes(data)

    assert derive(footage, tmp_path, "mpegts", s=4)
