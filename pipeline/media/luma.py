# SPDX-License-Identifier: Apache-2.0
"""This is where footage becomes a stream of small grey pictures for fingerprints to look at."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.media import ffmpeg
from pipeline.media.limits import Limits
from pipeline.media.tools import Tool

SIDE = 64

_FRAME_BYTES = SIDE * SIDE
_FRAMES_AT_ONCE = 256


def watch(
    source: Path,
    *,
    demuxer: str,
    duration: Fraction,
    rate: Fraction,
    scratch: Path,
    tool: Tool,
    on_frames: Callable[[NDArray[np.uint8]], None],
) -> None:
    """Hand on what is seen at 0, 1/rate, 2/rate … seconds, up to `duration`, in order, up to 256 at a time.

    on_frames: uint8, frames × 64 × 64; the whole picture, upright, whatever its shape, averaged down.
    Memory does not grow with the length.

    Raises:
        Undecodable, CodecRefused, SourceUnavailable, ToolMissing: as `ffmpeg.run`.
    """
    collected = bytearray()

    def take(piece: bytes) -> None:
        collected.extend(piece)
        if len(collected) >= _FRAMES_AT_ONCE * _FRAME_BYTES:
            hand_on()

    def hand_on() -> None:
        whole = len(collected) - len(collected) % _FRAME_BYTES
        if whole:
            on_frames(np.frombuffer(bytes(collected[:whole]), np.uint8).reshape(-1, SIDE, SIDE))
            del collected[:whole]

    ffmpeg.run(
        _graph(demuxer, duration, rate),
        tool=tool,
        source=source,
        scratch=scratch,
        limits=_limits(duration),
        on_bytes=take,
    )
    hand_on()


def _graph(demuxer: str, duration: Fraction, rate: Fraction) -> tuple[str, ...]:
    media = ffmpeg.guarded_input(demuxer=demuxer, t=ffmpeg.seconds_option(max(duration, 1 / rate)))
    # round=up: sample k is the frame on show at k/rate s, so that equal footage gives equal samples
    # whatever its frame rate.
    sampled = media["V:0"].filter("fps", str(rate), round="up", start_time="0")
    small = sampled.filter("scale", w=str(SIDE), h=str(SIDE), flags="area").filter("format", "gray")
    return ffmpeg.arguments([ffmpeg.output([small], "pipe:1", container="rawvideo")])


def _limits(duration: Fraction) -> Limits:
    time_s = 120 + 10 * int(duration)
    return Limits(float(time_s), time_s, 6 << 30, 1 << 20)
