# SPDX-License-Identifier: Apache-2.0
"""This is where planned packets become tracks of a clip: where each lies, when it is decoded and shown."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from evidence.errors import Undecodable
from pipeline.media.boxes import in_memory
from pipeline.media.clip_boxes import Chunk, ClipTrack
from pipeline.media.clip_plan import ClipPlan, StreamPlan
from pipeline.media.edits import Edit
from pipeline.media.mp4_tracks import read_movie
from pipeline.media.packet_reader import Ints
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


@dataclass(frozen=True, slots=True)
class Clock:
    """How a track counts: `timescale` ticks a second, and what one tick of the original is of those."""

    timescale: int
    tick: Fraction

    def of(self, ticks: Ints) -> Ints:
        """Ticks of the original in ticks of the clip; whole, because `track_clocks` saw to it."""
        return ticks * self.tick.numerator // self.tick.denominator


def track_clocks(plan: ClipPlan, init: bytes) -> list[Clock]:
    """A clock for each track that holds every time of it exactly.

    The track's own where it does: players expect sound to be counted in samples. Else the original's.

    Raises:
        Undecodable: a time base that MP4 cannot express.
    """
    own = {track.track_id: track.timescale for track in read_movie(in_memory(init), len(init)).tracks}
    return [_clock(one, own.get(one.stream.track_id or 0, 0)) for one in plan.streams]


def _clock(one: StreamPlan, own: int) -> Clock:
    base = one.stream.time_base
    own_tick = base * own
    times = np.concatenate([one.decoded, one.rows["pts"][one.rows["pts"] != NONE]]) - one.origin
    if own and not (times * own_tick.numerator % own_tick.denominator).any():
        return Clock(own, own_tick)
    if base.denominator > _TIMESCALE_MAX:
        raise Undecodable(f"a clip cannot hold a time base of {base}", stream=one.stream.index)
    return Clock(base.denominator, Fraction(base.numerator))


def movie_timescale(clocks: Sequence[Clock]) -> int:
    """Ticks a second in which every track's edits are whole; where that is too fine, the main track's."""
    finest = math.lcm(*(clock.timescale for clock in clocks))
    return finest if finest <= _TIMESCALE_MAX else clocks[0].timescale


def clip_tracks(plan: ClipPlan, order: Sequence[Placed], clocks: Sequence[Clock]) -> list[ClipTrack]:
    """The tracks of the clip, the main one first, for packets laid side by side in `order`."""
    movie = movie_timescale(clocks)
    packed = [_sample_bytes(one) for one in plan.streams]
    chunks: list[list[Chunk]] = [[] for _ in plan.streams]
    for stream, chunk in _chunks(order, packed):
        chunks[stream].append(chunk)
    return [
        ClipTrack(
            track_id=one.stream.track_id or 0,
            timescale=clocks[number].timescale,
            durations=_durations(one, clocks[number], is_packed=bool(packed[number])),
            composition=_composition(one, clocks[number]),
            sizes=one.rows["size"].astype(np.int64),
            keys=_keys(one),
            chunks=chunks[number],
            edits=_edits(plan, one, clocks[number], movie),
            sample_bytes=packed[number],
        )
        for number, one in enumerate(plan.streams)
    ]


def _durations(one: StreamPlan, clock: Clock, *, is_packed: bool) -> Ints:
    """How long each packet lasts until the next is decoded, differences of exact times; the last by itself."""
    end = int(one.decoded[-1]) + max(0, int(one.rows["duration"][-1]))
    durations = np.diff(clock.of(np.append(one.decoded, end) - one.origin))
    return np.array([durations.sum()]) if is_packed else durations


def _composition(one: StreamPlan, clock: Clock) -> Ints:
    shown_at = np.where(one.rows["pts"] == NONE, one.decoded, one.rows["pts"])
    return clock.of(shown_at - one.origin) - clock.of(one.decoded - one.origin)


def _keys(one: StreamPlan) -> Ints | None:
    keys = np.flatnonzero(one.rows["flags"] & KEY) + 1
    return keys if one.stream.media_type == "video" and len(keys) < len(one.rows) else None


def _edits(plan: ClipPlan, one: StreamPlan, clock: Clock, movie: int) -> list[Edit]:
    """Show the window and nothing else: an empty edit until the track begins, then its part of the window."""
    delay = round((one.shown_from - plan.window.start) * movie)
    stored = one.shown_from - one.stream.shift - one.origin * one.stream.time_base
    shown = Edit(duration=round((one.shown_to - one.shown_from) * movie), media_time=round(stored * clock.timescale))
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
