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

    Frame n of round k is shown at exactly `n's time + k * length` and still bears the number n;
    `length`, the returned value divided by `times`, is the end of the last packet as the container
    has it. `source` is footage of our own that begins at 0; its packets are held in memory once.

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
    if not pieces:
        raise BadInput("footage without packets cannot be repeated")
    sound = {stream.index for stream in box.streams.audio}
    pieces = [piece for piece in pieces if piece.track not in sound or _is_whole(piece, pieces)]
    main = (box.streams.video or box.streams.audio)[0].index
    length = max(piece.end for piece in pieces if piece.track == main)
    return [piece for piece in pieces if piece.track == main or piece.end <= length], length


def _is_whole(piece: _Piece, pieces: list[_Piece]) -> bool:
    # Sound before 0 (priming) and a last packet cut short by the container would overlap a neighbour:
    # each still decodes to a full block of samples.
    usual = next((other.duration for other in pieces if other.track == piece.track and other.pts >= 0), 0)
    return piece.pts >= 0 and piece.duration >= usual


def _write(target: av.container.OutputContainer, pieces: list[_Piece], length: Fraction, round_number: int) -> None:
    for piece in pieces:
        # Rounded from the whole shift, never summed up: sound cannot drift from the picture.
        shift = math.floor(round_number * length / piece.tick)
        packet = piece.packet
        # All four anew: muxing turned them into the target's ticks in the round before.
        packet.time_base, packet.duration = piece.tick, piece.duration
        packet.pts, packet.dts = piece.pts + shift, piece.dts + shift
        packet.stream = target.streams[piece.track]
        target.mux(packet)
