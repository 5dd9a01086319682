# SPDX-License-Identifier: Apache-2.0
"""This is where leaves to see or take footage are listed at the terminal, and ended before their time."""

from typing import Annotated

import typer

from app.cli.approval_words import grant_cells
from app.cli.approvals import moment
from app.cli.pages import After, Limit, following, place, print_page
from app.cli.session import AsJson, Home, out, report, session
from app.words import word
from evidence import instant
from pipeline import grants
from pipeline.approval_acts.asked_for import user as user_named
from storage.register import approval_rows

app = typer.Typer(no_args_is_help=True, help="Leaves to see or take footage: list them, end them.")


@app.command("list")
def list_grants(
    user: Annotated[str | None, typer.Option(help="Only of this user: a login or an id.", show_default=False)] = None,
    ended: Annotated[bool, typer.Option("--all", help="Also those that have ended.")] = False,
    limit: Limit = None,
    after: After = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """List the grants that stand.

    - `evidock grant list --user li`
    """
    with session(home) as (ports, settings):
        now = moment(ports).now
        with ports.register.view() as connection:
            named = None if user is None else user_named(connection, user, asker=ports.actor)["id"]
            wanted = approval_rows.WantedGrants(named, None if ended else instant.to_text(now))
            page = approval_rows.grants_page(connection, wanted, limit=limit, after=place(after))
        zone = settings.zone
    body = {"grants": page.rows} | following(page)
    columns = [word("grant.column", name) for name in ("id", "user", "what", "on", "until", "revoked", "why")]
    rows = [grant_cells(row, zone) for row in page.rows]
    report(body, as_json=as_json, show=lambda: print_page(columns, rows, body, empty="no grants"))


@app.command("revoke")
def revoke(
    grant: Annotated[str, typer.Argument(help="Id of a grant.", show_default=False)],
    why: Annotated[str, typer.Option(help="The reason, for the record.", show_default=False)],
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """End a grant at once.

    - `evidock grant revoke gra-abcdefghij234567 --why "the case is closed"`
    """
    with session(home) as (ports, _):
        row = grants.revoke(grant, why=why, ports=ports, now=moment(ports).now)
    report({"grant": dict(row)}, as_json=as_json, show=lambda: out.print(f"{grant} has ended"))
