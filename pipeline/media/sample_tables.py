# SPDX-License-Identifier: Apache-2.0
"""This is where the sample tables of an MP4 of ours are read: of each sample its place, its times, whether it is a key.

What a decoder behind walls left may be hostile: no number here is believed before it fits the table's own length,
and no library of media is asked. Source: ISO/IEC 14496-12 §8.6 (times, edits), §8.7 (sizes, chunks).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from evidence.errors import Undecodable
from pipeline.media.boxes import Box, ReadRange, body_of, boxes, children, find
from pipeline.media.mp4_tracks import Track, read_movie

Ints = npt.NDArray[np.int64]

SAMPLES_MAX = 16_000_000  # sound of two days, and more
_TABLE_MAX = 256 << 20
_KINDS = {"vide": "video", "soun": "audio"}


@dataclass(frozen=True, slots=True)
class Samples:
    """One track: arrays of one length. Times in ticks of `timescale`; `pts` is when a sample is shown, less `shift`.

    `shift`: what the edit list skips of the beginning; below 0, how much later the track begins.
    """

    kind: str
    track: Track
    timescale: int
    shift: int
    dts: Ints
    durations: Ints
    pts: Ints
    sizes: Ints
    offsets: Ints
    is_key: npt.NDArray[np.bool_]

    @property
    def count(self) -> int:
        """How many samples."""
        return len(self.dts)

    def shown(self) -> Ints:
        """When each sample is shown: ticks from position 0 of the recording."""
        return self.pts - self.shift


@dataclass(frozen=True, slots=True)
class Tables:
    """An MP4 with its tables; at most one track of each kind."""

    ftyp: bytes
    mvhd: bytes
    tracks: tuple[Samples, ...]

    def of(self, kind: str) -> Samples | None:
        """The track of `video` or `audio`."""
        return next((one for one in self.tracks if one.kind == kind), None)


def read_tables(read: ReadRange, size_bytes: int) -> Tables:
    """The tables of an MP4 whose index is not in fragments.

    Raises:
        IndexMissing, Truncated, Undecodable: it is none, or its numbers contradict one another.
    """
    movie = read_movie(read, size_bytes)
    if movie.is_fragmented:
        raise Undecodable("this MP4 is in fragments already")
    moov = next(box for box in boxes(read, 0, size_bytes) if box.kind == b"moov")
    traks = [box for box in children(read, moov) if box.kind == b"trak"]
    found: dict[str, Samples] = {}
    for trak, track in zip(traks, movie.tracks, strict=True):
        kind = _KINDS.get(track.handler)
        if kind is not None and kind not in found:
            found[kind] = _samples(read, trak, track, kind=kind, movie_timescale=movie.timescale, size_bytes=size_bytes)
    if not any(one.count for one in found.values()):
        raise Undecodable("this MP4 has no picture and no sound")
    return Tables(movie.ftyp, movie.mvhd, tuple(one for one in found.values() if one.count))


def _samples(read: ReadRange, trak: Box, track: Track, *, kind: str, movie_timescale: int, size_bytes: int) -> Samples:
    stbl = find(read, trak, b"mdia", b"minf", b"stbl")
    if stbl is None:
        raise Undecodable("a track has no tables")
    parts = {box.kind: box for box in children(read, stbl)}
    sizes = _sizes(_body(read, parts, b"stsz"))
    count = len(sizes)
    durations = _expanded(_body(read, parts, b"stts"), count)
    dts = np.concatenate((np.zeros(1, np.int64), np.cumsum(durations)))[:count]
    composition = _expanded(_body(read, parts, b"ctts"), count) if b"ctts" in parts else np.zeros(count, np.int64)
    offsets = _offsets(read, parts, sizes)
    if count and int((offsets + sizes).max()) > size_bytes:
        raise Undecodable("a sample lies beyond the end of the file")
    return Samples(
        kind=kind,
        track=track,
        timescale=track.timescale,
        shift=_shift(track, movie_timescale),
        dts=dts,
        durations=durations,
        pts=dts + composition,
        sizes=sizes,
        offsets=offsets,
        is_key=_keys(_body(read, parts, b"stss"), count) if b"stss" in parts else np.ones(count, np.bool_),
    )


def _body(read: ReadRange, parts: dict[bytes, Box], kind: bytes) -> bytes:
    box = parts.get(kind)
    if box is None:
        raise Undecodable(f"a track has no {kind.decode('latin-1')} box")
    return body_of(read, box, at_most=_TABLE_MAX)


def _entries(body: bytes, width: int, *, at: int = 8) -> Ints:
    """The rows of a table after its number of entries: `width` columns of 32 bits."""
    count = int.from_bytes(body[at - 4 : at], "big")
    if count * width * 4 > len(body) - at:
        raise Undecodable(f"a table of {len(body)} bytes claims {count} entries")
    return np.frombuffer(body, ">u4", count * width, at).astype(np.int64).reshape(count, width)


def _sizes(body: bytes) -> Ints:
    every, count = int.from_bytes(body[4:8], "big"), int.from_bytes(body[8:12], "big")
    if count > SAMPLES_MAX:
        raise Undecodable(f"{count} samples; at most {SAMPLES_MAX} are read")
    return np.full(count, every, np.int64) if every else _entries(body, 1, at=12)[:, 0]


def _expanded(body: bytes, count: int) -> Ints:
    """A table of run lengths, one value a sample; values are signed, as version 1 of `ctts` has them."""
    rows = _entries(body, 2)
    lengths, values = rows[:, 0], rows[:, 1]
    if int(lengths.sum()) != count:
        raise Undecodable("a table of times has another number of samples than that of sizes")
    signed = values - ((values >> 31) << 32)
    return np.repeat(signed, lengths)


def _keys(body: bytes, count: int) -> npt.NDArray[np.bool_]:
    numbers = _entries(body, 1)[:, 0]
    if len(numbers) and not (int(numbers.min()) >= 1 and int(numbers.max()) <= count):
        raise Undecodable("a key picture that is no sample")
    found = np.zeros(count, np.bool_)
    found[numbers - 1] = True
    return found


def _offsets(read: ReadRange, parts: dict[bytes, Box], sizes: Ints) -> Ints:
    """Where each sample begins: chunks lie where they lie, samples of one lie side by side."""
    chunks, runs = _chunk_places(read, parts), _entries(_body(read, parts, b"stsc"), 3)
    if not len(sizes):
        return np.zeros(0, np.int64)
    starts = runs[:, 0] - 1
    if not len(starts) or starts[0] != 0 or (np.diff(starts) <= 0).any() or starts[-1] >= len(chunks):
        raise Undecodable("the table of chunks is nonsense")
    per_chunk = np.repeat(runs[:, 1], np.diff(np.append(starts, len(chunks))))
    if int(per_chunk.sum()) != len(sizes):
        raise Undecodable("the chunks hold another number of samples than there are")
    before = np.cumsum(sizes) - sizes  # bytes of all samples before each
    first = np.cumsum(per_chunk) - per_chunk  # number of each chunk's first sample
    kept = per_chunk > 0
    places: Ints = np.repeat(chunks[kept] - before[first[kept]], per_chunk[kept]) + before
    return places


def _chunk_places(read: ReadRange, parts: dict[bytes, Box]) -> Ints:
    if b"stco" in parts:
        return _entries(_body(read, parts, b"stco"), 1)[:, 0]
    rows = _entries(_wide(_body(read, parts, b"co64")), 2)
    return (rows[:, 0] << 32) + rows[:, 1]


def _wide(body: bytes) -> bytes:
    if len(body) > 8 and body[8] & 0x80:
        raise Undecodable("a chunk lies nowhere")
    return body


def _shift(track: Track, movie_timescale: int) -> int:
    """What one edit, after an empty one or not, skips of the track (§8.6.6); more edits are no work of ours."""
    empty = [edit for edit in track.edits if edit.media_time < 0]
    real = [edit for edit in track.edits if edit.media_time >= 0]
    if len(real) > 1 or len(empty) > 1 or (empty and track.edits[0] is not empty[0]):
        raise Undecodable("an edit list of several parts")
    late = sum(edit.duration for edit in empty) * track.timescale
    return (real[0].media_time if real else 0) - (late + movie_timescale // 2) // movie_timescale
