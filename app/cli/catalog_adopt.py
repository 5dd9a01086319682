# SPDX-License-Identifier: Apache-2.0
"""This is where a change of the rules is proposed, looked at, approved, withdrawn and filed (备案)."""

from collections.abc import Sequence
from datetime import date, datetime, time
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from app import clocks
from app.cli.catalog_review import print_review
from app.cli.catalogs import app
from app.cli.recordings import show_time
from app.cli.session import AsJson, Home, out, print_table, progress_bar, report, session
from app.words import word
from evidence import instant
from evidence.errors import BadInput
from pipeline.catalogs import adopt as adoption
from pipeline.catalogs import filing
from pipeline.catalogs.load import catalog_bytes
from pipeline.catalogs.told import tell_review, tell_versions

Id = Annotated[str, typer.Argument(help="The version, as `catalog versions` names it.", show_default=False)]
Why = Annotated[str, typer.Option(help="The reason, for the record.", show_default=False)]
OverBrake = Annotated[
    str | None,
    typer.Option(
        help="Why more may be shortened than the brake lets through; both persons must say.", show_default=False
    ),
]


@app.command("adopt")
def adopt(
    file: Annotated[Path, typer.Argument(help="The catalog (YAML).", show_default=False)],
    effective_from: Annotated[str, typer.Option(help="Day from which it counts: 2026-12-01.", show_default=False)],
    why: Why,
    profile: Annotated[str | None, typer.Option(help="Profile of the catalog, such as strict.")] = None,
    preset: Annotated[str | None, typer.Option(help="Kind of agency: only its types count.")] = None,
    shorten: Annotated[
        list[str] | None,
        typer.Option(help="Item or condition to shorten for earlier recordings too; may be repeated."),
    ] = None,
    over_brake: OverBrake = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Propose a catalog: show what it changes and what that does to all that is kept. Nothing is removed.

    The first one counts as adopted; any later one waits for `catalog approve` by another person.

    - `evidock catalog adopt ours.yaml --effective-from 2026-12-01 --why "annual revision"`
    """
    with session(home) as (ports, settings), progress_bar("reckoning", quiet=as_json) as progress:
        wanted = adoption.Wanted(
            catalog_bytes(file),
            file.name,
            _day(effective_from, settings.zone),
            why,
            profile=profile,
            preset=preset,
            shortens=frozenset(shorten or ()),
            over_brake=over_brake,
        )
        found = adoption.propose(wanted, ports=ports, now=clocks.now(), progress=progress)
    report(tell_review(found), as_json=as_json, show=lambda: print_review(found, settings.zone))


@app.command("approve")
def approve(
    identifier: Id,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what it would do now.")] = False,
    shorter: Annotated[
        int | None, typer.Option(min=0, help="How many shortened recordings you have seen.", show_default=False)
    ] = None,
    over_brake: OverBrake = None,
    why: Annotated[str, typer.Option(help="A word for the record.")] = "",
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Approve a proposed catalog as the second person, after a dry run as of now.

    - `evidock catalog approve avcat-cn-default@0.2#0123456789ab`
    """
    with session(home) as (ports, settings), progress_bar("reckoning", quiet=as_json) as progress:
        if dry_run:
            found = adoption.look(identifier, ports=ports, now=clocks.now(), progress=progress)
        else:
            said = adoption.Approval(why, shorter, over_brake)
            found = adoption.approve(identifier, said, ports=ports, now=clocks.now(), progress=progress)
    report(tell_review(found), as_json=as_json, show=lambda: print_review(found, settings.zone))


@app.command("withdraw")
def withdraw(identifier: Id, why: Why, home: Home = None, as_json: AsJson = False) -> None:
    """Take back a version before it counts.

    - `evidock catalog withdraw avcat-cn-default@0.2#0123456789ab --why "a typing error"`
    """
    with session(home) as (ports, _):
        filing.withdraw(identifier, why=why, ports=ports, now=clocks.now())
    told = {"catalog": identifier, "withdrawn": True}
    report(told, as_json=as_json, show=lambda: out.print(f"{identifier} is withdrawn"))


@app.command("filed")
def filed(
    identifier: Id,
    status: Annotated[str, typer.Option(help="What became of it, such as 已备案.", show_default=False)],
    on: Annotated[str, typer.Option(help="The day: 2026-12-03.", show_default=False)],
    body: Annotated[str, typer.Option(help="With whom it was filed, such as 市司法局.", show_default=False)],
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Write down that a version was filed with the supervising body (备案).

    - `evidock catalog filed avcat-cn-default@0.2#0123456789ab --status 已备案 --on 2026-12-03 --body 市司法局`
    """
    with session(home) as (ports, _):
        filing.file(identifier, status=status, on=_date(on), body=body, ports=ports, now=clocks.now())
    told = {"catalog": identifier, "status": status, "filed_on": on, "body": body}
    report(told, as_json=as_json, show=lambda: out.print(f"{identifier}: {status}, {on}, {body}"))


@app.command("versions")
def versions(home: Home = None, as_json: AsJson = False) -> None:
    """List the versions of the catalog: adopted, proposed, withdrawn, and which one counts now.

    - `evidock catalog versions`
    """
    with session(home) as (ports, settings), ports.register.view() as connection:
        body = tell_versions(connection, ports=ports, now=clocks.now())
    rows, newest = body["versions"], body["in_force"]
    report(body, as_json=as_json, show=lambda: _print_versions(rows, newest, settings.zone))


def _print_versions(rows: Sequence[dict[str, object]], newest: str, zone: ZoneInfo) -> None:
    cells = [
        (
            *(row["id"], word("version", str(row["state"]))),
            show_time(str(row["effective_from"]), zone, grain="minutes"),
            *(row["profile"], row["preset"], row["proposed_by"], row["approved_by"]),
        )
        for row in rows
    ]
    columns = ("version", "state", "from", "profile", "preset", "proposed by", "approved by")
    print_table(columns, cells, empty="")
    out.print(f"in force: {newest}")


def _day(told: str, zone: ZoneInfo) -> datetime:
    """The instant a day begins where the agency is; or the instant itself, when one is told."""
    if len(told) > len("2026-12-01"):
        return instant.from_text(told)
    return datetime.combine(_date(told), time(), zone)


def _date(told: str) -> date:
    try:
        return date.fromisoformat(told)
    except ValueError as error:
        raise BadInput(f"not a day: {told!r} (write 2026-12-01)") from error
