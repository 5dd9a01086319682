# SPDX-License-Identifier: Apache-2.0
"""This is where devices are registered, listed and looked at; what else is done with them is added here by name."""

from dataclasses import replace
from typing import Annotated, Any

import typer

from app import clocks
from app.cli import device_clock, device_ledger, device_lists, device_try
from app.cli.recordings import show_time
from app.cli.session import AsJson, Home, out, print_table, report, session
from app.words import word
from evidence import instant
from evidence.device import Device
from pipeline.cells import day
from pipeline.device_import import capacity
from pipeline.devices_register import device_of, register_device, registered
from storage.register import device_rows, dock_rows, search

device = typer.Typer(no_args_is_help=True, help="Cameras and terminals: register them, issue them, take them back.")


@device.command("add")
def add_device(
    serial: Annotated[str, typer.Argument(show_default=False)],
    kind: Annotated[str | None, typer.Option(help="bodycam, handheld, camera, recorder or fixed.")] = None,
    label: Annotated[str | None, typer.Option(help="What people call it.")] = None,
    clock_offset_ms: Annotated[int | None, typer.Option(help="Its clock minus true time, in milliseconds.")] = None,
    maker: Annotated[str | None, typer.Option(help="Maker (厂商).")] = None,
    model: Annotated[str | None, typer.Option(help="Model (型号).")] = None,
    firmware: Annotated[str | None, typer.Option(help="Firmware (固件).")] = None,
    national_id: Annotated[str | None, typer.Option(help="20 digits (国标编码).")] = None,
    asset: Annotated[str | None, typer.Option(help="Asset number (资产编号).")] = None,
    unit: Annotated[str | None, typer.Option(help="Unit: its code or name.")] = None,
    officer: Annotated[str | None, typer.Option(help="Who answers for it: certificate number.")] = None,
    status: Annotated[str | None, typer.Option(help="in-use, repair, stopped, scrapped or lost.")] = None,
    category: Annotated[str | None, typer.Option(help="A, B or C (配备类别).")] = None,
    holds: Annotated[str | None, typer.Option("--capacity", help="Such as 64GB.")] = None,
    purchased: Annotated[str | None, typer.Option("--purchased-on", help="Day it was bought.")] = None,
    clock: Annotated[str | None, typer.Option(help="How its clock is read: local or utc.")] = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Register a device, or change what is registered of it; what is not named stays.

    - `evidock device add 36NCC009910 --label "No. 12" --clock-offset-ms 3600000`
    """
    lines = {"maker": maker, "model": model, "firmware": firmware, "national_id": national_id, "asset": asset}
    more = {"unit": unit, "officer": officer, "status": status, "category": category, "clock": clock}
    told: dict[str, Any] = {"kind": kind, "label": label, "clock_offset_ms": clock_offset_ms, **lines, **more}
    told |= {"capacity_bytes": None if holds is None else capacity(holds)}
    told |= {"purchased_on": None if purchased is None else day(purchased)}
    changes = {name: value for name, value in told.items() if value is not None}
    with session(home) as (ports, _):
        with ports.register.view() as connection:
            known = search.device(connection, serial)
        was = Device(serial) if known is None else device_of(known)
        register_device(replace(was, **changes), ports=ports, now=clocks.now())
    report({"device": serial}, as_json=as_json, show=lambda: out.print(f"device {serial} is registered"))


@device.command("list")
def list_devices(
    status: Annotated[str | None, typer.Option(help="Only those of this status.")] = None,
    unit: Annotated[str | None, typer.Option(help="Only those of this unit: its code.")] = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """List the registered devices.

    - `evidock device list --status in-use --json`
    """
    with session(home) as (ports, _), ports.register.view() as connection:
        rows = [
            dict(row)
            for row in device_rows.every_device(connection)
            if status in (None, row["status"]) and unit in (None, row["unit"])
        ]
    cells = [
        (
            *(one["serial"], word("device-kind", one["kind"]), one["label"], word("device-status", one["status"])),
            *(one["unit"], one["officer"], one["category"], one["clock_offset_ms"]),
        )
        for one in rows
    ]
    columns = ("serial", "kind", "label", "status", "unit", "officer", "category", "clock offset, ms")
    report(
        {"devices": rows},
        as_json=as_json,
        show=lambda: print_table(columns, cells, empty="no devices: `evidock device add SERIAL`"),
    )


@device.command("show")
def show_device(
    serial: Annotated[str, typer.Argument(show_default=False)], home: Home = None, as_json: AsJson = False
) -> None:
    """Show all that is known of a device: registration, who held it, when it was seen, what its clock showed.

    - `evidock device show 36NCC009910`
    """
    with session(home) as (ports, settings), ports.register.view() as connection:
        registered(connection, serial)
        row = dict(search.device(connection, serial) or {})
        ledger = [dict(one) for one in device_rows.hand_outs(connection, device=serial)]
        readings = [dict(one) for one in dock_rows.readings_of(connection, serial)]
        seen = device_rows.seen_last(connection, instant.to_text(clocks.now())).get(serial)
        zone = settings.zone
    body = {**row, "is_allowed": bool(row["is_allowed"]), "seen_at": seen, "ledger": ledger, "clock_readings": readings}

    def show() -> None:
        told = {**row, "kind": word("device-kind", row["kind"]), "status": word("device-status", row["status"])}
        facts = [(name, value) for name, value in told.items() if value not in ("", None) and name != "is_allowed"]
        facts += [] if row["is_allowed"] else [("white list", "not on it: nothing is taken from it")]
        facts += [("last seen", show_time(seen, zone))]
        facts += [("clock", f"{one['offset_ms']} ms off at {show_time(one['at'], zone)}") for one in readings[-1:]]
        print_table(("", ""), facts, empty="")
        device_ledger.print_ledger(ledger, zone)

    report(body, as_json=as_json, show=show)


device.command("issue")(device_ledger.issue)
device.command("assign")(device_ledger.assign)
device.command("return")(device_ledger.give_back)
device.command("ledger")(device_ledger.ledger)
device.command("lose")(device_ledger.lose)
device.command("allow")(device_ledger.allow)
device.command("forbid")(device_ledger.forbid)
device.command("import")(device_lists.import_file)
device.command("export")(device_lists.export_file)
device.command("ratio")(device_lists.ratio)
device.command("try")(device_try.try_device)
device.command("clock")(device_clock.clock)
