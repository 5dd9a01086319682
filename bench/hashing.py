# SPDX-License-Identifier: Apache-2.0
"""This is where each measurement of bytes is timed by itself, beside openssl: the parts that ingest is made of."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from statistics import median

from bench.footage import Footage, film_long
from bench.result import Goal, Result, at_least, figures_of, paragraphs, seconds
from bench.timing import openssl_sha256, timed
from evidence.chunk_tree import ChunkHasher
from evidence.digest import Digest
from pipeline.media.examine import examine
from pipeline.media.sniff import sniff_bytes
from storage.objects_file import DirectoryStore

_SIZE = 1 << 30
_GRAIN = 11
_BLOCK = 8 << 20
_KEY = "bench/original"
_COMPARED = paragraphs("""
Each of ours reads the file from the directory store or the page cache, on one thread. The verification is
`measure` of the store, which asks the page cache to forget the file first; the packet tree is the whole
examining child: Python's start, demuxing, SHA-256 of each packet, the packet table.

Theirs: the process `openssl dgst -sha256 FILE`, page cache warm. All take turns, one round unmeasured first.
""")


def measure_hashing(folder: Path, *, repeats: int) -> Result:
    """Whole-file verification, chunk tree and packet tree of 1 GiB, beside openssl."""
    footage = film_long(folder / "source", size_bytes=_SIZE, grain=_GRAIN)
    works: dict[str, Callable[[], object]] = {
        "verify at rest (SHA-256)": _verifying(footage.path, folder / "store"),
        "chunk tree": lambda: _chunk_tree(footage.path),
        "packet tree": lambda: _packet_tree(footage.path, folder / "table"),
    }
    theirs: list[float] = []
    ours: dict[str, list[float]] = {name: [] for name in works}
    for number in range(repeats + 1):
        once = openssl_sha256(footage.path)
        times = {name: timed(work) for name, work in works.items()}
        if number:
            theirs.append(once)
            for name, value in times.items():
                ours[name].append(value)
    return _result(footage, theirs, ours)


def _result(footage: Footage, theirs: list[float], ours: dict[str, list[float]]) -> Result:
    ratios = {name: [their / our for their, our in zip(theirs, times, strict=True)] for name, times in ours.items()}
    rows = [("openssl dgst -sha256", *seconds(theirs), _rate(footage, theirs), "1")]
    for name, times in ours.items():
        rows.append((name, *seconds(times), _rate(footage, times), f"{median(ratios[name]):.2f}"))
    wanted = dict(zip(ours, (0.90, 0.70, 0.35), strict=True))
    goals: tuple[Goal, ...] = tuple(
        at_least(f"{name}, of openssl's speed", wanted[name], median(ratios[name])) for name in ours
    )
    figures = {
        "size_bytes": footage.size_bytes,
        "openssl_s": figures_of(theirs),
        **{f"{name}_s": figures_of(times) for name, times in ours.items()},
        "ratios": {name: figures_of(values) for name, values in ratios.items()},
    }
    columns = ("1 GiB", "median", "least to most", "a second", "of openssl")
    return Result("hashing", "The parts of measuring, one by one", _COMPARED, columns, tuple(rows), figures, goals)


def _rate(footage: Footage, times: list[float]) -> str:
    return f"{footage.size_bytes / median(times) / 1e6:.0f} MB/s"


def _verifying(path: Path, folder: Path) -> Callable[[], Digest]:
    store = DirectoryStore(folder)
    store.put_once(_KEY, path, digest=_digest(path))
    return lambda: store.measure(_KEY)


def _digest(path: Path) -> Digest:
    with path.open("rb") as file:
        return Digest(hashlib.file_digest(file, "sha256").digest(), path.stat().st_size)


def _chunk_tree(path: Path) -> None:
    buffer, hasher = bytearray(_BLOCK), ChunkHasher()
    with path.open("rb", buffering=0) as file:
        while count := file.readinto(buffer):
            hasher.update(memoryview(buffer)[:count])
    hasher.finish()


def _packet_tree(path: Path, table: Path) -> None:
    with path.open("rb") as file:
        container = sniff_bytes(file.read(1 << 16), name=path.name)
    examine(path, container=container, table=table)
