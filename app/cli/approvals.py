# SPDX-License-Identifier: Apache-2.0
"""This is where two people agree at the terminal: one asks, another one is shown all of it and decides."""

from datetime import datetime, timedelta
from typing import Annotated, Any

import typer

from app import clocks
from app.cli.approval_words import cells, show_approval, tell_approval
from app.cli.pages import After, Limit, following, place, print_page
from app.cli.recordings import show_time
from app.cli.retention_clock import warn
from app.cli.session import AsJson, Home, err, out, print_table, report, session
from app.words import word
from evidence import instant
from evidence.errors import BadInput
from evidence.steady_clock import Steady
from pipeline import approvals
from pipeline.approval_told import Approval, of_row, read_approval
from pipeline.ports import Ports
from pipeline.steady import steady_now
from storage.register import approval_rows
from storage.register.answers import Row

app = typer.Typer(no_args_is_help=True, help="What two people agree on: ask for it, look at it, decide it.")

Id = Annotated[str, typer.Argument(help="Id of an approval.", show_default=False)]
Why = Annotated[str, typer.Option(help="The reason, for the record.", show_default=False)]

_NOUNS = {"hold-lift": "hold", "role": "user", "sandbox-off": "installation", "disclosure": "case"}


@app.command("request")
def request(
    act: Annotated[
        str,
        typer.Argument(help="access, disclosure, break-glass, hold-lift, role or sandbox-off.", show_default=False),
    ],
    why: Why,
    subject: Annotated[
        str, typer.Argument(help="Recording, case, hold or user; of sandbox-off this installation.")
    ] = "",
    user: Annotated[str | None, typer.Option(help="For whom: a login or an id.", show_default=False)] = None,
    what: Annotated[str | None, typer.Option(help="Of access: view or original.", show_default=False)] = None,
    until: Annotated[
        str | None, typer.Option(help="RFC 3339 time at which it ends; else as long as may be.", show_default=False)
    ] = None,
    minutes: Annotated[int | None, typer.Option(help="Of break-glass: for how long.", show_default=False)] = None,
    role: Annotated[str | None, typer.Option(help="Of role: admin, approver or auditor.", show_default=False)] = None,
    watermark: Annotated[bool, typer.Option("--watermark", help="The viewer's name is put over it.")] = False,
    hours: Annotated[int | None, typer.Option(help="Wait so many hours for a decision.", show_default=False)] = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Ask for something that two people must agree on; another person decides it.

    - `evidock approval request access 2026-017 --user li --why "re-examination"`
    - `evidock approval request role wang --role approver --why "head of the unit"`
    """
    ends = None if until is None else instant.to_text(instant.from_text(until))
    told = {"user": user, "what": what, "until": ends, "minutes": minutes, "role": role, "watermark": watermark or None}
    params = {name: value for name, value in told.items() if value is not None}
    noun = _NOUNS.get(act) or ("recording" if subject.startswith("rec-") else "case")
    expires = None if hours is None else timedelta(hours=hours)
    with session(home) as (ports, settings):
        named = subject or (ports.place if noun == "installation" else "")
        wanted = approvals.Request(act, noun, named, params, expires)
        now = moment(ports).now
        asked = approvals.request(wanted, why=why, ports=ports, now=now)
        zone = settings.zone
    tell_asked(asked, now, zone, as_json=as_json)


def tell_asked(asked: Approval, now: datetime, zone: Any, *, as_json: bool) -> None:
    """Say what was asked for, and how it goes on."""
    until = show_time(instant.to_text(asked.expires_at), zone)
    words = f"{asked.id} waits until {until} for another person: `evidock approval decide {asked.id} --approve`"
    report({"approval": tell_approval(asked, now)}, as_json=as_json, show=lambda: out.print(words))


def moment(ports: Ports) -> Steady:
    """Steady time, said aloud when the clock is doubted."""
    told = steady_now(ports.register, clocks.reading(ports.place))
    warn(told)
    return told


@app.command("list")
def list_approvals(
    state: Annotated[
        str | None, typer.Option(help="waiting, expired, approved, refused or withdrawn; else all.", show_default=False)
    ] = None,
    mine: Annotated[bool, typer.Option("--mine", help="Only what you asked for.")] = False,
    limit: Limit = None,
    after: After = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """List what was asked for, and what waits for a second person at another door.

    - `evidock approval list --state waiting`
    """
    with session(home) as (ports, settings):
        now = moment(ports).now
        wanted = approval_rows.Wanted(instant.to_text(now), _state(state), by=[ports.actor] if mine else None)
        with ports.register.view() as connection:
            page = approval_rows.approvals_page(connection, wanted, limit=limit, after=place(after))
            others = [] if mine or state not in (None, approval_rows.WAITING) else approvals.at_other_doors(connection)
        zone = settings.zone
    found = [of_row(row) for row in page.rows]
    body = {"approvals": [tell_approval(one, now) for one in found], "others": others} | following(page)
    columns = [word("approval.column", name) for name in ("id", "act", "subject", "state", "by", "at", "why")]

    def show() -> None:
        print_page(columns, [cells(one, zone, now) for one in found], body, empty="no approvals")
        _show_others(others, zone)

    report(body, as_json=as_json, show=show)


def _state(told: str | None) -> str | None:
    known = (approval_rows.WAITING, approval_rows.EXPIRED, "approved", "refused", "withdrawn")
    if told is not None and told not in known:
        raise BadInput(f"an approval is {', '.join(known)}; not {told[:40]!r}")
    return told


def _show_others(others: list[Row], zone: Any) -> None:
    rows = [
        (
            one["subject"],
            word("approval.act", one["act"]),
            one["requested_by"],
            show_time(one["requested_at"], zone),
            one["decide"],
        )
        for one in others
    ]
    columns = [word("approval.column", name) for name in ("subject", "act", "by", "at", "decide")]
    if rows:
        print_table(columns, rows, empty="")


@app.command("show")
def show(approval: Id, home: Home = None, as_json: AsJson = False) -> None:
    """Show everything that the second person must know, held against its signed records.

    - `evidock approval show apv-abcdefghij234567`
    """
    with session(home) as (ports, settings):
        now = moment(ports).now
        with ports.register.view() as connection:
            told = read_approval(connection, approval, verifiers=ports.verifiers)
            beside = approvals.context_of(connection, told)
        zone = settings.zone
    body = {"approval": tell_approval(told, now), "context": beside}

    def print_it() -> None:
        show_approval(told, zone, now)
        for name, value in beside.items():
            out.print(f"  {name}: {value}")

    report(body, as_json=as_json, show=print_it)


@app.command("decide")
def decide(
    approval: Id,
    approve: Annotated[bool, typer.Option("--approve/--refuse", help="Agree, or not.", show_default=False)],
    why: Annotated[str, typer.Option(help="The reason; needed to refuse.")] = "",
    digest: Annotated[
        str | None, typer.Option(help="What you were shown: nothing else is agreed on.", show_default=False)
    ] = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Decide as the second person. What is approved is done at once, or nothing is recorded.

    - `evidock approval decide apv-abcdefghij234567 --approve`
    - `evidock approval decide apv-abcdefghij234567 --refuse --why "no case needs it"`
    """
    with session(home) as (ports, settings):
        told = moment(ports)
        done = _decided(approval, told, ports, why, digest) if approve else _refused(approval, told, ports, why)
        zone = settings.zone
    performed = done.performed
    body = {
        "approval": tell_approval(done.approval, told.now),
        "made": performed.made,
        "recordings": list(performed.recordings),
        "alarm": performed.alarm,
    }
    if performed.alarm is not None:
        err.print(performed.alarm)
    report(body, as_json=as_json, show=lambda: show_approval(done.approval, zone, told.now))


def _decided(approval: str, told: Steady, ports: Ports, why: str, digest: str | None) -> approvals.Decided:
    return approvals.approve(approval, why=why, digest=digest, ports=ports, now=told.now, counted=told.counted)


def _refused(approval: str, told: Steady, ports: Ports, why: str) -> approvals.Decided:
    return approvals.refuse(approval, why=why, ports=ports, now=told.now)


@app.command("withdraw")
def withdraw(
    approval: Id,
    why: Annotated[str, typer.Option(help="The reason, for the record.")] = "",
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Take back what you asked for, before it is decided.

    - `evidock approval withdraw apv-abcdefghij234567`
    """
    with session(home) as (ports, settings):
        now = moment(ports).now
        told = approvals.withdraw(approval, why=why, ports=ports, now=now)
        zone = settings.zone
    body = {"approval": tell_approval(told, now)}
    report(body, as_json=as_json, show=lambda: show_approval(told, zone, now))
