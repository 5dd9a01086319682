# SPDX-License-Identifier: Apache-2.0
"""This is where devices and officers are registered: who may film, and who held which camera when."""

import base64
import re
from typing import Annotated

import typer

from app import clocks
from app.cli.session import AsJson, Home, out, print_table, report, session
from evidence import instant
from evidence.custody import Happening
from evidence.errors import BadInput, NotFound
from evidence.ids import stream_of
from pipeline.ports import Ports
from storage.register import search

device = typer.Typer(no_args_is_help=True, help="Cameras and terminals: register them, hand them out.")
officer = typer.Typer(no_args_is_help=True, help="Officers: register them.")

_SERIAL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def register_device(ports: Ports, serial: str, *, kind: str, label: str, clock_offset_ms: int) -> None:
    """Register a device, or change what is registered of it.

    Raises:
        BadInput: the serial is not one a camera could have.
    """
    if not _SERIAL.fullmatch(serial):
        raise BadInput(f"{serial!r} is no serial: letters, digits, dot, dash and underscore, at most 64")
    facts = {"clock_offset_ms": clock_offset_ms, "kind": kind}
    happening = Happening("device-registered", stream_of("device", serial), facts=facts, detail={"label": label})
    with ports.register.begin() as writing:
        writing.record(happening, actor=ports.actor, at=clocks.now())


def register_officer(ports: Ports, number: str, *, name: str, unit: str) -> None:
    """Register an officer, or change what is registered of them."""
    with ports.register.begin() as writing:
        known = search.officer(writing.connection, number)
        identifier = opaque("off", ports) if known is None else known["id"]
        told = {"name": name, "number": number, "unit": unit}
        happening = Happening("officer-registered", stream_of("officer", identifier), detail=told)
        writing.record(happening, actor=ports.actor, at=clocks.now())


def assign_device(ports: Ports, serial: str, number: str, *, start: str, end: str | None) -> None:
    """Note that an officer holds a device from `start` (until `end`, when it is known).

    Raises:
        NotFound: device or officer are not registered.
    """
    with ports.register.begin() as writing:
        if search.device(writing.connection, serial) is None:
            raise NotFound(f"no device {serial!r}: run `evidock device add {serial}` first")
        if search.officer(writing.connection, number) is None:
            raise NotFound(f"no officer {number!r}: run `evidock officer add {number}` first")
        facts = {"end_at": end, "start_at": start}
        happening = Happening("assigned", stream_of("device", serial), facts=facts, detail={"officer": number})
        writing.record(happening, actor=ports.actor, at=clocks.now())


def opaque(prefix: str, ports: Ports) -> str:
    """A name by chance, for nouns whose own names must not stand in the public log."""
    return f"{prefix}-{base64.b32encode(ports.chance(10)).decode().lower()}"


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

    evidock device add 36NCC009910 --label "No. 12" --clock-offset-ms 3600000
    """
    with session(home) as (ports, _):
        register_device(ports, serial, kind=kind, label=label, clock_offset_ms=clock_offset_ms)
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

    evidock device assign 36NCC009910 430407 --from 2026-06-19T08:00:00+08:00
    """
    since = instant.to_text(clocks.now() if start is None else instant.from_text(start))
    until = None if end is None else instant.to_text(instant.from_text(end))
    with session(home) as (ports, _):
        assign_device(ports, serial, number, start=since, end=until)
    told = {"device": serial, "officer": number, "from": since, "to": until}
    report(told, as_json=as_json, show=lambda: out.print(f"{serial} is with {number} since {since}"))


@device.command("list")
def list_devices(home: Home = None, as_json: AsJson = False) -> None:
    """List the registered devices.

    evidock device list --json
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


@officer.command("add")
def add_officer(
    number: Annotated[str, typer.Argument(help="Certificate number.", show_default=False)],
    name: Annotated[str, typer.Option(help="Name.")] = "",
    unit: Annotated[str, typer.Option(help="Unit.")] = "",
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Register an officer.

    evidock officer add 430407 --name 张三 --unit 执法一中队
    """
    with session(home) as (ports, _):
        register_officer(ports, number, name=name, unit=unit)
    report({"officer": number}, as_json=as_json, show=lambda: out.print(f"officer {number} is registered"))


@officer.command("list")
def list_officers(home: Home = None, as_json: AsJson = False) -> None:
    """List the registered officers.

    evidock officer list
    """
    with session(home) as (ports, _), ports.register.view() as connection:
        rows = search.every(connection, "officers")
    cells = [(one["number"], one["name"], one["unit"]) for one in rows]
    report(
        {"officers": [dict(row) for row in rows]},
        as_json=as_json,
        show=lambda: print_table(("number", "name", "unit"), cells, empty="no officers: `evidock officer add NUMBER`"),
    )
