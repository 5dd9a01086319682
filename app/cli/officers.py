# SPDX-License-Identifier: Apache-2.0
"""This is where officers are registered, listed, and taken in from a list (执法人员清单)."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from app import clocks
from app.cli.case_import import print_faults
from app.cli.session import AsJson, Home, out, print_table, report, session
from app.cli.written_file import export_table
from evidence.agency import Officer
from evidence.errors import BadInput
from pipeline import people
from pipeline.case_codes import codes_now
from pipeline.cells import day
from pipeline.listed import Listed
from pipeline.lists_out import officers_table
from pipeline.people_import import import_officers
from pipeline.ports import Ports
from storage.register import casebook, search

app = typer.Typer(no_args_is_help=True, help="Officers: register them.")


@app.command("add")
def add(
    number: Annotated[str, typer.Argument(help="Certificate number.", show_default=False)],
    name: Annotated[str | None, typer.Option(help="Name.", show_default=False)] = None,
    unit: Annotated[str | None, typer.Option(help="Unit: its code or name.", show_default=False)] = None,
    post: Annotated[str | None, typer.Option(help="Post (职务).", show_default=False)] = None,
    type_: Annotated[
        list[str] | None,
        typer.Option("--type", help="Enforcement type (执法类别); may be repeated.", show_default=False),
    ] = None,
    area: Annotated[str | None, typer.Option(help="Area (执法区域).", show_default=False)] = None,
    valid_from: Annotated[str | None, typer.Option(help="First day of the certificate.", show_default=False)] = None,
    valid_to: Annotated[str | None, typer.Option(help="Last day of the certificate.", show_default=False)] = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Register an officer, or change what is registered of them; what is not named stays.

    - `evidock officer add 430407 --name 张三 --unit 执法一中队`
    """
    words = {"name": name, "unit": unit, "post": post, "area": area}
    changes: dict[str, Any] = {field: told for field, told in words.items() if told is not None}
    days = {"valid_from": valid_from, "valid_to": valid_to}
    changes |= {field: day(told) for field, told in days.items() if told is not None}
    with session(home) as (ports, _):
        if type_ is not None:
            changes["types"] = _types(ports, type_)
        with ports.register.view() as connection:
            known = search.officer(connection, number)
        was = Officer(number) if known is None else people.officer_of(known)
        people.register_officer(replace(was, **changes), ports=ports, now=clocks.now())
    report({"officer": number}, as_json=as_json, show=lambda: out.print(f"officer {number} is registered"))


def _types(ports: Ports, told: list[str]) -> tuple[str, ...]:
    with ports.register.view() as connection:
        codes = codes_now(connection, ports=ports, now=clocks.now())
    return tuple(codes.code_of("types", one) for one in told)


@app.command("list")
def list_officers(home: Home = None, as_json: AsJson = False) -> None:
    """List the registered officers.

    - `evidock officer list`
    """
    with session(home) as (ports, _), ports.register.view() as connection:
        rows = [dict(row) | {"types": json.loads(row["types"])} for row in casebook.every_officer(connection)]
    cells = [
        (one["number"], one["name"], one["unit"], one["post"], " ".join(one["types"]), one["area"], one["valid_to"])
        for one in rows
    ]
    columns = ("number", "name", "unit", "post", "types", "area", "valid to")
    report(
        {"officers": rows},
        as_json=as_json,
        show=lambda: print_table(columns, cells, empty="no officers: `evidock officer add NUMBER`"),
    )


@app.command("import")
def import_file(
    file: Annotated[Path, typer.Argument(help="CSV or .xlsx: 姓名, 单位, 职务, 证件编号 ….", show_default=False)],
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Take in an officers' list (执法人员清单) from a CSV or .xlsx; the same file again changes nothing.

    - `evidock officer import officers.csv`
    """
    with session(home) as (ports, _):
        listed = import_officers(file, ports=ports, now=clocks.now())
    report(listed.to_json(), as_json=as_json, show=lambda: print_listed(listed, "officers"))
    end_list(listed)


@app.command("export")
def export_file(
    output: Annotated[Path, typer.Option("--output", "-o", help="The file: .csv or .xlsx.", show_default=False)],
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Write the officers' list (执法人员清单) to a .csv or .xlsx, as `import` takes it in.

    - `evidock officer export -o officers.xlsx`
    """
    export_table(output, officers_table, title="执法人员清单", home=home, as_json=as_json)


def print_listed(listed: Listed, what: str) -> None:
    """Print what taking in a list did."""
    out.print(f"{listed.changed} {what} were registered or changed, {listed.same} were so already")
    print_faults(listed.faults)


def end_list(listed: Listed) -> None:
    """End the command as its list deserves: with the status of bad input when a row was not taken."""
    if listed.faults:
        raise typer.Exit(BadInput.exit_status)
