# SPDX-License-Identifier: Apache-2.0
"""This is where fragmented MP4 is written: the init segment of tracks, and movie fragments around whole samples.

Each fragment says when it begins (`tfdt`), in the same time as the whole file: any of them can be played alone, and
one after another without a gap. Source: ISO/IEC 14496-12 §8.8 (movie fragments), ISO/IEC 23000-19 (CMAF).
"""

import struct
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from evidence.errors import Undecodable
from pipeline.media.boxes import Box, ReadRange, body_of, boxes, find, in_memory, make_box, make_full_box
from pipeline.media.sample_tables import Ints, Samples

_FTYP = make_box(b"ftyp", b"iso6\0\0\0\0iso6cmfcmp41")
_OWN_DATA = make_box(b"dinf", make_full_box(b"dref", 0, 0, b"\0\0\0\1", make_full_box(b"url ", 0, 1)))
_NO_SAMPLES = (
    make_full_box(b"stts", 0, 0, bytes(4)),
    make_full_box(b"stsc", 0, 0, bytes(4)),
    make_full_box(b"stsz", 0, 0, bytes(8)),
    make_full_box(b"stco", 0, 0, bytes(4)),
)
_KEY, _NOT_KEY = 0x02000000, 0x01010000  # §8.8.3.1: depends on nothing; depends on others and is no sync sample
_BASE_IS_MOOF = 0x020000
_RUN = 0x000F01  # data offset; of each sample duration, size, flags and composition offset
_FRAGMENT_MAX = 64 << 20
_GAP = 128 << 10


@dataclass(frozen=True, slots=True)
class Run:
    """Samples `[first, end)` of a track, in the order they are decoded."""

    samples: Samples
    first: int
    end: int

    @property
    def size_bytes(self) -> int:
        """Bytes of its samples."""
        return int(self.samples.sizes[self.first : self.end].sum())


def init_segment(mvhd: bytes, tracks: Sequence[Samples]) -> bytes:
    """What precedes every fragment of these tracks. They are numbered from 1, in this order."""
    moov = make_box(
        b"moov",
        make_box(b"mvhd", _without_duration(mvhd[8:], at=16)),
        *(_trak(one, number) for number, one in enumerate(tracks, 1)),
        make_box(b"mvex", *(_trex(number) for number in range(1, len(tracks) + 1))),
    )
    return _FTYP + moov


class Fragment:
    """A fragment as bytes that are read piece by piece: its head is held, its samples are not."""

    def __init__(self, head: bytes, runs: Sequence[Run]) -> None:
        self._head = head
        self._places = np.concatenate([run.samples.offsets[run.first : run.end] for run in runs])
        self._sizes = np.concatenate([run.samples.sizes[run.first : run.end] for run in runs])
        self._ends = len(head) + np.cumsum(self._sizes)

    @property
    def size_bytes(self) -> int:
        """How long it is."""
        return int(self._ends[-1]) if len(self._ends) else len(self._head)

    def read(self, first: int, length: int, *, source: ReadRange) -> bytes:
        """The `length` bytes from `first` on, fewer only where it ends; `source` reads the file of the samples.

        Raises:
            Undecodable: the file has become shorter. What `source` raises.
        """
        end = min(first + length, self.size_bytes)
        head = self._head[first:end]
        first += len(head)
        if first >= end:
            return head
        numbers = range(
            int(np.searchsorted(self._ends, first, "right")), int(np.searchsorted(self._ends, end, "left")) + 1
        )
        media = _media([(int(self._places[number]), int(self._sizes[number])) for number in numbers], source)
        begins = int(self._ends[numbers[0]] - self._sizes[numbers[0]])
        return head + media[first - begins : end - begins]


def fragment(number: int, runs: Sequence[Run]) -> Fragment:
    """A fragment of runs, one a track of the init segment in its order; a track may have no sample in it.

    Raises:
        Undecodable: it would be larger than any of ours.
    """
    size_bytes = sum(run.size_bytes for run in runs)
    if size_bytes > _FRAGMENT_MAX:
        raise Undecodable(f"a fragment of {size_bytes} bytes")
    # The length of moof does not depend on the offsets in it.
    length = len(_moof(number, runs, base=0))
    return Fragment(_moof(number, runs, base=length + 8) + (8 + size_bytes).to_bytes(4, "big") + b"mdat", runs)


