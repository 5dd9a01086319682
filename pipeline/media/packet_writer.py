# SPDX-License-Identifier: Apache-2.0
"""This is where a packet table is written while the packets go by, in memory that does not grow."""

import shutil
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import IO

from evidence.merkle import leaf_hash, root_of, root_of_joined
from evidence.packet_tree import extradata_leaf, packet_leaf
from pipeline.media.packet_table import BLOCK, BLOCK_RECORDS, KEY, MAGIC, NONE, PREFIX, RECORD, TableHeader

_LOWEST, _HIGHEST = -(1 << 63), (1 << 63) - 1


class StreamSpool:
    """Takes the packets of one stream in demux order; records go to a file, one entry a block stays here."""

    def __init__(self, file: IO[bytes], *, extradata: bytes) -> None:
        self._file = file
        self._pending: tuple[int, int, int, int, int, int, bytes] | None = None
        self._records = bytearray()
        self._leaves = bytearray()
        self._nodes: list[bytes] = []
        self._first_dts, self._min_pts, self._max_pts = NONE, _HIGHEST, _LOWEST
        self._count, self._last_key = 0, -1
        self.blocks = bytearray()
        digest = sha256(extradata)
        self._records += RECORD.pack(NONE, NONE, 0, -1, len(extradata), 0, digest.digest())
        self._leaves += leaf_hash(extradata_leaf(len(extradata), digest.hexdigest()))

    def take(self, dts: int, pts: int, duration: int, offset: int, size: int, flags: int, digest: bytes) -> None:
        """The next packet. Times are ticks or `NONE`; `offset` is -1 when the payload is not in one piece.

        A packet lasts until the next one is decoded, whatever its container says: that is what an
        index of samples can express, so it is the same in a clip. The last keeps what was said.
        """
        pending = self._pending
        if pending is not None:
            lasts = dts - pending[0] if NONE not in (dts, pending[0]) and dts >= pending[0] else pending[2]
            self._keep(pending[0], pending[1], lasts, *pending[3:])
        self._pending = (dts, pts, duration, offset, size, flags, digest)

    def finish(self) -> None:
        """No more packets come."""
        if self._pending is not None:
            self._keep(*self._pending)
            self._pending = None
        self._end_block()

    @property
    def count(self) -> int:
        """Packets so far, those that `finish` has yet to keep not counted."""
        return self._count

    @property
    def root(self) -> bytes:
        """Root of the stream's tree (RFC 9162 §2.1.1)."""
        # A tree over whole blocks of 2**8 leaves, the last one shorter, is the tree over their leaves.
        return root_of(self._nodes)

    def _keep(self, dts: int, pts: int, duration: int, offset: int, size: int, flags: int, digest: bytes) -> None:
        if len(self._records) == BLOCK_RECORDS * RECORD.size:
            self._end_block()
        self._count += 1
        self._records += RECORD.pack(dts, pts, duration, offset, size, flags, digest)
        leaf = packet_leaf(None if dts == NONE else dts, None if pts == NONE else pts, duration, size, digest.hex())
        self._leaves += sha256(b"\0" + leaf).digest()
        if self._first_dts == NONE:
            self._first_dts = dts
        if pts != NONE:
            self._min_pts, self._max_pts = min(pts, self._min_pts), max(pts, self._max_pts)
        if flags & KEY:
            self._last_key = self._count

    def _end_block(self) -> None:
        node = root_of_joined(self._leaves)
        self._nodes.append(node)
        self.blocks += BLOCK.pack(
            self._first_dts,
            self._min_pts,
            self._max_pts,
            self._last_key,
            node,
            sha256(self._records).digest(),
        )
        self._file.write(self._records)
        self._records.clear()
        self._leaves.clear()
        self._first_dts, self._min_pts, self._max_pts = NONE, _HIGHEST, _LOWEST


def write_table(
    out: Path,
    header: TableHeader,
    *,
    records: Sequence[IO[bytes]],
    blocks: Sequence[bytes | bytearray],
    init: bytes,
) -> str:
    """Put the finished parts together in the order of `header`; returns the seal in hexadecimal."""
    text = header.to_json()
    seal = sha256(text)
    with out.open("wb") as table:
        table.write(PREFIX.pack(MAGIC, len(text), seal.digest()))
        table.write(text)
        for spool in records:
            spool.seek(0)
            shutil.copyfileobj(spool, table, 1 << 20)
        for entries in blocks:
            table.write(entries)
        table.write(init)
    return seal.hexdigest()
