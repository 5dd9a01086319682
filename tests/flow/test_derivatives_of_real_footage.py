# SPDX-License-Identifier: Apache-2.0
"""This is where every playable file of the shared footage gets its derivatives, as it was examined."""

from fractions import Fraction
from pathlib import Path

import av
import pytest

from evidence.digest import Digest
from pipeline.media.examine import examine
from pipeline.media.fingerprint_bits import fingerprint_of
from pipeline.media.sniff import sniff
from pipeline.media.transcode import Made, Source, make_derivatives
from tests.support.footage import shared_media
from tests.support.tiny_media import tool

AT_MOST_S = Fraction(3)

# What a player shows: width × height of the proxy, upright.
PLAYABLE = {
    "axis-signed-h264.mp4": (360, 480),
    "camcorder.mts": (852, 480),
    "dashcam-5s.mp4": (852, 480),
    "gopro-karma-gpmf.mp4": (854, 480),
    "h265-metadata-track.mp4": (270, 480),
    "people-walking-in.mp4": (768, 432),
    "phone-edit-list.mp4": (270, 480),
    "rotated-270.mp4": (270, 480),
    "scene.mov": (320, 240),
    "vfr-360p.mp4": (640, 360),
}


def derive(name: str, scratch: Path) -> tuple[Source, dict[str, Made]]:
    path = shared_media() / name
    container = sniff(path)
    found = examine(path, container=container, table=scratch / "table")
    duration = min(found.duration, AT_MOST_S)
    source = Source(
        path, Digest(bytes(32), 1), container.demuxer, found.kind, duration, has_audio=found.audio is not None
    )
    made = make_derivatives(source, scratch=scratch, tool=tool())
    return source, {each.kind: each for each in made}


@pytest.mark.parametrize("name", PLAYABLE)
def test_a_playable_file_has_a_proxy_a_sprite_and_a_fingerprint(name: str, tmp_path: Path) -> None:
    source, made = derive(name, tmp_path)

    with av.open(str(made["proxy"].path)) as file:
        video = file.streams.video[0]
        assert (video.width, video.height) == PLAYABLE[name]
        assert bool(file.streams.audio) == source.has_audio
        assert next(file.decode(video=0)).pts == 0 or name == "camcorder.mts"
    with av.open(str(made["sprite"].path)) as file:
        assert file.streams.video[0].width % 192 == 0
    seen = fingerprint_of(made["proxy"].path, demuxer="mov", duration=source.duration, scratch=tmp_path, tool=tool())
    assert len(seen) >= int(source.duration * 2)
