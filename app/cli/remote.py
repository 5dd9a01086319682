# SPDX-License-Identifier: Apache-2.0
"""This is where commands ask a server over the network instead of a home: `evidock --server URL …`.

Who asks is a program, by the key in a private file, or a person, by a login whose password is typed. What may be seen
and done is the server's to say; a command that is not here works at the machine itself alone.
"""

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from app.cli.session import AsJson, out, print_table, progress_bar, report
from app.settings import load_settings
from app.words import language, word
from evidence.errors import BadInput, Conflict, NotSignedIn
from evidence.verdict import EXIT_STATUS, Verdict
from pipeline.pack.draft import drafted
from storage.private_file import read_private
from web.client.client import Body, Client
from web.client.wire import Server

OPTIONS = ("--server", "--pin", "--key-file", "--login")
_PAUSE_S = 1.0

app = typer.Typer(
    name="evidock",
    help="Asks a server: what is seen and done is what it lets you.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
_asked: dict[str, str | None] = {}


@app.callback()
def _server(
    server: Annotated[str | None, typer.Option(help="https://HOST:PORT (else EVIDOCK_SERVER).")] = None,
    pin: Annotated[str | None, typer.Option(help="SHA-256 of its certificate (else EVIDOCK_SERVER_PIN).")] = None,
    key_file: Annotated[str | None, typer.Option(help="Private file with an API key (else EVIDOCK_KEY_FILE).")] = None,
    login: Annotated[str | None, typer.Option(help="Sign in as this person; the password is asked for.")] = None,
) -> None:
    _asked.update(server=server, pin=pin, key_file=key_file, login=login)


@contextmanager
def asked_server() -> Iterator[Client]:
    """The server that was named, asked by whoever was named.

    Raises:
        BadInput: it is no server, or nobody was named. NotSignedIn: it does not know them.
    """
    settings = load_settings()
    server = Server.of_text(_asked["server"] or settings.server, _asked["pin"] or settings.server_pin or None)
    login, key_file = _asked["login"], _asked["key_file"] or settings.key_file
    if login is None and key_file is None:
        raise BadInput("say who asks: --login NAME, or --key-file FILE (EVIDOCK_KEY_FILE)")
    key = None if login is not None or key_file is None else _key(Path(key_file))
    with Client(server, key=key, language=language()) as client:
        if login is not None:
            _sign_in(client, login)
        yield client


def _key(file: Path) -> str:
    key = read_private(file).decode("ascii", "replace").strip()
    if not key.isascii() or not key.isprintable() or " " in key or not key:
        raise BadInput(f"{file} holds no API key")
    return key


def _sign_in(client: Client, login: str) -> None:
    password = typer.prompt("password", hide_input=True, err=True)
    try:
        client.sign_in(login, password)
    except NotSignedIn:
        code = typer.prompt("code of your app (empty: none)", default="", show_default=False, err=True)
        if not code:
            raise
        client.sign_in(login, password, code.strip())


# --- lists and single things ----------------------------------------------------------------------

Limit = Annotated[int | None, typer.Option(min=1, help="At most so many.", show_default=False)]
_SHOWN = 6


def _list(noun: str, limit: int | None, as_json: bool, **asked: Any) -> None:
    """Print the rows of a list: all of them, or the first `limit`."""
    rows: list[Body] = []
    with asked_server() as client:
        for row in client.every(noun, **asked):
            if limit is not None and len(rows) >= limit:
                break
            rows.append(row)
    report({noun: rows}, as_json=as_json, show=lambda: _print(rows))


def _print(rows: Sequence[Body]) -> None:
    columns = [name for name, value in (rows[0] if rows else {}).items() if not isinstance(value, dict | list)][:_SHOWN]
    print_table(columns, [[row.get(name) for name in columns] for row in rows], empty="nothing")


def _show(noun: str, identifier: str, as_json: bool) -> None:
    with asked_server() as client:
        body = client.case(identifier) if noun == "cases" else client.one(noun, identifier)
    _tell(body, as_json)


def _tell(body: Body, as_json: bool) -> None:
    rows = [(name, value) for name, value in body.items() if value not in (None, [], {})]
    report(body, as_json=as_json, show=lambda: print_table(("", ""), rows, empty="nothing"))


@app.command("recordings")
def recordings(
    case: Annotated[str | None, typer.Option(help="Number of a case.")] = None,
    officer: Annotated[str | None, typer.Option(help="Certificate number of an officer.")] = None,
    device: Annotated[str | None, typer.Option(help="Serial of a camera.")] = None,
    start: Annotated[str | None, typer.Option("--from", help="RFC 3339 time.")] = None,
    end: Annotated[str | None, typer.Option("--to", help="RFC 3339 time.")] = None,
    limit: Limit = None,
    as_json: AsJson = False,
) -> None:
    """List the recordings one may see."""
    asked = {"case": case, "officer": officer, "device": device, "from": start, "to": end}
    _list("recordings", limit, as_json, **asked)


@app.command("show")
def show(recording: str, as_json: AsJson = False) -> None:
    """Show a recording."""
    _show("recordings", recording, as_json)


def _group(name: str, noun: str, what: str, *, has_show: bool = True) -> None:
    """A group of commands that lists one noun, and shows one of it."""
    group = typer.Typer(no_args_is_help=True, help=f"{what}, as the server tells of them.")

    def listing(limit: Limit = None, as_json: AsJson = False) -> None:
        _list(noun, limit, as_json)

    def showing(identifier: str, as_json: AsJson = False) -> None:
        _show(noun, identifier, as_json)

    group.command("list", help=f"List {what.lower()}.")(listing)
    if has_show:
        group.command("show", help="Show one.")(showing)
    app.add_typer(group, name=name)


for _name, _noun, _what in (
    ("case", "cases", "Cases"),
    ("hold", "holds", "Holds"),
    ("approval", "approvals", "Approvals"),
    ("grant", "grants", "Grants"),
    ("exports", "exports", "Packs"),
):
    _group(_name, _noun, _what)


@app.command("verify")
def verify(recording: str, as_json: AsJson = False) -> None:
    """Have the server verify a recording. A clip or a pack is verified here, without a server."""
    with asked_server() as client:
        body = client.verify(recording)
    verdict = Verdict(body["verdict"])
    rows = [(one["object"], one["what"], one["where"]) for one in body.get("findings", [])]
    report(body, as_json=as_json, show=lambda: print_table((word("verdict", verdict), "", ""), rows, empty=verdict))
    raise typer.Exit(EXIT_STATUS[verdict])


@app.command("export")
def export(
    case: Annotated[str, typer.Option(help="Number of the case.", show_default=False)],
    folder: Annotated[Path, typer.Option("-o", "--out", help="A folder that is not there yet.", show_default=False)],
    what: Annotated[str, typer.Option(help="`originals` or `clips`.")] = "originals",
    as_json: AsJson = False,
) -> None:
    """Have a pack of a case made, wait for it, and fetch it. Check it with `evidock verify FOLDER --keys …`."""
    with asked_server() as client, drafted(folder) as draft:
        asked = client.ask_for_export(case, what)
        with progress_bar("being made", quiet=as_json) as made:
            told = client.wait_for_export(asked["id"], pause=_pause, progress=made)
        if told["state"] != "made":
            raise Conflict(f"export {told['id']} failed ({told['problem']})", export=told["id"])
        with progress_bar("fetching", quiet=as_json) as fetched:
            files = client.take_export(told["id"], draft, size_bytes=told["size_bytes"], progress=fetched)
    body = {"export": told["id"], "folder": str(folder), "files": files, "size_bytes": told["size_bytes"]}
    body["manifest_sha256"] = told["manifest_sha256"]
    report(body, as_json=as_json, show=lambda: out.print(f"{folder}: {files} files, export {told['id']}"))


def _pause() -> None:
    time.sleep(_PAUSE_S)


# --- the command line -------------------------------------------------------------------------------


def hoisted(arguments: Sequence[str]) -> list[str]:
    """The arguments with those that say which server and who asks in front, wherever they were typed."""
    front, rest, at = list[str](), list[str](), 0
    while at < len(arguments):
        name, _, value = arguments[at].partition("=")
        if name in OPTIONS:
            given = [name, value] if value else list(arguments[at : at + 2])
            front += given
            at += 1 if value else 2
        else:
            rest.append(arguments[at])
            at += 1
    return front + rest


def names_a_server(arguments: Sequence[str]) -> bool:
    """True when a server is to be asked. Files that lie here are verified here, whatever server is named."""
    if not os.environ.get("EVIDOCK_SERVER") and not any(one.partition("=")[0] == "--server" for one in arguments):
        return False
    rest = _commands(arguments)
    is_file = rest[:1] == ["verify"] and ("--keys" in rest or any(Path(one).exists() for one in rest[1:]))
    return not is_file


def _commands(arguments: Sequence[str]) -> list[str]:
    """The arguments without those that say which server and who asks."""
    typed = hoisted(arguments)
    while typed and typed[0] in OPTIONS:
        typed = typed[2:]
    return typed


def run(arguments: Sequence[str]) -> None:
    """Run a command that asks a server.

    Raises:
        BadInput: it works at the machine itself alone. Whatever the server answers, as our error.
    """
    first = next((one for one in _commands(arguments) if not one.startswith("-")), None)
    known = {one.name for one in app.registered_commands} | {one.name for one in app.registered_groups}
    if first is not None and first not in known:
        told = ", ".join(sorted(str(one) for one in known))
        raise BadInput(f"`evidock {first}` works at the machine itself alone; a server can be asked for: {told}")
    app(args=hoisted(arguments), prog_name="evidock")
