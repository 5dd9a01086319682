# SPDX-License-Identifier: Apache-2.0
"""This is where the index of a clip is written: `ftyp` and `moov` around packets that stay as they are.

Built from the original's own description of its tracks, so that parameter sets, rotation and codec
tags are the original's to the byte. Source: ISO/IEC 14496-12 §8.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from evidence.errors import ProofInvalid
from pipeline.media.boxes import (
    Box,
    ReadRange,
    body_of,
    boxes,
    children,
    find,
    in_memory,
    make_box,
    make_full_box,
)
from pipeline.media.edits import Edit
from pipeline.media.packet_reader import Ints

_MAX_32 = (1 << 32) - 1
_OWN_DATA = make_box(b"dinf", make_full_box(b"dref", 0, 0, b"\0\0\0\1", make_full_box(b"url ", 0, 1)))


@dataclass(frozen=True, slots=True)
class Chunk:
    """`count` samples that lie side by side from `offset` on, counted from the first byte of media."""

    offset: int
    count: int


@dataclass(frozen=True, slots=True)
class ClipTrack:
    """One track: durations and composition offsets in ticks of `timescale`, one a sample; edits in order.

    `keys` lists the sync samples from 1, None when all are. `sample_bytes` is set where samples are
    all of one size and one tick, as uncompressed sound has them; `sizes` then has one entry.
    """

    track_id: int
    timescale: int
    durations: Ints
    composition: Ints
    sizes: Ints
    keys: Ints | None
    chunks: Sequence[Chunk]
    edits: Sequence[Edit]
    sample_bytes: int = 0


def clip_index(init: bytes, tracks: Sequence[ClipTrack], *, movie_timescale: int, media_bytes: int) -> bytes:
    """Everything that precedes the media of a clip: `ftyp`, `moov`, and the header of `mdat`.

    Raises:
        ProofInvalid: `init` does not describe one of the tracks.
    """
    header = b"\0\0\0\1mdat" + (media_bytes + 16).to_bytes(8, "big")
    # The length of moov does not depend on the offsets in it, only on their width.
    is_wide = media_bytes > _MAX_32 - (1 << 28)
    length = len(_front(init, tracks, movie_timescale, base=0, is_wide=is_wide)) + len(header)
    return _front(init, tracks, movie_timescale, base=length, is_wide=is_wide) + header


def _front(init: bytes, tracks: Sequence[ClipTrack], movie_timescale: int, *, base: int, is_wide: bool) -> bytes:
    read = in_memory(init)
    top = {box.kind: box for box in boxes(read, 0, len(init))}
    ftyp = init[top[b"ftyp"].offset : top[b"ftyp"].end] if b"ftyp" in top else b""
    parts = children(read, top[b"moov"])
    mvhd = next(part for part in parts if part.kind == b"mvhd")
    templates = {_track_id(read, part): part for part in parts if part.kind == b"trak"}
    kept = {track.track_id for track in tracks}
    made = []
    for track in tracks:
        if track.track_id not in templates:
            raise ProofInvalid(f"the init file does not describe track {track.track_id}")
        offsets = _offsets(track, base=base, is_wide=is_wide)
        made.append(_trak(read, templates[track.track_id], track, offsets=offsets, kept=kept))
    longest = max(_shown_ticks(track) for track in tracks)
    fields = _Timed.of(body_of(read, mvhd)).with_times(longest, timescale=movie_timescale)
    return ftyp + make_box(b"moov", make_box(b"mvhd", fields), *made)


def _trak(read: ReadRange, template: Box, track: ClipTrack, *, offsets: bytes, kept: set[int]) -> bytes:
    tkhd = _need(read, template, b"tkhd")
    mdhd = _Timed.of(_need(read, template, b"mdia", b"mdhd"))
    stsd = _need(read, template, b"mdia", b"minf", b"stbl", b"stsd")
    minf = find(read, template, b"mdia", b"minf")
    header = next(part for part in children(read, minf) if part.kind != b"stbl") if minf else None
    media_ticks = int(track.durations.sum()) if not track.sample_bytes else int(track.durations[0])
    return make_box(
        b"trak",
        make_box(b"tkhd", _Timed.of_track(tkhd).with_times(_shown_ticks(track))),
        _tref(read, template, kept),
        make_box(b"edts", _elst(track.edits)),
        make_box(
            b"mdia",
            make_box(b"mdhd", mdhd.with_times(media_ticks, timescale=track.timescale)),
            make_box(b"hdlr", _need(read, template, b"mdia", b"hdlr")),
            make_box(
                b"minf",
                make_box(header.kind, body_of(read, header)) if header else make_full_box(b"nmhd", 0, 0),
                _OWN_DATA,
                make_box(b"stbl", make_box(b"stsd", stsd), *_samples(track), offsets),
            ),
        ),
    )


def _need(read: ReadRange, box: Box, *path: bytes) -> bytes:
    found = find(read, box, *path)
    if found is None:
        raise ProofInvalid(f"the init file has no {path[-1]!r} box")
    return body_of(read, found)


def _track_id(read: ReadRange, trak: Box) -> int:
    tkhd = _need(read, trak, b"tkhd")
    at = 20 if tkhd[0] == 1 else 12
    return int.from_bytes(tkhd[at : at + 4], "big")


def _tref(read: ReadRange, template: Box, kept: set[int]) -> bytes:
    """References to other tracks, those to tracks that the clip leaves out dropped."""
    tref = find(read, template, b"tref")
    if tref is None:
        return b""
    lists = []
    for part in children(read, tref):
        data = body_of(read, part)
        ids = [data[at : at + 4] for at in range(0, len(data) - 3, 4)]
        ids = [one for one in ids if int.from_bytes(one, "big") in kept]
        if ids:
            lists.append(make_box(part.kind, *ids))
    return make_box(b"tref", *lists) if lists else b""


def _shown_ticks(track: ClipTrack) -> int:
    """Duration of the track's edits, in ticks of the movie."""
    return sum(edit.duration for edit in track.edits)


