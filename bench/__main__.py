# SPDX-License-Identifier: Apache-2.0
"""This is where `python -m bench` begins: every benchmark in turn, a table for each, then JSON and a page."""

import argparse
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from rich.console import Console

from app import clocks
from bench.clips import measure_clips
from bench.hashing import measure_hashing
from bench.ingest import measure_ingest
from bench.overhead import measure_overhead
from bench.report import Circumstances, print_result, write_json, write_page
from bench.result import Result
from evidence.errors import EvidockError, StoreUnavailable

_PAGES = Path(__file__).parents[1] / "docs" / "benchmarks"
_NEEDED = 9 << 30

BENCHMARKS: dict[str, Callable[[Path], Result]] = {
    "ingest": lambda folder: measure_ingest(folder, repeats=9),
    "clip": lambda folder: measure_clips(folder, positions=15),
    "overhead": lambda folder: measure_overhead(folder, clips=7),
    "hashing": lambda folder: measure_hashing(folder, repeats=3),
}


def main() -> int:
    """Run what was asked for; 0 also when a goal is missed: that is told, and is no failure of the program."""
    wanted = _arguments()
    console = Console()
    load, began = os.getloadavg()[0], time.monotonic()
    try:
        results = [_run(name, console) for name in wanted.only or BENCHMARKS]
    except EvidockError as error:
        console.print(f"[red]{error.code}[/]: {error.message}", highlight=False)
        return error.exit_status
    minutes = (time.monotonic() - began) / 60
    circumstances = Circumstances(clocks.now(), minutes, load, os.getloadavg()[0])
    console.print(circumstances.told(), highlight=False)
    if wanted.out is None and wanted.only:
        return 0
    _write(results, circumstances, wanted.out or _PAGES)
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure, beside known tools.")
    parser.add_argument("--only", nargs="+", choices=BENCHMARKS, metavar="NAME", help=", ".join(BENCHMARKS))
    parser.add_argument("--out", type=Path, help="folder for JSON and page (else docs/benchmarks, when all are run)")
    return parser.parse_args()


def _run(name: str, console: Console) -> Result:
    free = shutil.disk_usage(tempfile.gettempdir()).free
    if free < _NEEDED:
        room = f"{free / (1 << 30):.1f} GiB are free in {tempfile.gettempdir()}"
        raise StoreUnavailable(f"{room}, {_NEEDED >> 30} are needed: set TMPDIR to a folder with room")
    with tempfile.TemporaryDirectory(prefix="evidock-bench-") as folder:
        console.print(f"[dim]… {name}[/]")
        result = BENCHMARKS[name](Path(folder))
    print_result(result, console)
    return result


def _write(results: list[Result], circumstances: Circumstances, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    write_json(results, circumstances, folder / "spine.json")
    write_page(results, circumstances, folder / "spine.md")


if __name__ == "__main__":
    sys.exit(main())
