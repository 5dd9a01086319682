# SPDX-License-Identifier: Apache-2.0
"""This is where units report to the unit above (两级审核汇总): hand in, accept, send back, list, show, sum."""

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from app import clocks
from app.cli import unit_report_words as words
from app.cli.session import AsJson, Home, print_table, progress_bar, report, session
from app.cli.unit_names import unit_code
from app.words import word
from evidence import instant
from pipeline import unit_reports
from pipeline.catalogs.in_force import catalog_now
from storage.register import reports
from storage.register.reports import WantedReports

app = typer.Typer(
    no_args_is_help=True,
    help="What a unit reports of its cases to the unit above, which accepts it or sends it back.",
)
Report = Annotated[str, typer.Argument(help="Id of a report.", show_default=False)]
Unit = Annotated[str, typer.Argument(help="Code or name of a unit.", show_default=False)]
Start = Annotated[str, typer.Option("--from", help="RFC 3339 time: cases that begin then or later.")]
End = Annotated[str, typer.Option("--to", help="RFC 3339 time: cases that begin before it.")]
Out = Annotated[Path | None, typer.Option("-o", "--out", help="Write the table to this new CSV file.")]


@app.command("submit")
def submit(unit: Unit, start: Start, end: End, home: Home = None, as_json: AsJson = False) -> None:
    """Hand in a unit's report on its cases of a period, with those of units below it, to the unit above.

    - `evidock unit report submit 0101 --from 2026-01-01T00:00:00+08:00 --to 2026-04-01T00:00:00+08:00`
    """
    since, until = _period(start, end)
    with session(home) as (ports, settings), progress_bar("cases", quiet=as_json) as progress:
        with ports.register.view() as connection:
            code = unit_code(connection, unit)
        told = unit_reports.submit(code, start=since, end=until, ports=ports, now=clocks.now(), progress=progress)
    report(words.told(told), as_json=as_json, show=lambda: words.show_short(told, settings.zone))


@app.command("accept")
def accept(
    identifier: Report,
    digest: Annotated[
        str | None, typer.Option(help="Digest that `show` told you: refused if it is another now.", show_default=False)
    ] = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Accept a report for the unit above, as another person than who handed it in.

    - `evidock unit report accept rep-abcdefghij234567`
    """
    with session(home) as (ports, settings):
        told = unit_reports.accept(identifier, digest=digest, ports=ports, now=clocks.now())
    report(words.told(told), as_json=as_json, show=lambda: words.show_short(told, settings.zone))


@app.command("return")
def send_back(
    identifier: Report,
    why: Annotated[str, typer.Option(help="The reason, for the record.", show_default=False)],
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Send a report back to its unit, which may hand it in anew; also an accepted one that nothing above counts.

    - `evidock unit report return rep-abcdefghij234567 --why "case 2026-017 is of another unit"`
    """
    with session(home) as (ports, settings):
        told = unit_reports.send_back(identifier, why=why, ports=ports, now=clocks.now())
    report(words.told(told), as_json=as_json, show=lambda: words.show_short(told, settings.zone))


@app.command("list")
def list_reports(
    unit: Annotated[str | None, typer.Option(help="Only of this unit, by code or name.", show_default=False)] = None,
    above: Annotated[str | None, typer.Option(help="Only to this unit, by code or name.", show_default=False)] = None,
    state: Annotated[
        str | None, typer.Option(help="Only those submitted, accepted or returned.", show_default=False)
    ] = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """List the reports, by period.

    - `evidock unit report list --above 01 --state submitted`
    """
    states = words.states_of(state)
    with session(home) as (ports, settings), ports.register.view() as connection:
        codes = [None if one is None else unit_code(connection, one) for one in (unit, above)]
        units = None if codes[0] is None else [codes[0]]
        rows = reports.reports(connection, WantedReports(units=units, above=codes[1], states=states))
    columns = words.heads("id", "unit", "above", "period", "state", "by", "decided-by", "why")
    cells = [words.listed(row, settings.zone) for row in rows]
    report({"reports": rows}, as_json=as_json, show=lambda: print_table(columns, cells, empty=word("report", "none")))


@app.command("show")
def show(identifier: Report, file: Out = None, home: Home = None, as_json: AsJson = False) -> None:
    """Show a report from its signed records: its figures and each of its cases.

    - `evidock unit report show rep-abcdefghij234567 -o report.csv`
    """
    with session(home) as (ports, settings):
        told = unit_reports.show(identifier, ports=ports)
        catalog = catalog_now(ports, clocks.now())
    if file is not None:
        words.write_cases(file, told, catalog, settings.zone)
    report(words.told(told), as_json=as_json, show=lambda: words.show_whole(told, catalog, settings.zone))


@app.command("sum")
def show_sum(unit: Unit, start: Start, end: End, file: Out = None, home: Home = None, as_json: AsJson = False) -> None:
    """Sum what a unit accepted from those directly below it for a period, and name who has not reported.

    - `evidock unit report sum 01 --from 2026-01-01T00:00:00+08:00 --to 2026-07-01T00:00:00+08:00`
    """
    since, until = _period(start, end)
    with session(home) as (ports, settings):
        with ports.register.view() as connection:
            code = unit_code(connection, unit)
        found = unit_reports.summed(code, start=since, end=until, ports=ports)
        catalog = catalog_now(ports, clocks.now())
    if file is not None:
        words.write_sum(file, found, settings.zone)
    report(words.told_sum(found), as_json=as_json, show=lambda: words.show_sum(found, catalog, settings.zone))


def _period(start: str, end: str) -> tuple[datetime, datetime]:
    return instant.from_text(start), instant.from_text(end)
