# SPDX-License-Identifier: Apache-2.0
"""This is where lists of devices enter and leave by a file on the command line."""

from pathlib import Path
from typing import Annotated

import typer

from app import clocks
from app.cli.officers import end_list, print_listed
from app.cli.session import AsJson, Home, report, session
from app.cli.written_file import export_table
from pipeline.device_import import import_devices
from pipeline.lists_out import devices_table

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
