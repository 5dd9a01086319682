# SPDX-License-Identifier: Apache-2.0
"""This is where planned packets become tracks of a clip: where each lies, when it is decoded and shown."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from evidence.errors import Undecodable
from pipeline.media.clip_boxes import Chunk, ClipTrack, Ints
from pipeline.media.clip_plan import ClipPlan, StreamPlan
from pipeline.media.edits import Edit
from pipeline.media.packet_table import KEY, NONE

_TIMESCALE_MAX = (1 << 31) - 1
# libav reads uncompressed QuickTime sound in runs of at most this many samples, whatever the chunks say.
_RUN_MAX = 1024


@dataclass(frozen=True, slots=True)
class Placed:
    """One packet of a clip: `stream` and `row` number its plan and its record there."""

    stream: int
    row: int
    offset: int
    size: int


def media_order(plans: Sequence[StreamPlan]) -> list[Placed]:
    """All packets in the order in which they lie in the original, so that a clip is interleaved as it was.

    Within a stream decode order comes first: an index lists samples in that order.
    """
    streams = np.concatenate([np.full(len(plan.rows), n) for n, plan in enumerate(plans)])
    rows = np.concatenate([np.arange(len(plan.rows)) for plan in plans])
    offsets = np.concatenate([plan.rows["offset"] for plan in plans])
    sizes = np.concatenate([plan.rows["size"] for plan in plans])
    rank = np.concatenate([np.maximum.accumulate(plan.rows["offset"]) for plan in plans])
    order = np.lexsort((rows, streams, rank))
    columns = (column[order].tolist() for column in (streams, rows, offsets, sizes))
    return [Placed(*one) for one in zip(*columns, strict=True)]


def movie_timescale(plan: ClipPlan) -> int:
    """Ticks a second in which every track's edits are whole; where that is too fine, the main track's."""
    scales = [_timescale(one) for one in plan.streams]
    finest = math.lcm(*scales)
    return finest if finest <= _TIMESCALE_MAX else scales[0]


def clip_tracks(plan: ClipPlan, order: Sequence[Placed]) -> list[ClipTrack]:
    """The tracks of the clip, the main one first, for packets laid side by side in `order`.

    Raises:
        Undecodable: a time base that MP4 cannot express.
    """
    movie = movie_timescale(plan)
    packed = [_sample_bytes(one) for one in plan.streams]
    chunks: list[list[Chunk]] = [[] for _ in plan.streams]
    for stream, chunk in _chunks(order, packed):
        chunks[stream].append(chunk)
    return [
        _track(plan, one, movie=movie, chunks=chunks[number], sample_bytes=packed[number])
        for number, one in enumerate(plan.streams)
    ]


def _timescale(plan: StreamPlan) -> int:
    timescale = plan.stream.time_base.denominator
    if timescale > _TIMESCALE_MAX:
        raise Undecodable(f"a clip cannot hold {timescale} ticks a second", stream=plan.stream.index)
    return timescale


def _track(
    plan: ClipPlan, one: StreamPlan, *, movie: int, chunks: Sequence[Chunk], sample_bytes: int
) -> ClipTrack:
    rows, factor = one.rows, one.stream.time_base.numerator
    durations = np.append(np.diff(rows["dts"]), max(0, int(rows["duration"][-1]))) * factor
    shown_at = np.where(rows["pts"] == NONE, rows["dts"], rows["pts"])
    return ClipTrack(
        track_id=one.stream.track_id or 0,
        timescale=_timescale(one),
        durations=np.array([durations.sum()]) if sample_bytes else durations,
        composition=(shown_at - rows["dts"]) * factor,
        sizes=rows["size"].astype(np.int64),
        keys=_keys(one),
        chunks=chunks,
        edits=_edits(plan, one, movie),
        sample_bytes=sample_bytes,
    )


def _keys(one: StreamPlan) -> Ints | None:
    keys = np.flatnonzero(one.rows["flags"] & KEY) + 1
    return keys if one.stream.media_type == "video" and len(keys) < len(one.rows) else None


def _edits(plan: ClipPlan, one: StreamPlan, movie: int) -> list[Edit]:
    """Show the window and nothing else: an empty edit until the track begins, then its part of the window."""
    delay = round((one.shown_from - plan.window.start) * movie)
    ticks = round((one.shown_from - one.stream.shift) / one.stream.time_base) - one.origin
    shown = Edit(
        duration=round((one.shown_to - one.shown_from) * movie),
        media_time=ticks * one.stream.time_base.numerator,
    )
    return [Edit(duration=delay, media_time=-1), shown] if delay else [shown]


def _sample_bytes(one: StreamPlan) -> int:
    """Bytes of one sample of uncompressed sound that was stored as such, 0 for all else."""
    sizes, durations = one.rows["size"], one.rows["duration"]
    if not one.stream.codec.startswith("pcm_") or not one.stream.is_direct or durations.min() < 1:
        return 0
    each = int(sizes[0]) // int(durations[0])
    is_plain = (sizes == durations * each).all() and durations.max() <= _RUN_MAX and each > 0
    return each if is_plain else 0


def _chunks(order: Sequence[Placed], packed: Sequence[int]) -> Iterator[tuple[int, Chunk]]:
    """Packets of one stream side by side are one chunk; of uncompressed sound each packet is."""
    at, begin, count, stream = 0, 0, 0, -1
    for placed in order:
        if placed.stream != stream or packed[stream]:
            if count:
                yield stream, Chunk(begin, count)
            stream, begin, count = placed.stream, at, 0
        count += placed.size // packed[stream] if packed[stream] else 1
        at += placed.size
    if count:
        yield stream, Chunk(begin, count)
