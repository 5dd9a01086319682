# SPDX-License-Identifier: Apache-2.0
"""This is where cases are opened, listed, linked and closed."""

import json
from typing import Annotated, Any

import typer

from app import clocks
from app.cli.pages import After, Limit, following, place, print_page
from app.cli.recordings import show_time
from app.cli.session import AsJson, Home, out, print_table, report, session
from evidence import instant
from pipeline import casework
from storage.register import search
from storage.register.listing import held_by, links_page

app = typer.Typer(no_args_is_help=True, help="Cases: open them, see what they hold, link by hand.")
Number = Annotated[str, typer.Argument(help="Number of the case.", show_default=False)]
Things = Annotated[list[str], typer.Argument(help="Ids of recordings or segments.", show_default=False)]


@app.command("new")
def new(
    number: Number,
    start: Annotated[str, typer.Option("--from", help="RFC 3339 time the work began.", show_default=False)],
    end: Annotated[str, typer.Option("--to", help="RFC 3339 time it ended.", show_default=False)],
    officer: Annotated[list[str], typer.Option(help="Certificate number; may be repeated.", show_default=False)],
    title: Annotated[str, typer.Option(help="What it is about.")] = "",
    item: Annotated[str | None, typer.Option(help="Catalog item, such as JC-01.")] = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Open a case; what its officers recorded in its window is linked to it, now and later.

    - `evidock case new 2026-017 --officer 430407 --from 2026-06-19T10:00:00+08:00 --to 2026-06-19T12:00:00+08:00`
    """
    opened = casework.NewCase(number, title, tuple(officer), instant.from_text(start), instant.from_text(end), item)
    with session(home) as (ports, _):
        links = casework.open_case(opened, ports=ports, now=clocks.now())
    told = {"case": number, "recordings_linked": links}
    report(
        told,
        as_json=as_json,
        show=lambda: out.print(f"case {number} is open; {links} recordings were linked"),
    )


@app.command("list")
def list_cases(home: Home = None, as_json: AsJson = False) -> None:
    """List the cases.

    - `evidock case list`
    """
    with session(home) as (ports, settings), ports.register.view() as connection:
        rows = [_told(connection, row) for row in search.every(connection, "cases")]
        zone = settings.zone
    columns = ("case", "title", "from", "to", "officers", "segments", "")
    cells = [
        (
            *(one["number"], one["title"], show_time(one["from"], zone), show_time(one["to"], zone)),
            *(" ".join(one["officers"]), one["segments"], "closed" if one["closed"] else ""),
        )
        for one in rows
    ]
    report({"cases": rows}, as_json=as_json, show=lambda: print_table(columns, cells, empty="no cases"))


@app.command("show")
def show(number: Number, limit: Limit = None, after: After = None, home: Home = None, as_json: AsJson = False) -> None:
    """Show what a case holds, and why each segment is in it: all of it, or page by page.

    - `evidock case show 2026-017 --json`
    """
    with session(home) as (ports, settings), ports.register.view() as connection:
        row = search.case(connection, number)
        page = links_page(connection, row["id"], limit=limit, after=place(after))
        body = _told(connection, row) | {"links": [dict(link) for link in page.rows]} | following(page)
        zone = settings.zone
    cells = [
        (one["segment"], show_time(one["start_at"], zone), one["linked_by"], _why(json.loads(one["reason"])))
        for one in page.rows
    ]
    columns = ("segment", "from", "linked by", "why")
    report(body, as_json=as_json, show=lambda: print_page(columns, cells, body, empty="nothing is linked yet"))


@app.command("link")
def link(
    number: Number,
    things: Things,
    why: Annotated[str, typer.Option(help="The reason, for the record.", show_default=False)],
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Link recordings or single segments to a case by hand.

    - `evidock case link 2026-017 rec-abcdefghij2345678901 --why "same shop, other officer"`
    """
    _link(number, things, why, withdraw=False, home=home, as_json=as_json)


@app.command("unlink")
def unlink(
    number: Number,
    things: Things,
    why: Annotated[str, typer.Option(help="The reason, for the record.", show_default=False)],
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Withdraw links; the recordings stay, and the custody log keeps both.

    - `evidock case unlink 2026-017 rec-abcdefghij2345678901.00003 --why "other street"`
    """
    _link(number, things, why, withdraw=True, home=home, as_json=as_json)


def _link(number: str, things: list[str], why: str, *, withdraw: bool, home: Home, as_json: bool) -> None:
    with session(home) as (ports, _):
        segments = casework.link(number, things, why=why, withdraw=withdraw, ports=ports, now=clocks.now())
    did = "withdrawn from" if withdraw else "linked to"
    told = {"case": number, "segments": segments}
    report(told, as_json=as_json, show=lambda: out.print(f"{len(segments)} segments {did} case {number}"))


@app.command("close")
def close(number: Number, home: Home = None, as_json: AsJson = False) -> None:
    """Close a case: no rule links anything to it any more.

    - `evidock case close 2026-017`
    """
    with session(home) as (ports, _):
        casework.close_case(number, ports=ports, now=clocks.now())
    report({"case": number, "closed": True}, as_json=as_json, show=lambda: out.print(f"case {number} is closed"))


def _why(reason: dict[str, Any]) -> str:
    """The reason of a link in words."""
    if reason["rule"] == "officer-window":
        return f"officer {reason['officer']} within the case's time"
    return str(reason.get("why") or reason["rule"])


def _told(connection: search.Connection, row: search.Row) -> dict[str, Any]:
    held = held_by(connection, row["id"])
    return {
        "number": row["number"],
        "title": row["title"],
        "item": row["item"],
        "from": row["start_at"],
        "to": row["end_at"],
        "officers": search.officers_of_case(connection, row["id"]),
        "segments": sum(held.values()),
        "recordings": sorted(held),
        "closed": row["closed_at"] is not None,
    }
