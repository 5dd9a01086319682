# SPDX-License-Identifier: Apache-2.0
"""This is where it is said on the command line who belongs to a case, and that it is shown to nobody else."""

from typing import Annotated

import typer

from app import clocks
from app.cli.case_fields import Number, Why
from app.cli.recordings import show_time
from app.cli.session import AsJson, Home, out, print_table, report, session
from evidence.people import fold_login
from pipeline import memberships
from pipeline.ports import Ports
from storage.register import member_rows, search, user_rows

members = typer.Typer(no_args_is_help=True, help="Who belongs to a case beside its officers.")

Login = Annotated[str, typer.Argument(help="Login of the user, or id.", show_default=False)]


@members.command("add")
def add(number: Number, login: Login, home: Home = None, as_json: AsJson = False) -> None:
    """Have a user belong to a case.

    - `evidock case member add 2026-017 zhang.wei`
    """
    with session(home) as (ports, _):
        user = _user(ports, login)
        memberships.add_member(number, user, ports=ports, now=clocks.now())
    body = {"case": number, "user": user}
    report(body, as_json=as_json, show=lambda: out.print(f"{login} belongs to case {number}"))


@members.command("remove")
def remove(number: Number, login: Login, home: Home = None, as_json: AsJson = False) -> None:
    """End that a user belongs to a case.

    - `evidock case member remove 2026-017 zhang.wei`
    """
    with session(home) as (ports, _):
        user = _user(ports, login)
        memberships.remove_member(number, user, ports=ports, now=clocks.now())
    body = {"case": number, "user": user}
    report(body, as_json=as_json, show=lambda: out.print(f"{login} belongs to case {number} no more"))


@members.command("list")
def list_members(number: Number, home: Home = None, as_json: AsJson = False) -> None:
    """Who belongs to a case beside its officers, and whether nobody else sees it.

    - `evidock case member list 2026-017`
    """
    with session(home) as (ports, settings), ports.register.view() as connection:
        row = search.case(connection, number)
        found = member_rows.members_of(connection, row["id"])
    body = {"case": number, "restricted": bool(row["restricted"]), "members": [dict(one) for one in found]}

    def show() -> None:
        rows = [
            (one["user"], one["login"], one["name"], one["unit"], show_time(one["since"], settings.zone))
            for one in found
        ]
        print_table(("user", "login", "name", "unit", "since"), rows, empty="nobody beside its officers")
        if row["restricted"]:
            out.print("it is restricted: nobody else sees it")

    report(body, as_json=as_json, show=show)


def restrict(number: Number, why: Why, home: Home = None, as_json: AsJson = False) -> None:
    """Show a case, and what stands in it, to nobody but its officers, its members and auditors.

    - `evidock case restrict 2026-017 --why "a minor"`
    """
    _restrict(number, why, True, home, as_json)


def unrestrict(number: Number, why: Why, home: Home = None, as_json: AsJson = False) -> None:
    """Show a restricted case to its unit again.

    - `evidock case unrestrict 2026-017 --why "the minor is not in it"`
    """
    _restrict(number, why, False, home, as_json)


def _restrict(number: str, why: str, is_restricted: bool, home: Home, as_json: bool) -> None:
    with session(home) as (ports, _):
        memberships.restrict(number, is_restricted=is_restricted, why=why, ports=ports, now=clocks.now())
    words = "is restricted to those who belong to it" if is_restricted else "is open to its unit"
    body = {"case": number, "restricted": is_restricted}
    report(body, as_json=as_json, show=lambda: out.print(f"case {number} {words}"))


def _user(ports: Ports, login: str) -> str:
    with ports.register.view() as connection:
        row = None if login.startswith("usr-") else user_rows.user_of_login(connection, fold_login(login))
        return str((row or user_rows.user(connection, login))["id"])
