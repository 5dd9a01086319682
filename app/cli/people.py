# SPDX-License-Identifier: Apache-2.0
"""This is where devices are registered, listed, and handed to officers."""

from typing import Annotated

import typer

from app import clocks
from app.cli.session import AsJson, Home, out, print_table, report, session
from evidence import instant
from pipeline import people
from storage.register import search

device = typer.Typer(no_args_is_help=True, help="Cameras and terminals: register them, hand them out.")


@device.command("add")
def add_device(
    serial: Annotated[str, typer.Argument(show_default=False)],
    kind: Annotated[str, typer.Option(help="bodycam, handheld, camera, recorder or fixed.")] = "bodycam",
    label: Annotated[str, typer.Option(help="What people call it.")] = "",
    clock_offset_ms: Annotated[int, typer.Option(help="Its clock minus true time, in milliseconds.")] = 0,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Register a device.

    - `evidock device add 36NCC009910 --label "No. 12" --clock-offset-ms 3600000`
    """
    with session(home) as (ports, _):
        told = people.Device(serial, kind=kind, label=label, clock_offset_ms=clock_offset_ms)
        people.register_device(told, ports=ports, now=clocks.now())
    report({"device": serial}, as_json=as_json, show=lambda: out.print(f"device {serial} is registered"))


@device.command("assign")
def assign(
    serial: Annotated[str, typer.Argument(show_default=False)],
    number: Annotated[str, typer.Argument(help="Certificate number of the officer.", show_default=False)],
    start: Annotated[str | None, typer.Option("--from", help="RFC 3339 time; now, if not given.")] = None,
    end: Annotated[str | None, typer.Option("--to", help="RFC 3339 time; open, if not given.")] = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Hand a device to an officer: recordings of that time are theirs when nothing else says whose.

    - `evidock device assign 36NCC009910 430407 --from 2026-06-19T08:00:00+08:00`
    """
    since = clocks.now() if start is None else instant.from_text(start)
    until = None if end is None else instant.from_text(end)
    with session(home) as (ports, _):
        people.assign_device(serial, number, start=since, end=until, ports=ports, now=clocks.now())
    times = {"from": instant.to_text(since), "to": None if until is None else instant.to_text(until)}
    told = {"device": serial, "officer": number, **times}
    report(told, as_json=as_json, show=lambda: out.print(f"{serial} is with {number} since {times['from']}"))


@device.command("list")
def list_devices(home: Home = None, as_json: AsJson = False) -> None:
    """List the registered devices.

    - `evidock device list --json`
    """
    with session(home) as (ports, _), ports.register.view() as connection:
        rows = search.every(connection, "devices")
    cells = [(one["serial"], one["kind"], one["label"], one["clock_offset_ms"]) for one in rows]
    columns = ("serial", "kind", "label", "clock offset, ms")
    report(
        {"devices": [dict(row) for row in rows]},
        as_json=as_json,
        show=lambda: print_table(columns, cells, empty="no devices: `evidock device add SERIAL`"),
    )
