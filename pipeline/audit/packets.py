# SPDX-License-Identifier: Apache-2.0
"""This is where changed bytes of an original become packets: stream, number and time, by the packet table.

A packet that lies in one piece is read where the table says and compared with its own hash; where the
file has another length, also where the difference would have moved it. Packets that a container
scatters are found by demuxing the changed file and comparing its packets with the table's.
"""

import tempfile
from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from typing import cast

import numpy as np

from evidence.digest import Digest
from evidence.errors import IntegrityError, Unacceptable
from evidence.media_time import show
from pipeline.media.boxes import ReadRange
from pipeline.media.examine import examine
from pipeline.media.packet_reader import PacketTable, Records, open_table
from pipeline.media.packet_table import NONE, SCATTERED, TableStream
from pipeline.media.sniff import Container, Kind
from storage.objects import ObjectStore

_MOST_RUNS = 8
_SPAN_BYTES = 8 << 20


def changed_packets(
    table: PacketTable,
    spans: Sequence[tuple[int, int]],
    *,
    key: str,
    found: Digest,
    store: ObjectStore,
) -> str:
    """In words: which packets are not what was measured, where `[start, end)` of `spans` holds what changed.

    Raises:
        StoreUnavailable: nothing was decided.
    """
    moved = found.size_bytes - table.header.size_bytes

    def read(start: int, length: int) -> bytes:
        return store.read_range(key, start, length)

    changed = {stream.index: list(_in_place(table, stream, spans, moved, read)) for stream in table.header.streams}
    scattered = [stream for stream in table.header.streams if not stream.is_direct]
    if scattered:
        again = _demuxed(table, key, store)
        for stream in scattered:
            changed[stream.index] = _compared(table, stream, again, changed[stream.index])
    told = [_told(table, stream, changed[stream.index]) for stream in table.header.streams if changed[stream.index]]
    return "; ".join(told) or "no coded packet is changed: it is the container around them"


def _in_place(
    table: PacketTable,
    stream: TableStream,
    spans: Sequence[tuple[int, int]],
    moved: int,
    read: ReadRange,
) -> Iterator[int]:
    """Numbers of the packets within `spans` that do not hash to what the table says, ascending.

    Of a packet that is scattered only the beginning is known: it is named when that lies in a span.
    """
    rows = table.records(stream, 0, stream.leaf_count)
    starts = rows["offset"]
    ends = starts + rows["size"]
    touched = np.zeros(len(rows), bool)
    for start, end in spans:
        touched |= (starts >= 0) & (starts < end) & (ends > start)
    for number in np.flatnonzero(touched[1:]):
        row = rows[int(number) + 1]
        if row["flags"] & SCATTERED or not _rests(row, moved, read):
            yield int(number)


def _rests(row: Records, moved: int, read: ReadRange) -> bool:
    size, offset, digest = int(row["size"]), int(row["offset"]), row["sha256"].tobytes()
    places = [offset] if moved == 0 else [offset, offset + moved]
    return any(sha256(read(place, size)).digest() == digest for place in places if place >= 0)


# --- packets that do not lie in one piece ----------------------------------------------------------


def _demuxed(table: PacketTable, key: str, store: ObjectStore) -> dict[int, Records]:
    """Records of each stream of the file as it rests now; empty when it cannot be demuxed any more."""
    header = table.header
    kind = "video" if table.main.media_type == "video" else "audio"
    container = Container(header.container, cast("Kind", kind), header.demuxer)
    with tempfile.TemporaryDirectory(prefix="evidock-audit-") as scratch, store.local_file(key) as path:
        file = Path(scratch) / "table"
        try:
            examination = examine(path, container=container, table=file)
            data = file.read_bytes()
            again = open_table(
                lambda start, length: data[start : start + length],
                packet_root=examination.packet_root or "",
                seal=examination.table_seal,
            )
            return {one.index: again.records(one, 0, one.leaf_count) for one in again.header.streams}
        except (Unacceptable, IntegrityError):
            return {}


def _compared(table: PacketTable, stream: TableStream, again: dict[int, Records], nearby: list[int]) -> list[int]:
    """Packets of `stream` that did not come out of the changed file as they are in the table.

    `nearby` are those that begin where bytes changed: all that can be said when it does not demux.
    """
    if stream.index not in again:
        return nearby
    before = table.records(stream, 1, stream.leaf_count)["sha256"].tolist()
    after = again[stream.index][1:]["sha256"].tolist()
    if len(before) == len(after):
        return [number for number, pair in enumerate(zip(before, after, strict=True)) if pair[0] != pair[1]]
    survived = set(after)
    return [number for number, digest in enumerate(before) if digest not in survived]


# --- words ------------------------------------------------------------------------------------------


def _told(table: PacketTable, stream: TableStream, numbers: Sequence[int]) -> str:
    edges = [at for at in range(1, len(numbers)) if numbers[at] != numbers[at - 1] + 1]
    runs = [numbers[start:end] for start, end in zip([0, *edges], [*edges, len(numbers)], strict=True)]
    told = [_told_run(table, stream, run) for run in runs[:_MOST_RUNS]]
    if len(runs) > _MOST_RUNS:
        told.append(f"and {sum(map(len, runs[_MOST_RUNS:]))} more")
    return f"stream {stream.index} ({stream.media_type} {stream.codec}) {', '.join(told)}"


def _told_run(table: PacketTable, stream: TableStream, run: Sequence[int]) -> str:
    first, last = _time_of(table, stream, run[0]), _time_of(table, stream, run[-1])
    if len(run) == 1:
        return f"packet {run[0]} (at {first})"
    return f"packets {run[0]} to {run[-1]} (at {first} to {last})"


def _time_of(table: PacketTable, stream: TableStream, number: int) -> str:
    row = table.records(stream, number + 1, number + 2)[0]
    ticks = int(row["dts"] if row["pts"] == NONE else row["pts"])
    return "an unknown time" if ticks == NONE else show(ticks * stream.time_base + stream.shift)
