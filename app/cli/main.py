# SPDX-License-Identifier: Apache-2.0
"""This is where `evidock` begins: the commands, and the one place where errors become exit statuses.

0 done or proven, 1 evidence does not hold, 2 undecidable, 3 input unacceptable, 75 try later, 77 refused.
"""

import os
import sys
import warnings
from collections.abc import Iterable, Mapping
from importlib import import_module

import typer

from app.cli.session import err, explain
from app.wiring import check_packages
from evidence.errors import EvidockError

# Each command's module and what it holds there. Only what was asked for is imported: a command that
# lists rows does not wait for the media libraries.
COMMANDS: Mapping[str, tuple[str, str]] = {
    "demo": ("demo", "demo"),
    "ingest": ("ingest", "ingest"),
    "watch": ("processes", "watch"),
    "worker": ("processes", "worker"),
    "serve": ("serve", "serve"),
    "recordings": ("recordings", "recordings"),
    "show": ("recordings", "show"),
    "case": ("cases", "app"),
    "inbox": ("inbox", "app"),
    "catalog": ("catalogs", "app"),
    "clip": ("clip", "clip"),
    "appraise": ("appraise", "app"),
    "dispose": ("dispose", "app"),
    "archive": ("archive", "app"),
    "repair": ("repair", "repair"),
    "export": ("export", "export"),
    "verify": ("verify", "verify"),
    "log": ("log", "app"),
    "doctor": ("doctor", "doctor"),
    "backup": ("backup", "backup"),
    "restore": ("backup", "restore"),
    "register": ("register", "app"),
    "retention": ("retention", "app"),
    "hold": ("holds", "app"),
    "approval": ("approvals", "app"),
    "grant": ("grants", "app"),
    "dock": ("docks", "app"),
    "terminal": ("terminal", "app"),
    "device": ("people", "device"),
    "officer": ("officers", "app"),
    "unit": ("units", "app"),
    "user": ("users", "app"),
}


def command_line(names: Iterable[str] = COMMANDS) -> typer.Typer:
    """The command line with these commands; all, if none are named."""
    line = typer.Typer(
        name="evidock",
        help="Takes footage in from cameras, proves it was never altered, finds it by case, cuts exact clips.",
        no_args_is_help=True,
        rich_markup_mode="markdown",
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    # With one command only, Typer would take its name for an argument.
    line.callback()(lambda: None)
    for name in names:
        module, attribute = COMMANDS[name]
        command = getattr(import_module(f"app.cli.{module}"), attribute)
        if isinstance(command, typer.Typer):
            line.add_typer(command, name=name)
        else:
            line.command(name)(command)
    return line


def run() -> None:
    """Run the command line of this process, and exit with its status."""
    if not sys.warnoptions:
        warnings.simplefilter("ignore")
    asked = sys.argv[1:2]
    try:
        check_packages()
        if _asks_a_server(sys.argv[1:]):
            return
        line = command_line(asked if asked and asked[0] in COMMANDS else COMMANDS)
        line(prog_name="evidock")
    except EvidockError as error:
        sys.exit(explain(error))
    except KeyboardInterrupt:
        err.print("interrupted; nothing is lost: run the command again")
        sys.exit(130)


def _asks_a_server(arguments: list[str]) -> bool:
    """True when a server was named, and was asked."""
    if not os.environ.get("EVIDOCK_SERVER") and not any(one.startswith("--server") for one in arguments):
        return False
    from app.cli import remote  # only who asks a server loads what that takes

    if not remote.names_a_server(arguments):
        return False
    remote.run(arguments)
    return True
