# SPDX-License-Identifier: Apache-2.0
"""This is where an original becomes playable and can be seen at a glance: proxy, sprite, thumbnail.

One ffmpeg process and one decode make all derivatives of a recording. Nothing that comes out carries
metadata of what went in (place and device stay in the register, where leave is asked for).
"""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal

from evidence import canonical_json
from evidence.digest import Digest
from evidence.errors import BadInput, Undecodable
from pipeline.media import ffmpeg
from pipeline.media.limits import Limits
from pipeline.media.made import jpeg_size, length_of
from pipeline.media.recipes import Recipe
from pipeline.media.sprite import Sheet, sheet_for
from pipeline.media.tools import Tool

Kind = Literal["video", "audio", "photo", "document"]

LONGEST_S = 48 * 3600
PHOTO_SIDE = 640

_PROXY_BITS_PER_S = 2_000_000  # what the encoders below are held to, sound and container included
_MEMORY_BYTES = 4 << 30  # of address space, not of memory in use; 4K HEVC takes under 2 GiB of it

# Square pixels, even sizes, never enlarged; a width no aspect ratio in a header can blow up.
_PROXY_SIZE = {
    "w": "max(2,min(1280,2*trunc(min(480,ih)*dar/2)))",
    "h": "max(2,2*trunc(min(480,ih)/2))",
}
_PHOTO_SIZE = {
    "w": f"max(1,trunc(iw*min(1,{PHOTO_SIDE}/max(iw,ih))))",
    "h": f"max(1,trunc(ih*min(1,{PHOTO_SIDE}/max(iw,ih))))",
}

# EXIF 2.32 §4.6.4 (Orientation): what brings the stored picture upright.
_UPRIGHT: dict[int, tuple[tuple[str, str | None], ...]] = {
    1: (),
    2: (("hflip", None),),
    3: (("hflip", None), ("vflip", None)),
    4: (("vflip", None),),
    5: (("transpose", "cclock_flip"),),
    6: (("transpose", "clock"),),
    7: (("transpose", "clock_flip"),),
    8: (("transpose", "cclock"),),
}


@dataclass(frozen=True, slots=True)
class Made:
    """A derivative in the scratch folder: `kind` is proxy, sprite, sprite-index or thumbnail."""

    kind: str
    path: Path
    recipe: Recipe


@dataclass(frozen=True, slots=True)
class Source:
    """An original to make derivatives of, as its examination found it.

    `orientation` is EXIF's, 1 to 8, and counts for photos only; a video's rotation is in its container.

    Raises:
        BadInput: the orientation is not one of EXIF, or the length is negative.
    """

    path: Path
    digest: Digest
    demuxer: str
    kind: Kind
    duration: Fraction = Fraction(0)
    has_audio: bool = False
    orientation: int = 1

    def __post_init__(self) -> None:
        if self.orientation not in _UPRIGHT:
            raise BadInput(f"not an EXIF orientation: {self.orientation}")
        if self.duration < 0:
            raise BadInput(f"not a length: {self.duration} s")


def make_derivatives(
    source: Source, *, scratch: Path, tool: Tool, on_progress: Callable[[float], None] | None = None
) -> list[Made]:
    """Make all derivatives of `source` as files in `scratch`, which is ours alone and must be there.

    Video: an H.264/AAC MP4 proxy that starts while it loads, at most 480 lines, a key frame every two
    seconds, shown upright; a sprite JPEG and its index. Sound: an AAC proxy. Photo: a JPEG thumbnail,
    upright. Document: nothing. Media past the examined duration (and a margin) is not read.
    Safe to repeat: equal source and tool give equal bytes. `on_progress` gets fractions from 0 to 1.

    Raises:
        Undecodable, CodecRefused: this original has no derivatives; it is kept as it is.
        SourceUnavailable, StoreUnavailable, ToolMissing: worth another try.
    """
    if source.kind == "document":
        return []
    if source.duration > LONGEST_S:
        raise Undecodable(f"longer than {LONGEST_S} s: {source.duration} s", limit="duration_s")
    make = {"video": _from_video, "audio": _from_audio, "photo": _from_photo}[source.kind]
    return make(_Run(source, scratch, tool, on_progress))


@dataclass(frozen=True, slots=True)
class _Run:
    source: Source
    scratch: Path
    tool: Tool
    on_progress: Callable[[float], None] | None

    def execute(self, outputs: list[ffmpeg.Stream]) -> tuple[str, ...]:
        graph = ffmpeg.arguments(outputs)
        ffmpeg.run(
            graph,
            tool=self.tool,
            source=self.source.path,
            scratch=self.scratch,
            limits=_limits(self.source.duration),
            seconds=self.source.duration or None,
            on_progress=self.on_progress,
        )
        return graph

    def made(self, kind: str, file: str, graph: tuple[str, ...], recipe: str) -> Made:
        tool = self.tool
        return Made(
            kind,
            self.scratch / file,
            Recipe(recipe, tool.name, tool.version, graph, self.source.digest.hex),
        )


