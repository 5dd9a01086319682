# SPDX-License-Identifier: Apache-2.0
"""This is where exports are read: what was asked for, by whom, and what became of it."""

from typing import Any

from sqlalchemy import Connection, select

from evidence.errors import NotFound
from storage.register.answers import Page, Place, Row, Stretch, one_row, page_of
from storage.register.schema import cases, exports


def export(connection: Connection, identifier: str) -> Row:
    """The export of this id, with the number of its case.

    Raises:
        NotFound: there is none.
    """
    wanted = select(exports, cases.c.number.label("case")).join(cases, cases.c.id == exports.c.case_id)
    row = one_row(connection, wanted.where(exports.c.id == identifier))
    if row is None:
        raise NotFound(f"no export {identifier!r} (`evidock export --list` shows them)", export=identifier)
    return row


def exports_page(
    connection: Connection, *, case: str | None = None, seen: Any = None, limit: int | None, after: Place | None = None
) -> Page:
    """Exports by the time they were asked for; `case`: of the case of this id; `seen`: a condition on their cases."""
    wanted = select(exports, cases.c.number.label("case")).join(cases, cases.c.id == exports.c.case_id)
    if case is not None:
        wanted = wanted.where(exports.c.case_id == case)
    if seen is not None:
        wanted = wanted.where(seen)
    return page_of(connection, [Stretch(wanted, exports.c.asked_at, exports.c.id)], limit=limit, after=after)
