# SPDX-License-Identifier: Apache-2.0
"""This is where it is told until when recordings are kept and why, and what is due; nothing is removed from here."""

from collections import Counter
from datetime import datetime
from typing import Annotated, Any

import typer

from app import clocks
from app.cli.pages import After, Limit, following, place, print_page
from app.cli.recordings import show_time
from app.cli.retention_clock import clock, warn
from app.cli.session import AsJson, Home, out, print_table, progress_bar, report, session
from app.cli.unit_names import words_below
from app.keeping_words import moment_words, reason_words
from app.settings import Settings
from app.words import word
from evidence import instant
from evidence.retention import Outcome
from pipeline import holds, retain
from pipeline.ports import Ports
from pipeline.retention_told import tell_decision
from pipeline.steady import steady_now
from storage.register import retention_rows, search

app = typer.Typer(no_args_is_help=True, help="How long recordings are kept: what is due, and why.")
app.add_typer(clock, name="clock")

Recording = Annotated[str, typer.Argument(help="Id of the recording.", show_default=False)]
_EXAMPLES = 20


def _now(ports: Ports) -> datetime:
    """Steady time; a person is told when the clock is doubted."""
    told = steady_now(ports.register, clocks.reading(ports.place))
    warn(told)
    return told.counted


@app.command("due")
def due(
    until: Annotated[str | None, typer.Option(help="Only what came due by this RFC 3339 time.")] = None,
    unit: Annotated[
        str | None, typer.Option(help="Only what this unit, or one below it, filmed or has a case of.")
    ] = None,
    limit: Limit = None,
    after: After = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """List what the last sweep found due, what has been due longest first.

    - `evidock retention due --unit 执法一中队 --limit 50`
    """
    by = None if until is None else instant.from_text(until)
    with session(home) as (ports, settings), ports.register.view() as connection:
        units = None if unit is None else words_below(connection, unit)
        page = retention_rows.due_page(connection, until=by, units=units, limit=limit, after=place(after))
        last = retention_rows.last_sweep(connection)
    body = {"swept": None if last is None else instant.to_text(last), "due": page.rows} | following(page)
    cells = [
        (one["id"], show_time(one["until"], settings.zone), one["item"], one["officer"], one["size_bytes"])
        for one in page.rows
    ]
    columns = ("recording", "due since", "item", "officer", "bytes")
    empty = "nothing is due" if last else "no sweep has been made yet: `evidock retention sweep`"
    report(body, as_json=as_json, show=lambda: print_page(columns, cells, body, empty=empty))


@app.command("explain")
def explain(recording: Recording, home: Home = None, as_json: AsJson = False) -> None:
    """Tell until when a recording is kept, and every reason for it; the reasons are then counted once more.

    - `evidock retention explain rec-abcdefghij2345678901`
    """
    with session(home) as (ports, settings):
        now = _now(ports)
        with ports.register.view() as connection:
            entry, decision = retain.decision_within(connection, recording, ports=ports, now=now)
            numbers = {row["case_id"]: row["case"] for row in search.links_of_recording(connection, recording)}
    body = tell_decision(entry, decision, now)
    report(body, as_json=as_json, show=lambda: _show(body, settings, numbers))


def _show(body: dict[str, Any], settings: Settings, numbers: dict[str, str]) -> None:
    until = "" if body["until"] is None else f", {moment_words(body['until'], settings.zone)}"
    out.print(f"{body['recording']}: {word('outcome', body['outcome'])}{until}")
    for reason in body["reasons"]:
        out.print(f"- {reason_words(reason, zone=settings.zone, cases=numbers)}")
    same = "the same answer follows" if body["recomputes"] else "ANOTHER ANSWER FOLLOWS"
    out.print(f"counted again from these reasons alone: {same}")
    if body["swept"] is not None and body["swept"] != {"outcome": body["outcome"], "until": body["until"]}:
        out.print("the last sweep said otherwise; the next one will say this")


@app.command("simulate")
def simulate(
    at: Annotated[str, typer.Option("--at", help="RFC 3339 time to ask about.", show_default=False)],
    limit: Annotated[int, typer.Option(min=0, help="Name so many of those that would be due.")] = _EXAMPLES,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Tell what would be due at another time, if nothing else changed. Nothing is written.

    - `evidock retention simulate --at 2029-01-01T00:00:00+08:00`
    """
    moment = instant.from_text(at)
    counts: Counter[str] = Counter()
    named: list[dict[str, str | None]] = []
    with session(home) as (ports, settings), progress_bar("asking", quiet=as_json) as progress:
        for page in retain.answers(ports, moment, progress):
            counts.update(one.outcome.value for one in page)
            found = [one for one in page if one.outcome is Outcome.DUE][: limit - len(named)]
            named += [{"recording": one.entry.id, "until": one.until_text} for one in found]
    body = {"at": instant.to_text(moment), "outcomes": dict(sorted(counts.items())), "due": named}
    report(body, as_json=as_json, show=lambda: _show_simulated(body, settings))


def _show_simulated(body: dict[str, Any], settings: Settings) -> None:
    _show_counts(body["outcomes"])
    cells = [(one["recording"], show_time(one["until"], settings.zone)) for one in body["due"]]
    print_table(("would be due", "since"), cells, empty="")


@app.command("sweep")
def sweep(home: Home = None, as_json: AsJson = False) -> None:
    """Answer for every recording now, as a worker does each day: the due list, and locks that follow it.

    - `evidock retention sweep`
    """
    with session(home) as (ports, _):
        now = _now(ports)
        with progress_bar("sweeping", quiet=as_json) as progress:
            swept = retain.sweep(ports, now, progress)
    outcomes = {outcome.value: count for outcome, count in sorted(swept.outcomes.items())}
    body = {"outcomes": outcomes, "changed": swept.changed, "locks_extended": swept.locks_extended}
    report(body, as_json=as_json, show=lambda: _show_swept(body))


def _show_swept(body: dict[str, Any]) -> None:
    _show_counts(body["outcomes"])
    locked = f"; {body['locks_extended']} locks were extended" if body["locks_extended"] else ""
    out.print(f"{body['changed']} answers have changed{locked}")


def _show_counts(outcomes: dict[str, int]) -> None:
    cells = [(word("outcome", outcome), count) for outcome, count in outcomes.items()]
    print_table(("outcome", "recordings"), cells, empty="there are no recordings")


@app.command("review")
def review(
    recording: Recording,
    why: Annotated[str, typer.Option(help="What was seen, for the record.", show_default=False)],
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Say that a person has looked at a recording that its camera marked, or whose clock is in doubt.

    - `evidock retention review rec-abcdefghij2345678901 --why "a test press of the button"`
    """
    with session(home) as (ports, _):
        holds.review(recording, why=why, ports=ports, now=_now(ports))
    report({"recording": recording, "reviewed": True}, as_json=as_json, show=lambda: out.print(f"{recording} reviewed"))
