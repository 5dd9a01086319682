# SPDX-License-Identifier: Apache-2.0
"""This is where devices are issued and taken back on the command line (领用/归还), lost, allowed and forbidden."""

from collections.abc import Mapping, Sequence
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Annotated, Any

import typer

from app import clocks
from app.cli.recordings import show_time
from app.cli.session import AsJson, Home, out, print_table, report, session
from app.cli.written_file import write_file
from app.words import language
from evidence import instant
from pipeline.devices_register import lose_device, set_allowed
from pipeline.ledger import assign_device, return_device
from pipeline.lists_out import ledger_table
from pipeline.tables import table_suffix, write_table
from storage.register import device_rows

Serial = Annotated[str, typer.Argument(show_default=False)]
Number = Annotated[str, typer.Argument(help="Certificate number of the officer.", show_default=False)]
Start = Annotated[str | None, typer.Option("--from", help="RFC 3339 time; now, if not given.")]
End = Annotated[str | None, typer.Option("--to", help="RFC 3339 time; open, if not given.")]
Note = Annotated[str, typer.Option(help="A note.")]
_NOBODY = "nobody held it: `evidock device issue SERIAL NUMBER`"
_COLUMNS = ("device", "officer", "issued at", "due at", "returned at", "note")


def _moment(text: str | None) -> datetime | None:
    return None if text is None else instant.from_text(text)


def issue(
    serial: Serial,
    number: Number,
    start: Start = None,
    end: End = None,
    due: Annotated[str | None, typer.Option(help="When it is to be back; RFC 3339 time.")] = None,
    note: Note = "",
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Issue a device to an officer (领用): recordings of that time are theirs when nothing else says whose.

    - `evidock device issue 36NCC009910 430407 --due 2026-06-19T18:00:00+08:00`
    """
    since, until = _moment(start) or clocks.now(), _moment(end)
    with session(home) as (ports, settings):
        assign_device(
            serial, number, start=since, end=until, due=_moment(due), note=note, ports=ports, now=clocks.now()
        )
    times = {"from": instant.to_text(since), "to": None if until is None else instant.to_text(until)}
    told = {"device": serial, "officer": number, **times}
    words = f"{serial} is with {number} since {show_time(times['from'], settings.zone)}"
    report(told, as_json=as_json, show=lambda: out.print(words))


def assign(
    serial: Serial, number: Number, start: Start = None, end: End = None, home: Home = None, as_json: AsJson = False
) -> None:
    """Hand a device to an officer: `issue` by its older name.

    - `evidock device assign 36NCC009910 430407 --from 2026-06-19T08:00:00+08:00`
    """
    issue(serial, number, start=start, end=end, due=None, note="", home=home, as_json=as_json)


def give_back(
    serial: Serial,
    at: Annotated[str | None, typer.Option(help="RFC 3339 time; now, if not given.")] = None,
    note: Note = "",
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Take a device back (归还): its newest open hand-out ends.

    - `evidock device return 36NCC009910 --note "lens scratched"`
    """
    with session(home) as (ports, _):
        now = clocks.now()
        back = _moment(at) or now
        was = return_device(serial, at=back, note=note, ports=ports, now=now)
    told = {"device": serial, "officer": was["officer"], "from": was["start_at"], "to": instant.to_text(back)}
    report(told, as_json=as_json, show=lambda: out.print(f"{serial} is back from {was['officer']}"))


def ledger(
    serial: Annotated[str | None, typer.Argument(help="Of one device; else of all.", show_default=False)] = None,
    officer: Annotated[str | None, typer.Option(help="Only what this officer held.")] = None,
    overdue: Annotated[bool, typer.Option("--overdue", help="Only what should be back and is not.")] = False,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write it to a .csv or .xlsx.")] = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Show who held which device when (领用归还台账).

    - `evidock device ledger --overdue`
    """
    if output is not None:
        table_suffix(output.name)
    with session(home) as (ports, settings), ports.register.view() as connection:
        rows = [dict(row) for row in device_rows.hand_outs(connection, device=serial, officer=officer)]
        late = {row["id"] for row in device_rows.overdue_hand_outs(connection, instant.to_text(clocks.now()))}
        zone = settings.zone
    rows = [row for row in rows if not overdue or row["id"] in late]
    if output is not None:
        table = ledger_table(rows, language())
        write_file(output, write_table(output.name, table, title="领用归还台账"))
    body = {"ledger": [row | {"is_overdue": row["id"] in late} for row in rows]}
    empty = "nothing is overdue" if overdue else _NOBODY
    report(body, as_json=as_json, show=lambda: print_ledger(rows, zone, empty=empty))


def print_ledger(rows: Sequence[Mapping[str, Any]], zone: tzinfo, *, empty: str = _NOBODY) -> None:
    """Print hand-outs as a table."""
    cells = [
        (
            *(row["device"], row["officer"], show_time(row["start_at"], zone)),
            *("" if row[name] is None else show_time(row[name], zone) for name in ("due_at", "end_at")),
            row["note"],
        )
        for row in rows
    ]
    print_table(_COLUMNS, cells, empty=empty)


def lose(
    serial: Serial,
    why: Annotated[str, typer.Option(help="Where, how, since when.", show_default=False)],
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Declare a device lost (遗失): nothing of it is taken at a dock, and what it filmed meanwhile is remarked.

    - `evidock device lose 36NCC009910 --why "left in a taxi on 19 June"`
    """
    with session(home) as (ports, _):
        is_changed = lose_device(serial, why=why, ports=ports, now=clocks.now())
    words = "is on record as lost" if is_changed else "was on record as lost already"
    body = {"device": serial, "changed": is_changed}
    report(body, as_json=as_json, show=lambda: out.print(f"{serial} {words}"))


def allow(serial: Serial, home: Home = None, as_json: AsJson = False) -> None:
    """Put a device on the white list (白名单): docks take its footage.

    - `evidock device allow 36NCC009910`
    """
    _set_allowed(serial, is_allowed=True, home=home, as_json=as_json)


def forbid(serial: Serial, home: Home = None, as_json: AsJson = False) -> None:
    """Take a device off the white list: docks refuse it.

    - `evidock device forbid 36NCC009910`
    """
    _set_allowed(serial, is_allowed=False, home=home, as_json=as_json)


def _set_allowed(serial: str, *, is_allowed: bool, home: Path | None, as_json: bool) -> None:
    with session(home) as (ports, _):
        is_changed = set_allowed(serial, is_allowed=is_allowed, ports=ports, now=clocks.now())
    words = "on" if is_allowed else "off"
    body = {"device": serial, "is_allowed": is_allowed, "changed": is_changed}
    report(body, as_json=as_json, show=lambda: out.print(f"{serial} is {words} the white list"))
