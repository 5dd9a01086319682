# SPDX-License-Identifier: Apache-2.0
"""This is where a clip's packets are fetched from the original: few reads, and every packet compared."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256

from evidence.errors import FixityMismatch
from pipeline.media.boxes import ReadRange
from pipeline.media.clip_plan import StreamPlan
from pipeline.media.clip_tracks import Placed

CHUNK_BYTES = 65_536
_BATCH_BYTES = 48 << 20
_GAP_MAX_BYTES = 128 << 10
_WASTE_FREE_BYTES = 256 << 10


@dataclass(slots=True)
class CountedReads:
    """A `ReadRange` that knows how much went through it."""

    read: ReadRange
    bytes_read: int = 0
    requests: int = 0

    def __call__(self, offset: int, length: int) -> bytes:
        """The bytes from `offset` on, counted."""
        data = self.read(offset, length)
        self.bytes_read += len(data)
        self.requests += 1
        return data


def fetch(order: Sequence[Placed], plans: Sequence[StreamPlan], read: ReadRange) -> Iterator[memoryview]:
    """The payloads of `order`, one by one, each compared with its hash in the packet table.

    Reads are of runs of packets that lie near one another; memory is bounded, however long the clip.

    Raises:
        FixityMismatch: a packet is not what was measured; names it, its offset and its 64 KiB chunk.
    """
    hashes = [plan.rows["sha256"] for plan in plans]
    for batch in _batches(order):
        runs = [(start, memoryview(read(start, end - start))) for start, end in _runs(batch)]
        for placed, payload in _taken_from(runs, batch):
            if sha256(payload).digest() != hashes[placed.stream][placed.row].tobytes():
                raise mismatch(placed, plans)
            yield payload


def mismatch(placed: Placed, plans: Sequence[StreamPlan]) -> FixityMismatch:
    """The error for a packet that is not what was measured."""
    plan = plans[placed.stream]
    packet = plan.first + placed.row - 1
    chunk = max(placed.offset, 0) // CHUNK_BYTES
    return FixityMismatch(
        f"packet {packet} of stream {plan.stream.index} is not what was measured: "
        f"byte {placed.offset}, 64 KiB chunk {chunk}",
        stream=plan.stream.index,
        packet=packet,
        offset=placed.offset,
        chunk=chunk,
    )


def _batches(order: Sequence[Placed]) -> Iterator[Sequence[Placed]]:
    """Runs of `order` of at most 48 MiB each, or of one packet."""
    start = held = 0
    for number, placed in enumerate(order):
        if held and held + placed.size > _BATCH_BYTES:
            yield order[start:number]
            start, held = number, 0
        held += placed.size
    if start < len(order):
        yield order[start:]


def _runs(batch: Sequence[Placed]) -> list[tuple[int, int]]:
    """The byte ranges to read: neighbours are joined while what is read in vain stays small."""
    allowance = _WASTE_FREE_BYTES + sum(placed.size for placed in batch) // 10
    runs: list[tuple[int, int]] = []
    for placed in sorted(batch, key=lambda one: one.offset):
        end = placed.offset + placed.size
        gap = placed.offset - runs[-1][1] if runs else 0
        if runs and gap <= min(_GAP_MAX_BYTES, allowance):
            allowance -= max(gap, 0)
            runs[-1] = (runs[-1][0], max(runs[-1][1], end))
        else:
            runs.append((placed.offset, end))
    return runs


def _taken_from(runs: Sequence[tuple[int, memoryview]], batch: Sequence[Placed]) -> Iterator[tuple[Placed, memoryview]]:
    """Each packet of `batch`, in its order, with its bytes out of `runs` (which ascend)."""
    current = 0
    for placed in batch:
        while current and placed.offset < runs[current][0]:
            current -= 1
        while current + 1 < len(runs) and placed.offset >= runs[current + 1][0]:
            current += 1
        start, data = runs[current]
        yield placed, data[placed.offset - start : placed.offset - start + placed.size]
