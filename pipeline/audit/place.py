# SPDX-License-Identifier: Apache-2.0
"""This is where damage to an original gets a place: which 64 KiB chunks, which coded packets, at what time.

Chunks come from the chunk list, packets from the packet table, each only when it was itself found whole.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from evidence.chunk_tree import CHUNK_SIZE, chunk_tree_of, differences
from evidence.digest import Digest
from pipeline.audit.packets import changed_packets
from pipeline.audit.records import Measured
from pipeline.media.packet_reader import PacketTable
from storage.objects import ObjectStore

_MOST_RUNS = 8


@dataclass(frozen=True, slots=True)
class Damaged:
    """An original that rests with other bytes than were measured, and what is left to place the damage by."""

    key: str
    measured: Measured
    found: Digest
    chunks: bytes | None
    table: PacketTable | None


def place_damage(damaged: Damaged, *, store: ObjectStore) -> tuple[str, str]:
    """What happened to the original, in one word, and where in it.

    Raises:
        StoreUnavailable: nothing was decided.
    """
    expected, actual = damaged.measured.size_bytes, damaged.found.size_bytes
    what, parts = "altered", []
    if actual < expected:
        what = "truncated"
        parts.append(f"{expected - actual} of {expected} bytes are missing")
    elif actual > expected:
        what = "lengthened"
        parts.append(f"{actual - expected} bytes more than the {expected} measured")
    chunks = None if damaged.chunks is None else _changed_chunks(damaged.key, damaged.chunks, store)
    if chunks is None:
        parts.append("no chunk list holds that could say where")
    elif not chunks:
        parts.append("read again, its bytes hold: the medium gives now one thing and now another")
    else:
        parts.append(_told_chunks(chunks, max(expected, actual)))
    if damaged.table is not None:
        spans = [(0, max(expected, actual))] if chunks is None else [_bytes_of(run) for run in chunks]
        parts.append(changed_packets(damaged.table, spans, key=damaged.key, found=damaged.found, store=store))
    return what, "; ".join(part for part in parts if part)


def _changed_chunks(key: str, leaves: bytes, store: ObjectStore) -> list[range]:
    actual = chunk_tree_of(store.blocks(key))
    return runs_of(differences(leaves, actual.leaves))


def runs_of(numbers: Iterable[int]) -> list[range]:
    """Ascending numbers as runs without gaps."""
    runs: list[range] = []
    for number in numbers:
        if runs and runs[-1].stop == number:
            runs[-1] = range(runs[-1].start, number + 1)
        else:
            runs.append(range(number, number + 1))
    return runs


def _bytes_of(run: range) -> tuple[int, int]:
    return run.start * CHUNK_SIZE, run.stop * CHUNK_SIZE


def _told_chunks(runs: Sequence[range], size_bytes: int) -> str:
    told = [_told_run(run, size_bytes) for run in runs[:_MOST_RUNS]]
    if len(runs) > _MOST_RUNS:
        told.append(f"and {sum(map(len, runs[_MOST_RUNS:]))} chunks more")
    return ", ".join(told)


def _told_run(run: range, size_bytes: int) -> str:
    start, end = _bytes_of(run)
    span = f"bytes {start} to {min(end, size_bytes) - 1}"
    if len(run) == 1:
        return f"64 KiB chunk {run.start} ({span})"
    return f"64 KiB chunks {run.start} to {run.stop - 1} ({span})"
