# SPDX-License-Identifier: Apache-2.0
"""This is where footage is disposed of: a list by one person, approved by another, undone by anybody, carried out."""

from pathlib import Path
from typing import Annotated

import typer

from app.cli.disposal_words import show_list, show_ran, show_register, tell_ran, write_register
from app.cli.recordings import show_time
from app.cli.session import AsJson, Home, out, print_table, progress_bar, report, session
from app.endings import steady
from app.places import open_places
from app.words import word
from evidence.errors import WrongState
from pipeline import agree
from pipeline.deciding import judge_at
from pipeline.disposal_list import read_list
from pipeline.disposal_told import stands, tell_list
from pipeline.dispose import run as carry_out
from pipeline.tombstone import register_lines
from storage.register import ends

app = typer.Typer(no_args_is_help=True, help="Dispose of footage: two people, a grace period, proof that it is gone.")
List = Annotated[str, typer.Argument(help="Id of a disposal list.", show_default=False)]
Why = Annotated[str, typer.Option(help="The reason, for the record.", show_default=False)]


@app.command("propose")
def propose(
    why: Why,
    recordings: Annotated[
        list[str] | None, typer.Argument(help="Ids; without any, all that is appraised for disposal.")
    ] = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Propose a disposal list of what is due and appraised for it. Another person must approve it.

    - `evidock dispose propose --why "terms of 2024 are over"`
    """
    with session(home) as (ports, _):
        now, most, left = steady(ports), ports.keeping.largest_list, 0
        if not recordings:
            with ports.register.view() as connection:
                found = ends.appraised(connection, "dispose")
            recordings, left = found[:most], len(found[most:])
        judge = judge_at(ports, now)
        grace = ports.keeping.grace
        identifier = agree.propose(recordings, why=why, judge=judge, most=most, grace=grace, ports=ports, now=now)
        body = tell_list(read_list(identifier, ports=ports)) | {"left": left}
    words = (
        f"{identifier} has {len(body['entries'])} recordings; another person looks at it (`evidock dispose show "
        f"{identifier}`) and approves it: `evidock dispose approve {identifier}`"
    )
    more = f"\n{left} more are appraised: propose another list" if left else ""
    report(body, as_json=as_json, show=lambda: out.print(words + more))


@app.command("approve")
def approve(disposal: List, home: Home = None, as_json: AsJson = False) -> None:
    """Approve a list that another person proposed. It can be undone until its grace is over; nothing goes before.

    - `evidock dispose approve dis-abcdefghij234567`
    """
    with session(home) as (ports, settings):
        now = steady(ports)
        told = agree.approve(disposal, judge=judge_at(ports, now), grace=ports.keeping.grace, ports=ports, now=now)
        zone = settings.zone
    report(tell_list(told), as_json=as_json, show=lambda: show_list(told, zone))


@app.command("undo")
def undo(
    disposal: List,
    why: Why,
    recordings: Annotated[list[str] | None, typer.Argument(help="Ids; without any, the whole list.")] = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Take back a list, or some of its recordings: they are again what they were.

    - `evidock dispose undo dis-abcdefghij234567 --why "a complaint came in"`
    """
    with session(home) as (ports, settings):
        told = agree.undo(disposal, recordings or None, why=why, ports=ports, now=steady(ports))
        zone = settings.zone
    report(tell_list(told), as_json=as_json, show=lambda: show_list(told, zone))


@app.command("run")
def run(disposal: List, home: Home = None, as_json: AsJson = False) -> None:
    """Carry out an approved list whose grace is over: remove every version and copy, and prove that it is gone.

    Stopped or killed, run it again: it goes on where it was.

    - `evidock dispose run dis-abcdefghij234567`
    """
    with session(home) as (ports, settings), progress_bar("disposing", quiet=as_json) as progress:
        now = steady(ports)
        done = carry_out(
            disposal,
            places=open_places(settings),
            judge=judge_at(ports, now),
            ports=ports,
            now=now,
            progress=progress,
        )
        zone = settings.zone
    report(tell_ran(done), as_json=as_json, show=lambda: show_ran(done, zone))


@app.command("list")
def list_lists(home: Home = None, as_json: AsJson = False) -> None:
    """List the disposal lists, the newest first.

    - `evidock dispose list`
    """
    with session(home) as (ports, settings), ports.register.view() as connection:
        rows = ends.every_disposal(connection)
        zone = settings.zone
    body = {"lists": [dict(row) | {"stands": stands(row)} for row in rows]}
    columns = ("list", "recordings", "is", "proposed by", "approved by", "can be undone until")
    cells = [
        (
            *(one["id"], one["count"], word("disposal", one["stands"])),
            *(one["proposed_by"], one["approved_by"]),
            "" if one["grace_until"] is None else show_time(one["grace_until"], zone),
        )
        for one in body["lists"]
    ]
    report(body, as_json=as_json, show=lambda: print_table(columns, cells, empty="no disposal lists"))


@app.command("show")
def show(disposal: List, home: Home = None, as_json: AsJson = False) -> None:
    """Show a list from its signed records: each recording, its date, its reasons.

    - `evidock dispose show dis-abcdefghij234567 --json`
    """
    with session(home) as (ports, settings):
        told = read_list(disposal, ports=ports)
        zone = settings.zone
    report(tell_list(told), as_json=as_json, show=lambda: show_list(told, zone, is_whole=True))


@app.command("register")
def register(
    disposal: List,
    file: Annotated[Path | None, typer.Option("-o", "--out", help="A .csv or .json file.", show_default=False)] = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """The disposal register (销毁清册) of a list: what was destroyed, why, by whom, and when it was gone.

    - `evidock dispose register dis-abcdefghij234567 -o register.csv`
    """
    with session(home) as (ports, settings):
        told, zone = read_list(disposal, ports=ports), settings.zone
        with ports.register.view() as connection:
            lines = register_lines(told, ends.tombstones_of(connection, disposal))
    if not lines:
        raise WrongState(f"nothing of {disposal} was disposed of yet")
    if file is not None:
        write_register(file, lines, zone)
    body = {"disposal": disposal, "is_finished": told.is_finished, "lines": lines}
    report(body, as_json=as_json, show=lambda: show_register(lines, zone))
