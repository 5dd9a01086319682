# SPDX-License-Identifier: Apache-2.0
"""This is where a file's track is read, whatever form it is in, within bounds of bytes and points.

What is broken in it is no track; it is never an error: the footage is evidence without it.
"""

import os
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from evidence.errors import SourceUnavailable, Unacceptable
from pipeline.media.boxes import ReadRange
from pipeline.media.examination import Examination
from pipeline.media.sniff import TEXT_TRACK
from pipeline.media.tracks import gpmf, novatek, texts
from pipeline.media.tracks.track import POINTS_MAX, Track

_TEXT_MAX_BYTES = 16 << 20
_FIRST, _FIRST_BYTES = 64, 4 << 20
"""As many points, and bytes of telemetry, are looked at where only the beginning is wanted."""
_WHOLE_BYTES = 512 << 20  # 18 hours of a GoPro's; a table may name the same bytes over and over

_MP4 = frozenset({"mp4", "mov"})


def track_of(path: Path, examination: Examination, *, is_beginning: bool = False) -> Track | None:
    """The track that a file holds; None when it holds none that can be read. `is_beginning`: its first points do.

    Raises:
        SourceUnavailable: the file cannot be read.
    """
    if examination.container not in (*_MP4, TEXT_TRACK.name):
        return None
    try:
        with path.open("rb") as file:
            return track_in(file, examination.container, is_beginning=is_beginning)
    except OSError as error:
        raise SourceUnavailable(f"cannot be read: {path.name}: {error.strerror}", name=path.name) from error


def track_in(file: BinaryIO, container: str, *, is_beginning: bool = True) -> Track | None:
    """As `track_of`, for an open file of this container, as `sniff` names it.

    What the medium refuses comes through as OSError.
    """
    try:
        if container in _MP4:
            bounds = (_FIRST, _FIRST_BYTES) if is_beginning else (POINTS_MAX, _WHOLE_BYTES)
            return _of_movie(_reader(file.fileno()), os.fstat(file.fileno()).st_size, *bounds)
        return _of_text(_reader(file.fileno())(0, _TEXT_MAX_BYTES)) if container == TEXT_TRACK.name else None
    except Unacceptable:
        return None


def identity_of(path: Path, examination: Examination) -> dict[str, str]:
    """What a camera says of itself beside its telemetry (`gpmf.identity`); nothing when it says nothing.

    Raises:
        SourceUnavailable: the file cannot be read.
    """
    if examination.container not in _MP4:
        return {}
    try:
        with path.open("rb") as file:
            return gpmf.identity(_reader(file.fileno()), os.fstat(file.fileno()).st_size)
    except Unacceptable:
        return {}
    except OSError as error:
        raise SourceUnavailable(f"cannot be read: {path.name}: {error.strerror}", name=path.name) from error


def _of_movie(read: ReadRange, size_bytes: int, most: int, most_bytes: int) -> Track | None:
    for name, points in (("gpmf", gpmf.points), ("novatek", novatek.points)):
        found = Track.of(name, islice(points(read, size_bytes, most_bytes=min(size_bytes, most_bytes)), most))
        if found is not None:
            return found
    return None


def _of_text(text: bytes) -> Track | None:
    if b"<gpx" in text[:4096]:
        return Track.of("gpx", texts.gpx(text))
    return Track.of("nmea", texts.nmea(text.decode("ascii", "replace")))


def _reader(descriptor: int) -> ReadRange:
    size = os.fstat(descriptor).st_size
    # A table may point to where no file reaches, and no system call does.
    return lambda offset, length: os.pread(descriptor, min(length, size), offset) if 0 <= offset < size else b""
