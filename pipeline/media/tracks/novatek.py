# SPDX-License-Identifier: Apache-2.0
"""This is where the places that Novatek's dashboard cameras write between the pictures become a track.

`moov/gps ` lists blocks of the file; each begins `freeGPS ` and holds time, place, speed and course, little-endian
from byte 48 on. Places are degrees and minutes in one number, speed is in knots; the time is the camera's clock, of no
known zone, so that points have none. Source: public descriptions of the form (`nvtk_mp42gpx`); no sample was seen.
"""

import struct
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction

from pipeline.media.boxes import ReadRange, body_of, children
from pipeline.media.tracks.samples import movie_box
from pipeline.media.tracks.track import Point

_BLOCK = struct.Struct("<6I4s4f")
_AT, _BLOCK_MAX_BYTES, _BLOCKS_MAX = 48, 1 << 16, 200_000
_KNOT = Fraction(1852, 3600)


def points(read: ReadRange, size_bytes: int, *, most_bytes: int) -> Iterator[Point]:
    """The points of an MP4 that lists such blocks, of its first `most_bytes` of them; none when it lists none.

    Raises:
        Truncated, Undecodable: its boxes are nonsense.
    """
    moov = movie_box(read, size_bytes)
    listing = None if moov is None else next((box for box in children(read, moov) if box.kind == b"gps "), None)
    if listing is None:
        return
    table = body_of(read, listing)
    first: int | None = None
    left = most_bytes
    for at in range(8, min(len(table), 8 + 8 * _BLOCKS_MAX) - 7, 8):
        offset, size = struct.unpack_from(">II", table, at)
        left -= size
        if left < 0:
            return
        if _AT + _BLOCK.size <= size <= _BLOCK_MAX_BYTES and (found := _of_block(read(offset, size))) is not None:
            first = found[0] if first is None else first
            yield replace(found[1], offset=Fraction((found[0] - first) % 86_400))


def _of_block(block: bytes) -> tuple[int, Point] | None:
    """The camera's clock as seconds of its day, and the point; None when it was sure of none."""
    if block[4:12] != b"freeGPS " or len(block) < _AT + _BLOCK.size:
        return None
    hour, minute, second, _, _, _, marks, *numbers = _BLOCK.unpack_from(block, _AT)
    is_sure = marks[:1] == b"A" and marks[1:2] in (b"N", b"S") and marks[2:3] in (b"E", b"W")
    if not is_sure or max(hour, minute, second) > 60 or not all(abs(number) < 1e6 for number in numbers):
        return None
    latitude, longitude, speed, course = (Fraction(number) for number in numbers)
    point = Point(
        _degrees(latitude, is_negative=marks[1:2] == b"S"),
        _degrees(longitude, is_negative=marks[2:3] == b"W"),
        speed=speed * _KNOT,
        course=course if 0 <= course <= 360 else None,
    )
    return hour * 3600 + minute * 60 + second, point


def _degrees(number: Fraction, *, is_negative: bool) -> Fraction:
    degrees, minutes = divmod(abs(number), 100)
    place = degrees + minutes / 60
    return -place if is_negative else place
