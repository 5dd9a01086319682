# SPDX-License-Identifier: Apache-2.0
"""This is where `evidock register` is: a register on PostgreSQL made ready by the role that owns it."""

import os
from typing import Annotated

import typer

from app.cli.session import AsJson, out, report
from evidence.errors import BadInput
from storage.register.roles import prepare_register

OWNER = "EVIDOCK_REGISTER_OWNER_URL"

app = typer.Typer(no_args_is_help=True, help="A register on PostgreSQL: its tables and the service's role.")
# With one command only, Typer would take its name for an argument.
app.callback()(lambda: None)


@app.command("prepare")
def prepare(
    service: Annotated[
        str | None,
        typer.Option("--service", help="Role that the service connects as: it gets no leave to change events."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Bring the tables to this version, as their owner; repeat after each upgrade, before the service starts.

    The owner's URL is read from EVIDOCK_REGISTER_OWNER_URL: on a command line others would see its password.

    - `evidock register prepare --service evidock`
    """
    url = os.environ.get(OWNER)
    if not url:
        raise BadInput(
            f"set {OWNER} to the URL of the register as its owner: postgresql://OWNER:PASSWORD@HOST/DATABASE"
        )
    revision = prepare_register(url, service=service)
    words = f"the register is of revision {revision}" + (f"; {service} may use it" if service else "")
    report({"revision": revision, "service": service}, as_json=as_json, show=lambda: out.print(words))
