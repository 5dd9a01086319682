# SPDX-License-Identifier: Apache-2.0
"""This is where lists of devices enter and leave by a file on the command line."""

from pathlib import Path
from typing import Annotated, Any

import typer

from app import clocks
from app.cli.officers import end_list, print_listed
from app.cli.session import AsJson, Home, print_table, report, session
from app.cli.written_file import export_table, write_file
from app.words import word
from evidence.errors import BadInput
from pipeline.cells import day
from pipeline.device_figures import load_device_figures
from pipeline.device_import import import_devices
from pipeline.equipment import Ratio, equipment_on
from pipeline.lists_out import devices_table
from pipeline.tables import table_suffix, write_table

Output = Annotated[Path, typer.Option("--output", "-o", help="The file: .csv or .xlsx.", show_default=False)]


def import_file(
    file: Annotated[Path, typer.Argument(help="CSV or .xlsx: 设备编号, 设备类型, 所属单位 ….", show_default=False)],
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Take in a list of devices (执法记录仪清单) from a CSV or .xlsx; the same file again changes nothing.

    - `evidock device import devices.xlsx`
    """
    with session(home) as (ports, _):
        listed = import_devices(file, ports=ports, now=clocks.now())
    report(listed.to_json(), as_json=as_json, show=lambda: print_listed(listed, "devices"))
    end_list(listed)


def export_file(output: Output, home: Home = None, as_json: AsJson = False) -> None:
    """Write all devices to a .csv or .xlsx, as `import` takes them in.

    - `evidock device export -o devices.xlsx`
    """
    export_table(output, devices_table, title="设备清单", home=home, as_json=as_json)


_COLUMNS = ("unit", "name", "category", "devices", "officers", "per-device", "rate", "wanted", "missing")


def ratio(
    unit: Annotated[str | None, typer.Option(help="Only this unit and those below it: its code.")] = None,
    on: Annotated[str | None, typer.Option(help="Day whose certificates count; today, if not given.")] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write it to a .csv or .xlsx.")] = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Show how officers are equipped (配备率): devices in use to officers with a valid certificate, by unit.

    - `evidock device ratio --on 2026-06-30 -o ratio.xlsx`
    """
    if output is not None:
        table_suffix(output.name)
    with session(home) as (ports, settings), ports.register.view() as connection:
        when = clocks.now().astimezone(settings.zone).date() if on is None else day(on)
        if when is None:
            raise BadInput("the day is missing (write 2026-06-19)")
        rows = equipment_on(connection, when, figures=load_device_figures(), unit=unit)
    columns, cells = [word("ratio", name) for name in _COLUMNS], [_cells(row) for row in rows]
    if output is not None:
        table = [columns, *(["" if cell is None else str(cell) for cell in row] for row in cells)]
        write_file(output, write_table(output.name, table, title=word("ratio", "title")))
    report(
        {"on": when.isoformat(), "ratios": [row.to_json() for row in rows]},
        as_json=as_json,
        show=lambda: print_table(columns, cells, empty="no units: `evidock unit add`"),
    )


def _cells(row: Ratio) -> tuple[Any, ...]:
    rate = None if row.permille is None else f"{row.permille // 10}.{row.permille % 10} %"
    name = row.name if row.unit is not None else word("ratio", "no-unit")
    category = row.category or word("ratio", "all")
    counts = (row.devices, row.officers, row.officers_per_device, rate, row.wanted, row.missing)
    return (row.unit, name, category, *counts)
