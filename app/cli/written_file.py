# SPDX-License-Identifier: Apache-2.0
"""This is where a command writes a file that a person asked for: a list of the register, whole or not at all."""

import os
from collections.abc import Callable
from pathlib import Path

from app.cli.session import out, report, session
from app.words import language
from evidence.errors import BadInput
from pipeline.lists_out import Table
from pipeline.tables import table_suffix, write_table
from storage.register.search import Connection

Listing = Callable[[Connection, str], Table]
"""Makes a table of what the register holds, its header first, in a language."""


def export_table(output: Path, listing: Listing, *, title: str, home: Path | None, as_json: bool) -> None:
    """Write a list of the register to a file, and say how many rows it has.

    Raises:
        BadInput: the name says no form, or the file cannot be written.
    """
    table_suffix(output.name)
    with session(home) as (ports, _), ports.register.view() as connection:
        table = listing(connection, language())
    write_file(output, write_table(output.name, table, title=title))
    number = len(table) - 1
    report({"file": str(output), "rows": number}, as_json=as_json, show=lambda: out.print(f"{number} rows: {output}"))


def write_file(output: Path, data: bytes) -> None:
    """Write a file, whole: an older one of its name stays until the new one is there.

    Raises:
        BadInput: it cannot be written.
    """
    draft = output.with_name(f".{output.name}.{os.getpid()}.tmp")
    try:
        draft.write_bytes(data)
        draft.replace(output)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise BadInput(f"{output} cannot be written: {error.strerror}") from error
