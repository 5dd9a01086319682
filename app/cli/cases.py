# SPDX-License-Identifier: Apache-2.0
"""This is where cases are opened, listed and shown; the other commands about cases are in the `case_…` modules."""

import json
from typing import Annotated

import typer

from app import clocks
from app.cli import case_access, case_changes, case_fields, case_import, case_links
from app.cli.case_fields import Number
from app.cli.case_words import lines_of
from app.cli.pages import After, Limit, following, place, print_page
from app.cli.recordings import link_words, show_time
from app.cli.session import AsJson, Home, out, print_table, report, session
from app.cli.unit_names import codes_below
from app.words import word
from evidence import instant
from evidence.case import CaseBody, CaseKind
from pipeline import casework
from pipeline.tell_cases import tell_cases, tell_papers
from storage.register import casebook, search
from storage.register.listing import links_page

app = typer.Typer(no_args_is_help=True, help="Cases and check tasks: open, list, revise, close them; take them in.")


@app.command("new")
def new(
    number: Number,
    start: Annotated[str, typer.Option("--from", help="RFC 3339 time the work began.", show_default=False)],
    end: Annotated[str, typer.Option("--to", help="RFC 3339 time it ended.", show_default=False)],
    officer: Annotated[list[str], typer.Option(help="Certificate number; may be repeated.", show_default=False)],
    title: Annotated[str, typer.Option(help="What it is about.")] = "",
    item: case_fields.Item = None,
    kind: Annotated[CaseKind, typer.Option(help="A case (案件) or a check task (检查任务).")] = CaseKind.CASE,
    type_: case_fields.Type = None,
    unit: case_fields.UnitCode = None,
    file_term: case_fields.FileTerm = None,
    link: case_fields.Links = None,
    party: case_fields.Parties = None,
    where: case_fields.PlaceText = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Open a case; what its officers recorded in its window is linked to it, now and later.

    - `evidock case new 2026-017 --officer 430407 --from 2026-06-19T10:00:00+08:00 --to 2026-06-19T12:00:00+08:00`
    """
    told = case_fields.Told(item=item, type=type_, unit=unit, file_term=file_term, link=link, party=party, where=where)
    with session(home) as (ports, _):
        more = told.fields(ports, now=clocks.now())
        window = instant.from_text(start), instant.from_text(end)
        opened = CaseBody(number, title, tuple(officer), *window, **more | {"kind": kind})
        links = casework.open_case(opened, ports=ports, now=clocks.now())
    body = {"case": number, "recordings_linked": links}
    report(body, as_json=as_json, show=lambda: out.print(f"case {number} is open; {links} recordings were linked"))


@app.command("list")
def list_cases(
    unit: Annotated[
        str | None, typer.Option(help="Of this unit (code or name) and those below it.", show_default=False)
    ] = None,
    kind: Annotated[CaseKind | None, typer.Option(help="Only these.", show_default=False)] = None,
    is_open: Annotated[bool | None, typer.Option("--open/--closed", help="Only these.", show_default=False)] = None,
    limit: Limit = None,
    after: After = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """List the cases, by the time they begin: all of them, or page by page.

    - `evidock case list --unit 0102 --open`
    """
    with session(home) as (ports, settings), ports.register.view() as connection:
        units = None
        if unit is not None:
            units = codes_below(connection, unit)
        wanted = casebook.WantedCases(units=units, kind=kind, is_open=is_open)
        page = casebook.cases_page(connection, wanted, limit=limit, after=place(after))
        rows = tell_cases(connection, page.rows)
        body = {"cases": rows} | following(page)
        zone = settings.zone
    columns = ("case", "title", "from", "to", "unit", "officers", "segments", "state")
    cells = [
        (
            *(one["number"], one["title"], show_time(one["from"], zone), show_time(one["to"], zone), one["unit"]),
            *(" ".join(one["officers"]), one["segments"], word("case", "closed" if one["closed"] else "open")),
        )
        for one in rows
    ]
    report(body, as_json=as_json, show=lambda: print_page(columns, cells, body, empty="no cases"))


@app.command("show")
def show(number: Number, limit: Limit = None, after: After = None, home: Home = None, as_json: AsJson = False) -> None:
    """Show what a case holds, and why each segment is in it: all of it, or page by page.

    - `evidock case show 2026-017 --json`
    """
    with session(home) as (ports, settings), ports.register.view() as connection:
        row = search.case(connection, number)
        page = links_page(connection, row["id"], limit=limit, after=place(after))
        (told,) = tell_cases(connection, [row])
        body = told | tell_papers(connection, row) | {"links": [dict(link) for link in page.rows]} | following(page)
        zone = settings.zone
    cells = [
        (one["segment"], show_time(one["start_at"], zone), one["linked_by"], link_words(json.loads(one["reason"])))
        for one in page.rows
    ]
    columns = ("segment", "from", "linked by", "why")

    def print_all() -> None:
        print_table(("", ""), lines_of(body, zone), empty="")
        print_page(columns, cells, body, empty="nothing is linked yet")

    report(body, as_json=as_json, show=print_all)


app.command("link")(case_links.link)
app.command("unlink")(case_links.unlink)
app.command("revise")(case_changes.revise)
app.command("close")(case_changes.close)
app.command("reopen")(case_changes.reopen)
app.command("document")(case_changes.document)
app.command("gap")(case_changes.gap)
app.command("delay")(case_changes.delay)
app.command("condition")(case_changes.condition)
app.command("import")(case_import.import_file)
app.command("pull")(case_import.pull_feed)
app.command("restrict")(case_access.restrict)
app.command("unrestrict")(case_access.unrestrict)
app.add_typer(case_access.members, name="member")
