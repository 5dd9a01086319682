# SPDX-License-Identifier: Apache-2.0
"""This is where a fragment of MP4 says how long it lasts: its headers are read, nothing is decoded.

Source: ISO/IEC 14496-12 §8.8 (mvex, trex, moof, traf, tfhd, trun).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction

from evidence.errors import NotMedia, Unacceptable
from pipeline.media.boxes import Box, ReadRange, body_of, boxes, children, find
from pipeline.media.mp4_tracks import read_movie

_SAMPLES_MAX = 1_000_000
# A fragment that is nothing but headers would keep us busy for seconds.
_READS_MAX, _BYTES_MAX = 10_000, 2 << 20


@dataclass(frozen=True, slots=True)
class Timing:
    """Of one track: ticks per second, ticks of a sample that says nothing, and whether it is a picture's."""

    timescale: int
    usual: int
    is_video: bool


def timings(read: ReadRange, size_bytes: int) -> dict[int, Timing]:
    """What an init segment says of its tracks, by their numbers.

    Raises:
        NotMedia: it is no init segment of fragmented MP4.
    """
    read = _sparing(read)
    try:
        movie = read_movie(read, size_bytes)
        moov = next(box for box in boxes(read, 0, size_bytes) if box.kind == b"moov")
        mvex = find(read, moov, b"mvex")
        trexes = [] if mvex is None else [body_of(read, one) for one in children(read, mvex) if one.kind == b"trex"]
    except Unacceptable as error:
        raise NotMedia(f"fragment 0 is no init segment of fragmented MP4: {error.message}") from error
    if mvex is None or not movie.tracks:
        raise NotMedia("fragment 0 is no init segment of fragmented MP4: it announces no fragments")
    usual = {_number(body, 4): _number(body, 12) for body in trexes}
    return {
        track.track_id: Timing(track.timescale, usual.get(track.track_id, 0), track.handler == "vide")
        for track in movie.tracks
    }


def seconds_of(read: ReadRange, size_bytes: int, tracks: Mapping[int, Timing]) -> Fraction:
    """How long a fragment lasts: its picture, or its longest track when it has none.

    Raises:
        NotMedia: it is no fragment of MP4, or has more headers than any.
    """
    read = _sparing(read)
    try:
        moofs = [box for box in boxes(read, 0, size_bytes) if box.kind == b"moof"]
        told = [one for moof in moofs for one in _trafs(read, moof, tracks)]
    except Unacceptable as error:
        raise NotMedia(f"not a fragment of MP4: {error.message}") from error
    if not told:
        raise NotMedia("not a fragment of MP4: there is no moof in it")
    lengths: dict[int, Fraction] = {}
    for track, length in told:
        lengths[track] = lengths.get(track, Fraction(0)) + length
    pictures = [length for track, length in lengths.items() if tracks[track].is_video]
    return max(pictures or lengths.values())


def _sparing(read: ReadRange) -> ReadRange:
    """`read`, but for so many headers only."""
    reads = read_bytes = 0

    def spared(offset: int, length: int) -> bytes:
        nonlocal reads, read_bytes
        reads, read_bytes = reads + 1, read_bytes + length
        if reads > _READS_MAX or read_bytes > _BYTES_MAX:
            raise NotMedia("more headers than any fragment has")
        return read(offset, length)

    return spared


def _trafs(read: ReadRange, moof: Box, tracks: Mapping[int, Timing]) -> Iterator[tuple[int, Fraction]]:
    for traf in children(read, moof):
        if traf.kind != b"traf":
            continue
        parts = children(read, traf)
        track, usual = _header(b"".join(body_of(read, one) for one in parts if one.kind == b"tfhd"))
        if track not in tracks:
            raise NotMedia(f"a fragment of track {track}, which the init segment does not know")
        each = tracks[track].usual if usual is None else usual
        ticks = sum(_ticks(body_of(read, one, at_most=32 << 20), each) for one in parts if one.kind == b"trun")
        yield track, Fraction(ticks, tracks[track].timescale)


def _header(tfhd: bytes) -> tuple[int, int | None]:
    """Track and default duration. Source: §8.8.7."""
    flags, at = _number(tfhd, 0) & 0xFFFFFF, 8
    at += 8 * bool(flags & 0x1) + 4 * bool(flags & 0x2)
    return _number(tfhd, 4), _number(tfhd, at) if flags & 0x8 else None


def _ticks(trun: bytes, each: int) -> int:
    """How long the samples of a run last. Source: §8.8.8."""
    flags, count = _number(trun, 0) & 0xFFFFFF, _number(trun, 4)
    if count > _SAMPLES_MAX:
        raise NotMedia(f"a run of {count} samples")
    if not flags & 0x100:
        return count * each
    step = 4 * sum(bool(flags & one) for one in (0x100, 0x200, 0x400, 0x800))
    at = 8 + 4 * bool(flags & 0x1) + 4 * bool(flags & 0x4)
    return sum(_number(trun, at + number * step) for number in range(count))


def _number(body: bytes, at: int) -> int:
    field = body[at : at + 4]
    if len(field) < 4:
        raise NotMedia("a header ends before its fields do")
    return int.from_bytes(field, "big")
