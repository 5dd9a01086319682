# SPDX-License-Identifier: Apache-2.0
"""This is where a year of 10 000 cameras is simulated: storage by class, worker hours, and who waits how long."""

import math
import time
from pathlib import Path
from typing import Any

import numpy as np

from bench.footage import film
from bench.installation import installed
from bench.result import Goal, Result, paragraphs
from bench.scale.spending import spending
from bench.scale.year_model import DAY_S, Cost, Day, Model, Numbers, days_of, kept, to_dict
from bench.scale.year_queue import Check, is_within_fluid, little, theory_checks, waits

_SEED = 10_000
# Whole weeks, one of each season, none with a holiday: their queue begins and ends empty, or says so.
_WEEKS = (8, 20, 32, 46)
_SIZES = (1.05, 1.25, 1.5, 2.0, 3.0)
_MONTHS = ((30, "month 1"), (91, "month 3"), (182, "month 6"), (365, "month 12"))
_OUTLOOK = ((730, "year 2"), (1095, "year 3"), (3650, "year 10"))
_TB, _LIMIT_S = 1e12, 60.0
_COLUMNS = ("", "", "", "", "", "")
_COMPARED = paragraphs("""
A simulation, and no measurement, but for one figure: what a transcode costs. The model is written down in
[year-model.md](year-model.md); every number of it is one field of `bench/scale/year_model.py`.

Measured: processor seconds of ffmpeg and of all that a worker starts for proxy, sprite and fingerprint of
two simulated recordings of different length, 1080p H.264 at 30 frames a second; start and slope follow.
One worker is one processor.

Storage is what rests at the end of the day. Hot: originals of the last 30 days; cold: older ones until their term
ends; proxies as long as their originals. Decimal terabytes, one copy. Years 2 to 10 repeat the first year's days.

Waits are those of the transcode queue, first come, first served, over four whole weeks; receipts come before it
and do not wait for it. `of mean load` is workers to processors busy on average.
""")


