# SPDX-License-Identifier: Apache-2.0
"""This is where a span of time becomes packets: which ones a clip must hold, and what of them it shows.

Pictures: shown are those with from ≤ time < to; held are all from the random-access point before the
first to the last of them in decode order. Everything else follows the window that the pictures fill.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from math import ceil

import numpy as np

from evidence.errors import BadInput, Undecodable
from evidence.media_time import Span, show
from pipeline.media.packet_reader import Ints, PacketTable, Records
from pipeline.media.packet_table import BLOCK_RECORDS, KEY, NONE, TableStream

# A picture may be shown after others that are decoded later: H.264 and H.265 allow 16.
_REORDER_MAX = 32
# Packets a decoder wants before the first sample it is asked for: overlapping windows, bit reservoirs.
_PRIMING = {"aac": 2, "mp3": 4, "opus": 4, "vorbis": 2, "ac3": 1, "mp2": 1}


@dataclass(frozen=True, slots=True)
class StreamPlan:
    """One stream of a clip: records `[first, first + len(rows))` of `stream`, shown from `shown_from` on.

    `decoded` are their decode times in ticks, never descending. `shown_from` and `shown_to` are times of
    the recording; what lies outside is held, not shown.
    """

    stream: TableStream
    first: int
    rows: Records
    decoded: Ints
    shown_from: Fraction
    shown_to: Fraction
    shown_packets: int

    @property
    def origin(self) -> int:
        """Decode time of the first packet, in ticks of the original: the clip's stored time 0."""
        return int(self.decoded[0])


@dataclass(frozen=True, slots=True)
class ClipPlan:
    """The streams of a clip, the main one first, and the window of the recording that it shows."""

    window: Span
    streams: tuple[StreamPlan, ...]
    left_out: tuple[str, ...]

    @property
    def main(self) -> StreamPlan:
        """The stream that decides what is shown."""
        return self.streams[0]


def plan_clip(table: PacketTable, span: Span) -> ClipPlan:
    """What a clip of `span` must hold.

    Raises:
        BadInput: nothing of the recording is shown in `span`.
        Undecodable: the packets there carry no times, or none at which decoding may begin.
        ProofInvalid: the packet table was changed.
    """
    main = table.main
    if span.start >= main.end or span.end <= main.start:
        raise BadInput(
            f"{show(span.start)} to {show(span.end)} is outside the recording: it ends at {show(main.end)}",
            duration=str(main.end),
        )
    if main.track_id is None:
        raise Undecodable(f"a clip is an MP4 file, which has no place for {main.codec}", codec=main.codec)
    if main.media_type == "video":
        leader = _pictures(table, main, span)
        window = Span(leader.shown_from, leader.shown_to)
    else:
        window = _whole_samples(main, span)
        leader = _covering(table, main, window, priming=_PRIMING.get(main.codec, 0))
    others, left_out = _others(table, window)
    return ClipPlan(window, (leader, *others), left_out)


def _others(table: PacketTable, window: Span) -> tuple[list[StreamPlan], tuple[str, ...]]:
    plans, left_out = [], []
    for stream in table.header.streams:
        if stream.is_main:
            continue
        if stream.track_id is None:
            left_out.append(f"stream {stream.index} ({stream.media_type} {stream.codec}): not for MP4")
            continue
        try:
            if stream.media_type == "video":
                plans.append(_pictures(table, stream, window))
            else:
                plans.append(_covering(table, stream, window, priming=_PRIMING.get(stream.codec, 0)))
        except BadInput:
            left_out.append(f"stream {stream.index} ({stream.media_type} {stream.codec}): nothing in this span")
    return plans, tuple(left_out)


def _whole_samples(stream: TableStream, span: Span) -> Span:
    """The ticks of sound from the first at or after `span.start` to the last before `span.end`."""
    start, end = max(span.start, stream.start), min(span.end, stream.end)
    first, last = _tick_from(stream, start), _tick_from(stream, end)
    if first >= last:
        raise BadInput(f"no sound from {show(span.start)} to {show(span.end)}")
    return Span(_shown(stream, first), _shown(stream, last))


def _tick_from(stream: TableStream, time: Fraction) -> int:
    """The first tick of `stream` shown at or after `time`."""
    return ceil((time - stream.shift) / stream.time_base)


def _shown(stream: TableStream, ticks: int) -> Fraction:
    return ticks * stream.time_base + stream.shift


# --- pictures ---------------------------------------------------------------------------------


def _pictures(table: PacketTable, stream: TableStream, span: Span) -> StreamPlan:
    start = _tick_from(stream, max(span.start, stream.start, _shown(stream, _first_decodable(table, stream))))
    end = _tick_from(stream, min(span.end, stream.end))
    first = _earliest(table, stream, start, end)
    if first is None:
        raise BadInput(f"no picture from {show(span.start)} to {show(span.end)}: the next one comes later")
    number, ticks = first
    begin = _key_before(table, stream, number, ticks)
    last = _last_within(table, stream, start, end)
    rows = table.records(stream, begin, min(last + 1 + _REORDER_MAX, stream.leaf_count))
    held = rows[: last + 1 - begin]
    shown = held["pts"][(held["pts"] >= start) & (held["pts"] < end)]
    return StreamPlan(
        stream=stream,
        first=begin,
        rows=held,
        decoded=_decode_times(stream, held),
        shown_from=_shown(stream, ticks),
        shown_to=_shown(stream, _end_of(rows, int(shown.max()))),
        shown_packets=len(shown),
    )


