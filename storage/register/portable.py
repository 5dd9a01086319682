# SPDX-License-Identifier: Apache-2.0
"""This is where a register leaves its engine and enters another: every fact as lines of JSON, the same for all engines.

Each table is a header (its columns) and one line a row, in the order of its key; custody events in the
order they were committed. `jobs` stays behind: what is to be done follows from the facts
(`pipeline/reconcile.py`), and a job of yesterday must not be run on what was brought back since.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from sqlalchemy import Column, Connection, Table, func, insert, select

from evidence.errors import BackupInvalid, Conflict
from storage.register import schema
from storage.register.register import Register

TABLES = tuple(table.name for table in schema.FACT_TABLES)

_BY_NAME = {table.name: table for table in schema.FACT_TABLES}
_BATCH = 1000

Lines = Iterable[bytes]


@dataclass(frozen=True, slots=True)
class Extent:
    """How far a register reaches: how many custody events it holds, and the leaf hash of the last one committed."""

    events: int
    newest: str | None


def extent(connection: Connection) -> Extent:
    """How far the register reaches."""
    table = schema.custody_events
    count = connection.scalar(select(func.count()).select_from(table)) or 0
    return Extent(count, connection.scalar(select(table.c.leaf_hash).order_by(table.c.id.desc()).limit(1)))


def counts(connection: Connection) -> dict[str, int]:
    """The number of rows of each table of facts."""
    return {table.name: connection.scalar(select(func.count()).select_from(table)) or 0 for table in schema.FACT_TABLES}


def dumped(connection: Connection, name: str) -> Iterator[bytes]:
    """One table as lines, each with its newline; flat in memory. Of one moment with all others of the same view."""
    table = _BY_NAME[name]
    columns = _columns(table)
    yield _line([column.name for column in columns])
    order = (table.c.id,) if table is schema.custody_events else tuple(table.primary_key.columns)
    asked = select(*columns).order_by(*order)
    for row in connection.execute(asked, execution_options={"yield_per": _BATCH}):
        yield _line(list(row))


def load(register: Register, lines_of: Callable[[str], Lines]) -> int:
    """Fill an empty register in one transaction: all of it, or nothing. Returns how many rows.

    `lines_of` gives the lines of a table, as `dumped` made them.

    Raises:
        Conflict: the register is not empty.
        BackupInvalid: a line is not one of its table.
        RegisterUnavailable: nothing was written.
    """
    with register.begin() as facts:
        if any(counts(facts.connection).values()):
            raise Conflict("a register is restored into an empty one; this is not empty")
        return sum(_fill(facts.connection, _BY_NAME[name], lines_of(name)) for name in TABLES)


def holds_event(register: Register, leaf_hash: str) -> bool:
    """True when the register holds the custody event of this leaf hash."""
    table = schema.custody_events
    with register.view() as connection:
        return connection.execute(select(table.c.id).where(table.c.leaf_hash == leaf_hash)).first() is not None


def _columns(table: Table) -> list[Column[Any]]:
    """All columns but the event's row number: the engine that takes the rows gives its own, in the same order."""
    return [column for column in table.columns if not (table is schema.custody_events and column.name == "id")]


def _fill(connection: Connection, table: Table, lines: Lines) -> int:
    told, filled = iter(lines), 0
    names = [column.name for column in _columns(table)]
    if _values(next(told, b""), table) != names:
        raise BackupInvalid(f"the table {table.name} has other columns than this version's", table=table.name)
    while rows := [_row(line, names, table) for line in islice(told, _BATCH)]:
        connection.execute(insert(table), rows)
        filled += len(rows)
    return filled


def _row(line: bytes, names: list[str], table: Table) -> dict[str, Any]:
    values = _values(line, table)
    if len(values) != len(names):
        raise BackupInvalid(f"a row of the table {table.name} has {len(values)} values", table=table.name)
    return dict(zip(names, values, strict=True))


def _values(line: bytes, table: Table) -> list[Any]:
    try:
        values = json.loads(line)
    except ValueError as error:
        raise BackupInvalid(f"a line of the table {table.name} is no JSON", table=table.name) from error
    if not isinstance(values, list) or not all(value is None or type(value) in (str, int) for value in values):
        raise BackupInvalid(f"a line of the table {table.name} is no row", table=table.name)
    return values


def _line(values: list[Any]) -> bytes:
    return json.dumps(values, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
