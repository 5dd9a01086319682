# SPDX-License-Identifier: Apache-2.0
"""This is where long lists are cut into pages on the command line; without `--limit` a list is whole."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer

from app.cli.session import err, print_table
from storage.register.answers import Page, Place

Limit = Annotated[int | None, typer.Option(min=1, help="At most so many; the rest by --after.", show_default=False)]
After = Annotated[str | None, typer.Option(help="Go on where the page before ended: its `next`.", show_default=False)]


def place(after: str | None) -> Place | None:
    """Where a page begins.

    Raises:
        BadInput: `after` is not what a page before it gave.
    """
    return None if after is None else Place.from_text(after)


def following(page: Page) -> dict[str, str]:
    """What a script needs for the next page; nothing, when there is none."""
    return {} if page.after is None else {"next": page.after.to_text()}


def print_page(columns: Sequence[str], rows: Sequence[Sequence[Any]], body: Mapping[str, Any], *, empty: str) -> None:
    """Print rows as a table and, on standard error, how to go on."""
    print_table(columns, rows, empty=empty)
    if "next" in body:
        err.print(f"there is more: --after {body['next']}")
