# SPDX-License-Identifier: Apache-2.0
"""This is where the salvaging process works: arguments `pattern FILE ANSWER`, or `units FILE PATTERN UNITS ANSWER`.

It runs behind the walls of `media_child`. The first reads a whole recording and answers with its pattern; the second
reads a damaged one and writes its pictures as a stream of units, each behind a start code.
"""

import json
import mmap
import sys
from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO, cast

import av
from av.container import InputContainer
from av.stream import Stream

from evidence.errors import Undecodable
from pipeline.media.demux import codec_name, extradata_of, is_picture, open_media
from pipeline.media.media_child import answer_with
from pipeline.media.salvage import Salvage, Unit
from pipeline.media.salvage_pattern import Codec, Pattern, parameter_sets

# As much of the reference is looked at; how a camera interleaves shows within seconds.
_PACKETS = 20_000
# More kinds of bytes than this between pictures tell nothing.
_STARTS_MAX = 8
_START_CODE = b"\0\0\0\1"


def main(arguments: list[str]) -> None:
    """Do what the first word says; the arguments are named in the module's first line."""
    av.logging.set_level(None)
    what, source, *rest = arguments
    if what == "pattern":
        answer_with(lambda: _pattern(Path(source)).to_dict(), Path(rest[0]))
    else:
        pattern = Pattern.from_dict(json.loads(rest[0]))
        answer_with(lambda: _write_units(Path(source), pattern, Path(rest[1])), Path(rest[2]))


def _pattern(path: Path) -> Pattern:
    with open_media(path, demuxer="mov") as media, path.open("rb") as raw:
        stream = next((one for one in media.streams if one.type == "video" and not is_picture(one)), None)
        rate = getattr(stream, "average_rate", None)
        if stream is None or not rate:
            raise Undecodable("the reference has no pictures at a known rate")
        codec = codec_name(stream)
        length_bytes, sets = parameter_sets(codec, extradata_of(stream))
        gaps = list(_gaps(_places(media, stream), raw))
    starts = frozenset(start for _, start in gaps)
    return Pattern.from_dict(
        Pattern(
            codec=cast("Codec", codec),
            length_bytes=length_bytes,
            sets=sets,
            frame=1 / Fraction(rate),
            gap_max=max((size for size, _ in gaps), default=0),
            gap_starts=starts if len(starts) <= _STARTS_MAX else frozenset(),
        ).to_dict()
    )


def _places(media: InputContainer, stream: Stream) -> list[tuple[int, int]]:
    found = []
    for count, packet in enumerate(media.demux(stream)):
        if packet.size and packet.pos is not None:
            found.append((packet.pos, packet.size))
        if count >= _PACKETS:
            break
    return sorted(found)


def _gaps(places: Sequence[tuple[int, int]], raw: BinaryIO) -> Iterator[tuple[int, int]]:
    """What lies between one picture and the next in the file: how many bytes, and the first of them."""
    for (at, size), (after, _) in pairwise(places):
        if after > at + size:
            raw.seek(at + size)
            yield after - at - size, raw.read(1)[0]


def _write_units(path: Path, pattern: Pattern, out: Path) -> dict[str, object]:
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data, out.open("xb") as units:
        view = memoryview(data)
        try:
            return _copied(view, pattern, units, start=_media_begins(view))
        finally:
            view.release()


def _copied(data: memoryview, pattern: Pattern, out: BinaryIO, *, start: int) -> dict[str, object]:
    stretches: list[dict[str, int]] = []
    salvage = Salvage(data, pattern)
    try:
        for unit in _from_entry(salvage.units(start, len(data))):
            if unit.is_after_hole or not stretches:
                stretches.append({"first_frame": sum(one["frames"] for one in stretches), "frames": 0, "byte": unit.at})
            if unit.is_entry and unit.is_first:
                out.write(b"".join(_START_CODE + one for one in pattern.sets))
            out.write(_START_CODE)
            out.write(data[unit.at : unit.at + unit.size])
            stretches[-1]["frames"] += unit.is_first
            stretches[-1]["end"] = unit.at + unit.size
    finally:
        salvage.release()
    frames = sum(one["frames"] for one in stretches)
    if not frames:
        raise Undecodable("no picture of this camera was found in it")
    return {"bytes": len(data), "frames": frames, "stretches": [one for one in stretches if one["frames"]]}


def _from_entry(units: Iterator[Unit]) -> Iterator[Unit]:
    """The units from the first picture on that needs no other."""
    has_begun = False
    for unit in units:
        has_begun = has_begun or unit.is_entry
        if has_begun:
            yield unit


def _media_begins(data: memoryview) -> int:
    """Behind the header of the first `mdat`, by the lengths of the boxes before it; 0 when there is none."""
    at = 0
    for _ in range(64):
        size, kind = int.from_bytes(data[at : at + 4], "big"), bytes(data[at + 4 : at + 8])
        if kind == b"mdat":
            return at + (16 if size == 1 else 8)
        if size < 8 or at + size >= len(data):
            return 0
        at += size
    return 0


if __name__ == "__main__":
    main(sys.argv[1:])
