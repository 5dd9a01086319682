# SPDX-License-Identifier: Apache-2.0
"""This is where reports of units become words, JSON and tables."""

from collections.abc import Mapping, Sequence
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Any

from app.cli.recordings import show_time
from app.cli.session import err, out, print_table
from app.words import word
from evidence import instant
from evidence.catalog import Catalog
from evidence.errors import BadInput
from pipeline.catalogs.csv_table import write_csv
from pipeline.catalogs.grid import Sheet
from pipeline.unit_report_record import UnitReport
from pipeline.unit_reports import FromBelow, Sum
from storage.register.reports import ACCEPTED, RETURNED, SUBMITTED

Rows = Sequence[tuple[str, ...]]
_FIGURES = ("cases", "tasks", "open")
_COVERED = ("demanded", "present", "missing", "invalid", "late", "rate")


def heads(*names: str) -> tuple[str, ...]:
    """Names of columns as people read them."""
    return tuple(word("report.column", name) for name in names)


def states_of(told: str | None) -> tuple[str, ...] | None:
    """The state that was asked for; None: all.

    Raises:
        BadInput: there is no such state.
    """
    if told is not None and told not in (SUBMITTED, ACCEPTED, RETURNED):
        raise BadInput(f"a report is {SUBMITTED}, {ACCEPTED} or {RETURNED}, not {told[:40]!r}")
    return None if told is None else (told,)


# --- one report ---------------------------------------------------------------------------------


def told(one: UnitReport) -> dict[str, Any]:
    """A report as scripts get it."""
    return {
        "id": one.id,
        "unit": one.unit,
        "above": one.above,
        "from": instant.to_text(one.start),
        "to": instant.to_text(one.end),
        "digest": one.digest,
        "state": one.state,
        "submitted_by": one.submitted_by,
        "submitted_at": instant.to_text(one.submitted_at),
        "decided_by": one.decided_by,
        "decided_at": None if one.decided_at is None else instant.to_text(one.decided_at),
        "why": one.why,
        "body": dict(one.body),
    }


def listed(row: Mapping[str, Any], zone: tzinfo) -> tuple[str, ...]:
    """A row of the list for people."""
    period = _period(row["start_at"], row["end_at"], zone)
    people = (row["submitted_by"], row["decided_by"] or "", row["why"] or "")
    return (row["id"], row["unit"], row["above"], period, word("report", row["state"]), *people)


def show_short(one: UnitReport, zone: tzinfo) -> None:
    """What a report is of, and how it stands, for people."""
    period = _period(instant.to_text(one.start), instant.to_text(one.end), zone)
    out.print(f"{one.id}: {one.unit} → {one.above}, {period}: {word('report', one.state)}")
    rate = one.body["coverage"]["rate"] or "–"
    out.print(f"  {word('report', 'cases')}: {len(one.body['cases'])}; {word('coverage', 'rate')}: {rate}")
    out.print(f"  sha256 {one.digest}")
    if one.why is not None:
        out.print(f"  {one.why}")


def show_whole(one: UnitReport, catalog: Catalog, zone: tzinfo) -> None:
    """All of a report, for people."""
    show_short(one, zone)
    _show_types(one.body["by_type"], catalog)
    units = [(row["unit"] or "", *_numbers(row, (*_FIGURES, *_COVERED))) for row in one.body["by_unit"]]
    print_table(heads("unit", *_FIGURES, *_COVERED), units, empty="")
    below = [(row["id"], row["unit"], _period(row["start_at"], row["end_at"], zone)) for row in one.body["below"]]
    print_table(heads("id", "unit", "period"), below, empty="")
    print_table(heads(*_CASES), _cases(one, catalog, zone), empty=word("report", "no-cases"))


def write_cases(file: Path, one: UnitReport, catalog: Catalog, zone: tzinfo) -> None:
    """Write the cases of a report to a new CSV file.

    Raises:
        BadInput: the file is there already, or cannot be written.
    """
    _write(file, heads(*_CASES), _cases(one, catalog, zone))


_CASES = ("number", "unit", "kind", "type", "state", "start", "rate")


