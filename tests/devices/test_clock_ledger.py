# SPDX-License-Identifier: Apache-2.0
"""Cameras of every kind live for a month; the interval that we state for each recording must hold the truth."""

import random
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from statistics import median

from pipeline.clock_ledger import ledger
from pipeline.when import weigh_start
from tests.devices.clock_world import KINDS, Kind, Life, live
from tests.support.chaos import seeded, times

_ENDLESS = timedelta(days=99_999)


@dataclass(frozen=True, slots=True)
class Stated:
    """What was stated of one recording: whether the truth lies in it, how wide it is, and how it was known."""

    holds: bool
    width_s: float
    basis: str


def population(chance: random.Random, cameras: int) -> Iterator[Life]:
    """Cameras of every kind, by their shares; at least one of each."""
    for kind in KINDS:
        for _ in range(max(1, kind.share * cameras // 100)):
            yield live(kind, chance)


def stated(life: Life) -> Iterator[Stated]:
    """What would be recorded of each recording, with the readings that there were by then."""
    known = 0
    for filmed, count in life.filmed:
        if count != known:
            readings, known = life.readings[:count], count
        told = ledger(readings, zone=life.kind.zone, sighting=filmed.sighting, manner=life.kind.manner)
        start = weigh_start(filmed.claims, told, duration=filmed.duration)
        assert start is not None
        early = _ENDLESS if start.early is None else start.early
        late = _ENDLESS if start.late is None else start.late
        holds = -early <= filmed.true - start.at <= late
        yield Stated(holds, min(early + late, _ENDLESS).total_seconds(), start.basis["kind"])


def table(found: dict[str, list[Stated]]) -> str:
    """Coverage, median width and bases of each kind of camera, as the report shows them."""
    lines = []
    for name, all_of in sorted(found.items()):
        held = sum(one.holds for one in all_of)
        bases = ", ".join(sorted({one.basis for one in all_of}))
        width = median(one.width_s for one in all_of)
        lines.append(f"{name:26} {len(all_of):6} {held / len(all_of):8.4%} {width:12.2f} s  {bases}")
    return "\n".join(lines)


def is_daily(kind: Kind) -> bool:
    return kind.daily == 1.0


def test_the_true_time_lies_in_the_stated_interval_of_cameras_of_every_kind() -> None:
    chance = seeded("the_true_time_lies_in_the_stated_interval")
    found: dict[str, list[Stated]] = defaultdict(list)
    daily: list[float] = []
    for life in population(chance, times(100, 1000)):
        told = list(stated(life))
        found[life.kind.name] += told
        daily += [one.width_s for one in told] if is_daily(life.kind) else []
    every = [one for all_of in found.values() for one in all_of]
    coverage = sum(one.holds for one in every) / len(every)
    print(f"\n{table(found)}\nall: {len(every)} recordings, {coverage:.4%} held, daily median {median(daily):.2f} s")
    assert coverage >= 0.995
    assert median(daily) <= 2
