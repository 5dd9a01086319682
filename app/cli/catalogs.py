# SPDX-License-Identifier: Apache-2.0
"""This is where the recording catalog (音像记录事项清单) is shown, checked, compared, and moved to tables and back."""

from pathlib import Path
from typing import Annotated

import typer

from app.cli.session import AsJson, Home, out, report
from app.settings import load_settings
from pipeline.catalogs.load import DEFAULT, load_catalog

app = typer.Typer(no_args_is_help=True, help="The recording catalog: show, check and compare it; tables out and in.")


@app.command("show")
def show(
    file: Annotated[Path | None, typer.Argument(help="A catalog's file; else this installation's.")] = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Show a catalog: its version and its matters.

    - `evidock catalog show`
    """
    catalog = load_catalog(file or load_settings(home=home).catalog or DEFAULT)
    body = {"id": catalog.id, "items": [item.id for item in catalog.items.values()]}
    report(body, as_json=as_json, show=lambda: out.print(f"{catalog.id}: {len(catalog.items)} items"))