@dataclass(frozen=True, slots=True)
class _Timed:
    """The fields of `mvhd`, `mdhd` or `tkhd`: two dates, the fields before the duration, and the rest."""

    flags: bytes
    created: int
    modified: int
    middle: bytes
    rest: bytes

    @classmethod
    def of(cls, body: bytes, *, middle_bytes: int = 4) -> "_Timed":
        width = 8 if body[0] == 1 else 4
        middle = 4 + 2 * width
        rest = middle + middle_bytes + width
        return cls(
            flags=body[1:4],
            created=int.from_bytes(body[4 : 4 + width], "big"),
            modified=int.from_bytes(body[4 + width : middle], "big"),
            middle=body[middle : middle + middle_bytes],
            rest=body[rest:],
        )

    @classmethod
    def of_track(cls, body: bytes) -> "_Timed":
        """`tkhd` has a track number and a reserved word where the others have their timescale."""
        return cls.of(body, middle_bytes=8)

    def with_times(self, duration: int, *, timescale: int | None = None) -> bytes:
        """The body with another duration and timescale; 64 bits wide only where it must be."""
        version = 1 if max(self.created, self.modified, duration) > _MAX_32 else 0
        width = 8 if version else 4
        middle = self.middle if timescale is None else timescale.to_bytes(4, "big")
        dates = self.created.to_bytes(width, "big") + self.modified.to_bytes(width, "big")
        return bytes((version,)) + self.flags + dates + middle + duration.to_bytes(width, "big") + self.rest


def _elst(edits: Sequence[Edit]) -> bytes:
    is_wide = any(edit.duration > _MAX_32 or edit.media_time >= 1 << 31 for edit in edits)
    form = ">QqI" if is_wide else ">IiI"
    entries = [struct.pack(form, edit.duration, edit.media_time, edit.rate) for edit in edits]
    return make_full_box(b"elst", int(is_wide), 0, struct.pack(">I", len(edits)), *entries)


def _samples(track: ClipTrack) -> list[bytes]:
    """The tables of times, sync samples, sizes and chunks."""
    tables = [make_full_box(b"stts", 0, 0, _durations(track))]
    if track.composition.any():
        # Signed offsets are version 1; positive ones are written as every reader knows them.
        version = int(bool((track.composition < 0).any()))
        tables.append(make_full_box(b"ctts", version, 0, _runs(track.composition)))
    if track.keys is not None:
        tables.append(make_full_box(b"stss", 0, 0, struct.pack(">I", len(track.keys)), _be32(track.keys)))
    if track.sample_bytes:
        count = int(track.durations[0])
        tables.append(make_full_box(b"stsz", 0, 0, struct.pack(">II", track.sample_bytes, count)))
    else:
        sizes = _be32(track.sizes)
        tables.append(make_full_box(b"stsz", 0, 0, struct.pack(">II", 0, len(track.sizes)), sizes))
    tables.append(make_full_box(b"stsc", 0, 0, _chunk_runs(track.chunks)))
    return tables


def _durations(track: ClipTrack) -> bytes:
    if track.sample_bytes:
        return struct.pack(">III", 1, int(track.durations[0]), 1)
    return _runs(track.durations)


def _runs(values: Ints) -> bytes:
    """Run lengths and values, after their number."""
    starts = np.flatnonzero(np.r_[True, values[1:] != values[:-1]])
    counts = np.diff(np.r_[starts, len(values)])
    return struct.pack(">I", len(starts)) + _be32(np.column_stack((counts, values[starts])))


def _chunk_runs(chunks: Sequence[Chunk]) -> bytes:
    counts = np.array([chunk.count for chunk in chunks])
    starts = np.flatnonzero(np.r_[True, counts[1:] != counts[:-1]])
    entries = np.column_stack((starts + 1, counts[starts], np.ones(len(starts), dtype=np.int64)))
    return struct.pack(">I", len(starts)) + _be32(entries)


def _offsets(track: ClipTrack, *, base: int, is_wide: bool) -> bytes:
    places = np.array([chunk.offset + base for chunk in track.chunks], dtype=np.int64)
    kind, form = (b"co64", ">u8") if is_wide else (b"stco", ">u4")
    return make_full_box(kind, 0, 0, struct.pack(">I", len(places)), places.astype(form).tobytes())


def _be32(values: Ints) -> bytes:
    # Negative composition offsets keep their two's complement: that is what version 1 reads.
    return (values & _MAX_32).astype(">u4").tobytes()
