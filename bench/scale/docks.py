# SPDX-License-Identifier: Apache-2.0
"""This is where 64 docks bring files at once, and it is seen whether each gets its share, and who has to wait.

The load is closed: every dock always has the same few files waiting, and a greedy one a hundred times as many. So the
installation is never idle, whatever the machine can do, and what is measured is whom it serves.
"""

import math
import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from sqlalchemy import func, select

from app.settings import load_settings
from app.wiring import wired
from bench.result import Goal, Result, mib, paragraphs
from bench.scale.processes import Started, started
from bench.scale.register_at_scale import quantile
from evidence import instant
from pipeline.ports import Ports
from storage.register import schema, tallies

_POLL_S = 0.5
_WAITING, _GREEDY = 2, 200
_COLUMNS = ("", "docks 2 to 64", "the greedy dock", "")
_COMPARED = paragraphs("""
One installation on this machine (SQLite register, directory store, embedded broker): one watcher over 64 folders,
one worker with two threads. Files are GPS tracks of some hundred bytes, the cheapest recordings there are: each runs
through all steps but transcode, with receipt and time token, so that what is measured is the pipeline, not ffmpeg.

The load is closed. Each of 63 docks has always two files that are not finished; as soon as one is, another is put
there. The greedy dock has always 200. Served by turns, each dock gets one part in 64; served first come, first
served, the greedy one would get three in five.

Jain's index is over the files finished for each of the 63: 1 means all equal, 1/63 that one got all. The wait is from
a file's appearance in the folder (the watcher waits one second for it to be quiet) to the receipt, and to the index.

Memory is resident memory of the process, looked at twice a second: the median of the last quarter of the run
against that of its second quarter.
""")


@dataclass(frozen=True, slots=True)
class Load:
    """How much is brought, for how long, and how many jobs may be open."""

    docks: int
    seconds: float
    backlog: int
    workers: int = 2


@dataclass(slots=True)
class Seen:
    """What was seen during a run."""

    written: Counter[str] = field(default_factory=Counter)
    finished: Counter[str] = field(default_factory=Counter)
    open_jobs: list[int] = field(default_factory=list)
    memory: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    receipt_s: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    index_s: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    put_aside: int = 0


def measure_docks(folder: Path, *, load: Load, narrow: Load) -> Result:
    """One long run with room for all that is brought, and a short one with little."""
    wide, tight = run_docks(folder / "wide", load), run_docks(folder / "tight", narrow)
    rows = _rows(wide, load)
    figures = {"wide": _figures(wide, load), "tight": _figures(tight, narrow)}
    title = f"{load.docks} docks against one installation for {load.seconds / 60:g} minutes"
    told = (
        f"With a limit of {narrow.backlog} open jobs, for {narrow.seconds:g} s, {max(tight.open_jobs)} were at most; "
        f"with a limit of {load.backlog}, {max(wide.open_jobs)}."
    )
    return Result("docks", title, (*_COMPARED, told), _COLUMNS, rows, figures, _goals(wide, tight, load, narrow))


def run_docks(folder: Path, load: Load) -> Seen:
    """One run: docks fed, processes watched, and at the end how long each file waited."""
    home, seen = folder / "home", Seen()
    docks = [folder / "docks" / f"dock-{number:02d}" for number in range(1, load.docks + 1)]
    for dock in docks:
        dock.mkdir(parents=True)
    settings = load_settings({}, home=home)
    told = {
        "EVIDOCK_QUIET_S": "1",
        "EVIDOCK_BACKLOG": str(load.backlog),
        "EVIDOCK_WORKERS": str(load.workers),
    }
    commands = {"watcher": ["watch", *map(str, docks)], "worker": ["worker"]}
    with wired(settings, actor="bench") as ports, started(commands, home=home, settings=told) as processes:
        _drive(docks, seen, ports, processes, seconds=load.seconds)
        _read_waits(ports, seen)
    return seen


def _drive(docks: Sequence[Path], seen: Seen, ports: Ports, processes: Sequence[Started], *, seconds: float) -> None:
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        for number, dock in enumerate(docks):
            wanted = _GREEDY if number == 0 else _WAITING
            for _ in range(wanted - seen.written[dock.name] + seen.finished[dock.name]):
                _write(dock, seen.written[dock.name])
                seen.written[dock.name] += 1
        _look(ports, seen)
        for one in processes:
            seen.memory[one.name].append(one.resident_bytes())
        time.sleep(_POLL_S)


def _write(dock: Path, number: int) -> None:
    """A track that no other dock and no other number has."""
    words = f'<trkpt lat="28.2{number:05d}" lon="112.9"><name>{dock.name}</name></trkpt>'
    text = f'<?xml version="1.0"?>\n<gpx version="1.1" creator="bench"><trk><trkseg>{words}</trkseg></trk></gpx>\n'
    (dock / f"track-{number:06d}.gpx").write_text(text)


def _look(ports: Ports, seen: Seen) -> None:
    table = schema.recordings
    wanted = select(table.c.dock, table.c.state, func.count()).group_by(table.c.dock, table.c.state)
    with ports.register.view() as connection:
        counts = connection.execute(wanted).all()
        seen.open_jobs.append(tallies.open_jobs(connection))
    seen.finished = Counter({_short(dock): number for dock, state, number in counts if state == "indexed"})
    seen.put_aside = sum(number for _, state, number in counts if state == "quarantined")


