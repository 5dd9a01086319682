# SPDX-License-Identifier: Apache-2.0
"""This is where a person works through what no case holds: look, accept a suggestion, or dismiss it."""

from datetime import tzinfo
from typing import Annotated, Any

import typer

from app import clocks
from app.cli.case_fields import Why
from app.cli.pages import After, place, print_page
from app.cli.recordings import show_time
from app.cli.session import AsJson, Home, out, report, session
from app.cli.unit_names import words_below
from app.words import word
from pipeline.inbox import Waiting, accept, dismiss, inbox_page

app = typer.Typer(help="What no case holds: each recording with the cases it may be of, for a person to decide.")

RecordingId = Annotated[str, typer.Argument(help="Id of a recording.", show_default=False)]
CaseNumber = Annotated[str, typer.Argument(help="Number of a case.", show_default=False)]


@app.callback(invoke_without_command=True)
def inbox(
    context: typer.Context,
    unit: Annotated[
        str | None, typer.Option(help="Only of officers of this unit, by code or name, or of one below it.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most so many; the rest by --after.")] = 50,
    after: After = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """List unfiled recordings, by start, with the cases they may be of.

    - `evidock inbox --limit 20`
    """
    if context.invoked_subcommand is not None:
        return
    with session(home) as (ports, settings), ports.register.view(is_long=True) as connection:
        units = tuple(words_below(connection, unit)) if unit is not None else ()
        page = inbox_page(connection, units=units, limit=limit, after=place(after))
        zone = settings.zone
    body: dict[str, Any] = {"recordings": [_told(one) for one in page.entries]}
    if page.after is not None:
        body["next"] = page.after.to_text()
    rows = [_row(one, zone) for one in body["recordings"]]
    columns = ("recording", "start", "officer", "may be of", "score", "because")
    report(body, as_json=as_json, show=lambda: print_page(columns, rows, body, empty="every recording is filed"))


@app.command("accept")
def accept_one(
    recording: RecordingId,
    number: CaseNumber,
    why: Annotated[str, typer.Option(help="The reason, for the record.")] = "suggested, and seen to be right",
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Link a recording to a case that was suggested, or to any other.

    - `evidock inbox accept rec-abcdefghij2345678901 2026-017`
    """
    with session(home) as (ports, _):
        segments = accept(recording, number, why=why, ports=ports, now=clocks.now())
    told = {"case": number, "recording": recording, "segments": segments}
    report(told, as_json=as_json, show=lambda: out.print(f"{recording} is linked to case {number}"))


@app.command("dismiss")
def dismiss_one(
    recording: RecordingId, number: CaseNumber, why: Why, home: Home = None, as_json: AsJson = False
) -> None:
    """Decline a suggestion; no rule links the recording to that case any more.

    - `evidock inbox dismiss rec-abcdefghij2345678901 2026-017 --why "a button test"`
    """
    with session(home) as (ports, _):
        dismiss(recording, number, why=why, ports=ports, now=clocks.now())
    told = {"case": number, "recording": recording, "dismissed": True}
    report(told, as_json=as_json, show=lambda: out.print(f"{recording} is not of case {number}"))


def _told(one: Waiting) -> dict[str, Any]:
    row = one.recording
    return {
        **{name: row[name] for name in ("id", "officer", "device", "kind", "name")},
        "start": row["start_at"],
        "suggestions": [
            {
                "case": case["number"],
                "title": case["title"],
                "score": score.permille,
                "reasons": [reason.to_dict() for reason in score.reasons],
            }
            for case, score in one.suggestions
        ],
    }


def _row(one: dict[str, Any], zone: tzinfo) -> tuple[Any, ...]:
    best = next(iter(one["suggestions"]), None)
    head = (one["id"], show_time(one["start"], zone), one["officer"])
    if best is None:
        return (*head, "", "", "")
    why = ", ".join(word("linking", reason["rule"]) for reason in best["reasons"])
    return (*head, best["case"], best["score"], why)
