# SPDX-License-Identifier: Apache-2.0
"""This is where it is shown what the recording catalog asks of cases, against what was recorded (清单覆盖)."""

from collections.abc import Sequence
from datetime import datetime, tzinfo
from fractions import Fraction
from pathlib import Path
from typing import Annotated

import typer

from app import clocks
from app.cli.catalogs import app
from app.cli.recordings import show_time
from app.cli.session import AsJson, Home, err, out, print_table, progress_bar, report, session
from app.cli.unit_names import unit_code
from app.words import word
from evidence import instant
from evidence.coverage_matrix import Matrix, Tally
from evidence.coverage_terms import Cell, Code, Coverage, Finding, Status
from evidence.errors import BadInput
from pipeline.catalogs.csv_table import write_csv
from pipeline.catalogs.grid import Sheet
from pipeline.catalogs.in_force import catalog_now
from pipeline.coverage import coverage_of_case, matrix_of
from pipeline.coverage_told import by_unit, in_order, tell_coverage, tell_matrix

Rows = list[tuple[str, ...]]


@app.command("coverage")
def coverage(
    case: Annotated[str | None, typer.Option("--case", help="Number of a case: each of its cells.")] = None,
    unit: Annotated[
        str | None, typer.Option(help="A unit, by code or name: its cases and those of units below it.")
    ] = None,
    start: Annotated[str | None, typer.Option("--from", help="RFC 3339 time: cases that begin then or later.")] = None,
    end: Annotated[str | None, typer.Option("--to", help="RFC 3339 time: cases that begin before it.")] = None,
    file: Annotated[Path | None, typer.Option("-o", "--out", help="Write the table to this CSV file.")] = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Hold a case, or all cases of a unit and period, against the recording catalog: what is present, what is missing.

    - `evidock catalog coverage --case 2026-017`
    - `evidock catalog coverage --unit 0101 --from 2026-01-01T00:00:00+08:00 --to 2027-01-01T00:00:00+08:00 -o year.csv`
    """
    if case is not None:
        if (unit, start, end) != (None, None, None):
            raise BadInput("--case is of one case: leave out --unit, --from and --to")
        _of_case(case, file, home=home, as_json=as_json)
    else:
        moments = [None if text is None else instant.from_text(text) for text in (start, end)]
        _of_unit(unit, moments[0], moments[1], file, home=home, as_json=as_json)


def _written(file: Path | None, header: Sequence[str], rows: Rows) -> None:
    if file is None:
        return
    try:
        with file.open("xb") as table:
            table.write(write_csv(Sheet("", (tuple(header), *rows))))
    except FileExistsError as error:
        raise BadInput(f"{file} is there already: choose another name, or remove it") from error
    except OSError as error:
        raise BadInput(f"{file} cannot be written: {error.strerror}") from error
    err.print(f"written to {file}")


def _heads(*names: str) -> tuple[str, ...]:
    return tuple(word("coverage.column", name) for name in names)


def _percent(rate: Fraction | None) -> str:
    if rate is None:
        return ""
    permille = round(rate * 1000)
    return f"{permille // 10}.{permille % 10} %"


# --- one case -----------------------------------------------------------------------------------


def _of_case(number: str, file: Path | None, *, home: Path | None, as_json: bool) -> None:
    now = clocks.now()
    with session(home) as (ports, settings):
        found = coverage_of_case(number, ports=ports, now=now)
        catalog, zone = catalog_now(ports, now), settings.zone
    header = _heads("item", "matter", "obligation", "from", "to", "status", "recordings", "findings")
    rows = [_cell_row(cell, zone) for cell in found.cells]
    _written(file, header, rows)
    report(tell_coverage(found, catalog), as_json=as_json, show=lambda: _show_case(found, header, rows))


def _cell_row(cell: Cell, zone: tzinfo) -> tuple[str, ...]:
    start, end = (_shown(moment, zone) for moment in (cell.activity.start, cell.activity.end))
    return (
        cell.item.id,
        cell.item.name_zh,
        word("obligation", cell.item.obligation.value),
        start,
        end,
        word("coverage", cell.status.value),
        " ".join(cell.recordings),
        "; ".join(_words(finding, zone) for finding in cell.findings),
    )


def _shown(moment: datetime | None, zone: tzinfo) -> str:
    return "" if moment is None else show_time(instant.to_text(moment), zone)


_INSTANTS = ("due", "arrived", "from", "to")


def _words(finding: Finding, zone: tzinfo) -> str:
    """A finding for people: its word, and what it is of."""
    facts = [_fact(name, value, zone) for name, value in finding.facts.items() if value is not None]
    told = word("coverage", finding.code.value)
    return f"{told} ({', '.join(facts)})" if facts else told


def _fact(name: str, value: str | int, zone: tzinfo) -> str:
    if name in _INSTANTS or (name == "first" and isinstance(value, str)):
        return show_time(str(value), zone)
    if name == "least":
        return f"≥ {value}"
    if name == "seconds":
        minutes, seconds = divmod(int(value), 60)
        return f"{minutes} min {seconds} s"
    if name in ("why", "which"):
        return word("coverage", str(value))
    return str(value)


def _show_case(found: Coverage, header: Sequence[str], rows: Rows) -> None:
    print_table(header, rows, empty="the case tells of nothing that the catalog asks for")
    for doubt, told in found.doubts:
        out.print(f"{told}: {word('coverage', doubt.value)}")
    demanded = [cell for cell in found.cells if cell.is_demanded]
    present = sum(cell.status is Status.PRESENT for cell in demanded)
    out.print(f"{word('coverage', 'rate')}: {present}/{len(demanded)} {_percent(found.rate)}")


# --- a unit and a period ------------------------------------------------------------------------


def _of_unit(
    unit: str | None,
    start: datetime | None,
    end: datetime | None,
    file: Path | None,
    *,
    home: Path | None,
    as_json: bool,
) -> None:
    now = clocks.now()
    with session(home) as (ports, _), progress_bar("cases", quiet=as_json) as progress:
        if unit is not None:
            with ports.register.view() as connection:
                unit = unit_code(connection, unit)
        matrix = matrix_of(ports=ports, now=now, unit=unit, start=start, end=end, progress=progress)
        catalog = catalog_now(ports, now)
    header = (*_heads("type", "link"), *_heads(*_COUNTS), *(word("coverage", code.value) for code in Code))
    rows = [
        (catalog.types.get(type_, type_), catalog.links.get(link, link), *_counts(tally))
        for (type_, link), tally in in_order(matrix, catalog)
    ]
    rows.append((word("coverage", "total"), "", *_counts(matrix.total)))
    _written(file, header, rows)
    body = tell_matrix(matrix, catalog, unit=unit)
    report(body, as_json=as_json, show=lambda: _show_matrix(matrix, header, rows))


_COUNTS = ("demanded", "present", "missing", "invalid", "rate", "awaited", "other", "other-present")


def _counts(tally: Tally) -> tuple[str, ...]:
    must, other = tally.must, tally.other
    numbers = (tally.demanded, must[Status.PRESENT], must[Status.MISSING], must[Status.INVALID])
    more = (must[Status.AWAITED], other.total(), other[Status.PRESENT])
    found = [tally.findings[code.value] for code in Code]
    return (*map(str, numbers), _percent(tally.rate), *map(str, (*more, *found)))


def _show_matrix(matrix: Matrix, header: Sequence[str], rows: Rows) -> None:
    # Findings have no room beside the counts on a screen; the file has a column for each.
    wide = 2 + len(_COUNTS)
    print_table(header[:wide], [row[:wide] for row in rows], empty="")
    print_table(_heads("findings", "number"), _findings(header[wide:], rows, wide), empty="")
    units = [(unit or word("coverage", "no-unit"), *_counts(tally)[: len(_COUNTS)]) for unit, tally in by_unit(matrix)]
    print_table(_heads("unit", *_COUNTS), units, empty="")
    for code, number in sorted(matrix.doubts.items()):
        out.print(f"{word('coverage', code)}: {number}")


def _findings(names: Sequence[str], rows: Rows, first: int) -> Rows:
    """Each finding that there is: its word, and how many cells of the whole have it."""
    total = rows[-1][first:]
    return [(name, number) for name, number in zip(names, total, strict=True) if number != "0"]