def measure_year(folder: Path, *, model: Model | None = None, cost: Cost | None = None) -> Result:
    """The year's table; with its own cost of a transcode, unless one is given."""
    model, cost = model or Model(), cost or measure_cost(folder)
    began = time.monotonic()
    daily = {name: np.zeros((model.days, len(model.terms))) for name in ("bytes", "proxy")}
    count = np.zeros(model.days)
    seconds, work = np.zeros(model.days), np.zeros(model.days)
    weeks: dict[int, list[Day]] = {week: [] for week in _WEEKS}
    for day in days_of(model, seed=_SEED):
        for term in range(len(model.terms)):
            mine = day.term == term
            daily["bytes"][day.number, term] = day.size_bytes[mine].sum()
            daily["proxy"][day.number, term] = day.seconds[mine].sum() * model.proxy_bits_per_s / 8
        count[day.number], seconds[day.number] = len(day.at), day.seconds.sum()
        work[day.number] = day.work(model, cost).sum()
        if day.number // 7 in weeks:
            weeks[day.number // 7].append(day)
    queues, checks = _queues(weeks, model, cost)
    checks = [*checks, *theory_checks(seed=_SEED)]
    spent = time.monotonic() - began
    rows = [*_load_rows(count, seconds, work, daily["bytes"]), *_storage_rows(model, daily), *_queue_rows(queues)]
    figures = {
        "model": to_dict(model),
        "cost": {"start_s": cost.start_s, "a_second": cost.a_second},
        "recordings": int(count.sum()),
        "queues": queues,
        "checks": [[one.name, one.simulated, one.theory, one.tolerance] for one in checks],
        "seconds_to_simulate": round(spent, 1),
    }
    told = f"A transcode costs {cost.start_s:.2f} s and {cost.a_second:.3f} s for each second of footage. Seed {_SEED}."
    title = f"A year of {model.cameras:,} cameras, simulated"
    goals = (*(_goal(one) for one in checks), _time_goal(spent))
    return Result("year", title, (*_COMPARED, told), _COLUMNS, tuple(rows), figures, goals)


def measure_cost(folder: Path, *, lengths: tuple[int, int] = (2, 14)) -> Cost:
    """Processor seconds of transcode and fingerprint, from two recordings of different length."""
    spent = []
    with installed(folder / "home") as installation:
        for number, seconds in enumerate(lengths):
            clip = film(folder / "source" / str(number), seconds=seconds, seed=number, grain=6)
            recording = installation.take_in(clip.path, steps=("fixity", "seal"))
            with spending() as counted:
                installation.run("transcode", recording)
                installation.run("fingerprint", recording)
            spent.append(counted.seconds)
    slope = (spent[1] - spent[0]) / (lengths[1] - lengths[0])
    return Cost(round(max(0.0, spent[0] - slope * lengths[0]), 4), round(slope, 4))


def _queues(weeks: dict[int, list[Day]], model: Model, cost: Cost) -> tuple[list[dict[str, Any]], list[Check]]:
    held = [_week(days, model, cost) for days in weeks.values() if days]
    mean = sum(float(work.sum()) for _, work in held) / (len(held) * 7 * DAY_S)
    rows: list[dict[str, Any]] = []
    counted: list[Check] = []
    is_within = True
    for size in _SIZES:
        workers = math.ceil(size * mean)
        found = [waits(at, work, workers) for at, work in held]
        counted += [little(at, work, one) for (at, work), one in zip(held, found, strict=True)]
        is_within &= all(is_within_fluid(at, work, workers, one) for (at, work), one in zip(held, found, strict=True))
        every = np.concatenate(found)
        shares = {f"p{share}_s": round(float(np.quantile(every, share / 100)), 1) for share in (50, 95, 99)}
        rows.append({"workers": workers, "of_mean_load": size, **shares, "most_s": round(float(every.max()), 1)})
    fluid = Check("waits within the longest job of the fluid bound (1: all)", float(is_within), 1.0, 0.0)
    worst = max(counted, key=lambda one: abs(one.simulated / one.theory - 1))
    return rows, [worst, fluid]


def _week(days: list[Day], model: Model, cost: Cost) -> tuple[Numbers, Numbers]:
    at = np.concatenate([day.at for day in days])
    work = np.concatenate([day.work(model, cost) for day in days])
    order = np.argsort(at, kind="stable")
    return at[order], work[order]


def _load_rows(count: Numbers, seconds: Numbers, work: Numbers, daily: Numbers) -> list[tuple[str, ...]]:
    size = daily.sum(axis=1)
    return [
        ("**load**", "a day, mean", "busiest day", "the year", "", ""),
        ("recordings", f"{count.mean():,.0f}", f"{count.max():,.0f}", f"{count.sum() / 1e6:.1f} M", "", ""),
        ("hours filmed", f"{seconds.mean() / 3600:,.0f}", f"{seconds.max() / 3600:,.0f}", _millions(seconds), "", ""),
        ("originals, TB", f"{size.mean() / _TB:.1f}", f"{size.max() / _TB:.1f}", f"{size.sum() / _TB:,.0f}", "", ""),
        ("worker hours", f"{work.mean() / 3600:,.0f}", f"{work.max() / 3600:,.0f}", _millions(work), "", ""),
        ("processors busy, mean", f"{work.mean() / DAY_S:.0f}", f"{work.max() / DAY_S:.0f}", "", "", ""),
    ]


def _millions(seconds: Numbers) -> str:
    return f"{seconds.sum() / 3.6e9:.2f} M"


def _storage_rows(model: Model, daily: dict[str, Numbers]) -> list[tuple[str, ...]]:
    years = -(-_OUTLOOK[-1][0] // model.days)
    ends = [(day, name) for day, name in (*_MONTHS, *_OUTLOOK) if day <= years * model.days]
    kinds: dict[str, Numbers] = {name: np.zeros(years * model.days) for name in ("hot", "cold", "proxies")}
    for number, term in enumerate(model.terms):
        size, proxy = (np.tile(daily[name][:, number], years) for name in ("bytes", "proxy"))
        hot = model.hot_days if term.days is None else min(model.hot_days, term.days)
        kinds["hot"] += kept(size, hot)
        kinds["cold"] += kept(size, term.days, since=hot)
        kinds["proxies"] += kept(proxy, term.days)
    rows: list[tuple[str, ...]] = [("**storage, TB**", "hot", "cold", "proxies", "all", "")]
    for day, name in ends:
        held = [float(kinds[kind][day - 1]) / _TB for kind in kinds]
        rows.append((f"after {name}", *(f"{one:,.0f}" for one in held), f"{sum(held):,.0f}", ""))
    return rows


def _queue_rows(queues: list[dict[str, Any]]) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = [("**wait for a transcode**", "workers", "p50", "p95", "p99", "longest")]
    for one in queues:
        times = [_length(one[name]) for name in ("p50_s", "p95_s", "p99_s", "most_s")]
        rows.append((f"{one['of_mean_load']:g} × of mean load", str(one["workers"]), *times))
    return rows


def _length(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def _goal(check: Check) -> Goal:
    wanted = f"{check.theory:.4g} ± {check.tolerance:g} of it" if check.tolerance else f"{check.theory:g}"
    return Goal(check.name, wanted, f"{check.simulated:.4g}", check.holds)


def _time_goal(spent: float) -> Goal:
    return Goal("the year simulated", f"< {_LIMIT_S:g} s", f"{spent:.0f} s", spent < _LIMIT_S)
