# SPDX-License-Identifier: Apache-2.0
"""This is where it is looked at, once a recording is whole, what else a person should know of it.

Each look is a function of the register's rows alone, in the transaction that indexes the recording. What it finds
puts nothing aside: it is a remark, or a tie to another recording.
"""

from collections.abc import Callable, Iterable
from zoneinfo import ZoneInfo

from evidence.custody import Happening
from pipeline.notice_certificate import who_and_what
from pipeline.stitch import stitched
from storage.register.search import Connection, Row

Look = Callable[[Connection, Row, ZoneInfo], Iterable[Happening]]
"""Given an open connection, a recording's row and the agency's zone: what is to be written down of it."""

LOOKS: tuple[Look, ...] = (stitched, who_and_what)


def noticed(connection: Connection, row: Row, *, zone: ZoneInfo) -> list[Happening]:
    """What every look finds of a recording, in order."""
    return [happening for look in LOOKS for happening in look(connection, row, zone)]
