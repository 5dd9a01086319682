# SPDX-License-Identifier: Apache-2.0
"""This is where the small moves shared by all projections live: naming, moving, adding a row."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import Connection, Table, insert, select, update

from evidence.custody import CustodyEvent
from evidence.errors import NotFound
from evidence.lifecycle import State, step_to
from storage.register import schema

Detail = Mapping[str, Any]
Apply = Callable[[Connection, CustodyEvent, Detail], None]


def subject(event: CustodyEvent) -> str:
    """The name of the noun an event is about: what follows the slash of its stream."""
    return event.stream.partition("/")[2]


def as_text(value: Any) -> str:
    """JSON text of a value kept whole in one column; equal values give equal text."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def move_recording(connection: Connection, recording: str, wanted: State) -> None:
    """Take a recording to another state.

    Raises:
        NotFound: there is no such recording.
        WrongState: the lifecycle does not allow it.
    """
    table = schema.recordings
    current = connection.scalar(select(table.c.state).where(table.c.id == recording))
    if current is None:
        raise NotFound(f"no recording {recording}", recording=recording)
    state = step_to(State(current), wanted)
    connection.execute(update(table).where(table.c.id == recording).values(state=state.value))


def set_recording(connection: Connection, recording: str, **values: Any) -> None:
    """Set columns of a recording's row."""
    table = schema.recordings
    connection.execute(update(table).where(table.c.id == recording).values(**values))


def add_new(connection: Connection, table: Table, values: Mapping[str, Any]) -> None:
    """Insert a row unless one with its key stands: the first word wins."""
    key = [column == values[column.name] for column in table.primary_key.columns]
    if connection.execute(select(*table.primary_key.columns).where(*key)).first() is None:
        connection.execute(insert(table).values(**values))
