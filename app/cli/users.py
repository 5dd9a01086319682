# SPDX-License-Identifier: Apache-2.0
"""This is where accounts are made and ended from the machine itself; the first ones can be made nowhere else."""

from datetime import timedelta
from typing import Annotated, Any

import typer

from app import clocks
from app.cli.recordings import show_time
from app.cli.session import AsJson, Home, out, print_table, report, session
from app.settings import Settings
from app.words import word
from evidence.errors import NotFound
from evidence.people import fold_login
from pipeline import users
from pipeline.ports import Ports
from pipeline.sign_in_links import issue_link
from storage.register import user_rows
from storage.register.answers import Row
from storage.register.search import Connection
from web.signin.figures import shipped_figures

app = typer.Typer(no_args_is_help=True, help="Accounts of people: who may sign in, and with which roles.")

Which = Annotated[str, typer.Argument(help="Login or id.", show_default=False)]
Why = Annotated[str, typer.Option(help="Why.", show_default=False)]
Login = Annotated[str, typer.Option(help="What they sign in as.", show_default=False)]
Name = Annotated[str, typer.Option(help="Their name.", show_default=False)]
Officer = Annotated[str | None, typer.Option(help="Number of their certificate.", show_default=False)]
Unit = Annotated[str | None, typer.Option(help="Unit, by code or name; none: the whole agency.", show_default=False)]
Role = Annotated[str, typer.Argument(help="officer, investigator, legal, admin, approver or auditor.")]