def _short(dock: str) -> str:
    return Path(dock.partition(":")[2]).name


def _read_waits(ports: Ports, seen: Seen) -> None:
    events, offers = schema.custody_events, schema.offers
    told = select(offers.c.dock, offers.c.mtime_ns, events.c.kind, events.c.at).join(
        offers, events.c.stream == "recording/" + offers.c.recording
    )
    with ports.register.view() as connection:
        rows = connection.execute(told.where(events.c.kind.in_(("sealed", "indexed")))).all()
    for row in rows:
        wait = instant.from_text(row.at).timestamp() - int(row.mtime_ns) / 1e9
        waits = seen.receipt_s if row.kind == "sealed" else seen.index_s
        waits[_short(row.dock)].append(wait)


def jain(values: Sequence[float]) -> float:
    """Jain's index of fairness: 1 when all are equal, 1/n when one has all. Source: Jain, Chiu, Hawe 1984."""
    squares = sum(value * value for value in values)
    return sum(values) ** 2 / (len(values) * squares) if squares else 0.0


def growth(samples: Sequence[int]) -> float:
    """Median of the last quarter against that of the second: what warms up does so in the first."""
    quarter = len(samples) // 4
    return median(samples[-quarter:]) / median(samples[quarter : 2 * quarter])


def _split(of_dock: Mapping[str, Any], greedy: str) -> tuple[list[Any], Any]:
    return [value for dock, value in sorted(of_dock.items()) if dock != greedy], of_dock[greedy]


def _fairness(seen: Seen) -> tuple[float, float]:
    """Jain's index of all but the greedy dock, and the greedy one's share of everything."""
    greedy = min(seen.written)
    names = [dock for dock in seen.written if dock != greedy]
    total = sum(seen.finished.values())
    return jain([seen.finished[dock] for dock in names]), seen.finished[greedy] / max(1, total)


def _figures(seen: Seen, load: Load) -> dict[str, Any]:
    index, share = _fairness(seen)
    waits = {
        name: {dock: _shares(values) for dock, values in sorted(waits.items())}
        for name, waits in (("receipt_s", seen.receipt_s), ("index_s", seen.index_s))
    }
    memory = {name: samples[:: max(1, len(samples) // 60)] for name, samples in seen.memory.items()}
    return {
        "docks": load.docks,
        "seconds": load.seconds,
        "backlog": load.backlog,
        "workers": load.workers,
        "jain": round(index, 4),
        "greedy_share": round(share, 4),
        "open_jobs_most": max(seen.open_jobs),
        "finished": dict(sorted(seen.finished.items())),
        "waits": waits,
        "memory_bytes": memory,
        "memory_growth": {name: round(growth(samples), 4) for name, samples in seen.memory.items()},
        "put_aside": seen.put_aside,
    }


def _shares(values: Sequence[float]) -> dict[str, float]:
    return {f"p{share}": round(quantile(values, share / 100), 2) for share in (50, 99)}


def _rows(seen: Seen, load: Load) -> tuple[tuple[str, ...], ...]:
    greedy = min(seen.written)
    index, share = _fairness(seen)
    done, of_greedy = _split({dock: seen.finished[dock] for dock in seen.written}, greedy)
    total = sum(seen.finished.values())
    rows = [
        ("files finished, a dock", f"{median(done):g}", str(of_greedy), f"{min(done)} to {max(done)}"),
        ("share of all that was finished", f"{(1 - share) / (load.docks - 1):.2%}", f"{share:.2%}", ""),
        ("Jain's index", f"{index:.3f}", "", ""),
        ("files finished a second", f"{total / load.seconds:.1f}", "", ""),
    ]
    for name, waits in (("receipt", seen.receipt_s), ("index", seen.index_s)):
        others, own = _split({dock: waits.get(dock, [math.inf]) for dock in seen.written}, greedy)
        flat = [value for values in others for value in values]
        worst = max(quantile(values, 0.99) for values in others)
        for word, point in (("p50", 0.5), ("p99", 0.99)):
            told = f"worst dock {worst:.1f} s" if point > 0.5 else ""
            rows.append((f"wait to the {name}, {word}", _s(quantile(flat, point)), _s(quantile(own, point)), told))
    for name, samples in seen.memory.items():
        rows.append((f"memory, {name}", mib(samples[-1]), "", f"{growth(samples):.3f} × after warm-up"))
    return tuple(rows)


def _s(value: float) -> str:
    return f"{value:.1f} s"


def _goals(wide: Seen, tight: Seen, load: Load, narrow: Load) -> tuple[Goal, ...]:
    index, share = _fairness(wide)
    worst = max(growth(samples) for samples in wide.memory.values())
    most = max(tight.open_jobs)
    # A file that was let in opens one job at first, and three when it is sealed.
    limit = 3 * narrow.backlog
    return (
        Goal("fairness among docks that bring the same (Jain)", "≥ 0.95", f"{index:.3f}", index >= 0.95),
        Goal(
            "share of a greedy dock, of an equal share", "≤ 2 ×", f"{share * load.docks:.2f} ×", share * load.docks <= 2
        ),
        Goal("memory after warm-up, the process that grew most", "≤ 1.05 ×", f"{worst:.3f} ×", worst <= 1.05),
        Goal(f"open jobs at a limit of {narrow.backlog}", f"≤ {limit}", str(most), most <= limit),
        Goal("files put aside", "0", str(wide.put_aside), wide.put_aside == 0),
    )
