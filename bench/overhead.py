# SPDX-License-Identifier: Apache-2.0
"""This is where the framework's own cost is measured: every step on one second of footage, less ffmpeg's time."""

import time
from dataclasses import dataclass, field
from pathlib import Path

from bench.footage import film
from bench.installation import Installation, installed
from bench.result import Result, figures_of, milliseconds, paragraphs
from bench.timing import counting_programs
from pipeline.flow import STEPS
from storage.register.publisher import publish

_COLUMNS = ("step", "whole", "ffmpeg", "examining child", "the rest", "least to most")
_COMPARED = paragraphs("""
Clips of one second (1080p H.264, AAC), each another one, one after another through an open installation:
arrival, every step as a worker runs it (lease, heartbeat, one transaction with its custody event), publication
of the log. One at a time and without a broker.

`ffmpeg`: waiting for the ffmpeg program, which makes the proxy, the thumbnails and the pictures for
fingerprints. `examining child`: waiting for the process of our own that reads hostile bytes, nearly all of it
the start of Python. `the rest`: everything else, fsyncs of register, store and log included.

There is no peer for this; it is printed so that a change for the worse is seen.
""")


@dataclass(slots=True)
class _Costs:
    """Seconds of one step, for each clip: all, and of those what was spent waiting for programs."""

    whole: list[float] = field(default_factory=list)
    ffmpeg: list[float] = field(default_factory=list)
    child: list[float] = field(default_factory=list)

    @property
    def rest(self) -> list[float]:
        return [a - b - c for a, b, c in zip(self.whole, self.ffmpeg, self.child, strict=True)]

    def add(self, whole: float, programs: dict[str, float]) -> None:
        self.whole.append(whole)
        self.ffmpeg.append(programs.get("ffmpeg", 0.0))
        self.child.append(programs.get("examining child", 0.0))


def measure_overhead(folder: Path, *, clips: int) -> Result:
    """All steps on `clips` clips of one second, and one before them that is not counted."""
    files = [film(folder / f"card-{number}", seconds=1, seed=number).path for number in range(clips + 1)]
    costs: dict[str, _Costs] = {name: _Costs() for name in ("arrive", *STEPS, "publish")}
    with installed(folder / "home") as installation:
        _run(files[0], installation, {name: _Costs() for name in costs})
        for file in files[1:]:
            _run(file, installation, costs)
    return _result(costs)


def _run(file: Path, installation: Installation, costs: dict[str, _Costs]) -> None:
    with counting_programs() as programs:
        began = time.perf_counter()
        recording = installation.arrive(file)
        costs["arrive"].add(time.perf_counter() - began, programs.take())
        for step in STEPS:
            began = time.perf_counter()
            installation.run(step, recording)
            costs[step].add(time.perf_counter() - began, programs.take())
        began = time.perf_counter()
        publish(installation.ports.register, installation.ports.log)
        costs["publish"].add(time.perf_counter() - began, programs.take())


def _result(costs: dict[str, _Costs]) -> Result:
    total = _Costs()
    for number in range(len(costs["arrive"].whole)):
        parts = [(one.whole[number], one.ffmpeg[number], one.child[number]) for one in costs.values()]
        whole, ffmpeg, child = (sum(column) for column in zip(*parts, strict=True))
        total.add(whole, {"ffmpeg": ffmpeg, "examining child": child})
    rows = tuple(_row(name, one) for name, one in [*costs.items(), ("all steps", total)])
    figures = {
        name: {
            "whole_s": figures_of(one.whole),
            "ffmpeg_s": figures_of(one.ffmpeg),
            "child_s": figures_of(one.child),
            "rest_s": figures_of(one.rest),
        }
        for name, one in [*costs.items(), ("all", total)]
    }
    title = "What the framework costs: all steps on one second of footage"
    return Result("overhead", title, _COMPARED, _COLUMNS, rows, figures)


def _row(name: str, one: _Costs) -> tuple[str, ...]:
    parts = (milliseconds(values)[0] for values in (one.whole, one.ffmpeg, one.child))
    return (name, *parts, *milliseconds(one.rest))
