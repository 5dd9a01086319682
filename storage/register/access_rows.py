# SPDX-License-Identifier: Apache-2.0
"""This is where the register is asked who saw, searched, took or was refused what."""

from dataclasses import dataclass

from sqlalchemy import Connection, String, cast, or_, select

from storage.register.answers import Page, Place, Stretch, page_of
from storage.register.schema_people import accesses


@dataclass(frozen=True, slots=True)
class WantedAccesses:
    """Conditions, all of which are met by what is listed. `stream`: of one person or program (`user/usr-…`).

    `subject`: an id; `start` and `end` are instants as text: `[start, end)`.
    """

    stream: str | None = None
    noun: str | None = None
    subject: str | None = None
    act: str | None = None
    outcome: str | None = None
    start: str | None = None
    end: str | None = None


def accesses_page(
    connection: Connection, wanted: WantedAccesses, *, limit: int | None, after: Place | None = None
) -> Page:
    """Accesses by time: at most `limit` (all, without one), behind `after`; `name` is an access's own."""
    name = (accesses.c.stream + "/" + cast(accesses.c.seq, String)).label("name")
    asked = select(accesses, name)
    for column, value in (
        (accesses.c.stream, wanted.stream),
        (accesses.c.noun, wanted.noun),
        (accesses.c.act, wanted.act),
        (accesses.c.outcome, wanted.outcome),
    ):
        if value is not None:
            asked = asked.where(column == value)
    if wanted.subject is not None:
        # What is done to a segment names its recording.
        of_parts = accesses.c.subject.startswith(wanted.subject + ".", autoescape=True)
        asked = asked.where(or_(accesses.c.subject == wanted.subject, of_parts))
    if wanted.start is not None:
        asked = asked.where(accesses.c.at >= wanted.start)
    if wanted.end is not None:
        asked = asked.where(accesses.c.at < wanted.end)
    return page_of(connection, [Stretch(asked, accesses.c.at, name)], limit=limit, after=after)
