# SPDX-License-Identifier: Apache-2.0
"""This is where terminals are invited and listed, and devices that only know RTMP or SRT are listened to."""

from collections.abc import Iterator
from functools import partial
from typing import Annotated, Any

import typer

from app import clocks
from app.cli.pinning import fingerprint_of, pinned
from app.cli.processes import ending
from app.cli.recordings import show_time
from app.cli.session import AsJson, Home, err, out, print_table, report, session
from app.words import word
from evidence import instant
from evidence.errors import NotFound
from pipeline import docks
from pipeline.docks import Invitation
from pipeline.live import MARK, live_ids, look_at
from pipeline.ports import Ports
from pipeline.received import ReceivedFiles
from storage.register import dock_rows, search

app = typer.Typer(no_args_is_help=True, help="Terminals: who sends footage while it is still recorded.")

Device = Annotated[str, typer.Option(help="Serial of the device that it is.", show_default=False)]
_SHOWN = ("id", "name", "device", "state", "enrolled_at")


@app.command("invite")
def invite(
    name: Annotated[str, typer.Argument(help="What it is called.", show_default=False)],
    device: Device,
    unit: Annotated[str, typer.Option(help="Code or name of its unit.")] = "",
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Make a one-time code, with which a terminal enrols.

    - `evidock terminal invite "巡逻一组" --device 36NCC009910`
    """
    with session(home) as (ports, settings):
        invited = docks.invite(Invitation(name, "terminal", unit, device), ports=ports, now=clocks.now())
    until, pin = instant.to_text(invited.until), fingerprint_of(settings)
    told = (
        f"{invited.dock}: the code {invited.code} is good once, until {show_time(until, settings.zone)}\n{pinned(pin)}"
    )
    body = {"terminal": invited.dock, "code": invited.code, "until": until, "fingerprint": pin}
    report(body, as_json=as_json, show=lambda: out.print(told))


@app.command("list")
def list_terminals(home: Home = None, as_json: AsJson = False) -> None:
    """List the terminals, and what comes in while it is still recorded.

    - `evidock terminal list`
    """
    with session(home) as (ports, settings):
        with ports.register.view() as connection:
            rows = [row for row in dock_rows.every_dock(connection) if row["kind"] == "terminal"]
        body = {"terminals": [{name: row[name] for name in _SHOWN} for row in rows], "live": list(_live(ports))}
    cells = [(one["id"], one["name"], one["device"], word("dock-state", one["state"])) for one in body["terminals"]]
    growing = [
        (one["live"], one["sender"], show_time(one["began"], settings.zone), one["fragments"], one["bytes"])
        for one in body["live"]
    ]

    def show() -> None:
        print_table(("terminal", "name", "device", "state"), cells, empty="no terminals")
        print_table(("live", "from", "began", "fragments", "bytes"), growing, empty="nothing comes in now")

    report(body, as_json=as_json, show=show)


def _live(ports: Ports) -> Iterator[dict[str, Any]]:
    files = ReceivedFiles(ports.received)
    for identifier in live_ids(files):
        found = look_at(identifier, files=files)
        if found.closed is None:
            yield {
                "live": identifier,
                "sender": found.told.sender,
                "began": found.told.extra[MARK]["started_at"],
                "fragments": found.next,
                "bytes": found.size_bytes,
            }


@app.command("listen")
def listen_to(
    url: Annotated[str, typer.Argument(help="rtmp://HOST:PORT/APP/KEY or srt://HOST:PORT.", show_default=False)],
    device: Device,
    once: Annotated[bool, typer.Option("--once", help="End after one sender.")] = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Take down what a device sends by RTMP or SRT, one sender at a time, until it is stopped.

    - `evidock terminal listen rtmp://127.0.0.1:1935/live/door --device 36NCC009910`
    """
    from pipeline.live_listen import listen, place
    from pipeline.media.tools import find_ffmpeg

    where = place(url)
    with session(home) as (ports, settings), ending():
        program = find_ffmpeg(settings.ffmpeg).program
        with ports.register.view() as connection:
            if search.device(connection, device) is None:
                raise NotFound(f"no device {device!r}: run `evidock device add` first")
        while True:
            err.print(f"listening for {where.protocol}")
            recording = listen(
                where,
                device=device,
                program=program,
                ports=ports,
                now=clocks.now,
                heard=lambda live: err.print(f"{live} comes in"),
            )
            if recording is not None:
                report({"recording": recording}, as_json=as_json, show=partial(out.print, recording))
            if once:
                return
