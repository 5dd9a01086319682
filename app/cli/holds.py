# SPDX-License-Identifier: Apache-2.0
"""This is where holds are placed, lifted and listed: what is held is not disposed of, whatever the rules say."""

from datetime import datetime
from typing import Annotated

import typer

from app import clocks
from app.cli.approvals import moment, tell_asked
from app.cli.pages import After, Limit, following, place, print_page
from app.cli.recordings import show_time
from app.cli.retention_clock import warn
from app.cli.session import AsJson, Home, out, report, session
from pipeline import approvals, holds
from pipeline.ports import Ports
from pipeline.steady import steady_now
from storage.register import hold_rows

app = typer.Typer(no_args_is_help=True, help="Holds: what must not be disposed of until somebody lifts them.")

Why = Annotated[str, typer.Option(help="The reason, for the record.", show_default=False)]


@app.command("place")
def place_hold(
    why: Why,
    recording: Annotated[str | None, typer.Argument(help="Id of the recording.", show_default=False)] = None,
    case: Annotated[str | None, typer.Option(help="Number of a case: all its recordings, also later ones.")] = None,
    authority: Annotated[str | None, typer.Option(help="Who asked for it, such as a court.")] = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Hold a recording, or all recordings of a case.

    - `evidock hold place rec-abcdefghij2345678901 --why "行政复议" --authority "市政府复议办"`
    - `evidock hold place --case 2026-017 --why "lawsuit 2026-118"`
    """
    target = holds.Target(recording, case)
    with session(home) as (ports, _):
        held = holds.place(target, why=why, authority=authority, ports=ports, now=_now(ports))
    body = {"hold": held.id, "recordings": held.recordings}
    told = f"hold {held.id} stands on {len(held.recordings)} recordings"
    report(body, as_json=as_json, show=lambda: out.print(told))


def _now(ports: Ports) -> datetime:
    told = steady_now(ports.register, clocks.reading(ports.place))
    warn(told)
    return told.counted


@app.command("lift")
def lift(
    hold: Annotated[str, typer.Argument(help="Id of the hold.", show_default=False)],
    why: Why,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Ask for a hold to be lifted: another person decides it (`evidock approval decide`), and then it is lifted.

    One that was placed before two people were needed is lifted at once. What another hold is on stays held.

    - `evidock hold lift hol-abcdefghij234567 --why "withdrawn on 2026-09-01"`
    """
    with session(home) as (ports, settings):
        with ports.register.view() as connection:
            needs_two = bool(holds.check_stands(connection, hold)["needs_two"])
        if needs_two:
            now, zone = moment(ports).now, settings.zone
            asked = approvals.request(approvals.Request("hold-lift", "hold", hold), why=why, ports=ports, now=now)
        else:
            lifted = holds.lift(hold, why=why, ports=ports, now=_now(ports))
    if needs_two:
        tell_asked(asked, now, zone, as_json=as_json)
        return
    body = {"hold": lifted.id, "recordings": lifted.recordings}
    told = f"hold {hold} is lifted from {len(lifted.recordings)} recordings"
    report(body, as_json=as_json, show=lambda: out.print(told))


@app.command("list")
def list_holds(
    lifted: Annotated[bool, typer.Option("--all", help="Also those that were lifted.")] = False,
    limit: Limit = None,
    after: After = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """List the holds that stand.

    - `evidock hold list`
    """
    with session(home) as (ports, settings), ports.register.view() as connection:
        page = hold_rows.holds_page(connection, is_lifted=None if lifted else False, limit=limit, after=place(after))
    body = {"holds": page.rows} | following(page)
    cells = [
        (
            *(one["id"], one["case"] or one["subject"], show_time(one["placed_at"], settings.zone), one["placed_by"]),
            *(
                one["authority"],
                one["why"],
                "" if one["lifted_at"] is None else show_time(one["lifted_at"], settings.zone),
            ),
        )
        for one in page.rows
    ]
    columns = ("hold", "on", "since", "by", "authority", "why", "lifted")
    report(body, as_json=as_json, show=lambda: print_page(columns, cells, body, empty="no holds"))
