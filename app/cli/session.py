# SPDX-License-Identifier: Apache-2.0
"""This is where a command meets its surroundings: options that every command has, output, and errors as words.

Reports go to standard output, JSON when asked for; progress and words of trouble to standard error.
"""

import getpass
import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, tzinfo
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from app.plain import for_terminal
from app.settings import Settings, load_settings
from app.wiring import wired
from app.words import word
from evidence import instant
from evidence.errors import EvidockError
from pipeline.ports import Ports
from storage.register import search
from storage.register.publisher import publish

Home = Annotated[
    Path | None,
    typer.Option("--home", help="Folder of this installation (else EVIDOCK_HOME, else ./var).", show_default=False),
]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")]

_WIDE = 240

_INSTANT = re.compile(r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?Z", re.ASCII)

# The zone of the installation that the running command is of.
_zone: ContextVar[tzinfo] = ContextVar("zone", default=UTC)


class _PlainConsole(Console):
    """A console that obeys no word from outside: a hostile file's name or reason moves no cursor."""

    def render_str(self, text: str, **how: Any) -> Text:
        return super().render_str(for_terminal(text), **how)


def _console(*, stderr: bool) -> Console:
    """A console; where no terminal sets the width, lines are not folded: ids must stay whole for scripts."""
    # No markup: a file may be called `[/red]`, and what it is called must be printed as it is.
    console = _PlainConsole(stderr=stderr, markup=False, highlight=False, emoji=False)
    if not console.is_terminal:
        console.width = _WIDE
    return console


out = _console(stderr=False)
err = _console(stderr=True)


@contextmanager
def session(home: Path | None) -> Iterator[tuple[Ports, Settings]]:
    """The engines of the installation at `home`, for the person at this terminal.

    What the command recorded is in the public log when it ends: a register lost later loses none of it.
    """
    settings = load_settings(home=home)
    _zone.set(settings.zone)
    with wired(settings, actor=f"cli:{_person()}") as ports:
        yield ports, settings
        with ports.register.view() as connection:
            waits = search.has_unpublished(connection)
        if waits:
            publish(ports.register, ports.log)


def _person() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"


def report(body: Mapping[str, Any], *, as_json: bool, show: Callable[[], None]) -> None:
    """Print `body` as one JSON object, or let `show` print it for people."""
    if as_json:
        sys.stdout.write(json.dumps(body, ensure_ascii=False) + "\n")
    else:
        show()


def print_table(columns: Sequence[str], rows: Sequence[Sequence[Any]], *, empty: str) -> None:
    """Print rows as a table, or the sentence `empty` when there are none."""
    if not rows:
        if empty:
            out.print(empty)
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    for number, column in enumerate(columns):
        # The first column names the thing: an id that is folded cannot be copied.
        table.add_column(column, overflow="fold", no_wrap=number == 0)
    for row in rows:
        table.add_row(*(_cell(value) for value in row))
    out.print(table)


def _cell(value: Any) -> Text:
    return value if isinstance(value, Text) else Text("" if value is None else for_terminal(str(value)))


@contextmanager
def progress_bar(what: str, *, quiet: bool = False) -> Iterator[Callable[[float], None]]:
    """A bar on standard error while the block runs; call what it yields with fractions from 0 to 1."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=err, transient=True, disable=quiet or not err.is_terminal) as bar:
        task = bar.add_task(what, total=1.0)
        yield lambda fraction: bar.update(task, completed=fraction)


def in_local_time(text: str) -> str:
    """`text` with its UTC instants told as they are told elsewhere: in the agency's zone, with its offset."""
    return _INSTANT.sub(_local, text)


def _local(found: re.Match[str]) -> str:
    try:
        moment = instant.from_text(found.group()).astimezone(_zone.get())
    except (EvidockError, OverflowError):  # no day of the calendar, or its last one
        return found.group()
    return moment.isoformat(sep=" ", timespec="seconds")


def explain(error: EvidockError) -> int:
    """Say an error in words on standard error, with its code, and return the exit status of its family.

    A script that asked for JSON gets the code and the message as one object on standard output.
    """
    if "--json" in sys.argv:
        report({"code": error.code, "message": error.message}, as_json=True, show=lambda: None)
    err.print(
        Text.assemble((word("error", error.code), "bold red"), f" ({error.code}): {in_local_time(error.message)}")
    )
    return error.exit_status
