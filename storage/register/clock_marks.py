# SPDX-License-Identifier: Apache-2.0
"""This is where marks of steady time are kept: how far it had come, and how long that boot had run then.

`at` is steady time, not the wall clock: one mark is all that the next reading needs. Of each boot the first and the
newest stay, and those that a person confirmed.
"""

from datetime import datetime

from sqlalchemy import Connection, delete, func, insert, select

from evidence import instant
from evidence.steady_clock import Mark, Reading
from storage.register.schema import clock_marks


def marks(connection: Connection) -> tuple[Mark, ...]:
    """Every mark, oldest first."""
    table = clock_marks.c
    wanted = select(table.boot, table.uptime_s, table.at, table.is_confirmed).order_by(table.id)
    return tuple(
        Mark(boot, uptime_s, instant.from_text(at), bool(is_confirmed))
        for boot, uptime_s, at, is_confirmed in connection.execute(wanted)
    )


def put(connection: Connection, reading: Reading, *, at: datetime, is_confirmed: bool = False) -> None:
    """Mark that steady time had come to `at` at a reading; marks of that boot between its first and this one go."""
    table = clock_marks
    between = select(func.min(table.c.id)).where(table.c.boot == reading.boot).scalar_subquery()
    connection.execute(
        delete(table).where(table.c.boot == reading.boot, table.c.id > between, table.c.is_confirmed == 0)
    )
    connection.execute(
        insert(table).values(
            place=reading.place,
            boot=reading.boot,
            uptime_s=reading.uptime_s,
            at=instant.to_text(at),
            is_confirmed=int(is_confirmed),
        )
    )
