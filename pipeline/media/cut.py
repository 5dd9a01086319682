# SPDX-License-Identifier: Apache-2.0
"""This is where an exact clip is cut: whole packets out of a recording, nothing re-encoded, with their proof.

The clip holds every packet from the random-access point on; its edit list shows exactly the pictures
asked for. What is hidden before them is in the file all the same: `Cut.hidden` says how much.
"""

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from evidence.clip_proof import packet_part
from evidence.clip_range import ClipRange, build_range
from evidence.errors import ProofInvalid, StoreUnavailable
from evidence.media_time import Span
from evidence.merkle import verify_range
from evidence.packet_tree import StreamLine, parse_stream
from pipeline.media.boxes import ReadRange
from pipeline.media.clip_boxes import clip_index
from pipeline.media.clip_media import CountedReads, fetch
from pipeline.media.clip_plan import ClipPlan, StreamPlan, plan_clip
from pipeline.media.clip_tracks import Placed, clip_tracks, media_order, movie_timescale, track_clocks
from pipeline.media.packet_reader import PacketTable, leaves_of, none_or, open_table
from pipeline.media.scattered import fetch_scattered


@dataclass(frozen=True, slots=True)
class Cut:
    """A finished clip. `delivered` is what it shows, in time of the recording; `frames` how many pictures.

    For sound alone `frames` counts packets. `hidden` is the time before `delivered` that is in the
    file and not shown. `ranges` are in the order of the clip's tracks. `left_out` names streams that
    the clip does not hold. Bytes and requests are those of the original alone.
    """

    delivered: Span
    frames: int
    hidden: Fraction
    lines: tuple[StreamLine, ...]
    ranges: tuple[ClipRange, ...]
    left_out: tuple[str, ...]
    size_bytes: int
    bytes_read: int
    requests: int
    table_bytes_read: int

    @property
    def packet_part(self) -> dict[str, object]:
        """The part of the clip's proof that ties its packets to the recording's packet root."""
        return packet_part(self.lines, self.ranges)


def cut(
    *,
    table_read: ReadRange,
    media_read: ReadRange,
    packet_root: str,
    span: Span,
    out: Path,
    seal: str | None = None,
) -> Cut:
    """Cut `span` out of the recording with this `packet_root` into the new MP4 `out`.

    The first shown picture is the first at or after `span.start`, the last one the last before
    `span.end`; sound is in step to one sample. `out` appears whole or not at all. The same span
    gives the same bytes. `seal` is the one the examination gave for the packet table.

    Raises:
        BadInput: nothing of the recording is shown in `span`.
        FixityMismatch: a packet of the original is not what was measured.
        ProofInvalid: the packet table was changed or is of another recording.
        Undecodable: there is nothing there that can be cut.
        StoreUnavailable: the clip could not be written.
    """
    table_counted, media_counted = CountedReads(table_read), CountedReads(media_read)
    table = open_table(table_counted, packet_root=packet_root, seal=seal)
    plan = plan_clip(table, span)
    ranges = tuple(_range(table, plan, one) for one in plan.streams)
    order = media_order(plan.streams)
    init = table.init()
    clocks = track_clocks(plan, init)
    index = clip_index(
        init,
        clip_tracks(plan, order, clocks),
        movie_timescale=movie_timescale(clocks),
        media_bytes=sum(placed.size for placed in order),
    )
    with _payloads(table, plan.streams, order, read=media_counted, folder=out.parent) as payloads:
        size_bytes = _write(out, index, payloads)
    main = plan.main
    first = main.rows["pts"].min() * main.stream.time_base + main.stream.shift
    return Cut(
        delivered=plan.window,
        frames=main.shown_packets,
        hidden=max(Fraction(0), plan.window.start - first),
        lines=tuple(parse_stream(stream.line) for stream in table.header.streams),
        ranges=ranges,
        left_out=plan.left_out,
        size_bytes=size_bytes,
        bytes_read=media_counted.bytes_read,
        requests=media_counted.requests,
        table_bytes_read=table_counted.bytes_read,
    )


def _range(table: PacketTable, plan: ClipPlan, one: StreamPlan) -> ClipRange:
    """The proof for one stream of the clip, itself checked before anyone relies on it."""
    line = parse_stream(one.stream.line)
    leaves = list(leaves_of(one.rows, one.first))
    rows = one.rows[["dts", "pts", "duration"]].tolist()
    made = build_range(
        line,
        first=one.first - 1,
        times=[(none_or(dts), none_or(pts), duration) for dts, pts, duration in rows],
        shift=plan.window.start - one.stream.shift,
        subtree=table.subtree(one.stream),
        leaf_hashes=leaves,
    )
    try:
        verify_range(leaves, one.first, line.leaf_count, made.left, made.right, line.root)
    except ProofInvalid as error:
        raise ProofInvalid(
            f"packet table: packets of stream {line.index} are not in its tree", stream=line.index
        ) from error
    return made


@contextlib.contextmanager
def _payloads(
    table: PacketTable, plans: Sequence[StreamPlan], order: Sequence[Placed], *, read: ReadRange, folder: Path
) -> Iterator[Iterable[memoryview]]:
    """The packets of the clip, straight out of the original where they lie there in one piece."""
    if all(plan.stream.is_direct for plan in plans):
        yield fetch(order, plans, read)
    else:
        with fetch_scattered(table.header, plans, order, read=read, folder=folder) as payloads:
            yield payloads


def _write(out: Path, index: bytes, payloads: Iterable[memoryview]) -> int:
    part = out.with_name(f".{out.name}.part")
    try:
        with part.open("wb") as file:
            file.write(index)
            file.writelines(payloads)
            size_bytes = file.tell()
        part.replace(out)
    except OSError as error:
        raise StoreUnavailable(f"the clip cannot be written: {error.strerror}", path=str(out)) from error
    finally:
        part.unlink(missing_ok=True)
    return size_bytes
