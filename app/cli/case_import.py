# SPDX-License-Identifier: Apache-2.0
"""This is where cases are taken in on the command line: from sheets, and from the agency's case system."""

from pathlib import Path
from typing import Annotated

import typer

from app import clocks
from app.case_pull import pull_now
from app.cli.session import AsJson, Home, err, in_local_time, out, print_table, progress_bar, report, session
from app.words import word
from evidence.errors import BadInput
from pipeline.case_codes import codes_now
from pipeline.case_import import Import, Imported
from pipeline.case_rows import case_sheet, document_sheet
from pipeline.sheets import Fault

_SHOWN = 50


def import_file(
    file: Annotated[Path, typer.Argument(help="CSV of cases, in UTF-8 or GB18030.", show_default=False)],
    documents: Annotated[Path | None, typer.Option(help="CSV of their papers.", show_default=False)] = None,
    source: Annotated[str, typer.Option(help="Name of the system it comes from; the same each time.")] = "csv",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done; write nothing.")] = False,
    strict: Annotated[bool, typer.Option(help="Take in all of it, or nothing.")] = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Take in cases from a CSV; the same file again changes nothing. Rows with errors are told, the others taken.

    - `evidock case import cases.csv --documents papers.csv --source 办案系统`
    """
    with session(home) as (ports, settings):
        now = clocks.now()
        with ports.register.view() as connection:
            codes = codes_now(connection, ports=ports, now=now)
        cases, faults = case_sheet(file, codes=codes, zone=settings.zone)
        papers, more = ([], []) if documents is None else document_sheet(documents, codes=codes, zone=settings.zone)
        with progress_bar("cases", quiet=as_json) as told:
            run = Import(source, ports, now, is_dry_run=dry_run, is_strict=strict, progress=told)
            done = run.run(cases, papers, [*faults, *more])
    report(done.to_json() | {"dry_run": dry_run}, as_json=as_json, show=lambda: _print(done, is_dry_run=dry_run))
    _end(done.faults, is_quiet=as_json)


def pull_feed(home: Home = None, as_json: AsJson = False) -> None:
    """Take in what is new in the agency's case system (`EVIDOCK_CASE_FEED_URL`).

    - `evidock case pull`
    """
    with session(home) as (ports, settings), progress_bar("cases", quiet=as_json) as told:
        done = pull_now(ports, settings, progress=told)
    if done is None:
        raise BadInput("no case system is set: EVIDOCK_CASE_FEED_URL")
    report(done.to_json(), as_json=as_json, show=lambda: _print(done, is_dry_run=False))
    _end(done.faults, is_quiet=as_json)


def _print(done: Imported, *, is_dry_run: bool) -> None:
    counts = ", ".join(f"{number} {word('taken', did)}" for did, number in done.counts.items() if number)
    out.print(f"{word('taken', 'would-be') if is_dry_run else ''}{counts or word('taken', 'nothing')}")
    print_faults(done.faults)


def print_faults(faults: list[Fault]) -> None:
    """Print what was not taken, the first of it."""
    cells = [(f"{one.file}:{one.line}", one.column, in_local_time(one.reason)) for one in faults[:_SHOWN]]
    print_table(("where", "column", "why it was not taken"), cells, empty="")
    if len(faults) > _SHOWN:
        err.print(f"and {len(faults) - _SHOWN} more: --json tells all")


def _end(faults: list[Fault], *, is_quiet: bool) -> None:
    if faults:
        if not is_quiet:
            err.print(f"{len(faults)} rows were not taken")
        raise typer.Exit(BadInput.exit_status)
