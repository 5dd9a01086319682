# SPDX-License-Identifier: Apache-2.0
"""This is where the samples of one track of an MP4 are found by its tables, without reading the media.

Source: ISO/IEC 14496-12 §8.6.1.2 (stts), §8.7.3 (stsz), §8.7.4 (stsc), §8.7.5 (stco, co64).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from evidence.errors import Undecodable
from pipeline.media.boxes import Box, ReadRange, body_of, boxes, children, find

_SAMPLES_MAX = 200_000
_TABLE_MAX_BYTES = 8 << 20


@dataclass(frozen=True, slots=True)
class Sample:
    """Where a sample lies in the file, and when its track begins to show it, in exact seconds."""

    offset: int
    size_bytes: int
    start: Fraction
    length: Fraction


def movie_box(read: ReadRange, size_bytes: int) -> Box | None:
    """The `moov` box, or None.

    Raises:
        Truncated, Undecodable: the boxes before it are nonsense.
    """
    return next((box for box in boxes(read, 0, size_bytes) if box.kind == b"moov"), None)


def track_of_format(read: ReadRange, moov: Box, form: bytes) -> Box | None:
    """The first track whose samples are of this format (`gpmd`, …), or None."""
    for trak in children(read, moov):
        if trak.kind != b"trak":
            continue
        stsd = find(read, trak, b"mdia", b"minf", b"stbl", b"stsd")
        if stsd is not None and read(stsd.body + 12, 4) == form:
            return trak
    return None


def samples_of(read: ReadRange, trak: Box) -> Iterator[Sample]:
    """The samples of a track in order, at most 200,000.

    Raises:
        Truncated, Undecodable: its tables are nonsense.
    """
    mdhd, stbl = find(read, trak, b"mdia", b"mdhd"), find(read, trak, b"mdia", b"minf", b"stbl")
    if mdhd is None or stbl is None:
        raise Undecodable("a track without its tables")
    header = body_of(read, mdhd)
    scale = int.from_bytes(header[20:24] if header[:1] == b"\1" else header[12:16], "big")
    if not scale:
        raise Undecodable("a track without a time scale")
    tables = {box.kind: body_of(read, box, at_most=_TABLE_MAX_BYTES) for box in children(read, stbl)}
    sizes = _sizes(tables.get(b"stsz", b""))
    lengths = _lengths(tables.get(b"stts", b""))
    at = 0
    for offset, size in zip(_offsets(tables, sizes), sizes, strict=False):
        length = next(lengths, 0)
        yield Sample(offset, size, Fraction(at, scale), Fraction(length, scale))
        at += length


def _numbers(table: bytes, start: int, width: int = 4) -> list[int]:
    end = start + (len(table) - start) // width * width if len(table) > start else start
    return [int.from_bytes(table[at : at + width], "big") for at in range(start, end, width)]


def _sizes(stsz: bytes) -> list[int]:
    numbers = _numbers(stsz, 4)
    if len(numbers) < 2:
        return []
    same, count = numbers[0], min(numbers[1], _SAMPLES_MAX)
    return [same] * count if same else numbers[2 : 2 + count]


def _lengths(stts: bytes) -> Iterator[int]:
    numbers = _numbers(stts, 8)
    for count, length in zip(numbers[::2], numbers[1::2], strict=False):
        for _ in range(min(count, _SAMPLES_MAX)):
            yield length


def _offsets(tables: dict[bytes, bytes], sizes: list[int]) -> Iterator[int]:
    chunks = _numbers(tables[b"co64"], 8, 8) if b"co64" in tables else _numbers(tables.get(b"stco", b""), 8)
    numbers = _numbers(tables.get(b"stsc", b""), 8)
    runs = dict(zip(numbers[::3], numbers[1::3], strict=False))
    each, sample = 1, 0
    for number, chunk in enumerate(chunks, start=1):
        each = runs.get(number, each)
        at = chunk
        for _ in range(min(each, len(sizes) - sample)):
            yield at
            at += sizes[sample]
            sample += 1
