# SPDX-License-Identifier: Apache-2.0
"""This is where a packet table is read: a few ranges of it, each byte checked before it is believed."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import numpy as np
import numpy.typing as npt

from evidence.errors import BadInput, EvidockError, ProofInvalid
from evidence.merkle import leaf_hash, reader_over, root_of, root_of_joined
from evidence.packet_tree import StreamLine, extradata_leaf, packet_leaf, packet_root, parse_stream
from pipeline.media.boxes import ReadRange
from pipeline.media.packet_table import (
    BLOCK,
    BLOCK_LEVEL,
    BLOCK_RECORDS,
    HEADER_MAX_BYTES,
    KEY,
    MAGIC,
    NONE,
    PREFIX,
    RECORD,
    Part,
    TableHeader,
    TableStream,
)

RECORD_DTYPE = np.dtype(
    [
        *((name, "<i8") for name in ("dts", "pts", "duration", "offset")),
        *(("size", "<u4"), ("flags", "<u4"), ("sha256", "V32")),
    ]
)
BLOCK_DTYPE = np.dtype(
    [
        *((name, "<i8") for name in ("first_dts", "min_pts", "max_pts", "last_key")),
        *(("node", "V32"), ("sha256", "V32")),
    ]
)
_BLOCKS_KEPT = 256
Ints = npt.NDArray[np.int64]
Records = npt.NDArray[Any]
"""Rows of `RECORD_DTYPE`; row k of a stream is its leaf k, so row 0 is the extradata and row 1 packet 0."""


@dataclass(slots=True)
class PacketTable:
    """An open packet table. Nothing from it is returned that its seal and the packet root do not bind."""

    header: TableHeader
    _read: ReadRange
    _body: int
    _blocks: dict[int, npt.NDArray[Any]] = field(default_factory=dict)
    _kept: dict[tuple[int, int], bytes] = field(default_factory=dict)

    @property
    def main(self) -> TableStream:
        """The stream that clips are cut by."""
        return next(stream for stream in self.header.streams if stream.is_main)

    def stream(self, index: int) -> TableStream:
        """The stream with this index.

        Raises:
            BadInput: there is none.
        """
        for stream in self.header.streams:
            if stream.index == index:
                return stream
        raise BadInput(f"no stream {index} in this recording")

    def blocks(self, stream: TableStream) -> npt.NDArray[Any]:
        """Every block of `stream` (rows of `BLOCK_DTYPE`); their roots lead to the stream's root.

        Raises:
            ProofInvalid: they are not the ones the header binds.
        """
        if stream.index not in self._blocks:
            data = self._part(stream.blocks)
            if sha256(data).hexdigest() != stream.blocks_sha256:
                raise ProofInvalid(f"packet table: the blocks of stream {stream.index} were changed")
            rows = np.frombuffer(data, BLOCK_DTYPE)
            if root_of(row.tobytes() for row in rows["node"]).hex() != stream.root:
                raise ProofInvalid(f"packet table: stream {stream.index} has another root than its blocks")
            self._blocks[stream.index] = rows
        return self._blocks[stream.index]

    def records(self, stream: TableStream, first: int, end: int) -> Records:
        """Records `[first, end)` of `stream`; whole blocks are read and compared with their hashes.

        Raises:
            ProofInvalid: they are not the ones the blocks bind.
            BadInput: there are no such records.
        """
        if not 0 <= first <= end <= stream.leaf_count:
            raise BadInput(f"no records {first} to {end} in stream {stream.index}")
        numbers = range(first // BLOCK_RECORDS, -(-end // BLOCK_RECORDS))
        if len(self._kept) > _BLOCKS_KEPT:
            self._kept.clear()
        missing = [number for number in numbers if (stream.index, number) not in self._kept]
        if missing:
            self._fetch(stream, missing[0], missing[-1] + 1)
        data = b"".join([self._kept[stream.index, number] for number in numbers])
        start = numbers.start * BLOCK_RECORDS
        return np.frombuffer(data, RECORD_DTYPE)[first - start : end - start]

    def _fetch(self, stream: TableStream, from_block: int, to_block: int) -> None:
        """Read blocks `[from_block, to_block)`, compare them with their hashes, and keep them a while."""
        start, stop = from_block * BLOCK_RECORDS, min(to_block * BLOCK_RECORDS, stream.leaf_count)
        part = Part(stream.records.offset + start * RECORD.size, (stop - start) * RECORD.size)
        data = self._part(part)
        hashes = self.blocks(stream)["sha256"]
        for number in range(from_block, to_block):
            at = (number - from_block) * BLOCK_RECORDS * RECORD.size
            block = data[at : at + BLOCK_RECORDS * RECORD.size]
            if sha256(block).digest() != hashes[number].tobytes():
                raise ProofInvalid(f"packet table: block {number} of stream {stream.index} was changed")
            self._kept[stream.index, number] = block

    def subtree(self, stream: TableStream) -> Callable[[int, int], bytes]:
        """A `SubtreeReader` over the leaves of `stream`, for proofs about it."""
        nodes = self.blocks(stream)["node"]
        whole = stream.leaf_count // BLOCK_RECORDS
        above = reader_over(b"".join(row.tobytes() for row in nodes[:whole]))

        def read(level: int, index: int) -> bytes:
            if level >= BLOCK_LEVEL:
                return above(level - BLOCK_LEVEL, index)
            first = index << level
            rows = self.records(stream, first, first + (1 << level))
            return root_of_joined(b"".join(leaves_of(rows, first)))

        return read

    def init(self) -> bytes:
        """The MP4 without samples that clips are built around.

        Raises:
            ProofInvalid: it is not the one the header binds.
        """
        data = self._part(self.header.init)
        if sha256(data).hexdigest() != self.header.init_sha256:
            raise ProofInvalid("packet table: the init file was changed")
        return data

    def _part(self, part: Part) -> bytes:
        data = self._read(self._body + part.offset, part.size_bytes)
        if len(data) != part.size_bytes:
            raise ProofInvalid("the packet table is shorter than its header says")
        return data


def open_table(read: ReadRange, *, packet_root: str, seal: str | None = None) -> PacketTable:
    """The packet table behind `read`, whose streams lead to `packet_root` (hexadecimal).

    With the `seal` given at examination, every byte that is ever returned is bound. Without it a table
    forged as a whole could still say wrong offsets and key flags; never wrong packets.

    Raises:
        ProofInvalid: the header was changed, or belongs to another recording.
    """
    prefix = read(0, PREFIX.size)
    if len(prefix) < PREFIX.size:
        raise ProofInvalid("the packet table is cut short")
    magic, length, digest = PREFIX.unpack(prefix)
    if magic != MAGIC or length > HEADER_MAX_BYTES:
        raise ProofInvalid("not a packet table")
    text = read(PREFIX.size, length)
    if sha256(text).digest() != digest or (seal is not None and digest.hex() != seal):
        raise ProofInvalid("packet table: the header was changed")
    header = TableHeader.from_json(text)
    _check_lines(header, packet_root)
    return PacketTable(header, read, PREFIX.size + length)


def _check_lines(header: TableHeader, expected_root: str) -> None:
    try:
        lines = [parse_stream(stream.line) for stream in header.streams]
        found = packet_root(lines).hex()
    except EvidockError as error:
        raise ProofInvalid(f"packet table: {error}") from error
    if found != header.packet_root or found != expected_root:
        raise ProofInvalid("the packet table is of another recording", expected=expected_root, actual=found)
    for stream, line in zip(header.streams, lines, strict=True):
        _check_stream(stream, line)


def _check_stream(stream: TableStream, line: StreamLine) -> None:
    """The header may not say about a stream what its line does not."""
    said = (stream.index, stream.media_type, stream.codec, stream.time_base, stream.count, stream.root)
    if said != (line.index, line.media_type, line.codec, line.time_base, line.packet_count, line.root.hex()):
        raise ProofInvalid(f"packet table: stream {stream.index} contradicts its line")
    blocks = -(-stream.leaf_count // BLOCK_RECORDS)
    if stream.records.size_bytes != stream.leaf_count * RECORD.size:
        raise ProofInvalid(f"packet table: stream {stream.index} has records of another length")
    if stream.blocks.size_bytes != blocks * BLOCK.size:
        raise ProofInvalid(f"packet table: stream {stream.index} has blocks of another length")


def check_table(read: ReadRange, *, size_bytes: int, packet_root: str, seal: str | None = None) -> int:
    """Recompute the whole table of `size_bytes` bytes; returns how many packets it holds.

    Raises:
        ProofInvalid: any byte of it is not what it was, or it is of another recording.
    """
    table = open_table(read, packet_root=packet_root, seal=seal)
    at = 0
    for stream in table.header.streams:
        at = _follows(at, stream.records)
        _check_blocks(table, stream)
    for stream in table.header.streams:
        at = _follows(at, stream.blocks)
    at = _follows(at, table.header.init)
    table.init()
    if table._body + at != size_bytes:
        raise ProofInvalid("the packet table has bytes that no part of it claims")
    return sum(stream.count for stream in table.header.streams)


def _follows(at: int, part: Part) -> int:
    if part.offset != at:
        raise ProofInvalid("the parts of the packet table do not follow one another")
    return at + part.size_bytes


def _check_blocks(table: PacketTable, stream: TableStream) -> None:
    last_key = -1
    for number, block in enumerate(table.blocks(stream)):
        first = number * BLOCK_RECORDS
        rows = table.records(stream, first, min(first + BLOCK_RECORDS, stream.leaf_count))
        if root_of(leaves_of(rows, first)) != block["node"].tobytes():
            raise ProofInvalid(f"packet table: block {number} of stream {stream.index} is not in its tree")
        keys = np.flatnonzero(rows["flags"] & KEY)
        last_key = first + int(keys[-1]) if len(keys) else last_key
        shown = rows["pts"][rows["pts"] != NONE]
        if len(shown) and (shown.min(), shown.max()) != (block["min_pts"], block["max_pts"]):
            raise ProofInvalid(f"packet table: block {number} of stream {stream.index} misleads about time")
        if last_key != block["last_key"]:
            raise ProofInvalid(f"packet table: block {number} of stream {stream.index} misleads about keys")


def leaves_of(rows: Records, first: int) -> Iterator[bytes]:
    """The leaf hashes of records whose first one is record `first` of its stream."""
    for number, row in enumerate(rows.tolist(), first):
        dts, pts, duration, _, size, _, digest = row
        if number:
            leaf = packet_leaf(none_or(dts), none_or(pts), duration, size, digest.hex())
        else:
            leaf = extradata_leaf(size, digest.hex())
        yield leaf_hash(leaf)


def none_or(ticks: int) -> int | None:
    """Ticks, or None where the table says there are none."""
    return None if ticks == NONE else ticks
