# SPDX-License-Identifier: Apache-2.0
"""This is where footage of our own is written: pictures and sound painted by the caller, times exact.

The shipped simulator and the tests make their recordings here. Nothing in this file reads media
that came from outside.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import av
import av.container
import av.error
import numpy as np
import numpy.typing as npt

from evidence.errors import BadInput, StoreUnavailable

Bytes = npt.NDArray[np.uint8]
Samples = npt.NDArray[np.float32]
Coded = tuple[Fraction, list["av.Packet[Any]"]]

_FINEST_TICKS_PER_SECOND = 1_000_000
_AUDIO_BLOCK = 1024


@dataclass(frozen=True, slots=True)
class Planes:
    """Writable views of one yuv420p frame: uint8, `y` height × width, `u` and `v` half of it each way."""

    y: Bytes
    u: Bytes
    v: Bytes


@dataclass(frozen=True, slots=True)
class FrameTimes:
    """When each frame is first shown, in exact seconds, ascending, and when the last one ends.

    Frames before 0 are written and hidden by an edit list; a first frame after 0 is delayed by one.
    """

    starts: tuple[Fraction, ...]
    end: Fraction

    def __post_init__(self) -> None:
        following = (*self.starts[1:], self.end)
        if not self.starts or any(a >= b for a, b in zip(self.starts, following, strict=True)):
            raise BadInput("frame times must ascend, with at least one frame and an end after the last")

    @classmethod
    def at_rate(cls, rate: Fraction, frames: int, *, start: Fraction = Fraction(0)) -> "FrameTimes":
        """`frames` frames at `rate` frames a second, the first one at `start`."""
        starts = tuple(start + n / rate for n in range(frames))
        return cls(starts=starts, end=start + frames / rate)

    @property
    def tick(self) -> Fraction:
        """The coarsest time base in which every time is a whole number.

        Raises:
            BadInput: it would be finer than a microsecond.
        """
        ticks = math.lcm(*{time.denominator for time in (*self.starts, self.end)})
        if ticks > _FINEST_TICKS_PER_SECOND:
            raise BadInput(f"frame times need {ticks} ticks a second; at most a million can be kept")
        return Fraction(1, ticks)


@dataclass(frozen=True, slots=True)
class Picture:
    """A video track. `paint(n, planes)` draws frame n, in order; the planes still hold an earlier frame.

    `gop` is the distance of key frames in frames. `rotation` is in degrees counter-clockwise and only
    stated in the container. One thread by default, so that the same paint gives the same bytes.
    """

    paint: Callable[[int, Planes], None]
    times: FrameTimes
    width: int = 1920
    height: int = 1080
    codec: Literal["libx264", "libx265", "mjpeg"] = "libx264"
    gop: int = 30
    b_frames: int = 0
    is_open_gop: bool = False
    preset: str = "ultrafast"
    crf: int = 23
    rotation: int = 0
    threads: int = 1


@dataclass(frozen=True, slots=True)
class Sound:
    """A mono audio track of `seconds`. `wave(first, count)` gives float32 samples from -1 to 1."""

    wave: Callable[[int, int], Samples]
    seconds: Fraction
    rate: int = 48_000
    codec: Literal["aac", "pcm_s16le"] = "aac"
    bit_rate: int = 64_000


@dataclass(frozen=True, slots=True)
class Wrapping:
    """How tracks are wrapped. `container` is a muxer's name; None goes by the file name's ending.

    `index` says where an MP4 keeps its moov: at the end, at the front, or in fragments.
    `has_edit_list=False` leaves out the edit list that hides what precedes 0.
    """

    container: str | None = None
    index: Literal["end", "front", "fragments"] = "end"
    has_edit_list: bool = True
    created: datetime | None = None
    tags: Mapping[str, str] = field(default_factory=dict)


def encode_footage(
    out: Path,
    *,
    picture: Picture | None = None,
    sound: Sound | None = None,
    wrapping: Wrapping | None = None,
) -> None:
    """Write the tracks given to `out`, every frame at exactly its time; memory is flat in length.

    Raises:
        BadInput: no track, or times, sizes or options that cannot be encoded.
        StoreUnavailable: the file could not be written.
    """
    how = wrapping or Wrapping()
    if picture is None and sound is None:
        raise BadInput("footage needs a picture or a sound")
    try:
        with av.open(out, "w", format=how.container, container_options=_mux_options(out, how)) as box:
            box.metadata.update(_tags(how))
            video = _VideoTrack(box, picture) if picture else None
            audio = _AudioTrack(box, sound) if sound else None
            _interleave(box, video, audio)
    except (av.error.ArgumentError, ValueError) as error:
        raise BadInput(f"footage cannot be encoded like this: {error}", path=str(out)) from error
    except (av.error.FFmpegError, OSError) as error:
        raise StoreUnavailable(f"footage cannot be written: {error}", path=str(out)) from error


def encode_still(paint: Callable[[int, Planes], None], *, width: int, height: int) -> bytes:
    """The bytes of a JPEG, without EXIF, of the frame that `paint(0, planes)` draws. Sizes are even."""
    context = av.CodecContext.create("mjpeg", "w")
    context.width, context.height = width, height
    context.pix_fmt, context.color_range = "yuv420p", 2
    context.time_base = Fraction(1, 25)
    context.flags |= av.codec.context.Flags.bitexact
    frame, planes = _canvas(width, height)
    frame.color_range = 2
    paint(0, planes)
    frame.pts = 0
    return b"".join(bytes(packet) for packet in [*context.encode(frame), *context.encode(None)])


class _VideoTrack:
    """One video stream being encoded: what comes next, and when."""

    def __init__(self, box: av.container.OutputContainer, picture: Picture) -> None:
        times = picture.times
        self._picture = picture
        self._tick = times.tick
        rate = (len(times.starts) / (times.end - times.starts[0])).limit_denominator(1001)
        self._stream = box.add_stream(picture.codec, rate=rate, time_base=self._tick, options=_codec_options(picture))
        self._stream.width, self._stream.height = picture.width, picture.height
        self._stream.pix_fmt = "yuv420p"
        self._stream.codec_context.thread_count = picture.threads
        self._stream.codec_context.flags |= av.codec.context.Flags.bitexact
        if picture.codec == "mjpeg":
            self._stream.codec_context.color_range = 2
        if picture.rotation:
            self._stream.set_display_rotation(picture.rotation)
        self._frame, self._planes = _canvas(picture.width, picture.height)
        self._lasting: dict[int, int] = {}  # pts → ticks, for the frames inside the encoder

    def packets(self) -> Iterator[Coded]:
        """For each frame its time and the packets that came out when it went in; the last is the flush."""
        picture, times = self._picture, self._picture.times
        following = (*times.starts[1:], times.end)
        for number, (start, end) in enumerate(zip(times.starts, following, strict=True)):
            picture.paint(number, self._planes)
            # The encoders named in `Picture` copy the frame before they return: one canvas serves all.
            self._frame.pts, self._frame.time_base = int(start / self._tick), self._tick
            self._lasting[self._frame.pts] = int((end - start) / self._tick)
            yield start, self._coded(self._frame)
        yield times.end, self._coded(None)

    def _coded(self, frame: av.VideoFrame | None) -> "list[av.Packet[Any]]":
        packets = list(self._stream.encode(frame))
        for packet in packets:
            # The encoder would give every packet the duration of the average frame.
            packet.duration = self._lasting.pop(packet.pts or 0)
        return packets


class _AudioTrack:
    """One audio stream being encoded, a block at a time."""

    def __init__(self, box: av.container.OutputContainer, sound: Sound) -> None:
        self._sound = sound
        self._stream = box.add_stream(sound.codec, rate=sound.rate, time_base=Fraction(1, sound.rate), layout="mono")
        if sound.codec == "aac":
            self._stream.bit_rate = sound.bit_rate
        self._stream.codec_context.flags |= av.codec.context.Flags.bitexact

    def packets(self) -> Iterator[Coded]:
        """For each block its time and the packets that came out when it went in; the last is the flush."""
        sound = self._sound
        total = int(sound.seconds * sound.rate)
        for first in range(0, total, _AUDIO_BLOCK):
            frame = self._block(first, min(_AUDIO_BLOCK, total - first))
            yield Fraction(first, sound.rate), list(self._stream.encode(frame))
        yield sound.seconds, list(self._stream.encode(None))

    def _block(self, first: int, count: int) -> av.AudioFrame:
        wave = self._sound.wave(first, count).reshape(1, count)
        if self._sound.codec == "aac":
            frame = av.AudioFrame.from_ndarray(wave, format="fltp", layout="mono")
        else:
            whole = np.rint(wave * 32767).astype(np.int16)
            frame = av.AudioFrame.from_ndarray(whole, format="s16", layout="mono")
        frame.sample_rate = self._sound.rate
        frame.time_base = Fraction(1, self._sound.rate)
        frame.pts = first
        return frame


def _interleave(box: av.container.OutputContainer, video: _VideoTrack | None, audio: _AudioTrack | None) -> None:
    # The earlier track goes first, or the muxer would have to hold the later one back in memory.
    waiting: list[Iterator[Coded]] = [track.packets() for track in (video, audio) if track is not None]
    heads = [next(track) for track in waiting]
    while waiting:
        first = min(range(len(heads)), key=lambda index: heads[index][0])
        box.mux(heads[first][1])
        try:
            heads[first] = next(waiting[first])
        except StopIteration:
            del heads[first], waiting[first]


def _canvas(width: int, height: int) -> tuple[av.VideoFrame, Planes]:
    frame = av.VideoFrame(width, height, "yuv420p")
    views = []
    for plane in frame.planes:
        rows = np.frombuffer(memoryview(plane), dtype=np.uint8).reshape(-1, plane.line_size)
        views.append(rows[: plane.height, : plane.width])
    return frame, Planes(*views)


def _codec_options(picture: Picture) -> dict[str, str]:
    if picture.codec == "mjpeg":
        return {"q:v": "4"}
    private = (
        f"keyint={picture.gop}:min-keyint={picture.gop}:scenecut=0:bframes={picture.b_frames}"
        f":b-adapt=0:open-gop={int(picture.is_open_gop)}"
    )
    options = {"preset": picture.preset, "crf": str(picture.crf)}
    name = "x264-params" if picture.codec == "libx264" else "x265-params"
    quiet = ":log-level=error" if picture.codec == "libx265" else ""
    return {**options, name: private + quiet}


def _mux_options(out: Path, how: Wrapping) -> dict[str, str]:
    if (how.container or out.suffix.lstrip(".")).lower() not in {"mp4", "mov", "m4a", "ipod"}:
        return {}
    flags = {"end": "", "front": "+faststart", "fragments": "+frag_keyframe+empty_moov"}
    options = {"use_editlist": str(int(how.has_edit_list))}
    if flags[how.index]:
        options["movflags"] = flags[how.index]
    return options


def _tags(how: Wrapping) -> dict[str, str]:
    if how.created is None:
        return dict(how.tags)
    return {**how.tags, "creation_time": how.created.astimezone(UTC).isoformat()}
