# SPDX-License-Identifier: Apache-2.0
"""This is where `python -m bench` begins: every benchmark in turn, a table for each, then JSON and a page."""

import argparse
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from rich.console import Console

from app import clocks
from bench.clips import measure_clips
from bench.docks.copying import measure_copying
from bench.docks.passes import measure_passes
from bench.docks.receipts import measure_receipts
from bench.hashing import measure_hashing
from bench.ingest import measure_ingest
from bench.linking.measure import measure_linking
from bench.overhead import measure_overhead
from bench.players.measure import Crowd, measure_players
from bench.report import (
    DOCKS,
    LINKING,
    PLAYERS,
    RETENTION,
    SCALE,
    SPINE,
    Circumstances,
    print_result,
    write_json,
    write_page,
)
from bench.result import Result
from bench.retention.sweeping import measure_sweep
from bench.scale.docks import Load, measure_docks
from bench.scale.register_at_scale import measure_register
from bench.scale.speedup import measure_speedup
from bench.scale.year import measure_year
from evidence.errors import EvidockError, StoreUnavailable

_PAGES = Path(__file__).parents[1] / "docs" / "benchmarks"
_NEEDED = 9 << 30

Measure = Callable[[Path], Result]

SPINE_RUNS: Mapping[str, Measure] = {
    "ingest": lambda folder: measure_ingest(folder, repeats=9),
    "clip": lambda folder: measure_clips(folder, positions=15),
    "overhead": lambda folder: measure_overhead(folder, clips=7),
    "hashing": lambda folder: measure_hashing(folder, repeats=3),
}
SCALE_RUNS: Mapping[str, Measure] = {
    "register": lambda _: measure_register(),
    "docks": lambda folder: measure_docks(folder, load=Load(64, 600, 10_000), narrow=Load(64, 60, 100)),
    "speedup": lambda folder: measure_speedup(folder, repeats=3),
    "year": lambda folder: measure_year(folder),
}
RETENTION_RUNS: Mapping[str, Measure] = {"sweep": lambda _: measure_sweep()}
LINKING_RUNS: Mapping[str, Measure] = {"linking": lambda _: measure_linking()}
DOCKS_RUNS: Mapping[str, Measure] = {
    "copying": lambda folder: measure_copying(folder, repeats=5),
    "receipts": lambda folder: measure_receipts(folder, repeats=3),
    "passes": lambda folder: measure_passes(folder, repeats=5),
}
PLAYERS_RUNS: Mapping[str, Measure] = {"players": lambda folder: measure_players(folder, crowd=Crowd())}
# A look in a few minutes, at sizes that say little: nothing is written.
BRIEF_RUNS: Mapping[str, Measure] = {
    "register": lambda _: measure_register(sizes=(300, 1_000, 3_000), rounds=50),
    "docks": lambda folder: measure_docks(folder, load=Load(16, 60, 10_000), narrow=Load(16, 20, 50)),
    "speedup": lambda folder: measure_speedup(folder, repeats=1),
    "year": lambda folder: measure_year(folder),
}
SUITES = {
    "spine": (SPINE_RUNS, SPINE),
    "scale": (SCALE_RUNS, SCALE),
    "retention": (RETENTION_RUNS, RETENTION),
    "linking": (LINKING_RUNS, LINKING),
    "docks": (DOCKS_RUNS, DOCKS),
    "players": (PLAYERS_RUNS, PLAYERS),
}


def main() -> int:
    """Run what was asked for; 0 also when a goal is missed: that is told, and is no failure of the program."""
    wanted = _arguments()
    console = Console()
    load, began = os.getloadavg()[0], time.monotonic()
    try:
        runs = _runs(wanted)
        results = [_run(name, runs[name], console) for name in wanted.only or runs]
    except EvidockError as error:
        console.print(f"[red]{error.code}[/]: {error.message}", highlight=False)
        return error.exit_status
    minutes = (time.monotonic() - began) / 60
    circumstances = Circumstances(clocks.now(), minutes, load, os.getloadavg()[0])
    console.print(circumstances.told(), highlight=False)
    if wanted.out is None and (wanted.only or wanted.brief):
        return 0
    _write(wanted.suite, results, circumstances, wanted.out or _PAGES)
    return 0


def _runs(wanted: argparse.Namespace) -> Mapping[str, Measure]:
    if wanted.minutes is not None:
        return {"players": lambda folder: measure_players(folder, crowd=Crowd(seconds=60.0 * wanted.minutes))}
    return BRIEF_RUNS if wanted.brief else SUITES[wanted.suite][0]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure, beside known tools.")
    parser.add_argument(
        "suite", nargs="?", choices=SUITES, default="spine", help="one recording, or many (default: spine)"
    )
    names = [name for runs, _ in SUITES.values() for name in runs]
    parser.add_argument("--only", nargs="+", choices=names, metavar="NAME", help=", ".join(names))
    parser.add_argument("--out", type=Path, help="folder for JSON and page (else docs/benchmarks, when all are run)")
    parser.add_argument(
        "--brief", action="store_true", help="scale in a few minutes, at small sizes; nothing is written"
    )
    parser.add_argument("--minutes", type=float, help="how long players watch (else one minute)")
    wanted = parser.parse_args()
    if strange := set(wanted.only or ()) - set(SUITES[wanted.suite][0]):
        parser.error(f"{wanted.suite} has no {', '.join(sorted(strange))}")
    if wanted.minutes is not None and (wanted.suite != "players" or wanted.minutes <= 0):
        parser.error("only players watch for some minutes")
    if wanted.brief and wanted.suite != "scale":
        parser.error("only scale can be brief")
    return wanted


def _run(name: str, measure: Measure, console: Console) -> Result:
    free = shutil.disk_usage(tempfile.gettempdir()).free
    if free < _NEEDED:
        room = f"{free / (1 << 30):.1f} GiB are free in {tempfile.gettempdir()}"
        raise StoreUnavailable(f"{room}, {_NEEDED >> 30} are needed: set TMPDIR to a folder with room")
    with tempfile.TemporaryDirectory(prefix="evidock-bench-") as folder:
        console.print(f"[dim]… {name}[/]")
        result = measure(Path(folder))
    print_result(result, console)
    return result


def _write(suite: str, results: list[Result], circumstances: Circumstances, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    write_json(results, circumstances, folder / f"{suite}.json")
    write_page(results, circumstances, folder / f"{suite}.md", head=SUITES[suite][1])


if __name__ == "__main__":
    sys.exit(main())
