# SPDX-License-Identifier: Apache-2.0
"""This is where an MP4 or QuickTime index (`moov`) tells what tracks there are, without its sample tables.

Source: ISO/IEC 14496-12 §8. The moov of 12 hours is tens of megabytes; a few kilobytes of it are read.
"""

from dataclasses import dataclass

from evidence.errors import IndexMissing, Truncated, Undecodable
from pipeline.media.boxes import Box, ReadRange, body_of, boxes, children, find, make_box
from pipeline.media.edits import Edit

_EDITS_MAX = 4096
_TRACKS_MAX = 32
_HEADERS_KEPT = (b"vmhd", b"smhd", b"nmhd", b"sthd", b"gmhd", b"hmhd")


@dataclass(frozen=True, slots=True)
class Track:
    """One track. Without a sync table every sample claims to be a sync sample.

    `template` is its `trak` box without samples, edits, names and references to other files.
    """

    track_id: int
    handler: str
    format: str
    timescale: int
    edits: tuple[Edit, ...]
    has_sync_table: bool
    template: bytes


@dataclass(frozen=True, slots=True)
class Movie:
    """The index of one file. `ftyp` and `mvhd` are whole boxes (`ftyp` empty in old QuickTime files)."""

    ftyp: bytes
    mvhd: bytes
    timescale: int
    is_fragmented: bool
    tracks: tuple[Track, ...]

    def template(self) -> bytes:
        """A file of this movie with every track and no samples: what a clip is built around."""
        return self.ftyp + make_box(b"moov", self.mvhd, *(track.template for track in self.tracks))


def read_movie(read: ReadRange, size_bytes: int) -> Movie:
    """The movie of the file behind `read`.

    Raises:
        IndexMissing: there is no `moov`: the recorder did not get to finish.
        Truncated: a box reaches beyond the end of the file.
        Undecodable: the boxes are nonsense, compressed or too many.
    """
    top = _top_level(read, size_bytes)
    parts = children(read, top[b"moov"])
    mvhd = _only(parts, b"mvhd")
    tracks = [part for part in parts if part.kind == b"trak"]
    if len(tracks) > _TRACKS_MAX:
        raise Undecodable(f"{len(tracks)} tracks; at most {_TRACKS_MAX} are read")
    mvhd_body = body_of(read, mvhd, at_most=1024)
    return Movie(
        ftyp=make_box(b"ftyp", body_of(read, top[b"ftyp"], at_most=1024)) if b"ftyp" in top else b"",
        mvhd=make_box(b"mvhd", mvhd_body),
        timescale=_timescale(mvhd_body),
        is_fragmented=b"moof" in top or any(part.kind == b"mvex" for part in parts),
        tracks=tuple(_track(read, track) for track in tracks),
    )


def _top_level(read: ReadRange, size_bytes: int) -> dict[bytes, Box]:
    """The first box of each kind. Every box is walked, so that a tail cut short is seen wherever it is."""
    top: dict[bytes, Box] = {}
    missing = "there is no moov box: the recorder did not finish this file"
    try:
        for box in boxes(read, 0, size_bytes):
            top.setdefault(box.kind, box)
    except Truncated as error:
        if b"moov" not in top:
            raise IndexMissing(missing, **error.values) from error
        raise
    if b"moov" not in top:
        raise IndexMissing(missing)
    return top


def _only(parts: list[Box], kind: bytes) -> Box:
    found = next((part for part in parts if part.kind == kind), None)
    if found is None:
        raise Undecodable(f"the index has no {kind.decode('latin-1')} box")
    return found


def _timescale(header: bytes) -> int:
    """Ticks per second from the body of `mvhd` or `mdhd`."""
    at = 20 if header[:1] == b"\1" else 12
    timescale = int.from_bytes(header[at : at + 4], "big")
    if not timescale:
        raise Undecodable("the index gives time no scale")
    return timescale


def _track(read: ReadRange, trak: Box) -> Track:
    parts = children(read, trak)
    tkhd = body_of(read, _only(parts, b"tkhd"), at_most=1024)
    media = children(read, _only(parts, b"mdia"))
    mdhd = body_of(read, _only(media, b"mdhd"), at_most=1024)
    hdlr = body_of(read, _only(media, b"hdlr"), at_most=4096)
    minf = children(read, _only(media, b"minf"))
    stbl = children(read, _only(minf, b"stbl"))
    stsd = body_of(read, _only(stbl, b"stsd"))
    return Track(
        track_id=_track_id(tkhd),
        handler=hdlr[8:12].decode("latin-1"),
        format=stsd[12:16].decode("latin-1"),
        timescale=_timescale(mdhd),
        edits=_edits(read, trak),
        has_sync_table=any(part.kind == b"stss" for part in stbl),
        template=make_box(
            b"trak",
            make_box(b"tkhd", tkhd),
            *_copies(read, parts, (b"tref",)),
            make_box(
                b"mdia",
                make_box(b"mdhd", mdhd),
                make_box(b"hdlr", hdlr),
                make_box(b"minf", *_copies(read, minf, _HEADERS_KEPT), make_box(b"stbl", make_box(b"stsd", stsd))),
            ),
        ),
    )


def _copies(read: ReadRange, parts: list[Box], kinds: tuple[bytes, ...]) -> list[bytes]:
    return [make_box(part.kind, body_of(read, part, at_most=1 << 16)) for part in parts if part.kind in kinds]


def _track_id(tkhd: bytes) -> int:
    at = 20 if tkhd[:1] == b"\1" else 12
    return int.from_bytes(tkhd[at : at + 4], "big")


def _edits(read: ReadRange, trak: Box) -> tuple[Edit, ...]:
    elst = find(read, trak, b"edts", b"elst")
    if elst is None:
        return ()
    body = body_of(read, elst, at_most=8 + _EDITS_MAX * 20)
    count, width = int.from_bytes(body[4:8], "big"), 8 if body[:1] == b"\1" else 4
    step = 2 * width + 4
    if count * step > len(body) - 8:
        raise Undecodable(f"an edit list of {len(body)} bytes claims {count} entries")
    return tuple(_edit(body[at : at + step], width) for at in range(8, 8 + count * step, step))


def _edit(entry: bytes, width: int) -> Edit:
    return Edit(
        duration=int.from_bytes(entry[:width], "big"),
        media_time=int.from_bytes(entry[width : 2 * width], "big", signed=True),
        rate=int.from_bytes(entry[2 * width :], "big", signed=True),
    )