def _limits(duration: Fraction) -> Limits:
    """Generous for a slow and busy machine, yet in proportion: a short file cannot take a night."""
    time_s = 120 + 20 * int(duration)
    output_bytes = (16 << 20) + int(duration) * _PROXY_BITS_PER_S // 8
    return Limits(float(time_s), time_s, _MEMORY_BYTES, output_bytes)


def _from_video(run: _Run) -> list[Made]:
    source, sheet = run.source, sheet_for(run.source.duration)
    media = _media_input(source)
    # Interlaced frames are the only ones touched by yadif. Scaling comes before the split: once for both.
    picture = media["V:0"].filter("yadif", deint="interlaced").filter("scale", **_PROXY_SIZE)
    branches = picture.filter("setsar", "1").filter("format", "yuv420p").filter_multi_output("split", 2)
    streams = [branches[0], *([_sound(media)] if source.has_audio else [])]
    proxy = ffmpeg.output(streams, "proxy.mp4", container="mp4", **_VIDEO_CODEC, **_SOUND_CODEC, **_FASTSTART)
    sprite = ffmpeg.output([sheet.filters(branches[1])], "sprite.jpg", container="mjpeg", **_JPEG, **{"frames:v": "1"})
    graph = run.execute([proxy, sprite])

    shown = length_of(run.scratch / "proxy.mp4", "video")
    _write_index(run.scratch / "sprite.json", run.scratch / "sprite.jpg", sheet, shown)
    return [
        run.made("proxy", "proxy.mp4", graph, "proxy-480p/v1"),
        run.made("sprite", "sprite.jpg", graph, "sprite/v1"),
        run.made("sprite-index", "sprite.json", graph, "sprite-index/v1"),
    ]


def _from_audio(run: _Run) -> list[Made]:
    sound = [_sound(_media_input(run.source))]
    proxy = ffmpeg.output(sound, "proxy.m4a", container="mp4", **_SOUND_CODEC, **_FASTSTART)
    graph = run.execute([proxy])
    length_of(run.scratch / "proxy.m4a", "audio")
    return [run.made("proxy", "proxy.m4a", graph, "proxy-audio/v1")]


def _from_photo(run: _Run) -> list[Made]:
    source = run.source
    # Not every build of ffmpeg reads EXIF's orientation: none of them may, and we turn the picture.
    media = ffmpeg.guarded_input(demuxer=source.demuxer, max_pixels=ffmpeg.PHOTO_MAX_PIXELS, noautorotate=None)
    picture = media["v:0"].filter("scale", **_PHOTO_SIZE)
    for name, argument in _UPRIGHT[source.orientation]:
        picture = picture.filter(name, argument) if argument else picture.filter(name)
    picture = picture.filter("setsar", "1")
    thumbnail = ffmpeg.output([picture], "thumbnail.jpg", container="mjpeg", **_JPEG, **{"frames:v": "1"})
    graph = run.execute([thumbnail])
    jpeg_size(run.scratch / "thumbnail.jpg")  # the proof that a picture came out
    return [run.made("thumbnail", "thumbnail.jpg", graph, "thumbnail-640/v1")]


# Settings by stream: a frame rate that varies stays so, and the bit rate is bounded whatever the picture.
_VIDEO_CODEC = {
    "c:v": "libx264",
    "preset": "veryfast",
    "crf": "27",
    "maxrate": "1500k",
    "bufsize": "3000k",
    "fps_mode": "vfr",
    "force_key_frames": "expr:gte(t,n_forced*2)",
}
_SOUND_CODEC = {"c:a": "aac", "b:a": "96k"}
_FASTSTART = {"movflags": "+faststart"}
_JPEG = {"c:v": "mjpeg", "q:v": "4"}


def _media_input(source: Source) -> ffmpeg.Stream:
    # A header may lie about the length, and ten hours of black are half a megabyte: seconds are bounded.
    bound = ffmpeg.seconds_option(source.duration * Fraction(51, 50) + 2)
    return ffmpeg.guarded_input(demuxer=source.demuxer, t=bound)


def _sound(media: ffmpeg.Stream) -> ffmpeg.Stream:
    """Sound that starts with the picture: where a camera records none (pre-event buffer), silence."""
    even = media["a:0"].filter("aresample", **{"async": "1", "first_pts": "0"})
    return even.filter("aformat", channel_layouts="mono|stereo", sample_rates="48000")


def _write_index(index: Path, sprite: Path, sheet: Sheet, shown: Fraction) -> None:
    data = canonical_json.dumps(sheet.index(jpeg_size(sprite), shown))
    try:
        # Never through what is there: a captured decoder may have left a link by that name, or a pipe.
        index.unlink(missing_ok=True)
    except (IsADirectoryError, PermissionError) as error:
        raise Undecodable(f"{index.name} is no plain file") from error
    with index.open("xb") as file:
        file.write(data)