def _first_decodable(table: PacketTable, stream: TableStream) -> int:
    """Shown ticks of the first random-access point: what precedes it cannot be decoded."""
    for number, block in enumerate(table.blocks(stream)):
        if block["last_key"] < 0:
            continue
        first = number * BLOCK_RECORDS
        rows = table.records(stream, first, min(first + BLOCK_RECORDS, stream.leaf_count))
        return int(rows["pts"][np.flatnonzero(rows["flags"] & KEY)[0]])
    raise Undecodable(f"stream {stream.index} has no point at which decoding may begin")


def _candidates(table: PacketTable, stream: TableStream, start: int, end: int) -> Iterable[tuple[int, Records]]:
    """First number and rows of every block that may hold a time in `[start, end)`."""
    blocks = table.blocks(stream)
    for number in np.flatnonzero((blocks["max_pts"] >= start) & (blocks["min_pts"] < end)):
        first = int(number) * BLOCK_RECORDS
        yield first, table.records(stream, first, min(first + BLOCK_RECORDS, stream.leaf_count))


def _earliest(table: PacketTable, stream: TableStream, start: int, end: int) -> tuple[int, int] | None:
    """Record number and ticks of the earliest time in `[start, end)`."""
    best: tuple[int, int] | None = None
    for first, rows in _candidates(table, stream, start, end):
        inside = np.flatnonzero((rows["pts"] >= start) & (rows["pts"] < (best[1] if best else end)))
        if len(inside):
            at = inside[np.argmin(rows["pts"][inside])]
            best = (first + int(at), int(rows["pts"][at]))
        elif best:
            return best  # order is mended within a few packets, never over a whole block
    return best


def _last_within(table: PacketTable, stream: TableStream, start: int, end: int) -> int:
    """Number of the last record, in decode order, with a time in `[start, end)`."""
    blocks = table.blocks(stream)
    numbers = np.flatnonzero((blocks["max_pts"] >= start) & (blocks["min_pts"] < end))
    for number in reversed(numbers):
        first = int(number) * BLOCK_RECORDS
        rows = table.records(stream, first, min(first + BLOCK_RECORDS, stream.leaf_count))
        inside = np.flatnonzero((rows["pts"] >= start) & (rows["pts"] < end))
        if len(inside):
            return first + int(inside[-1])
    raise BadInput("no picture there")


def _key_before(table: PacketTable, stream: TableStream, number: int, ticks: int) -> int:
    """Number of the last key record up to `number` that is shown no later than `ticks`.

    A picture shown before the key picture it follows may need the group of pictures before that one
    (open groups), so decoding then begins a group earlier.
    """
    blocks = table.blocks(stream)
    block = number // BLOCK_RECORDS
    while block >= 0:
        first = block * BLOCK_RECORDS
        rows = table.records(stream, first, min(first + BLOCK_RECORDS, number + 1))
        keys = np.flatnonzero((rows["flags"] & KEY) & (rows["pts"] <= ticks))
        if len(keys):
            return first + int(keys[-1])
        newest = int(blocks["last_key"][block - 1]) if block else -1
        block = newest // BLOCK_RECORDS if newest >= 0 else -1
    raise Undecodable(f"stream {stream.index} has no point at which decoding may begin")


def _end_of(rows: Records, ticks: int) -> int:
    """When the picture shown at `ticks` gives way: to the next one, or after its own duration."""
    later = rows["pts"][rows["pts"] > ticks]
    if len(later):
        return int(later.min())
    own = rows["duration"][rows["pts"] == ticks]
    return ticks + max(1, int(own[0]))


# --- sound and data ---------------------------------------------------------------------------


def _covering(table: PacketTable, stream: TableStream, window: Span, *, priming: int) -> StreamPlan:
    """The packets of `stream` that last into `window`, and as many before as its decoder wants."""
    start, end = _tick_from(stream, window.start), _tick_from(stream, min(window.end, stream.end))
    blocks = table.blocks(stream)
    before = np.flatnonzero(blocks["min_pts"] <= start)
    within = np.flatnonzero(blocks["min_pts"] < end)
    if not len(within):
        raise BadInput("nothing there")
    low = (int(before[-1]) if len(before) else 0) * BLOCK_RECORDS
    low = max(1, low - priming - 1)
    high = min((int(within[-1]) + 1) * BLOCK_RECORDS, stream.leaf_count)
    rows = table.records(stream, low, high)
    ends = rows["pts"] + np.maximum(rows["duration"], 1)
    inside = np.flatnonzero((ends > start) & (rows["pts"] < end) & (rows["pts"] != NONE))
    if not len(inside):
        raise BadInput("nothing there")
    first, last = max(0, int(inside[0]) - priming), int(inside[-1])
    held = rows[first : last + 1]
    shown_from = max(window.start, _shown(stream, int(rows["pts"][inside[0]])), stream.start)
    return StreamPlan(
        stream=stream,
        first=low + first,
        rows=held,
        decoded=_decode_times(stream, held),
        shown_from=shown_from,
        shown_to=max(shown_from, min(window.end, stream.end, _shown(stream, int(ends[last])))),
        shown_packets=len(inside),
    )


def _decode_times(stream: TableStream, rows: Records) -> Ints:
    """When each packet is decoded. Matroska does not say so; libav works it out for all but the first few.

    Those begin as long before the others as they last. A clip is free in what the original leaves open.
    """
    times = rows["dts"].astype(np.int64)
    unknown = int(np.argmax(times != NONE))
    if times[unknown] == NONE:
        times, unknown = rows["pts"].astype(np.int64), 0
    for row in range(unknown - 1, -1, -1):
        times[row] = times[row + 1] - max(1, int(rows["duration"][row]))
    if (times == NONE).any() or (np.diff(times) < 0).any():
        raise Undecodable(
            f"the times of stream {stream.index} jump or are missing there: it cannot be cut exactly",
            stream=stream.index,
        )
    return times