@app.command("first")
def first(
    login: Login,
    name: Name,
    role: Annotated[str, typer.Option(help="admin, approver or auditor.")] = "admin",
    officer: Officer = None,
    unit: Unit = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Make the first administrator, approver or auditor, and print the link they begin with, once.

    - `evidock user first --login zhang.wei --name 张伟`
    """
    with session(home) as (ports, settings):
        user = users.User(login, name, officer, unit)
        identifier = users.found_user(user, role, ports=ports, now=clocks.now())
        body = _link(identifier, ports, settings)
    report(body | {"role": role}, as_json=as_json, show=lambda: _show_link(body, settings))


@app.command("add")
def add(
    login: Login,
    name: Name,
    officer: Officer = None,
    unit: Unit = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Make an account without a role, and print the link that its person begins with, once.

    - `evidock user add --login li.na --name 李娜 --officer 430407 --unit 执法一中队`
    """
    with session(home) as (ports, settings):
        identifier = users.register_user(users.User(login, name, officer, unit), ports=ports, now=clocks.now())
        body = _link(identifier, ports, settings)
    report(body, as_json=as_json, show=lambda: _show_link(body, settings))


@app.command("list")
def list_users(home: Home = None, as_json: AsJson = False) -> None:
    """List all accounts.

    - `evidock user list`
    """
    with session(home) as (ports, _), ports.register.view() as connection:
        rows = [dict(row) for row in user_rows.users_page(connection, limit=None).rows]
    cells = [
        (row["id"], row["login"], row["name"], row["unit"] or "", ", ".join(row["roles"]), _state(row)) for row in rows
    ]
    columns = ("user", "login", "name", "unit", "roles", "state")
    report({"users": rows}, as_json=as_json, show=lambda: print_table(columns, cells, empty="nobody has an account"))


@app.command("show")
def show(user: Which, home: Home = None, as_json: AsJson = False) -> None:
    """Show an account: whose it is, and whence each of its roles came.

    - `evidock user show zhang.wei`
    """
    with session(home) as (ports, settings), ports.register.view() as connection:
        row = _named(connection, user)
        body = dict(row) | {"roles": [dict(one) for one in user_rows.role_rows_of(connection, row["id"])]}
    report(body, as_json=as_json, show=lambda: _show(body, settings))


@app.command("disable")
def disable(user: Which, why: Why, home: Home = None, as_json: AsJson = False) -> None:
    """Shut a person out now, wherever they are signed in.

    - `evidock user disable li.na --why "left the agency"`
    """
    with session(home) as (ports, _):
        identifier = _id(user, ports)
        is_changed = users.disable_user(identifier, why=why, ports=ports, now=clocks.now())
    told = f"{identifier} is shut out" if is_changed else f"{identifier} was shut out before"
    report({"user": identifier, "changed": is_changed}, as_json=as_json, show=lambda: out.print(told))


@app.command("enable")
def enable(user: Which, why: Why, home: Home = None, as_json: AsJson = False) -> None:
    """Let a person in again, with the roles they had.

    - `evidock user enable li.na --why "came back"`
    """
    with session(home) as (ports, _):
        identifier = _id(user, ports)
        is_changed = users.enable_user(identifier, why=why, ports=ports, now=clocks.now())
    told = f"{identifier} may sign in {'again' if is_changed else 'as before'}"
    report({"user": identifier, "changed": is_changed}, as_json=as_json, show=lambda: out.print(told))


@app.command("role")
def role_(
    user: Which,
    role: Role,
    take: Annotated[bool, typer.Option("--take", help="Take it from them.")] = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Give a person a role, or take it; admin, approver and auditor are two people's to give (`evidock approval`).

    - `evidock user role li.na investigator`
    """
    with session(home) as (ports, _):
        identifier, change = _id(user, ports), users.take_role if take else users.give_role
        is_changed = change(identifier, role, ports=ports, now=clocks.now())
        with ports.register.view() as connection:
            roles = user_rows.roles_of(connection, identifier)
    body = {"user": identifier, "roles": roles, "changed": is_changed}
    report(body, as_json=as_json, show=lambda: out.print(f"{identifier}: {', '.join(roles) or 'no role'}"))


@app.command("link")
def link(user: Which, home: Home = None, as_json: AsJson = False) -> None:
    """Print a link to begin an account again, once: for whoever lost what they signed in with.

    - `evidock user link li.na`
    """
    with session(home) as (ports, settings):
        body = _link(_id(user, ports), ports, settings)
    report(body, as_json=as_json, show=lambda: _show_link(body, settings))


def _link(identifier: str, ports: Ports, settings: Settings) -> dict[str, Any]:
    lasts = timedelta(hours=shipped_figures().link_hours)
    made = issue_link(identifier, lasts=lasts, ports=ports, now=clocks.now())
    with ports.register.view() as connection:
        login = user_rows.user(connection, identifier)["login"]
    at = settings.public_url or f"https://{settings.serve[0]}:{settings.serve[1]}"
    return {"user": identifier, "login": login, "link": f"{at}/enrol#{made.token}", "until_at": made.until.isoformat()}


def _show_link(body: dict[str, Any], settings: Settings) -> None:
    out.print(
        f"{body['login']} ({body['user']}) begins here, once, until {show_time(body['until_at'], settings.zone)}:"
    )
    out.print(body["link"])


def _show(body: dict[str, Any], settings: Settings) -> None:
    out.print(f"{body['id']}  {body['login']}  {body['name']}  {_state(body)}")
    out.print(f"unit: {body['unit'] or 'the whole agency'}")
    if body["officer"]:
        out.print(f"officer: {body['officer']}")
    for role in body["roles"]:
        whence = role["approval"] or ("founding" if role["is_founding"] else "")
        out.print(f"  {role['role']}  {show_time(role['since'], settings.zone)}  {whence}")


def _state(row: Row) -> str:
    return word("user-state", row["state"])


def _id(told: str, ports: Ports) -> str:
    with ports.register.view() as connection:
        return str(_named(connection, told)["id"])


def _named(connection: Connection, told: str) -> Row:
    """The user of an id or a login."""
    row = None if told.startswith("usr-") else user_rows.user_of_login(connection, fold_login(told))
    if row is not None:
        return row
    try:
        return user_rows.user(connection, told)
    except NotFound as error:
        raise NotFound(f"nobody has the login {told[:80]!r} (`evidock user list` lists them)") from error
