# SPDX-License-Identifier: Apache-2.0
"""This is where a short recording is made long without coding it again, for benchmarks of size and length."""

import math
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import av.error

from evidence.errors import BadInput, StoreUnavailable


@dataclass(frozen=True, slots=True)
class _Piece:
    """A packet of the source with its own times in ticks, before any shift."""

    packet: "av.Packet[Any]"
    track: int
    pts: int
    dts: int
    duration: int
    tick: Fraction

    @property
    def start(self) -> Fraction:
        return self.pts * self.tick

    @property
    def end(self) -> Fraction:
        return (self.pts + self.duration) * self.tick


def repeat_footage(source: Path, out: Path, *, times: int) -> Fraction:
    """Write the packets of `source` `times` over into `out`, one after another; its length in seconds.

    Video frames keep their exact distance across a seam, so frame n of round k is shown at
    `k * length + n's time` and still bears the number n. `source` is footage of our own that
    begins at 0; its coded packets are held in memory once.

    Raises:
        BadInput: `source` has no media that can be copied, or `times` is not positive.
        StoreUnavailable: the file could not be written.
    """
    if times < 1:
        raise BadInput(f"footage cannot be repeated {times} times")
    try:
        with av.open(source) as box, av.open(out, "w") as target:
            for stream in box.streams:
                target.add_stream_from_template(stream, opaque=True)
            pieces, length = _read(box)
            for round_number in range(times):
                _write(target, pieces, length, round_number)
    except (av.error.InvalidDataError, av.error.ArgumentError) as error:
        raise BadInput(f"footage cannot be repeated: {error}", path=str(source)) from error
    except (av.error.FFmpegError, OSError) as error:
        raise StoreUnavailable(f"footage cannot be written: {error}", path=str(out)) from error
    return length * times


def _read(box: av.container.InputContainer) -> tuple[list[_Piece], Fraction]:
    pieces = [
        _Piece(packet, packet.stream_index, packet.pts, packet.dts, packet.duration or 0, packet.time_base)
        for packet in box.demux()
        if packet.pts is not None and packet.dts is not None
    ]
    main = (box.streams.video or box.streams.audio)[0].index
    ends = [piece.end for piece in pieces if piece.track == main]
    if not ends:
        raise BadInput("footage without packets cannot be repeated")
    length = max(ends)
    # Sound before 0 (priming) or past the picture's end would overlap the next round.
    kept = [piece for piece in pieces if piece.track == main or (piece.start >= 0 and piece.end <= length)]
    return kept, length


def _write(
    target: av.container.OutputContainer, pieces: list[_Piece], length: Fraction, round_number: int
) -> None:
    for piece in pieces:
        # Rounded from the whole shift, never summed up: sound cannot drift from the picture.
        shift = math.floor(round_number * length / piece.tick)
        packet = piece.packet
        # All four anew: muxing turned them into the target's ticks in the round before.
        packet.time_base, packet.duration = piece.tick, piece.duration
        packet.pts, packet.dts = piece.pts + shift, piece.dts + shift
        packet.stream = target.streams[piece.track]
        target.mux(packet)
