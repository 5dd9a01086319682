# SPDX-License-Identifier: Apache-2.0
"""This is where versions of the recording catalog are looked up: proposed, adopted, withdrawn, remembered.

A version is *adopted* when it was approved and not withdrawn, and *remembered* when nobody approved it, but recordings
were classified under it: the catalog that the settings named before the agency adopted one.
"""

from sqlalchemy import ColumnElement, Connection, and_, case, func, or_, select

from evidence.errors import NotFound
from storage.register.answers import Row, all_rows, one_row
from storage.register.rows import as_text
from storage.register.schema import catalogs, originals, recordings

REMEMBERED = {"remembered": True}
"""The `effects` of a version that was taken down because recordings were classified under it."""

_HEAD = tuple(column for column in catalogs.c if column.name != "body")
# What nobody approved was there before the first that somebody did.
_ORDER = (case((catalogs.c.approved_at.is_(None), 0), else_=1), catalogs.c.effective_from, catalogs.c.id)


def version(connection: Connection, identifier: str) -> Row:
    """A version without its text.

    Raises:
        NotFound: no such version was ever proposed here.
    """
    row = find_version(connection, identifier)
    if row is None:
        raise NotFound(f"no catalog version {identifier!r} (`evidock catalog versions`)", catalog=identifier)
    return row


def find_version(connection: Connection, identifier: str) -> Row | None:
    """A version without its text, None when it is not here."""
    return one_row(connection, select(*_HEAD).where(catalogs.c.id == identifier))


def text_of(connection: Connection, identifier: str) -> str:
    """The text of a version, as it was proposed.

    Raises:
        NotFound: no such version was ever proposed here.
    """
    body = connection.scalar(select(catalogs.c.body).where(catalogs.c.id == identifier))
    if body is None:
        raise NotFound(f"no catalog version {identifier!r} (`evidock catalog versions`)", catalog=identifier)
    return str(body)


def every_version(connection: Connection) -> list[Row]:
    """All versions without their texts, by the day of their effect."""
    return all_rows(connection, select(*_HEAD).order_by(catalogs.c.effective_from, catalogs.c.id))


def adopted_rows(connection: Connection, moment: str) -> list[Row]:
    """What was remembered, then what was adopted and is in effect at an instant (as text), oldest first."""
    # Approved on its very day it is in effect from the approval on. (What is NULL is not before anything.)
    is_in_effect = and_(catalogs.c.effective_from <= moment, catalogs.c.approved_at <= moment)
    wanted = select(*_HEAD).where(catalogs.c.withdrawn_at.is_(None), or_(_is_remembered(), is_in_effect))
    return all_rows(connection, wanted.order_by(*_ORDER))


def newest_adopted(connection: Connection) -> Row | None:
    """The adopted version that takes effect last, be its day past or to come; None before the first adoption."""
    wanted = select(*_HEAD).where(catalogs.c.withdrawn_at.is_(None), catalogs.c.approved_at.is_not(None))
    return one_row(connection, wanted.order_by(catalogs.c.effective_from.desc(), catalogs.c.id.desc()).limit(1))


def classified_by_item(connection: Connection) -> dict[str, int]:
    """How many recordings were classified as each item, under whatever version."""
    wanted = select(recordings.c.item, func.count().label("number")).where(recordings.c.item.is_not(None))
    return {row.item: row.number for row in connection.execute(wanted.group_by(recordings.c.item))}


def is_pinned(connection: Connection, identifier: str) -> bool:
    """True when a recording was classified under this version."""
    return connection.scalar(select(recordings.c.id).where(recordings.c.catalog == identifier).limit(1)) is not None


def bytes_between(connection: Connection, first: str, last: str) -> dict[str, int]:
    """How many bytes the originals of each recording have, from one recording's id to another's."""
    table = originals.c
    wanted = select(table.recording, func.sum(table.size_bytes)).group_by(table.recording)
    found = connection.execute(wanted.where(table.recording >= first, table.recording <= last))
    return {recording: int(size) for recording, size in found}


def _is_remembered() -> ColumnElement[bool]:
    return catalogs.c.effects == as_text(REMEMBERED)
