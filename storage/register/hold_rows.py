# SPDX-License-Identifier: Apache-2.0
"""This is where holds are read: which stand, on what, since when, and why."""

from sqlalchemy import Connection, select

from evidence.errors import NotFound
from storage.register.answers import Page, Place, Row, Stretch, one_row, page_of
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


def holds_page(connection: Connection, *, is_lifted: bool | None, limit: int | None, after: Place | None) -> Page:
    """Holds by the time they were placed, each with the number of its case, if it is on one.

    `is_lifted`: only those that are, or are not; None: all.
    """
    wanted = select(holds, cases.c.number.label("case")).outerjoin(cases, cases.c.id == holds.c.subject)
    if is_lifted is not None:
        wanted = wanted.where(holds.c.lifted_at.is_not(None) if is_lifted else holds.c.lifted_at.is_(None))
    return page_of(connection, [Stretch(wanted, holds.c.placed_at, holds.c.id)], limit=limit, after=after)
