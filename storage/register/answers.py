# SPDX-License-Identifier: Apache-2.0
"""This is where a question's rows become plain mappings, and where a list is given out page by page.

A page ends with its last row's place in the order: an instant (or none) and an id. The next page is
what lies behind that place, so that nothing is lost or given twice, however much is added meanwhile.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, or_, true, tuple_

from evidence import instant
from evidence.errors import BadInput

Row = Mapping[str, Any]
_UNKNOWN = "-"


def one_row(connection: Connection, wanted: Select[Any]) -> Row | None:
    """The first row, if there is one."""
    row = connection.execute(wanted).mappings().first()
    return None if row is None else dict(row)


def all_rows(connection: Connection, wanted: Select[Any]) -> list[Row]:
    """Every row, in the order asked for."""
    return [dict(row) for row in connection.execute(wanted).mappings()]


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a list by time: those of unknown time come last, equal times by id."""

    at: str | None
    id: str

    @classmethod
    def from_text(cls, text: str) -> "Place":
        """The place that `to_text` told.

        Raises:
            BadInput: it is none.
        """
        at, _, name = text.partition("/")
        if not name:
            raise BadInput(f"{text!r} is no place in a list (write the `next` of the page before)")
        return cls(None if at == _UNKNOWN else instant.to_text(instant.from_text(at)), name)

    def to_text(self) -> str:
        """One word, for scripts to hand back."""
        return f"{self.at or _UNKNOWN}/{self.id}"


@dataclass(frozen=True, slots=True)
class Page:
    """Some rows of a list; `after` is where the next page begins, None when there is no more."""

    rows: list[Row]
    after: Place | None


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of a list, ordered by `at` and `id`; `at` is None where the time of all its rows is unknown.

    `is_short`: a list that is found and then sorted, whatever the page; rows of unknown time may be among it, and
    come last.
    """

    wanted: Select[Any]
    at: ColumnElement[Any] | None
    id: ColumnElement[Any]
    is_short: bool = False


def page_of(connection: Connection, stretches: Iterable[Stretch], *, limit: int | None, after: Place | None) -> Page:
    """The first `limit` rows (all, without one) behind `after` of stretches that follow one another.

    Each stretch that is not short is a question that one index answers in its order: nothing is sorted for a page.
    """
    rows: list[Row] = []
    places: list[Place] = []
    for stretch in stretches:
        missing = None if limit is None else limit + 1 - len(rows)
        found = _rows(connection, stretch, limit=missing, after=after)
        rows += found
        places += [_place(stretch, row) for row in found]
        if limit is not None and len(rows) > limit:
            return Page(rows[:limit], places[limit - 1])
    return Page(rows, None)


def _place(stretch: Stretch, row: Row) -> Place:
    return Place(None if stretch.at is None else row[str(stretch.at.key)], row[str(stretch.id.key)])


def _rows(connection: Connection, stretch: Stretch, *, limit: int | None, after: Place | None) -> Sequence[Row]:
    wanted, at = stretch.wanted, stretch.at
    if at is not None:
        # No index begins so: none is read from end to end for the sake of its order.
        wanted = wanted.order_by(at.is_(None), at) if stretch.is_short else wanted.order_by(at)
    wanted = wanted.order_by(stretch.id).limit(limit)
    if after is None:
        return all_rows(connection, wanted)
    behind = _behind(stretch, after)
    return () if behind is None else all_rows(connection, wanted.where(behind))


def _behind(stretch: Stretch, after: Place) -> ColumnElement[bool] | None:
    """What of a stretch lies behind a place; None when nothing does."""
    at, name = stretch.at, stretch.id
    if at is None:
        return name > after.id if after.at is None else true()
    unknown = and_(at.is_(None), name > after.id) if after.at is None else at.is_(None)
    if after.at is None:
        return unknown if stretch.is_short else None
    # The first half says nothing new; with it either engine begins to read at the right place of its index.
    known = and_(at >= after.at, tuple_(at, name) > (after.at, after.id))
    return or_(known, unknown) if stretch.is_short else known
