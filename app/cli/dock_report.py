# SPDX-License-Identifier: Apache-2.0
"""This is where a day's device lists, register and store are compared on the command line, and docks are listed."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from app import clocks
from app.cli.session import AsJson, Home, err, in_local_time, out, print_table, progress_bar, report, session
from app.cli.written_file import export_table, write_file
from app.words import word
from evidence.errors import BadInput
from pipeline.cells import day as read_day
from pipeline.lists_out import docks_table
from pipeline.reconcile_devices import Reconciled, reconcile_day, record_day
from pipeline.reconcile_terms import Found
from pipeline.tables import write_table

_SHOWN = 100
_COLUMNS = ("found", "subject", "device", "dock", "facts")


def dock_report(
    day: Annotated[str | None, typer.Option(help="Day of the agency; yesterday, if not given.")] = None,
    deep: Annotated[bool, typer.Option("--deep", help="Read every original of the day again.")] = False,
    record: Annotated[bool, typer.Option("--record", help="Take it down in the custody log.")] = False,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write it to .csv, .xlsx or .json.")] = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Compare what devices listed, what the register holds and what rests, of a day; and name what is overdue.

    - `evidock dock report --day 2026-06-19 --record -o 2026-06-19.xlsx`
    """
    with session(home) as (ports, settings), progress_bar("comparing", quiet=as_json) as told:
        now = clocks.now()
        asked = None if day is None else read_day(day)
        if day is not None and asked is None:
            raise BadInput("the day is missing (write 2026-06-19)")
        wanted = asked or now.astimezone(settings.zone).date() - timedelta(days=1)
        done = reconcile_day(wanted, ports=ports, now=now, is_deep=deep, progress=told)
        if record:
            record_day(done, ports=ports, now=now)
    if output is not None:
        write_file(output, _as_file(done, output))
    body = done.to_json() | {"digest": done.digest, "is_recorded": record}
    report(body, as_json=as_json, show=lambda: _print(done))


def export_docks(
    output: Annotated[Path, typer.Option("--output", "-o", help="The file: .csv or .xlsx.", show_default=False)],
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Write all docks to a .csv or .xlsx.

    - `evidock dock export -o docks.xlsx`
    """
    export_table(output, docks_table, title="采集站清单", home=home, as_json=as_json)


def _as_file(done: Reconciled, output: Path) -> bytes:
    if output.suffix.lower() == ".json":
        return json.dumps(done.to_json(), ensure_ascii=False, indent=1).encode()
    header = [word("reconcile", f"column.{name}") for name in _COLUMNS]
    rows = [header, *([cell or "" for cell in _cells(one)] for one in done.found)]
    return write_table(output.name, rows, title=done.day.isoformat())


def _print(done: Reconciled) -> None:
    counts = ", ".join(f"{number} {word('reconcile', f'count.{name}')}" for name, number in done.counts.items())
    out.print(f"{done.day}: {counts}")
    numbers = [(word("reconcile", code), number) for code, number in done.numbers.items()]
    print_table(("", ""), numbers, empty=word("reconcile", "agree"))
    columns = [word("reconcile", f"column.{name}") for name in _COLUMNS]
    print_table(columns, [_cells(one) for one in done.found[:_SHOWN]], empty="")
    if len(done.found) > _SHOWN:
        err.print(f"and {len(done.found) - _SHOWN} more: --json or -o tells all that are named")


def _cells(one: Found) -> tuple[Any, ...]:
    facts = "; ".join(f"{name} {value}" for name, value in one.facts.items() if value not in (None, ""))
    return (word("reconcile", one.code), one.subject, one.device, one.dock, in_local_time(facts))
