# SPDX-License-Identifier: Apache-2.0
"""This is where holds are read: which stand, on what, since when, and why."""

from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, or_, select, true

from evidence.access import Reach
from evidence.errors import NotFound
from storage.register.answers import Page, Place, Row, Stretch, one_row, page_of
from storage.register.reach import Sight
from storage.register.schema import cases, holds


def hold(connection: Connection, identifier: str) -> Row:
    """The hold of this id.

    Raises:
        NotFound: there is none.
    """
    row = one_row(connection, select(holds).where(holds.c.id == identifier))
    if row is None:
        raise NotFound(f"no hold {identifier!r} (`evidock hold list` shows them)", hold=identifier)
    return row


def hold_seen(connection: Connection, identifier: str, sight: Sight) -> Row:
    """The hold of this id with the number of its case, if it is on something within reach.

    Raises:
        NotFound: there is none, or none within reach.
    """
    row = one_row(connection, _with_case().where(holds.c.id == identifier, _seen(sight)))
    if row is None:
        raise NotFound("no such hold, or none within your reach", noun="hold")
    return row


def holds_page(
    connection: Connection,
    *,
    is_lifted: bool | None,
    limit: int | None,
    after: Place | None,
    sight: Sight | None = None,
) -> Page:
    """Holds by the time they were placed, each with the number of its case, if it is on one.

    `is_lifted`: only those that are, or are not; None: all. `sight`: only those on what is within this reach.
    """
    wanted = _with_case()
    if is_lifted is not None:
        wanted = wanted.where(holds.c.lifted_at.is_not(None) if is_lifted else holds.c.lifted_at.is_(None))
    if sight is not None:
        wanted = wanted.where(_seen(sight))
    return page_of(connection, [Stretch(wanted, holds.c.placed_at, holds.c.id)], limit=limit, after=after)


def _with_case() -> Select[Any]:
    # Under a name of its own: what is seen asks for the table itself.
    named = cases.alias("named")
    return select(holds, named.c.number.label("case")).outerjoin(named, named.c.id == holds.c.subject)


def _seen(sight: Sight) -> ColumnElement[bool]:
    """Holds on a recording, or on a case, within reach."""
    if sight.reach is Reach.ALL:
        return true()
    on_recording = and_(holds.c.noun == "recording", sight.recording_of(holds.c.subject))
    return or_(on_recording, and_(holds.c.noun == "case", sight.case_of(holds.c.subject)))
