# SPDX-License-Identifier: Apache-2.0
"""This is where docks are invited, listed, looked at, switched and revoked, on the server's side."""

from datetime import tzinfo
from typing import Annotated, Any

import typer

from app import clocks
from app.cli import axis, dock_report
from app.cli.dock_agent import enrol_dock, run_station, show_status
from app.cli.pinning import fingerprint_of, pinned
from app.cli.recordings import show_time
from app.cli.session import AsJson, Home, out, print_table, report, session
from app.words import word
from evidence import instant
from evidence.ids import stream_of
from pipeline import docks
from pipeline.docks import KINDS, Invitation
from storage.register import dock_rows, search
from storage.register.search import Row

app = typer.Typer(no_args_is_help=True, help="Docks: who may send footage, and which of them clear cameras.")
erase = typer.Typer(no_args_is_help=True, help="Whether a dock clears cameras once all their files rest.")
app.add_typer(erase, name="erase")

Which = Annotated[str, typer.Argument(metavar="DOCK", help="Its id, or its name.", show_default=False)]
Why = Annotated[str, typer.Option(help="The reason, for the record.", show_default=False)]

_SHOWN = ("id", "name", "kind", "unit", "device", "state", "invited_at", "enrolled_at", "revoked_at")
_DOCKINGS = 20


@app.command("invite")
def invite(
    name: Annotated[str, typer.Argument(help="What it is called, such as its place.", show_default=False)],
    unit: Annotated[str, typer.Option(help="Code or name of its unit.")] = "",
    kind: Annotated[str, typer.Option(help=f"One of {', '.join(KINDS)}.")] = "dock",
    device: Annotated[str | None, typer.Option(help="Of a terminal: its serial.", show_default=False)] = None,
    minutes: Annotated[int | None, typer.Option(help="How long the code is good; if not told, 15.")] = None,
    again: Annotated[str | None, typer.Option(help="Id of a dock that gets a new key.", show_default=False)] = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Make a one-time code, with which a dock enrols (`evidock dock enrol` over there).

    - `evidock dock invite "一大队采集站" --unit 0102`
    """
    invitation = Invitation(name, kind, unit, device, minutes)
    with session(home) as (ports, settings):
        invited = docks.invite(invitation, ports=ports, now=clocks.now(), again=again)
    pin = fingerprint_of(settings)
    until = instant.to_text(invited.until)
    body = {"dock": invited.dock, "code": invited.code, "until": until, "fingerprint": pin}
    told = (
        f"{invited.dock}: the code {invited.code} is good once, until {show_time(until, settings.zone)}\n{pinned(pin)}"
    )
    report(body, as_json=as_json, show=lambda: out.print(told))


@app.command("list")
def list_docks(home: Home = None, as_json: AsJson = False) -> None:
    """List the docks, by name.

    - `evidock dock list --json`
    """
    with session(home) as (ports, settings), ports.register.view() as connection:
        rows = [_told(row) for row in dock_rows.every_dock(connection)]
    cells = [
        (
            *(one["id"], one["name"], word("dock-kind", one["kind"]), one["unit"], word("dock-state", one["state"])),
            *("yes" if one["erases"] else "", _since(one, settings.zone)),
        )
        for one in rows
    ]
    columns = ("dock", "name", "kind", "unit", "state", "clears", "since")
    report({"docks": rows}, as_json=as_json, show=lambda: print_table(columns, cells, empty="no docks"))


@app.command("show")
def show(dock: Which, home: Home = None, as_json: AsJson = False) -> None:
    """Show a dock: what became of it, and what was plugged in last.

    - `evidock dock show dck-abcdefghij234567`
    """
    with session(home) as (ports, settings), ports.register.view() as connection:
        row = docks.named(connection, dock)
        body = _told(row) | {
            "custody": [
                {name: event[name] for name in ("seq", "kind", "at", "actor", "leaf_index")}
                for event in search.events_of(connection, stream_of("dock", row["id"]))
            ],
            "dockings": [dict(one) for one in dock_rows.newest_dockings(connection, row["id"], _DOCKINGS)],
        }
    report(body, as_json=as_json, show=lambda: _show(body, settings.zone))


def _show(body: dict[str, Any], zone: tzinfo) -> None:
    out.print(f"{body['id']}  {body['name']}  {word('dock-state', body['state'])}")
    out.print(f"clears cameras: {'yes' if body['erases'] else 'no'}")
    if body["key"]:
        out.print(f"key: {body['key']}")
    for event in body["custody"]:
        out.print(f"  {show_time(event['at'], zone)}  {event['kind']}  {event['actor']}")
    cells = [
        (one["id"], show_time(one["began_at"], zone), one["port"], one["device"], one["taken"], _end(one))
        for one in body["dockings"]
    ]
    print_table(("docking", "began", "port", "device", "files", "outcome"), cells, empty="nothing was plugged in yet")


def _since(dock: dict[str, Any], zone: tzinfo) -> str:
    return "" if dock["enrolled_at"] is None else show_time(dock["enrolled_at"], zone)


def _end(docking: dict[str, Any]) -> str:
    return str(docking["refusal"] or docking["outcome"] or "")


@app.command("revoke")
def revoke(dock: Which, why: Why, home: Home = None, as_json: AsJson = False) -> None:
    """Shut a dock out, for good: its key, its sessions and an unused code end now.

    - `evidock dock revoke dck-abcdefghij234567 --why "stolen from the hall"`
    """
    with session(home) as (ports, _):
        with ports.register.view() as connection:
            identifier = docks.named(connection, dock)["id"]
        is_changed = docks.revoke(identifier, why=why, ports=ports, now=clocks.now())
    told = f"{identifier} {'is revoked' if is_changed else 'was revoked before'}"
    report({"dock": identifier, "changed": is_changed}, as_json=as_json, show=lambda: out.print(told))


@erase.command("on")
def erase_on(dock: Which, why: Why, home: Home = None, as_json: AsJson = False) -> None:
    """Let a dock clear a camera once every file of it is sealed here. Off unless you say so.

    - `evidock dock erase on 一大队采集站 --why "order 2026-3"`
    """
    _switch(dock, home, erases=True, why=why, as_json=as_json)


@erase.command("off")
def erase_off(dock: Which, why: Why, home: Home = None, as_json: AsJson = False) -> None:
    """Have a dock leave every camera as it is.

    - `evidock dock erase off 一大队采集站 --why "camera 7 is examined"`
    """
    _switch(dock, home, erases=False, why=why, as_json=as_json)


def _switch(dock: str, home: Home, *, erases: bool, why: str, as_json: bool) -> None:
    with session(home) as (ports, _):
        with ports.register.view() as connection:
            identifier = docks.named(connection, dock)["id"]
        is_changed = docks.switch_erasing(identifier, erases=erases, why=why, ports=ports, now=clocks.now())
    words = "clears cameras" if erases else "clears no camera"
    told = f"{identifier} {words} {'from now on' if is_changed else 'as before'}"
    body = {"dock": identifier, "erases": erases, "changed": is_changed}
    report(body, as_json=as_json, show=lambda: out.print(told))


def _told(row: Row) -> dict[str, Any]:
    return {name: row[name] for name in _SHOWN} | {"erases": bool(row["erases"]), "key": row["key"]}


# What a station itself is asked stands under the same word.
app.command("enrol")(enrol_dock)
app.command("run")(run_station)
app.command("status")(show_status)
app.command("report")(dock_report.dock_report)
app.command("export")(dock_report.export_docks)
# What speaks Axis's protocol is let in by a file.
app.command("connection")(axis.connect)
app.command("told")(axis.show_told)
