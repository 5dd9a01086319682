# SPDX-License-Identifier: Apache-2.0
"""This is where a sweep is timed at two sizes on both engines, beside SQL by hand and one decision at a time."""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from app.settings import load_settings
from app.wiring import wired
from bench.result import Goal, Result, mib, paragraphs
from bench.retention import peer
from bench.retention.filling import NOW, fill
from bench.scale.databases import ENGINES, database, opened, settle, size_bytes
from bench.timing import run_program, timed
from evidence import instant
from evidence.catalog import Catalog
from pipeline import retain
from pipeline.catalogs.load import load_catalog
from storage.register import keeping

SIZES = (100_000, 1_000_000)
_LIMIT_S, _MOST_GROWTH = 60.0, 1.25
_SINGLE = 500
_COLUMNS = (
    *("engine", "recordings", "first sweep", "second sweep", "processor", "memory", "SQL by hand", "one by one"),
    *("database",),
)
_COMPARED = paragraphs("""
A register as the projection writes it, made up in bulk (seed 2026): 500 recordings a day with claims of real length,
45 % of them in cases of five on average, six segments each; nine in ten cases closed, some with a term of their own;
conditions on 6 % of the cases, holds on 1 %, camera marks on 3 %, clocks in doubt on 1 %. `custody_events` is empty.

First sweep: the whole of `pipeline.retain.sweep` in a process of its own, which writes an answer for every recording.
Second sweep: the same again, when nothing has changed, as on most days. Processor: seconds of that process in the
second sweep; what PostgreSQL's server takes comes on top. Memory: the most that process had resident, all of Python
and its libraries included, in the first sweep.

SQL by hand: one INSERT … SELECT that does the dates in the database (`bench/retention/peer.py`). It does less: no
conditions, no catalog versions, no marks, no doubts, no case file's own term, no reasons. One by one: the full decision
with its reasons for one recording at a time, as `evidock retention explain` asks; 500 of them, told for all.
""")


def measure_sweep(*, sizes: Sequence[int] = SIZES) -> Result:
    """Time sweeps over so many recordings."""
    runs = [_run(engine, size) for size in sizes for engine in ENGINES]
    rows = tuple(_row(run) for run in runs)
    goals = tuple(goal for engine in ENGINES for goal in _goals([run for run in runs if run["engine"] == engine]))
    title = f"A retention sweep over {max(sizes):,} recordings"
    return Result("sweep", title, _COMPARED, _COLUMNS, rows, {"runs": runs}, goals)


def _run(engine: str, size: int) -> dict[str, Any]:
    catalog = load_catalog()
    now = instant.to_text(NOW)
    with TemporaryDirectory(prefix="evidock-bench-") as made, database(engine, Path(made)) as url:
        folder = Path(made)
        with opened(url, folder) as register:
            counts = fill(register, catalog, recordings=size)
        settle(url)
        sweeps = [_swept(folder, url, now) for _ in range(2)]
        by_hand = _by_hand(folder, url, catalog, now)
        return {
            "engine": engine,
            "recordings": size,
            "rows": counts,
            "sweeps": sweeps,
            "by_hand_s": by_hand,
            "single_s": _single(folder, url),
            "bytes": size_bytes(url),
        }


def _swept(folder: Path, url: str, now: str) -> dict[str, Any]:
    answer = folder / "answer.json"
    run_program([sys.executable, "-m", "bench.retention.once", str(folder / "home"), url, now, str(answer)])
    told: dict[str, Any] = json.loads(answer.read_text())
    return told


def _by_hand(folder: Path, url: str, catalog: Catalog, now: str) -> float:
    with opened(url, folder) as register:
        with register.leasing() as connection:
            peer.prepare(connection, catalog)

        def ask() -> None:
            with register.leasing() as connection:
                peer.answer(connection, now)

        return timed(ask)


def _single(folder: Path, url: str) -> float:
    """Seconds of one decision in full."""
    settings = load_settings({"EVIDOCK_HOME": str(folder / "home"), "EVIDOCK_REGISTER_URL": url})
    with wired(settings, actor="bench") as ports:
        with ports.register.view() as connection:
            asked = [entry.id for entry in keeping.page(connection, after="rec-m", limit=_SINGLE)]
        return timed(lambda: [retain.decision_of(one, ports=ports, now=NOW) for one in asked]) / len(asked)


def _row(run: Mapping[str, Any]) -> tuple[str, ...]:
    first, second = run["sweeps"]
    return (
        *({"postgresql": "PostgreSQL", "sqlite": "SQLite"}[run["engine"]], f"{run['recordings']:,}"),
        *(f"{first['seconds']:.1f} s", f"{second['seconds']:.1f} s", f"{second['processor_s']:.1f} s"),
        *(mib(first["memory"]), f"{run['by_hand_s']:.1f} s", f"{run['single_s'] * run['recordings']:.0f} s"),
        mib(run["bytes"]),
    )


def _goals(runs: Sequence[Mapping[str, Any]]) -> list[Goal]:
    large, small = max(runs, key=lambda run: run["recordings"]), min(runs, key=lambda run: run["recordings"])
    name = f"{large['engine']}, {large['recordings']:,} recordings"
    growth = large["sweeps"][0]["memory"] / small["sweeps"][0]["memory"]
    within = f"≤ {_LIMIT_S:g} s"
    times = [
        Goal(f"{which} sweep, {name}", within, f"{sweep['seconds']:.1f} s", sweep["seconds"] <= _LIMIT_S)
        for which, sweep in zip(("first", "second"), large["sweeps"], strict=True)
    ]
    flat = Goal(f"memory against a tenth, {name}", f"≤ {_MOST_GROWTH} ×", f"{growth:.2f} ×", growth <= _MOST_GROWTH)
    return [*times, flat]