def _cases(one: UnitReport, catalog: Catalog, zone: tzinfo) -> list[tuple[str, ...]]:
    return [
        (
            *(row["number"], row["unit"], word("case", row["kind"]), _type(row["type"], catalog)),
            *(word("case", row["state"]), show_time(row["start_at"], zone), row["rate"] or ""),
        )
        for row in one.body["cases"]
    ]


def _show_types(rows: Sequence[Mapping[str, Any]], catalog: Catalog) -> None:
    cells = [(_type(row["type"], catalog), *_numbers(row, _FIGURES)) for row in rows]
    print_table(heads("type", *_FIGURES), cells, empty="")


def _type(code: str | None, catalog: Catalog) -> str:
    return catalog.types.get(code, code) if code else ""


def _numbers(row: Mapping[str, Any], names: Sequence[str]) -> tuple[str, ...]:
    return tuple("" if row[name] is None else str(row[name]) for name in names)


# --- what was accepted from below -----------------------------------------------------------------


def told_sum(found: Sum) -> dict[str, Any]:
    """A sum as scripts get it."""
    return {
        "unit": found.unit,
        "from": instant.to_text(found.start),
        "to": instant.to_text(found.end),
        "total": found.total,
        "by_type": list(found.by_type),
        "unreported": list(found.unreported),
        "units": [_told_below(one) for one in found.units],
    }


def _told_below(one: FromBelow) -> dict[str, Any]:
    return {
        "unit": one.unit,
        "accepted": [{"id": report.id, "digest": report.digest} for report in one.accepted],
        "total": one.total,
        "others": [{name: row[name] for name in ("id", "state", "start_at", "end_at")} for row in one.others],
        "missing": [{"from": instant.to_text(start), "to": instant.to_text(end)} for start, end in one.missing],
    }


def show_sum(found: Sum, catalog: Catalog, zone: tzinfo) -> None:
    """A sum for people."""
    rows = _below_rows(found, zone)
    shown = [row for row in rows if len(rows) > 1]
    print_table(heads(*_SUMMED), shown, empty=word("report", "none-below"))
    _show_types(found.by_type, catalog)
    if found.unreported:
        out.print(f"{word('report', 'unreported')}: {', '.join(found.unreported)}")


def write_sum(file: Path, found: Sum, zone: tzinfo) -> None:
    """Write what each unit below reported to a new CSV file.

    Raises:
        BadInput: the file is there already, or cannot be written.
    """
    _write(file, heads(*_SUMMED), _below_rows(found, zone))


_SUMMED = ("unit", *_FIGURES, *_COVERED, "accepted", "waiting", "missing-period")


def _below_rows(found: Sum, zone: tzinfo) -> list[tuple[str, ...]]:
    """A row for each unit below, and their sum."""
    rows = [
        (
            *(one.unit, *_numbers(one.total, (*_FIGURES, *_COVERED))),
            " ".join(report.id for report in one.accepted),
            " ".join(f"{row['id']} ({word('report', row['state'])})" for row in one.others),
            "; ".join(_between(*stretch, zone) for stretch in one.missing),
        )
        for one in found.units
    ]
    return [*rows, (word("report", "total"), *_numbers(found.total, (*_FIGURES, *_COVERED)), "", "", "")]


# --- words and files ------------------------------------------------------------------------------


def _period(start: str, end: str, zone: tzinfo) -> str:
    return f"{show_time(start, zone)} – {show_time(end, zone)}"


def _between(start: datetime, end: datetime, zone: tzinfo) -> str:
    return _period(instant.to_text(start), instant.to_text(end), zone)


def _write(file: Path, header: Sequence[str], rows: Rows) -> None:
    try:
        with file.open("xb") as table:
            table.write(write_csv(Sheet("", (tuple(header), *rows))))
    except FileExistsError as error:
        raise BadInput(f"{file} is there already: choose another name, or remove it") from error
    except OSError as error:
        raise BadInput(f"{file} cannot be written: {error.strerror}") from error
    err.print(f"written to {file}")
