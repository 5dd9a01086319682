# SPDX-License-Identifier: Apache-2.0
"""This is where a recording is demuxed once from end to end: packets hashed, times placed, table written.

Runs in the examining child only. Media time zero is the first instant a player shows: the start of the
edited movie where an MP4 has edit lists, else the earliest picture or sound of the file.
"""

import math
import os
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import IO

from av.container import InputContainer
from av.stream import Stream

from evidence.errors import Truncated, Undecodable
from pipeline.media.coded_form import form_of
from pipeline.media.demux import codec_name, extradata_of, is_picture
from pipeline.media.init_file import Init, make_init
from pipeline.media.lane import Lane, Trial
from pipeline.media.mp4_tracks import Movie, Track, read_movie
from pipeline.media.packet_table import TableHeader
from pipeline.media.packet_writer import StreamSpool, write_table
from pipeline.media.placing import first_shown, make_header, track_of, warnings_of
from pipeline.media.random_access import may_begin
from pipeline.media.sniff import Container

_PROGRESS_EVERY = 4096
_POINTS_APART = Fraction(1, 2)


@dataclass(frozen=True, slots=True)
class Measured:
    """What one pass found: the table is written, `lanes` keep what was seen of each stream."""

    header: TableHeader
    seal: str
    lanes: dict[int, Lane]
    warnings: tuple[str, ...]


def movie_of(path: Path) -> Movie:
    """The index of an MP4 or QuickTime file.

    Raises:
        IndexMissing, Truncated, Undecodable: as `read_movie`.
    """
    with path.open("rb") as file:
        fileno = file.fileno()
        return read_movie(lambda at, length: os.pread(fileno, length, at), os.fstat(fileno).st_size)


def measure(
    media: InputContainer,
    path: Path,
    *,
    container: Container,
    movie: Movie | None,
    table: Path,
    on_progress: Callable[[float], None],
) -> Measured:
    """Demux `media` (the open `path`) once, hash every packet of every stream, and write `table`.

    Raises:
        IndexMissing, Truncated, Undecodable, CodecRefused: the file cannot be taken in.
    """
    with ExitStack() as files, path.open("rb") as file:
        fileno = file.fileno()
        size_bytes = os.fstat(fileno).st_size
        init = _init_of_movie(media, movie) if movie else make_init(path, demuxer=container.demuxer)
        # By name, and left for whoever made the folder: files without one are refused here, they could hide.
        beside = [table.with_name(f"{table.name}.{stream.index}") for stream in media.streams]
        spools = [files.enter_context(path.open("w+b")) for path in beside]
        lanes = {
            stream.index: _lane(stream, spool, file=fileno, container=container, movie=movie, init=init)
            for stream, spool in zip(media.streams, spools, strict=True)
        }
        _run(media, lanes, size_bytes, on_progress)
        _check_counts(lanes)
        header = make_header(lanes, container=container, movie=movie, init=init, size_bytes=size_bytes)
        seal = write_table(
            table,
            header,
            records=spools,
            blocks=[lane.spool.blocks for lane in lanes.values()],
            init=init.data,
        )
    return Measured(header, seal, lanes, warnings_of(lanes, movie))


def _run(media: InputContainer, lanes: dict[int, Lane], size_bytes: int, on_progress: Callable[[float], None]) -> None:
    for number, packet in enumerate(media.demux()):
        if packet.dts is None and not packet.size:
            continue  # PyAV marks the end of each stream with an empty packet
        lanes[packet.stream_index].take(packet)
        if not number % _PROGRESS_EVERY and packet.pos:
            on_progress(packet.pos / size_bytes)
    for lane in lanes.values():
        if lane.trial is not None and lane.count:
            lane.trial.give(None)
        lane.spool.finish()


def _init_of_movie(media: InputContainer, movie: Movie) -> Init:
    known = {track.track_id for track in movie.tracks}
    return Init(
        data=movie.template(),
        tracks={stream.index: stream.id for stream in media.streams if stream.id in known},
        extradata={},
    )


def _lane(
    stream: Stream, spool: IO[bytes], *, file: int, container: Container, movie: Movie | None, init: Init
) -> Lane:
    track = track_of(stream, movie)
    extradata = init.extradata.get(stream.index, extradata_of(stream))
    codec = codec_name(stream)
    tries = stream.type in ("video", "audio") and not is_picture(stream)
    return Lane(
        stream=stream,
        spool=StreamSpool(spool, extradata=extradata),
        form=form_of(codec, extradata_of(stream), container=container.name),
        file=file,
        is_stored=container.is_mp4_family,
        first_shown=first_shown(track, movie),
        point_ticks=math.ceil(_POINTS_APART / (stream.time_base or 1)),
        verdict_on=_verdict(codec, extradata, track=track, movie=movie),
        trial=Trial(stream) if tries else None,
    )


def _verdict(
    codec: str, extradata: bytes, *, track: Track | None, movie: Movie | None
) -> Callable[[bytes], bool] | None:
    """A second opinion on key frames, where an MP4 without a sync table calls every sample one."""
    if track is None or movie is None or track.has_sync_table or movie.is_fragmented:
        return None
    at = {"h264": 4, "hevc": 21}.get(codec)
    if at is None or len(extradata) <= at:
        return None
    length_bytes = (extradata[at] & 3) + 1  # ISO/IEC 14496-15 §5.3.3.1.2 and §8.3.3.1.2
    return lambda packet: may_begin(codec, packet, length_bytes=length_bytes)


def _check_counts(lanes: dict[int, Lane]) -> None:
    """An index that promises more samples than were found, or a file without any, is not whole."""
    tried = [lane for lane in lanes.values() if lane.trial is not None]
    if not any(lane.count for lane in tried):
        raise Undecodable("there is no picture and no sound in it")
    for lane in tried:
        # An index counts uncompressed sound sample by sample; libav reads it in longer packets.
        is_listed = lane.is_stored and not codec_name(lane.stream).startswith("pcm_")
        if is_listed and lane.stream.frames > lane.count:
            raise Truncated(
                f"stream {lane.stream.index}: {lane.count} packets, but {lane.stream.frames} in its index",
                stream=lane.stream.index,
                expected=lane.stream.frames,
                actual=lane.count,
            )
