# SPDX-License-Identifier: Apache-2.0
"""This is where a year of 10 000 cameras is made up; docs/benchmarks/year-model.md says each assumption in words."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
DAY_S = 86_400.0


@dataclass(frozen=True, slots=True)
class Shift:
    """A shift: its share of those on duty, and the hour of day at which they come back to the dock."""

    name: str
    share: float
    ends_at_h: float


@dataclass(frozen=True, slots=True)
class Coding:
    """How a camera codes: its share of cameras, bits a second, and work to transcode against 1080p H.264."""

    name: str
    share: float
    bits_per_s: float
    work: float


@dataclass(frozen=True, slots=True)
class Term:
    """A retention class of the catalog: the share of recordings of its matters, and days kept (None: for ever)."""

    name: str
    share: float
    days: int | None


@dataclass(frozen=True, slots=True)
class Model:
    """Every assumption. Times of day are local; day 0 is a Monday."""

    cameras: int = 10_000
    days: int = 365
    on_duty: tuple[float, ...] = (0.62, 0.62, 0.62, 0.62, 0.64, 0.48, 0.44)  # Monday to Sunday
    holidays: tuple[tuple[int, int], ...] = ((32, 40), (273, 280))  # first and last day of each, at Sunday's share
    shifts: tuple[Shift, ...] = (Shift("day", 0.60, 18.0), Shift("late", 0.25, 23.5), Shift("night", 0.15, 8.0))
    docked_after_min: tuple[float, float] = (20.0, 12.0)  # mean and deviation, never before the shift's end
    recordings_a_shift: float = 12.0  # Poisson
    length_median_s: float = 300.0
    length_sigma: float = 1.0  # of the logarithm; the mean is then 1.65 medians
    length_most_s: float = 3600.0  # recorders begin a new file
    codings: tuple[Coding, ...] = (
        Coding("1080p H.264", 0.60, 6e6, 1.0),
        Coding("720p H.264", 0.25, 3e6, 0.5),
        Coding("1080p H.265", 0.15, 4e6, 1.2),
    )
    card_bytes_per_s: float = 25e6
    proxy_bits_per_s: float = 0.8e6
    hot_days: int = 30
    terms: tuple[Term, ...] = (
        Term("RT-90D", 0.20, 90),
        Term("RT-2Y", 0.62, 730),
        Term("RT-CASE (10 y)", 0.15, 3650),
        Term("RT-20Y", 0.01, 7300),
        Term("RT-PERM", 0.02, None),
    )


@dataclass(frozen=True, slots=True)
class Cost:
    """Processor seconds to transcode and fingerprint a recording: for the start, and for each second of 1080p H.264."""

    start_s: float
    a_second: float


@dataclass(frozen=True, slots=True)
class Day:
    """Recordings docked on one day: when they reach the server (seconds of the year), length, coding, bytes, term."""

    number: int
    at: Numbers
    seconds: Numbers
    coding: NDArray[np.int64]
    size_bytes: Numbers
    term: NDArray[np.int64]

    def work(self, model: Model, cost: Cost) -> Numbers:
        """Processor seconds for each."""
        share = np.array([one.work for one in model.codings])
        needed: Numbers = cost.start_s + cost.a_second * self.seconds * share[self.coding]
        return needed


def days_of(model: Model, *, seed: int) -> Iterator[Day]:
    """The year, day by day; the same for the same seed."""
    chance = np.random.default_rng(seed)
    for number in range(model.days):
        yield _day(model, number, chance)


def _day(model: Model, number: int, chance: np.random.Generator) -> Day:
    share = model.on_duty[number % 7]
    if any(first <= number <= last for first, last in model.holidays):
        share = model.on_duty[6]
    cameras = int(chance.binomial(model.cameras, share))
    shift = chance.choice(len(model.shifts), cameras, p=[one.share for one in model.shifts])
    ends = np.array([one.ends_at_h for one in model.shifts])[shift] * 3600
    mean, deviation = (60 * value for value in model.docked_after_min)
    docked = number * DAY_S + ends + np.maximum(0.0, chance.normal(mean, deviation, cameras))
    # Each camera codes in its own way; who is on duty is anybody.
    coding = chance.choice(len(model.codings), cameras, p=[one.share for one in model.codings])
    filmed = chance.poisson(model.recordings_a_shift, cameras)
    camera = np.repeat(np.arange(cameras), filmed)
    return _filmed(model, number, docked, coding, camera, chance)


def _filmed(
    model: Model,
    number: int,
    docked: Numbers,
    coding: NDArray[np.int64],
    camera: NDArray[np.int64],
    chance: np.random.Generator,
) -> Day:
    count = len(camera)
    lengths = chance.lognormal(np.log(model.length_median_s), model.length_sigma, count)
    seconds = np.minimum(lengths, model.length_most_s)
    rate = np.array([one.bits_per_s for one in model.codings])
    size = seconds * rate[coding[camera]] / 8
    # A card is read file after file; a file reaches the server when it has been read.
    read = np.cumsum(size) / model.card_bytes_per_s
    first = np.searchsorted(camera, camera)
    before = read - size / model.card_bytes_per_s
    at = docked[camera] + read - before[first]
    term = chance.choice(len(model.terms), count, p=[one.share for one in model.terms])
    return Day(number, at, seconds, coding[camera], size, term)


def kept(daily: Numbers, days: int | None, *, since: int = 0) -> Numbers:
    """Sum at the end of each day of what came on it or before and is aged from `since` to below `days` days."""
    total = np.concatenate([[0.0], np.cumsum(daily)])
    ends = np.arange(1, len(daily) + 1)
    least = np.zeros_like(ends) if days is None else np.maximum(0, ends - days)
    held: Numbers = total[np.maximum(0, ends - since)] - total[np.minimum(least, np.maximum(0, ends - since))]
    return held


def to_dict(model: Model) -> dict[str, Any]:
    """The model in figures, for the JSON beside the table."""
    told: dict[str, Any] = {name: getattr(model, name) for name in Model.__slots__}
    for name in ("shifts", "codings", "terms"):
        told[name] = [{field: getattr(one, field) for field in one.__slots__} for one in told[name]]
    return told
