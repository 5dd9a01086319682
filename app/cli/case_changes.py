# SPDX-License-Identifier: Apache-2.0
"""This is where a case is revised, closed and reopened on the command line, and papers, gaps, conditions are told."""

from typing import Annotated, Any

import typer

from app import clocks
from app.cli import case_fields
from app.cli.case_fields import Number, Why
from app.cli.session import AsJson, Home, out, report, session
from evidence import instant
from evidence.case import Document
from evidence.case_told import Delay
from evidence.errors import BadInput
from pipeline import case_papers, casework, conditions
from pipeline.case_codes import codes_now

_CLEARED: dict[str, object] = {
    **dict.fromkeys(("item", "type", "unit", "file_term", "place", "draw"), None),
    **dict.fromkeys(("links", "parties", "delays"), ()),
}
Moment = Annotated[str | None, typer.Option(help="RFC 3339 time.", show_default=False)]


def revise(
    number: Number,
    to_number: Annotated[str | None, typer.Option("--number", help="Its new number.", show_default=False)] = None,
    title: Annotated[str | None, typer.Option(help="What it is about.", show_default=False)] = None,
    officer: Annotated[
        list[str] | None, typer.Option(help="Certificate numbers of all its officers.", show_default=False)
    ] = None,
    start: Annotated[str | None, typer.Option("--from", help="RFC 3339 time it began.", show_default=False)] = None,
    end: Annotated[str | None, typer.Option("--to", help="RFC 3339 time it ended.", show_default=False)] = None,
    item: case_fields.Item = None,
    type_: case_fields.Type = None,
    unit: case_fields.UnitCode = None,
    file_term: case_fields.FileTerm = None,
    link: case_fields.Links = None,
    party: case_fields.Parties = None,
    where: case_fields.PlaceText = None,
    source: Annotated[
        str | None, typer.Option(help="Other system whose imports it follows from now on.", show_default=False)
    ] = None,
    source_key: Annotated[str | None, typer.Option(help="What it is called there.", show_default=False)] = None,
    clear: Annotated[
        list[str] | None,
        typer.Option(
            help="Field to empty, such as unit, file-term, links, delays; may be repeated.", show_default=False
        ),
    ] = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Change what is told of a case; what is not named stays. The custody log keeps what was told before.

    - `evidock case revise 2026-017 --to 2026-06-19T13:00:00+08:00 --type 行政检查`
    """
    plain = {"number": to_number, "title": title, "source": source, "source_key": source_key}
    changes: dict[str, Any] = _cleared(clear or []) | {name: told for name, told in plain.items() if told is not None}
    changes |= {name: instant.from_text(told) for name, told in (("start", start), ("end", end)) if told is not None}
    if officer:
        changes["officers"] = tuple(officer)
    told = case_fields.Told(item=item, type=type_, unit=unit, file_term=file_term, link=link, party=party, where=where)
    with session(home) as (ports, _):
        changes |= told.fields(ports, now=clocks.now())
        is_changed = casework.revise_case(number, changes, ports=ports, now=clocks.now())
    named = to_number or number
    words = "is revised" if is_changed else "is told so already"
    body = {"case": named, "changed": is_changed}
    report(body, as_json=as_json, show=lambda: out.print(f"case {named} {words}"))


def _cleared(fields: list[str]) -> dict[str, Any]:
    odd = [field for field in fields if field.replace("-", "_") not in _CLEARED]
    if odd:
        raise BadInput(f"{odd[0]!r} cannot be emptied (these can: {', '.join(_CLEARED)})")
    return {name: _CLEARED[name] for name in (field.replace("-", "_") for field in fields)}


def close(
    number: Number,
    closed_at: Annotated[str | None, typer.Option("--at", help="RFC 3339 time; now, if not given.")] = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Close a case: no rule links anything to it any more, and terms of keeping begin to count.

    - `evidock case close 2026-017`
    """
    at = None if closed_at is None else instant.from_text(closed_at)
    with session(home) as (ports, _):
        casework.close_case(number, ports=ports, now=clocks.now(), closed_at=at)
    report({"case": number, "closed": True}, as_json=as_json, show=lambda: out.print(f"case {number} is closed"))


def reopen(number: Number, why: Why, home: Home = None, as_json: AsJson = False) -> None:
    """Reopen a closed case: what it holds is kept until it is closed again, and its terms begin anew then.

    - `evidock case reopen 2026-017 --why "the party asked for review"`
    """
    with session(home) as (ports, _):
        casework.reopen_case(number, why=why, ports=ports, now=clocks.now())
    report({"case": number, "closed": False}, as_json=as_json, show=lambda: out.print(f"case {number} is open again"))


def document(
    number: Number,
    name: Annotated[str, typer.Argument(help="Name of the paper, such as 现场检查笔录.", show_default=False)],
    paper: Annotated[str | None, typer.Option("--number", help="Its number.", show_default=False)] = None,
    link: Annotated[str | None, typer.Option(help="Link it is of: 现场检查 or its code.", show_default=False)] = None,
    item: case_fields.Item = None,
    officer: Annotated[list[str] | None, typer.Option(help="Officers it names.", show_default=False)] = None,
    start: Annotated[str | None, typer.Option("--from", help="RFC 3339 start it states.", show_default=False)] = None,
    end: Annotated[str | None, typer.Option("--to", help="RFC 3339 end it states.", show_default=False)] = None,
    withdraw: Annotated[bool, typer.Option(help="Withdraw it (NAME: its id or number).")] = False,
    why: Annotated[str, typer.Option(help="Why it is withdrawn.")] = "",
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """File a paper of a case with the times it states, change it, or withdraw it.

    - `evidock case document 2026-017 现场检查笔录 --number 1 --link 现场检查 --from 2026-06-19T10:05:00+08:00`
    """
    with session(home) as (ports, _):
        if withdraw:
            told = case_papers.withdraw_document(number, name, why=why, ports=ports, now=clocks.now())
            report({"document": told}, as_json=as_json, show=lambda: out.print(f"document {told} is withdrawn"))
            return
        with ports.register.view() as connection:
            codes = codes_now(connection, ports=ports, now=clocks.now())
        times = [None if text is None else instant.from_text(text) for text in (start, end)]
        of_link = None if link is None else codes.code_of("links", link)
        filed = Document(name, paper, of_link, item, tuple(officer or ()), *times)
        identifier, is_new = case_papers.file_document(number, filed, ports=ports, now=clocks.now())
    body = {"document": identifier, "changed": is_new}
    words = "is filed" if is_new else "is filed so already"
    report(body, as_json=as_json, show=lambda: out.print(f"document {identifier} {words}"))


def gap(
    number: Number,
    start: Annotated[str, typer.Option("--from", help="RFC 3339 time it began.", show_default=False)],
    end: Annotated[str, typer.Option("--to", help="RFC 3339 time it ended.", show_default=False)],
    why: Why,
    how: Annotated[str, typer.Option(help="`spoken` into the recording, or `written`.")] = "written",
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Explain why the record of a case was interrupted.

    - `evidock case gap 2026-017 --from 2026-06-19T10:05:00Z --to 2026-06-19T10:09:00Z --why "battery changed"`
    """
    window = {"start": instant.from_text(start), "end": instant.from_text(end)}
    with session(home) as (ports, _):
        case_papers.explain_gap(number, **window, how=how, why=why, ports=ports, now=clocks.now())
    report({"case": number}, as_json=as_json, show=lambda: out.print(f"the interruption is explained in case {number}"))


def delay(
    number: Number,
    why: Why,
    item: case_fields.Item = None,
    link: Annotated[str | None, typer.Option(help="Of this link: 现场检查 or its code.", show_default=False)] = None,
    returned: Annotated[
        str | None, typer.Option("--returned", help="RFC 3339 time of the return to the unit.", show_default=False)
    ] = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Say why something of a case was handed in late: of an item, of a link, or of all of it.

    - `evidock case delay 2026-017 --why "in the mountains" --returned 2026-06-21T09:00:00+08:00`
    """
    with session(home) as (ports, _):
        with ports.register.view() as connection:
            codes = codes_now(connection, ports=ports, now=clocks.now())
        of_link = None if link is None else codes.code_of("links", link)
        at = None if returned is None else instant.from_text(returned)
        told = Delay(why, item, of_link, at)
        casework.explain_delay(number, told, ports=ports, now=clocks.now())
    report({"case": number}, as_json=as_json, show=lambda: out.print(f"the delay is explained in case {number}"))


def condition(
    name: Annotated[str, typer.Argument(help="Number of a case, or id of a recording.", show_default=False)],
    code: Annotated[str, typer.Argument(help="Condition of the catalog, such as PC-EVID.", show_default=False)],
    why: Why,
    lift: Annotated[bool, typer.Option(help="Lift it.")] = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Set a condition of the catalog (永久保存情形) on a case or a recording, or lift it.

    - `evidock case condition 2026-017 PC-OBSTRUCT --why "the party hit an officer"`
    """
    noun = "recording" if name.startswith("rec-") else "case"
    with session(home) as (ports, _):
        act = conditions.lift_condition if lift else conditions.set_condition
        act(noun, name, code, why=why, ports=ports, now=clocks.now())
    did = "lifted from" if lift else "set on"
    body = {"code": code, noun: name, "stands": not lift}
    report(body, as_json=as_json, show=lambda: out.print(f"{code} is {did} {noun} {name}"))
