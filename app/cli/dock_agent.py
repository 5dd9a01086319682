# SPDX-License-Identifier: Apache-2.0
"""This is where a dock station is enrolled, run and looked at, on the station's side."""

import json
import socket
import time
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from app.cli.session import AsJson, Home, err, out, report
from app.plain import for_terminal
from app.settings import load_settings
from app.words import word
from evidence.errors import NotFound, RecordMalformed

_MIB = 1 << 20
_WATCH_S = 1.0


def enrol_dock(
    url: Annotated[str, typer.Argument(help="Address of the server, https://…", show_default=False)],
    code: Annotated[str, typer.Argument(help="The code of `evidock dock invite`.", show_default=False)],
    fingerprint: Annotated[
        str | None,
        typer.Option(help="SHA-256 of the server's certificate, as `evidock serve` prints it.", show_default=False),
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="Name of this station; else EVIDOCK_DOCK.", show_default=False)
    ] = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Enrol this machine as a dock station, with a one-time code.

    - `evidock dock enrol https://evidock.example.org:9443 7K3M-Q2TD-9XWA --fingerprint 3f9a…`
    """
    from app.dock import FOLDER
    from devices.agent.server_enrolment import enrol

    settings = load_settings(home=home)
    made = enrol(
        settings.home / FOLDER,
        url=url,
        code=code,
        name=name or settings.dock or socket.gethostname(),
        fingerprint=fingerprint,
    )
    body = {"dock": made.dock, "url": made.url, "fingerprint": made.fingerprint, "server_keys": list(made.server_keys)}
    told = f"this station is {made.dock} at {made.url}: `evidock dock run`"
    report(body, as_json=as_json, show=lambda: out.print(told))


def run_station(home: Home = None) -> None:
    """Run this dock station: take in every device that is plugged in, and send what it had to the server.

    - `evidock dock run`
    """
    from app.cli.processes import _lines, stopping
    from app.dock import run_dock

    settings = load_settings(home=home)
    with _lines(settings) as notes, stopping() as stop:
        status = run_dock(settings, stop=stop, notes=notes)
    raise typer.Exit(status)


def show_status(
    watch: Annotated[bool, typer.Option("--watch", help="Keep showing it, until Ctrl-C.")] = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Show what each port of this station does, and whether the server answers.

    - `evidock dock status --watch`
    """
    from app.dock import FOLDER

    folder = load_settings(home=home).home / FOLDER
    if not watch or as_json:
        told = read_status(folder)
        report(told, as_json=as_json, show=lambda: out.print(_shown(told)))
        return
    with Live(_shown(read_status(folder)), console=out, auto_refresh=False) as live:
        try:
            while True:
                time.sleep(_WATCH_S)
                live.update(_shown(read_status(folder)), refresh=True)
        except KeyboardInterrupt:
            err.print("")


def read_status(folder: Path) -> dict[str, Any]:
    """What the station of a folder last wrote of its ports and its network.

    Raises:
        NotFound: it never ran. RecordMalformed: what it wrote cannot be read.
    """
    from app.dock_figures import NETWORK
    from devices.agent.nameless import count_aside

    try:
        told: dict[str, Any] = json.loads((folder / "status.json").read_text("utf-8"))
        network = folder / NETWORK
        told["network"] = json.loads(network.read_text("utf-8")) if network.exists() else None
        told["nameless_files"] = count_aside(folder / "spool")
    except FileNotFoundError as error:
        raise NotFound("no dock station has run here yet: `evidock dock run`") from error
    except (ValueError, OSError) as error:
        raise RecordMalformed(f"the status of this dock station cannot be read: {error}") from error
    return dict(told)


def _shown(told: dict[str, Any]) -> Group:
    names = ("port", "phase", "device", "files", "copied", "received", "why")
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in names:
        table.add_column(word("dock-column", name), overflow="fold", no_wrap=name in ("port", "phase"))
    for port, one in told["ports"].items():
        total = one["bytes"]
        copied = f"{one['copied_bytes'] / _MIB:.0f} / {total / _MIB:.0f} MiB"
        copied += f" ({100 * one['copied_bytes'] // total} %)" if total else ""
        phase = word("port", one["phase"])
        cells = (port, phase, one["device"] or "", str(one["files"]), copied, str(one["received_files"]), one["why"])
        table.add_row(*(for_terminal(cell) for cell in cells))
    # Beneath the table, not its caption: that would be folded to the width of an empty table.
    return Group(table, Text(_network(told)), *map(Text, _alarms(told)))


def _alarms(told: dict[str, Any]) -> list[str]:
    count = told["nameless_files"]
    return [word("dock-alarm", "spool-nameless").format(files=count)] if count else []


def _network(told: dict[str, Any]) -> str:
    network = told["network"]
    if network is None:
        return ""
    there = word("dock-network", "online" if network["is_online"] else "offline")
    why = "" if network["is_online"] or not network["why"] else f" ({network['why']})"
    waits = word("dock-network", "waiting").format(files=network["waiting_files"])
    return for_terminal(f"{there}{why} · {waits} · {told['at']}")
