# SPDX-License-Identifier: Apache-2.0
"""This is where taking in is measured: to the signed receipt, beside one bare hash over the same file."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench.footage import Footage, film_long
from bench.memory import Peak, run_watched
from bench.result import Goal, Result, at_least, figures_of, mib, paragraphs, seconds
from bench.timing import openssl_sha256, warm

_ROOT = Path(__file__).parents[1]
_LARGE, _SMALL = 2 << 30, 1 << 29
_GRAIN = 11  # about 11 Mb/s, what recorders make of 1080p
_MEMORY = 300 << 20
_GROWTH = 1.10
_COLUMNS = ("", "0.5 GiB", "2 GiB", "2 GiB, least to most")
_COMPARED = paragraphs("""
Ours: from the offer of a file to its signed receipt (steps arrive, fixity and seal as a worker runs them;
directory store, SQLite register): the file is copied, its SHA-256, chunk tree and packet tree are made, it is
made durable, read back with the page cache asked to forget it, compared, signed and recorded. The installation
is open; starting Python is not counted.

Theirs: the whole process `openssl dgst -sha256 FILE`: one reading and one hash.

Both find the source in the page cache: it is read once before each. The two take turns, one round unmeasured
first. The ratio is openssl's time to ours, round by round.

Ours uses both processors where openssl uses one. Runs of this benchmark beside other work gave 0.19 to 0.24.

Memory is resident memory, watched from outside every 50 ms, libraries included; `together` is our process and
the examining child at one moment.
""")


@dataclass(slots=True)
class _Rounds:
    """What was measured over one file."""

    footage: Footage
    openssl: list[float]
    steps: list[dict[str, float]]
    peaks: list[Peak]

    @property
    def ours(self) -> list[float]:
        return [sum(steps.values()) for steps in self.steps]

    @property
    def ratios(self) -> list[float]:
        return [theirs / ours for theirs, ours in zip(self.openssl, self.ours, strict=True)]

    def step(self, name: str) -> list[float]:
        return [steps[name] for steps in self.steps]

    def peak(self, name: str) -> int:
        return max(int(getattr(peak, name)) for peak in self.peaks)

    def to_dict(self) -> dict[str, object]:
        return {
            "size_bytes": self.footage.size_bytes,
            "bits_per_s": self.footage.bits_per_s,
            "openssl_s": figures_of(self.openssl),
            "ours_s": figures_of(self.ours),
            "steps_s": {name: figures_of(self.step(name)) for name in self.steps[0]},
            "ratio": figures_of(self.ratios),
            "memory_bytes": {name: self.peak(name) for name in Peak.__slots__},
        }


def measure_ingest(folder: Path, *, repeats: int) -> Result:
    """Ingest to receipt of 2 GiB, `repeats` times, and of 0.5 GiB for the growth of memory."""
    small, large = (_rounds(folder, size, repeats=repeats) for size in (_SMALL, _LARGE))
    figures = {"small": small.to_dict(), "large": large.to_dict()}
    compared = (*_COMPARED, _told(large.footage))
    title = "Ingest to receipt, against one SHA-256 over the same file"
    return Result("ingest", title, compared, _COLUMNS, _rows(small, large), figures, _goals(small, large))


def _rounds(folder: Path, size_bytes: int, *, repeats: int) -> _Rounds:
    rounds = _Rounds(film_long(folder / "source", size_bytes=size_bytes, grain=_GRAIN), [], [], [])
    answer = folder / "answer.json"
    command = [sys.executable, "-m", "bench.ingest_once", str(rounds.footage.path), str(folder / "home"), str(answer)]
    for number in range(repeats + 1):
        warm(rounds.footage.path)
        theirs = openssl_sha256(rounds.footage.path)
        warm(rounds.footage.path)
        peak = run_watched(command, cwd=_ROOT)
        if number:
            rounds.openssl.append(theirs)
            rounds.steps.append(json.loads(answer.read_text()))
            rounds.peaks.append(peak)
    rounds.footage.path.unlink()
    return rounds


def _rows(small: _Rounds, large: _Rounds) -> tuple[tuple[str, ...], ...]:
    rows = [
        ("openssl dgst -sha256", seconds(small.openssl)[0], *seconds(large.openssl)),
        ("ours, to the receipt", seconds(small.ours)[0], *seconds(large.ours)),
    ]
    rows += [(f"  {name}", seconds(small.step(name))[0], *seconds(large.step(name))) for name in large.steps[0]]
    low, high = min(large.ratios), max(large.ratios)
    ratio = (f"{median(small.ratios):.2f}", f"{median(large.ratios):.2f}", f"{low:.2f} to {high:.2f}")
    rows.append(("ratio", *ratio))
    rows += [(f"peak memory, {name}", mib(small.peak(name)), mib(large.peak(name)), "") for name in Peak.__slots__]
    return tuple(rows)


def _goals(small: _Rounds, large: _Rounds) -> tuple[Goal, ...]:
    together, before = large.peak("together"), small.peak("together")
    return (
        at_least("ingest to receipt of 2 GiB, of openssl's speed", 0.25, median(large.ratios)),
        Goal("peak memory, process and child together", "< 300 MiB", mib(together), together < _MEMORY),
        Goal(
            "memory flat: 2 GiB against 0.5 GiB",
            f"≤ {_GROWTH:g} ×",
            f"{together / before:.2f} ×",
            together <= _GROWTH * before,
        ),
    )


def _told(footage: Footage) -> str:
    return (
        f"The file: {footage.size_bytes / (1 << 30):.2f} GiB, {float(footage.seconds):.0f} s of 1080p H.264 at 30 "
        f"frames a second with AAC, {footage.bits_per_s / 1e6:.1f} Mb/s, moov at the end; ten filmed seconds repeated."
    )
