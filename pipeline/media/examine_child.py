# SPDX-License-Identifier: Apache-2.0
"""This is where the examining process works: arguments FILE NAME KIND DEMUXER TABLE ANSWER.

It runs behind the walls of `media_child`, opens the one file it is given, writes the table and
answers in a file.
"""

import sys
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
from av.container import InputContainer
from av.stream import Stream

from evidence.errors import Undecodable
from pipeline.media.demux import codec_name, is_picture, open_media
from pipeline.media.examination import Examination, MediaStream
from pipeline.media.lane import Lane
from pipeline.media.measure import measure, movie_of
from pipeline.media.media_child import answer_with, tell_progress
from pipeline.media.packet_table import TableStream
from pipeline.media.sniff import Container, Kind

_TAGS_MAX, _TAG_CHARS_MAX = 64, 512


def main(arguments: list[str]) -> None:
    """Examine one file; the arguments are named in the module's first line."""
    source, name, kind, demuxer, table, answer = arguments
    av.logging.set_level(None)
    container = Container(name, cast("Kind", kind), demuxer)
    work = _photo if kind == "photo" else _footage
    answer_with(lambda: work(Path(source), container, Path(table)).to_dict(), Path(answer))


def _photo(path: Path, container: Container, _table: Path) -> Examination:
    """One picture, decoded to see that it can be."""
    with open_media(path, demuxer=container.demuxer) as media:
        frame = next(media.decode(video=0), None)
        if frame is None:
            raise Undecodable("there is no picture in it")
        stream = MediaStream(
            index=0,
            media_type="video",
            codec=codec_name(media.streams[0]),
            time_base=Fraction(1),
            packets=1,
            width=frame.width,
            height=frame.height,
        )
    return Examination("photo", container.name, container.demuxer, Fraction(0), streams=(stream,))


def _footage(path: Path, container: Container, table: Path) -> Examination:
    # The boxes first: they tell a file without its index from one that is nonsense.
    movie = movie_of(path) if container.is_mp4_family else None
    with open_media(path, demuxer=container.demuxer) as media:
        measured = measure(media, path, container=container, movie=movie, table=table, on_progress=tell_progress)
        header = measured.header
        main_stream = next(stream for stream in header.streams if stream.is_main)
        return Examination(
            kind="video" if main_stream.media_type == "video" else "audio",
            container=container.name,
            demuxer=container.demuxer,
            duration=max(stream.end for stream in header.streams if measured.lanes[stream.index].trial),
            streams=tuple(_stream(measured.lanes[stream.index], stream) for stream in header.streams),
            packet_root=header.packet_root,
            lines=tuple(stream.line for stream in header.streams),
            table_seal=measured.seal,
            tags=_tags(media, main_stream.index),
            random_access=tuple(_points(measured.lanes[main_stream.index], main_stream)),
            warnings=measured.warnings,
        )


def _stream(lane: Lane, listed: TableStream) -> MediaStream:
    stream = lane.stream
    context = getattr(stream, "codec_context", None)
    return MediaStream(
        index=listed.index,
        media_type="picture" if is_picture(stream) else listed.media_type,
        codec=listed.codec,
        time_base=listed.time_base,
        packets=listed.count,
        shift=listed.shift,
        width=getattr(context, "width", 0) or 0,
        height=getattr(context, "height", 0) or 0,
        rate=_rate(stream),
        sample_rate=getattr(context, "sample_rate", 0) or 0,
        channels=getattr(context, "channels", 0) or 0,
        rotation=lane.trial.rotation if lane.trial else 0,
    )


def _rate(stream: Stream) -> Fraction | None:
    return Fraction(stream.average_rate) if stream.type == "video" and stream.average_rate else None


def _points(lane: Lane, listed: TableStream) -> Iterable[Fraction]:
    """Shown times of the random-access points; the one that a leading edit hides is shown at the start."""
    shown = sorted({max(lane.seconds(point) + listed.shift, listed.start) for point in lane.points})
    return (point for point in shown if point < listed.end)


def _tags(media: InputContainer, main: int) -> dict[str, str]:
    """What the file says of itself: container tags over those of its main stream, bounded."""
    said = {**media.streams[main].metadata, **media.metadata}
    kept = sorted(said.items())[:_TAGS_MAX]
    return {key[:_TAG_CHARS_MAX].lower(): _clean(value) for key, value in kept}


def _clean(value: str) -> str:
    return "".join(char for char in value[:_TAG_CHARS_MAX] if char.isprintable())


if __name__ == "__main__":
    main(sys.argv[1:])
