# SPDX-License-Identifier: Apache-2.0
"""This is where steady time is shown, by which keeping ends, and where a person says that the clock is right."""

from datetime import timedelta
from typing import Annotated, Any

import typer

from app import clocks
from app.cli.recordings import show_time
from app.cli.session import AsJson, Home, err, in_local_time, out, report, session
from app.words import word
from evidence import instant
from evidence.steady_clock import Steady
from pipeline import steady
from pipeline.steady import Clock

_SECOND = timedelta(seconds=1)

clock = typer.Typer(help="Show steady time, by which keeping ends; `clock confirm --why …`: the clock is right.")


def warn(told: Steady) -> None:
    """Say on standard error that the clock is doubted, if it is, and what to do."""
    if told.doubt is not None:
        shown, where = in_local_time(instant.to_text(told.counted)), "evidock retention clock"
        err.print(f"{word('clock', told.doubt.value)}; keeping is counted at {shown}: see `{where}`")


@clock.callback(invoke_without_command=True)
def show(context: typer.Context, home: Home = None, as_json: AsJson = False) -> None:
    """Show steady time beside the wall clock.

    - `evidock retention clock`
    """
    if context.invoked_subcommand is not None:
        return
    with session(home) as (ports, settings):
        seen = steady.look(ports.register, clocks.reading(ports.place))
    body = _body(seen)
    report(body, as_json=as_json, show=lambda: _show(body, seen, settings.zone))


def _body(seen: Clock) -> dict[str, Any]:
    told, newest = seen.steady, seen.newest
    return {
        "now": instant.to_text(told.counted),
        "wall": instant.to_text(seen.reading.wall),
        "surplus_s": told.surplus // _SECOND,
        "doubt": None if told.doubt is None else told.doubt.value,
        "marked": None if newest is None else instant.to_text(newest.at),
        "confirmed": newest is not None and newest.is_confirmed,
    }


def _show(body: dict[str, Any], seen: Clock, zone: Any) -> None:
    out.print(f"keeping is counted at {show_time(body['now'], zone)}; the clock shows {show_time(body['wall'], zone)}")
    if body["doubt"] is not None:
        out.print(f"{word('clock', body['doubt'])} ({abs(seen.steady.surplus) // _SECOND * _SECOND})")
        out.print('if the clock is right: `evidock retention clock confirm --why "…"`')


@clock.command("confirm")
def confirm(
    why: Annotated[str, typer.Option(help="How you know.", show_default=False)],
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Say that the clock is right, after it was doubted: keeping is counted by it from now on.

    - `evidock retention clock confirm --why "the server was off for the holidays"`
    """
    with session(home) as (ports, settings):
        now = steady.confirm(ports.register, clocks.reading(ports.place), why=why, actor=ports.actor)
    body = {"now": instant.to_text(now)}
    told = f"keeping is counted at {show_time(body['now'], settings.zone)}"
    report(body, as_json=as_json, show=lambda: out.print(told))