def _trak(one: Samples, number: int) -> bytes:
    read = in_memory(one.track.template)
    trak = next(boxes(read, 0, len(one.track.template)))
    tkhd = _without_duration(_need(read, trak, b"tkhd"), at=20)
    at = 20 if tkhd[0] == 1 else 12
    tkhd = tkhd[:at] + number.to_bytes(4, "big") + tkhd[at + 4 :]
    header = b"vmhd" if one.kind == "video" else b"smhd"
    return make_box(
        b"trak",
        make_box(b"tkhd", tkhd),
        _edits(one),
        make_box(
            b"mdia",
            make_box(b"mdhd", _without_duration(_need(read, trak, b"mdia", b"mdhd"), at=16)),
            make_box(b"hdlr", _need(read, trak, b"mdia", b"hdlr")),
            make_box(
                b"minf",
                make_box(header, _need(read, trak, b"mdia", b"minf", header)),
                _OWN_DATA,
                make_box(
                    b"stbl", make_box(b"stsd", _need(read, trak, b"mdia", b"minf", b"stbl", b"stsd")), *_NO_SAMPLES
                ),
            ),
        ),
    )


def _need(read: ReadRange, box: Box, *path: bytes) -> bytes:
    found = find(read, box, *path)
    if found is None:
        raise Undecodable(f"a track has no {path[-1].decode('latin-1')} box")
    return body_of(read, found)


def _without_duration(body: bytes, *, at: int) -> bytes:
    """The body of `mvhd`, `mdhd` or `tkhd` with a duration of 0; in version 0 it stands `at` that byte."""
    at, width = (at + 8, 8) if body[0] == 1 else (at, 4)
    return body[:at] + bytes(width) + body[at + width :]


def _edits(one: Samples) -> bytes:
    """What the track skips of its beginning, for all of its fragments: an edit of no stated length (§8.6.6)."""
    if one.shift <= 0:
        return b""
    return make_box(b"edts", make_full_box(b"elst", 1, 0, struct.pack(">IQqI", 1, 0, one.shift, 1 << 16)))


def _trex(number: int) -> bytes:
    return make_full_box(b"trex", 0, 0, struct.pack(">IIIII", number, 1, 0, 0, 0))


def _moof(number: int, runs: Sequence[Run], *, base: int) -> bytes:
    trafs, at = [], base
    for track, run in enumerate(runs, 1):
        if run.end > run.first:
            trafs.append(_traf(track, run, at=at))
            at += run.size_bytes
    return make_box(b"moof", make_full_box(b"mfhd", 0, 0, number.to_bytes(4, "big")), *trafs)


def _traf(track: int, run: Run, *, at: int) -> bytes:
    one, part = run.samples, slice(run.first, run.end)
    begins = int(one.dts[run.first]) + max(0, -one.shift)
    rows = np.column_stack(
        (
            one.durations[part],
            one.sizes[part],
            np.where(one.is_key[part], _KEY, _NOT_KEY),
            one.pts[part] - one.dts[part],
        )
    )
    return make_box(
        b"traf",
        make_full_box(b"tfhd", 0, _BASE_IS_MOOF, track.to_bytes(4, "big")),
        make_full_box(b"tfdt", 1, 0, begins.to_bytes(8, "big")),
        # Version 1: composition offsets are signed.
        make_full_box(b"trun", 1, _RUN, struct.pack(">II", len(rows), at), _be32(rows)),
    )


def _be32(values: Ints) -> bytes:
    return (values & 0xFFFFFFFF).astype(">u4").tobytes()


def _media(places: Sequence[tuple[int, int]], read: ReadRange) -> bytes:
    """The bytes of samples, one after another; what lies near each other in the file is read at once."""
    stretches: list[list[int]] = []
    for at, size in sorted(places):
        near = stretches and at <= stretches[-1][1] + _GAP and at + size - stretches[-1][0] <= _FRAGMENT_MAX
        if near:
            stretches[-1][1] = max(stretches[-1][1], at + size)
        else:
            stretches.append([at, at + size])
    held = [(begin, read(begin, end - begin)) for begin, end in stretches]
    starts = [begin for begin, _ in held]
    media = bytearray()
    for at, size in places:
        begin, data = held[bisect_right(starts, at) - 1]
        media += data[at - begin : at - begin + size]
    if len(media) != sum(size for _, size in places):
        raise Undecodable("a sample lies beyond the end of the file")
    return bytes(media)
