# SPDX-License-Identifier: Apache-2.0
"""This is where the server for docks and terminals is started."""

import os
import sys
from typing import Annotated

import typer

from app.cli.processes import stopping
from app.cli.session import Home
from app.settings import load_settings


def serve(
    plain: Annotated[bool, typer.Option("--plain", help="Without TLS; only on a loopback address.")] = False,
    listen: Annotated[str | None, typer.Option(help="HOST:PORT; else EVIDOCK_SERVE.", show_default=False)] = None,
    home: Home = None,
) -> None:
    """Answer docks and terminals over HTTPS, until it is stopped.

    - `evidock serve`

    - `evidock serve --plain --listen 127.0.0.1:9080`
    """
    from app.operate.lines import open_lines
    from app.serve import run_server

    environment = os.environ if listen is None else {**os.environ, "EVIDOCK_SERVE": listen}
    settings = load_settings(environment, home=home)
    lines = open_lines(settings, sys.stderr, environment=os.environ)
    with lines.heard(), stopping() as stop:
        status = run_server(settings, stop=stop, notes=lines, is_plain=plain)
    raise typer.Exit(status)
