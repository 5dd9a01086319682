# SPDX-License-Identifier: Apache-2.0
"""This is where the streams of a recording are put on one line of time, and the table's header is drawn up.

Zero is what a player shows first. Where an MP4 has edit lists it is the start of the edited movie, as
ffmpeg plays it: a picture cut by the start of an edit is not shown, and the first whole one takes its place.
Elsewhere it is the earliest picture or sound.
"""

import re
from collections.abc import Mapping
from fractions import Fraction
from hashlib import sha256

from av.stream import Stream

from evidence.packet_tree import StreamLine, packet_root, parse_stream
from pipeline.media.demux import codec_name
from pipeline.media.edits import Placement, place
from pipeline.media.init_file import Init
from pipeline.media.lane import Lane
from pipeline.media.mp4_tracks import Movie, Track
from pipeline.media.packet_table import BLOCK, BLOCK_RECORDS, RECORD, Part, TableHeader, TableStream
from pipeline.media.sniff import Container

_BEFORE_ALL = -(1 << 63)


def track_of(stream: Stream, movie: Movie | None) -> Track | None:
    """The MP4 track that `stream` was read from."""
    tracks = movie.tracks if movie else ()
    return next((track for track in tracks if track.track_id == stream.id), None)


def first_shown(track: Track | None, movie: Movie | None) -> int:
    """The stored time, in ticks of the track, at which its edit list begins to show it."""
    placed = _placement(track, movie)
    if track is None or placed is None:
        return _BEFORE_ALL
    return round((placed.start - placed.shift) * track.timescale)


def warnings_of(lanes: Mapping[int, Lane], movie: Movie | None) -> tuple[str, ...]:
    """What a person should know about the file, each as `code:stream`."""
    found = []
    for index, lane in lanes.items():
        placed = _placement(track_of(lane.stream, movie), movie)
        found += [f"{warning}:{index}" for warning in (placed.warnings if placed else ())]
        found += [f"corrupt-packets:{index}"] * bool(lane.corrupt)
        found += [f"no-packets:{index}"] * (not lane.count)
        found += [f"missing-sync-table:{index}"] * (lane.verdict_on is not None)
    return tuple(found)


def make_header(
    lanes: Mapping[int, Lane], *, container: Container, movie: Movie | None, init: Init, size_bytes: int
) -> TableHeader:
    """The header of the table of these finished lanes."""
    lines = {index: _line(lane, movie) for index, lane in lanes.items()}
    times = _times(lanes, movie)
    main = main_lane(lanes)
    records_at, blocks_at = 0, sum(line.leaf_count for line in lines.values()) * RECORD.size
    streams = []
    for index, lane in lanes.items():
        records = Part(records_at, lines[index].leaf_count * RECORD.size)
        blocks = Part(blocks_at, -(-lines[index].leaf_count // BLOCK_RECORDS) * BLOCK.size)
        streams.append(_stream(lane, lines[index], times[index], init=init, main=main, parts=(records, blocks)))
        records_at += records.size_bytes
        blocks_at += blocks.size_bytes
    return TableHeader(
        container=container.name,
        demuxer=container.demuxer,
        size_bytes=size_bytes,
        packet_root=packet_root([*lines.values()]).hex(),
        streams=tuple(streams),
        init=Part(blocks_at, len(init.data)),
        init_sha256=sha256(init.data).hexdigest(),
    )


def main_lane(lanes: Mapping[int, Lane]) -> Lane:
    """The stream that a recording is cut by: the first one of pictures, else the first one of sound."""
    tried = [lane for lane in lanes.values() if lane.trial is not None and lane.count]
    return next((lane for lane in tried if lane.stream.type == "video"), tried[0])


def _stream(
    lane: Lane,
    line: StreamLine,
    times: tuple[Fraction, Fraction, Fraction],
    *,
    init: Init,
    main: Lane,
    parts: tuple[Part, Part],
) -> TableStream:
    shift, start, end = times
    return TableStream(
        index=line.index,
        media_type=line.media_type,
        codec=line.codec,
        time_base=line.time_base,
        form=lane.form,
        count=line.packet_count,
        line=line.to_text(),
        root=line.root.hex(),
        shift=shift,
        start=start,
        end=end,
        track_id=init.tracks.get(line.index),
        is_direct=not lane.scattered,
        is_main=lane is main,
        records=parts[0],
        blocks=parts[1],
        blocks_sha256=sha256(lane.spool.blocks).hexdigest(),
    )


def _line(lane: Lane, movie: Movie | None) -> StreamLine:
    stream = lane.stream
    codec = codec_name(stream)
    track = track_of(stream, movie)
    if codec == "none" and track is not None:
        codec = re.sub(r"[^A-Za-z0-9_.+-]", "_", track.format) or "none"
    base = Fraction(stream.time_base or 1)
    line = StreamLine(stream.index, stream.type, codec, base, lane.spool.count + 1, lane.spool.root)
    return parse_stream(line.to_text())


def _times(lanes: Mapping[int, Lane], movie: Movie | None) -> dict[int, tuple[Fraction, Fraction, Fraction]]:
    """Shift, start and end of each stream, in seconds."""
    placements = {i: _placement(track_of(lane.stream, movie), movie) for i, lane in lanes.items()}
    heard = [i for i, lane in lanes.items() if lane.trial is not None and lane.lowest is not None]
    zero = Fraction(0)
    if not any(placements[i] for i in heard):
        zero = min(_first(lanes[i]) for i in heard)
    return {i: _time(lane, placements[i], zero) for i, lane in lanes.items()}


def _first(lane: Lane) -> Fraction:
    """The stored time of the first picture or audible sound: encoders put silence before the first sample."""
    lowest = lane.lowest or 0
    audible = lane.stream.start_time if lane.stream.type == "audio" and not lane.is_stored else None
    return lane.seconds(max(lowest, audible) if audible is not None else lowest)


def _time(lane: Lane, placed: Placement | None, zero: Fraction) -> tuple[Fraction, Fraction, Fraction]:
    last = lane.seconds(lane.end)
    if placed is None:
        return -zero, _first(lane) - zero, last - zero
    shift = placed.shift
    if lane.stream.type == "video" and lane.zero is not None:
        shift = placed.start - lane.seconds(lane.zero)
    if placed.end is not None:
        last = min(last, placed.end - placed.shift)
    return shift, placed.start, max(last + shift, placed.start)


def _placement(track: Track | None, movie: Movie | None) -> Placement | None:
    if track is None or movie is None or not track.edits:
        return None
    return place(track.edits, movie_timescale=movie.timescale, media_timescale=track.timescale)
