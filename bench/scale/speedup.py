# SPDX-License-Identifier: Apache-2.0
"""This is where a second worker is added, and it is seen how much sooner the same transcodes are done."""

import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

from sqlalchemy import select

from bench.footage import film
from bench.installation import installed
from bench.result import Goal, Result, at_least, figures_of, paragraphs, seconds
from bench.scale.processes import started
from evidence import instant
from evidence.errors import Unavailable
from pipeline.media.ffmpeg import THREADS
from storage.register import jobs, schema

_CLIPS, _CLIP_S = 12, 4
_PATIENCE_S = 300
_WANTED = 1.7
_COLUMNS = ("", "median", "least to most")
_COMPARED = paragraphs(f"""
{_CLIPS} clips of {_CLIP_S} s of 1080p H.264 with AAC, taken in and sealed beforehand; what is left is proxy, sprite and
fingerprint of each. Then worker processes are started, each running one step at a time. Measured is from the first
lease to the last result, as the register has them, so starting Python is left out.

Each worker has one processor to itself, and so has the ffmpeg it starts: ffmpeg runs with {THREADS} threads,
always, for its output depends on their number, and one worker alone would take both processors of a small machine.
So this says what a second machine or a second processor brings, not what a second process on a busy one does.
""")


def measure_speedup(folder: Path, *, repeats: int) -> Result:
    """One worker and two, in turn."""
    clips = [film(folder / "source" / str(number), seconds=_CLIP_S, seed=number).path for number in range(_CLIPS)]
    spent: dict[int, list[float]] = {1: [], 2: []}
    for number in range(repeats):
        for workers in spent:
            spent[workers].append(_transcodes(folder / f"{number}-{workers}", clips, workers))
    ratio = median(one / two for one, two in zip(*spent.values(), strict=True))
    rows = tuple((f"{workers} worker{'s' * (workers > 1)}", *seconds(values)) for workers, values in spent.items())
    figures: dict[str, Any] = {str(workers): figures_of(values) for workers, values in spent.items()}
    goals: tuple[Goal, ...] = (at_least("two workers, of one worker's speed", _WANTED, ratio),)
    title = "Transcodes by one worker and by two"
    rows = (*rows, ("speed-up", f"{ratio:.2f} ×", ""))
    return Result("speedup", title, _COMPARED, _COLUMNS, rows, {"seconds": figures, "speedup": round(ratio, 3)}, goals)


def _transcodes(folder: Path, clips: Sequence[Path], workers: int) -> float:
    """Seconds from the first lease of a transcode to the last result."""
    with installed(folder / "home") as installation:
        for clip in clips:
            installation.take_in(clip, steps=("fixity", "seal", "stamp", "segment", "classify", "index"))
        register = installation.ports.register
        names = {f"worker {number}": ["worker"] for number in range(workers)}
        settings = {"EVIDOCK_WORKERS": "1"}
        home = installation.settings.home
        ends = time.monotonic() + _PATIENCE_S
        with started(names, home=home, settings=settings, processors=range(workers)):
            first = None
            while time.monotonic() < ends:
                with register.view() as connection:
                    rows = jobs.open_jobs(connection)
                if first is None and any(row.state == "leased" for row in rows):
                    first = time.time()
                if not rows:
                    break
                time.sleep(0.05)
        with register.view() as connection:
            kinds = select(schema.custody_events.c.at).where(schema.custody_events.c.kind == "derived")
            last = max(connection.scalars(kinds), default=None)
    if first is None or last is None or rows:
        raise Unavailable(f"the transcodes did not end within {_PATIENCE_S} s")
    return instant.from_text(last).timestamp() - first
