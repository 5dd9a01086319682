# SPDX-License-Identifier: Apache-2.0
"""This is where units of the agency are registered and listed, and cases counted up their tree."""

from pathlib import Path
from typing import Annotated

import typer

from app import clocks
from app.cli import unit_reports
from app.cli.officers import end_list, print_listed
from app.cli.session import AsJson, Home, out, print_table, report, session
from evidence import instant
from evidence.agency import Unit, walk
from evidence.errors import BadInput
from pipeline.people_import import import_units
from pipeline.units import COUNTED, case_counts, parents_of, register_unit
from storage.register import casebook

app = typer.Typer(no_args_is_help=True, help="The agency and its units: register them, count their cases.")
app.add_typer(unit_reports.app, name="report")


@app.command("add")
def add(
    code: Annotated[str, typer.Argument(help="Its code, such as 0102.", show_default=False)],
    name: Annotated[str, typer.Argument(help="Its name.", show_default=False)],
    parent: Annotated[
        str | None, typer.Option(help="Code of the unit above; if not named, it stays where it is.", show_default=False)
    ] = None,
    top: Annotated[bool, typer.Option("--top", help="No unit is above it: the agency.")] = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Register a unit, or change its name or the unit above it.

    - `evidock unit add 0102 执法二大队 --parent 01`
    """
    if top and parent is not None:
        raise BadInput("a unit at the top has no unit above: give --parent or --top")
    with session(home) as (ports, _):
        with ports.register.view() as connection:
            known = parents_of(connection).get(code)
        above = None if top else parent or known
        is_changed = register_unit(Unit(code, name, above), ports=ports, now=clocks.now())
    words = "is registered" if is_changed else "is registered so already"
    body = {"unit": code, "changed": is_changed}
    report(body, as_json=as_json, show=lambda: out.print(f"unit {code} {words}"))


@app.command("list")
def list_units(home: Home = None, as_json: AsJson = False) -> None:
    """List the units, by code.

    - `evidock unit list --json`
    """
    with session(home) as (ports, _), ports.register.view() as connection:
        rows = [{name: row[name] for name in ("code", "name", "parent")} for row in casebook.every_unit(connection)]
    cells = [(one["code"], one["name"], one["parent"]) for one in rows]
    columns = ("code", "name", "under")
    report(
        {"units": rows}, as_json=as_json, show=lambda: print_table(columns, cells, empty="no units: `evidock unit add`")
    )


@app.command("tree")
def tree(
    cases: Annotated[bool, typer.Option(help="With counts of cases, each unit's together with those below.")] = False,
    start: Annotated[str | None, typer.Option("--from", help="Cases that begin from then; RFC 3339.")] = None,
    end: Annotated[str | None, typer.Option("--to", help="Cases that begin before; RFC 3339.")] = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Show the units as a tree; with `--cases`, how many cases and check tasks each has, summed up the tree.

    - `evidock unit tree --cases --from 2026-01-01T00:00:00+08:00 --to 2026-07-01T00:00:00+08:00`
    """
    since, until = (None if text is None else instant.from_text(text) for text in (start, end))
    with session(home) as (ports, _), ports.register.view() as connection:
        names = {row["code"]: row["name"] for row in casebook.every_unit(connection)}
        parents = parents_of(connection)
        counts = case_counts(connection, start=since, end=until) if cases else {}
    rows = [
        {"code": code, "name": names[code], "parent": parents[code], "floor": floor}
        | dict(zip(COUNTED, counts.get(code, ()), strict=False))
        for code, floor in walk(parents)
    ]
    columns = ("unit", "code", *(COUNTED if cases else ()))
    cells = [("  " * one["floor"] + one["name"], one["code"], *counts.get(one["code"], ())) for one in rows]
    report(
        {"units": rows}, as_json=as_json, show=lambda: print_table(columns, cells, empty="no units: `evidock unit add`")
    )


@app.command("import")
def import_file(
    file: Annotated[Path, typer.Argument(help="CSV or .xlsx: 单位编码, 单位名称, 上级编码.", show_default=False)],
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Take in units from a CSV or .xlsx, in any order; the same file again changes nothing.

    - `evidock unit import units.csv`
    """
    with session(home) as (ports, _):
        listed = import_units(file, ports=ports, now=clocks.now())
    report(listed.to_json(), as_json=as_json, show=lambda: print_listed(listed, "units"))
    end_list(listed)
