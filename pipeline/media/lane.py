# SPDX-License-Identifier: Apache-2.0
"""This is where one stream is followed while its file is demuxed: hashed, located, tried for decoding."""

import os
from array import array
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from hashlib import sha256
from typing import Any

import av
from av.stream import Stream

from evidence.errors import Truncated, Undecodable
from pipeline.media.coded_form import FORMS, Form, Payload
from pipeline.media.packet_table import KEY, NONE, SCATTERED
from pipeline.media.packet_writer import StreamSpool

_TRIED_AT_MOST = 32
_ALWAYS_LOCATED, _THEN_EVERY = 64, 64
_WRAPPING_BYTES = 96


@dataclass(slots=True)
class Trial:
    """Tries to decode the beginning of a stream: one frame is enough, none from 32 packets is too little."""

    stream: Stream
    rotation: int = 0
    has_frame: bool = False
    _given: int = 0

    def give(self, packet: "av.Packet[Stream] | None") -> None:
        """Offer the next packet, or None at the end of the stream; nothing happens once a frame was seen.

        Raises:
            Undecodable: the beginning of the stream does not decode.
        """
        if self.has_frame or (packet is not None and not self._given and not packet.is_keyframe):
            return
        context: Any = self.stream.codec_context  # PyAV types only those of audio and video
        if not self._given:
            context.thread_count = 1
        self._given += 1
        try:
            frames = context.decode(packet)
            if not frames and packet is not None and self.stream.type == "video":
                # Decoders hold pictures back to put them in order; asked to end, they hand them out.
                frames = context.decode(None)
                context.flush_buffers()
        except av.FFmpegError as error:
            raise Undecodable(f"stream {self.stream.index} does not decode: {error}") from error
        if frames:
            self.has_frame = True
            self.rotation = int(getattr(frames[0], "rotation", 0)) % 360
        elif packet is None or self._given >= _TRIED_AT_MOST:
            raise Undecodable(f"stream {self.stream.index} gives no frame", stream=self.stream.index)


@dataclass(slots=True)
class Lane:
    """One stream under way. `verdict_on` says whether decoding may begin with a packet flagged as key."""

    stream: Stream
    spool: StreamSpool
    form: Form
    file: int
    is_stored: bool
    first_shown: int
    point_ticks: int
    verdict_on: Callable[[bytes], bool] | None = None
    trial: Trial | None = None
    points: "array[int]" = field(default_factory=lambda: array("q"))
    zero: int | None = None
    lowest: int | None = None
    end: int = 0
    scattered: int = 0
    corrupt: int = 0
    count: int = 0
    _last_pos: int = -1
    _shape: Callable[[Payload], Payload] = field(init=False)

    def __post_init__(self) -> None:
        self._shape = FORMS[self.form]

    def take(self, packet: "av.Packet[Stream]") -> None:
        """The next packet of this stream.

        Raises:
            Truncated: the index promises bytes that the file does not have.
            Undecodable: the first frame does not decode.
        """
        self.count += 1
        if packet.is_corrupt:
            self._corrupt(packet)
        if self.trial is not None:
            self.trial.give(packet)
        payload = self._shape(memoryview(packet))
        pts = packet.pts
        offset, flags = self._located(packet, payload)
        if packet.is_keyframe and (self.verdict_on is None or self.verdict_on(bytes(payload))):
            flags |= KEY
        if pts is not None:
            self._see(pts, packet.duration or 0, is_key=bool(flags & KEY))
        self.spool.take(
            NONE if packet.dts is None else packet.dts,
            NONE if pts is None else pts,
            packet.duration or 0,
            offset,
            memoryview(payload).nbytes,
            flags,
            sha256(payload).digest(),
        )

    def _see(self, pts: int, duration: int, *, is_key: bool) -> None:
        self.end = max(self.end, pts + duration)
        if self.lowest is None or pts < self.lowest:
            self.lowest = pts
        if pts >= self.first_shown and (self.zero is None or pts < self.zero):
            self.zero = pts
        # All-intra footage would list every frame; nobody needs points closer than half a second.
        if is_key and (not self.points or pts - self.points[-1] >= self.point_ticks):
            self.points.append(pts)

    def _corrupt(self, packet: "av.Packet[Stream]") -> None:
        self.corrupt += 1
        if self.is_stored:
            raise Truncated(
                f"packet {self.count - 1} of stream {self.stream.index} reaches beyond the end of the file",
                stream=self.stream.index,
                packet=self.count - 1,
                offset=packet.pos,
            )

    def _located(self, packet: "av.Packet[Stream]", payload: Payload) -> tuple[int, int]:
        """Where the payload lies in the file, and a flag when it does not lie there in one piece.

        The offsets of an MP4 index are those of payloads; the first ones and every 64th are compared
        with the file. Elsewhere each payload is looked for where the demuxer says its wrapping begins.
        """
        pos = packet.pos
        if pos is None:
            # Demuxers say nothing where several packets came out of one unit: it is the one before.
            self.scattered += 1
            return self._last_pos, SCATTERED
        self._last_pos = pos
        if self.is_stored:
            if self.count > _ALWAYS_LOCATED and self.count % _THEN_EVERY:
                return pos, 0
            within = 0 if os.pread(self.file, packet.size, pos) == bytes(payload) else -1
        else:
            within = os.pread(self.file, packet.size + _WRAPPING_BYTES, pos).find(bytes(payload))
        if within < 0:
            self.scattered += 1
            return pos, SCATTERED
        return pos + within, 0

    def seconds(self, ticks: int) -> Fraction:
        """Ticks of this stream in seconds."""
        return ticks * Fraction(self.stream.time_base or 1)
