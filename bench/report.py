# SPDX-License-Identifier: Apache-2.0
"""This is where results become a table on the terminal, a JSON file, and a page."""

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.result import Goal, Result
from bench.timing import run_program

FORM = "evidock/bench/v1"
SPINE = """# How fast the spine is

Written by `make bench`, which measures everything anew, prints these tables and writes this page and
[spine.json](spine.json) (every single measurement is there). It takes some minutes and up to 8 GiB of a temporary
folder (`TMPDIR`). Each figure is a median; beside it the range. Trust the ratios: both sides of each were measured
in turn, in one run, on one machine. The numbers by themselves are this machine's on that day.
"""
SCALE = """# How it grows

Written by `make bench ARGS=scale`, which measures everything anew, prints these tables and writes this page and
[scale.json](scale.json). It takes about twenty minutes, PostgreSQL's server programs (Debian: `postgresql`), and up
to 9 GiB of a temporary folder (`TMPDIR`). `ARGS="scale --only year"` runs one part and writes nothing.
The numbers are this machine's on that day; growth, shares and ratios say more.
"""
RETENTION = """# How long a retention sweep takes

Written by `make bench ARGS=retention`, which measures everything anew, prints this table and writes this page and
[retention.json](retention.json). It takes about fifteen minutes, PostgreSQL's server programs (Debian: `postgresql`),
and up to 5 GiB of a temporary folder (`TMPDIR`).
The numbers are this machine's on that day; ratios say more.
"""
LINKING = """# Which recordings find their case

Written by `python -m bench linking`, which makes the months anew, counts, prints this table and writes this page and
[linking.json](linking.json). It takes some minutes. `python -m bench.linking 101` lists every recording of month 101
that was left unfiled, with its likeliest case. How it works: [linking](../operate/linking.md).
"""

DOCKS = """# How fast a dock station is

Written by `make bench ARGS=docks`, which measures everything anew, prints these tables and writes this page and
[docks.json](docks.json). It takes some minutes and up to 9 GiB of a temporary folder (`TMPDIR`), which must be on a
disk: `fsync` in memory costs nothing. Trust the ratios: both sides of each were measured in turn, in one run.
"""

PLAYERS = """# How many watch at once

Written by `python -m bench players`, which measures anew, prints this table and writes this page and
[players.json](players.json). `--minutes 20` has them watch for longer; a minute says little about memory.
The numbers are this machine's on that day.
"""


@dataclass(frozen=True, slots=True)
class Circumstances:
    """Where and when a run was made."""

    at: datetime
    minutes: float
    load_before: float
    load_after: float

    def to_dict(self) -> dict[str, Any]:
        """The machine in figures."""
        return {
            "at": self.at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "minutes": round(self.minutes, 1),
            "load_before": round(self.load_before, 2),
            "load_after": round(self.load_after, 2),
            "processor": _processor(),
            "processors": os.cpu_count(),
            "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
            "python": platform.python_version(),
            "system": f"{platform.system()} {platform.release()}",
            "openssl": run_program(["openssl", "version"]).strip(),
        }

    def told(self) -> str:
        """The machine in words."""
        facts = self.to_dict()
        memory = facts["memory_bytes"] / (1 << 30)
        return (
            f"{facts['at'][:10]}, {facts['minutes']} minutes, on a machine with {facts['processors']} processors "
            f"({facts['processor']}), {memory:.0f} GiB of memory, {platform.system()}; Python {facts['python']}, "
            f"{' '.join(facts['openssl'].split()[:2])}. Load before the run {facts['load_before']:.1f}, after it "
            f"{facts['load_after']:.1f}. Where the first is not near 0, other work ran beside it: that slows what uses "
            "both processors (ours) more than what uses one (openssl)."
        )


def print_result(result: Result, console: Console) -> None:
    """Show one result as soon as it is there."""
    table = Table(title=result.title, title_justify="left", title_style="bold")
    for number, column in enumerate(result.columns):
        table.add_column(column, justify="right" if number else "left", no_wrap=not number)
    for row in result.rows:
        table.add_row(*row)
    console.print(table)
    for goal in result.goals:
        word = "[green]met[/]" if goal.is_met else "[red]missed[/]"
        console.print(f"  {word}: {goal.name}: {goal.figure} (wanted {goal.wanted})", highlight=False)


def write_json(results: Sequence[Result], circumstances: Circumstances, path: Path) -> None:
    """Everything that was measured, as one JSON object."""
    body = {
        "format": FORM,
        "circumstances": circumstances.to_dict(),
        "results": {result.name: result.to_dict() for result in results},
    }
    path.write_text(json.dumps(body, ensure_ascii=False, indent=1) + "\n")


def write_page(results: Sequence[Result], circumstances: Circumstances, path: Path, *, head: str = SPINE) -> None:
    """The same for people, in Markdown, below the words of `head`."""
    goals = [goal for result in results for goal in result.goals]
    parts = [head, circumstances.told() + "\n", "## Goals\n", _goals(goals)]
    for result in results:
        parts += [f"## {result.title}\n", _markdown(result.columns, result.rows)]
        parts.append("\n".join(f"- {line}" for line in result.compared) + "\n")
    path.write_text("\n".join(parts))


def _goals(goals: Sequence[Goal]) -> str:
    rows = [(goal.name, goal.wanted, goal.figure, "met" if goal.is_met else "**missed**") for goal in goals]
    return _markdown(("goal", "wanted", "reached", ""), rows)


def _markdown(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    rule = ["---", *("---:" for _ in columns[1:])]
    lines = [columns, rule, *rows]
    return "\n".join("| " + " | ".join(cell.strip() for cell in line) + " |" for line in lines) + "\n"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())
