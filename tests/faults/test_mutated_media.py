# SPDX-License-Identifier: Apache-2.0
"""This is where damaged copies of real footage go through the real sandbox: whatever breaks, breaks in there (F18)."""

import random
import resource
import time
from fractions import Fraction
from pathlib import Path

import pytest

from evidence.digest import Digest
from evidence.errors import Unacceptable
from pipeline.media.examination import Examination
from pipeline.media.examine import examine
from pipeline.media.photo import read_exif
from pipeline.media.sniff import sniff
from pipeline.media.transcode import Source, make_derivatives
from tests.support.cameras import tiny_clip
from tests.support.chaos import seeded, times
from tests.support.footage import shared_media
from tests.support.hostile_media import remuxed
from tests.support.hostile_run import check, run
from tests.support.tiny_media import tool

LARGEST = 2 << 20


def footage() -> list[bytes]:
    """Real and simulated footage, the small ones."""
    files = [
        path for path in sorted(shared_media().rglob("*")) if path.is_file() and 0 < path.stat().st_size <= LARGEST
    ]
    simulated = [tiny_clip(kind).read_bytes() for kind in ("plain", "bframes", "fragments", "wav", "photo")]
    return [
        *(path.read_bytes() for path in files if path.suffix != ".md"),
        *simulated,
        *(remuxed("plain", ending) for ending in ("mkv", "ts", "avi", "flv")),
    ]


def mutated(data: bytes, chance: random.Random) -> bytes:
    """A copy with some damage: bits, bytes, whole runs, lengths, pieces moved or cut away."""
    copy = bytearray(data)
    for _ in range(chance.choice((1, 3, 20, 200))):
        at = chance.randrange(len(copy))
        match chance.randrange(6):
            case 0:
                copy[at] ^= 1 << chance.randrange(8)
            case 1:
                copy[at] = chance.randrange(256)
            case 2:
                copy[at : at + 4] = chance.choice(
                    (b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\x80\0\0\0")
                )
            case 3:
                copy[at : at + chance.randrange(64)] = chance.randbytes(chance.randrange(64))
            case 4:
                copy[at : at + 32] = copy[: chance.randrange(32)]
            case _:
                # The head of a file is where its index and its claims are.
                copy[chance.randrange(min(len(copy), 4096))] = chance.randrange(256)
    return bytes(copy[: chance.randrange(1, len(copy))] if chance.random() < 0.1 else copy)


def try_all(path: Path, folder: Path) -> Examination | None:
    """All that an ingest does with its bytes; None when they were refused in words of ours."""
    try:
        container = sniff(path)
        found = examine(path, container=container, table=folder / "table")
        if found.kind == "photo":
            read_exif(path)
        length = min(found.duration, Fraction(30))
        made = folder / "made"
        made.mkdir(exist_ok=True)
        make_derivatives(
            Source(path, Digest(bytes(32), 1), found.demuxer, found.kind, length, found.audio is not None),
            scratch=made,
            tool=tool(),
        )
    except Unacceptable:
        return None
    return found


def test_mutated_footage_never_harms_the_worker(tmp_path: Path) -> None:
    chance, slowest, taken = seeded("mutated"), 0.0, 0
    originals = footage()
    count = times(16, 10_000)
    path = tmp_path / "mutated.mp4"
    for _ in range(count):
        path.write_bytes(mutated(chance.choice(originals), chance))
        began = time.monotonic()
        taken += try_all(path, tmp_path) is not None
        slowest = max(slowest, time.monotonic() - began)
        assert slowest <= 60
    print(f"{count} mutated files: {taken} taken, {count - taken} refused, the slowest {slowest:.1f} s")
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024 <= 2 << 30


@pytest.mark.parametrize("level", ["full", "landlock"])
def test_the_whole_corpus_is_held_by_every_level(level: str, tmp_path: Path) -> None:
    check(run(tmp_path, every=times(46, 1), has_bubblewrap=level == "full"), level=level)
