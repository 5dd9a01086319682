# SPDX-License-Identifier: Apache-2.0
"""This is where a person links recordings to a case on the command line, or withdraws links."""

from typing import Annotated

import typer

from app import clocks
from app.cli.case_fields import Number, Why
from app.cli.session import AsJson, Home, out, report, session
from pipeline import casework

Things = Annotated[list[str], typer.Argument(help="Ids of recordings or segments.", show_default=False)]


def link(number: Number, things: Things, why: Why, home: Home = None, as_json: AsJson = False) -> None:
    """Link recordings or single segments to a case by hand.

    - `evidock case link 2026-017 rec-abcdefghij2345678901 --why "same shop, other officer"`
    """
    _link(number, things, why, withdraw=False, home=home, as_json=as_json)


def unlink(number: Number, things: Things, why: Why, home: Home = None, as_json: AsJson = False) -> None:
    """Withdraw links; the recordings stay, and the custody log keeps both.

    - `evidock case unlink 2026-017 rec-abcdefghij2345678901.00003 --why "other street"`
    """
    _link(number, things, why, withdraw=True, home=home, as_json=as_json)


def _link(number: str, things: list[str], why: str, *, withdraw: bool, home: Home, as_json: bool) -> None:
    with session(home) as (ports, _):
        segments = casework.link(number, things, why=why, withdraw=withdraw, ports=ports, now=clocks.now())
    did = "withdrawn from" if withdraw else "linked to"
    told = {"case": number, "segments": segments}
    report(told, as_json=as_json, show=lambda: out.print(f"{len(segments)} segments {did} case {number}"))
