# SPDX-License-Identifier: Apache-2.0
"""This is where `evidock` begins: the commands, and the one place where errors become exit statuses.

0 done or proven, 1 evidence does not hold, 2 undecidable, 3 input unacceptable, 75 try later, 77 refused.
"""

import sys
import warnings

import typer

from app.cli import cases, clip, demo, doctor, ingest, log, people, processes, recordings, verify
from app.cli.session import err, explain
from app.wiring import check_packages
from evidence.errors import EvidockError

app = typer.Typer(
    name="evidock",
    help="Takes footage in from cameras, proves that it was never altered, finds it by case, cuts exact clips.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("demo")(demo.demo)
app.command("ingest")(ingest.ingest)
app.command("watch")(processes.watch)
app.command("worker")(processes.worker)
app.command("recordings")(recordings.recordings)
app.command("show")(recordings.show)
app.add_typer(cases.app, name="case")
app.command("clip")(clip.clip)
app.command("verify")(verify.verify)
app.add_typer(log.app, name="log")
app.command("doctor")(doctor.doctor)
app.add_typer(people.device, name="device")
app.add_typer(people.officer, name="officer")


def run() -> None:
    """Run the command line of this process, and exit with its status."""
    if not sys.warnoptions:
        warnings.simplefilter("ignore")
    try:
        check_packages()
        app(prog_name="evidock")
    except EvidockError as error:
        sys.exit(explain(error))
    except KeyboardInterrupt:
        err.print("interrupted; nothing is lost: run the command again")
        sys.exit(130)
