# SPDX-License-Identifier: Apache-2.0
"""This is where the register is read: questions about recordings, segments, cases and the log.

Each function takes the connection of `Register.view()` (or of an open `Facts`), so that several
answers can be of one moment. Rows are plain mappings of the schema's columns. Long lists are in `listing`.
"""

from collections.abc import Sequence

from sqlalchemy import Connection as Connection
from sqlalchemy import Table, func, or_, select

from evidence.errors import NotFound
from storage.register import schema
from storage.register.answers import Row as Row
from storage.register.answers import all_rows, one_row
from storage.register.listing import find_recordings as find_recordings
from storage.register.listing import links_of_case as links_of_case
from storage.register.listing import unfiled as unfiled
from storage.register.schema import (
    assignments,
    case_links,
    case_officers,
    cases,
    checkpoints,
    custody_events,
    derivatives,
    devices,
    offers,
    officers,
    originals,
    recordings,
    segments,
    time_tokens,
)


def recording(connection: Connection, identifier: str) -> Row:
    """The recording of this id.

    Raises:
        NotFound: there is none.
    """
    row = one_row(connection, select(recordings).where(recordings.c.id == identifier))
    if row is None:
        raise NotFound(f"no recording {identifier!r} (`evidock recordings` lists them)", recording=identifier)
    return row


def originals_of(connection: Connection, identifier: str) -> list[Row]:
    """The originals of a recording in order."""
    wanted = select(originals).where(originals.c.recording == identifier)
    return all_rows(connection, wanted.order_by(originals.c.position))


def original(connection: Connection, identifier: str) -> Row:
    """The first original of a recording.

    Raises:
        NotFound: the recording has not been measured.
    """
    rows = originals_of(connection, identifier)
    if not rows:
        raise NotFound(f"{identifier} has no measured original yet", recording=identifier)
    return rows[0]


def holder_of(connection: Connection, sha256: str) -> str | None:
    """The recording that holds these bytes, if one does."""
    return connection.scalar(select(originals.c.recording).where(originals.c.sha256 == sha256))


def every_original(connection: Connection) -> list[Row]:
    """All originals, by digest."""
    return all_rows(connection, select(originals).order_by(originals.c.sha256))


def every_derivative(connection: Connection) -> list[Row]:
    """All derivatives, by digest."""
    return all_rows(connection, select(derivatives).order_by(derivatives.c.sha256))


def derivatives_of(connection: Connection, identifier: str) -> list[Row]:
    """What was made from a recording, by kind."""
    wanted = select(derivatives).where(derivatives.c.recording == identifier)
    return all_rows(connection, wanted.order_by(derivatives.c.kind))


def segments_of(connection: Connection, identifier: str) -> list[Row]:
    """The segments of a recording in order."""
    wanted = select(segments).where(segments.c.recording == identifier)
    return all_rows(connection, wanted.order_by(segments.c.number))


def offer(connection: Connection, identifier: str) -> Row | None:
    """The offer of this id, if it was ever made."""
    return one_row(connection, select(offers).where(offers.c.id == identifier))


def offer_of(connection: Connection, identifier: str) -> Row:
    """The offer a recording was taken from.

    Raises:
        NotFound: the recording came from no offer we know.
    """
    wanted = select(offers).where(offers.c.recording == identifier, offers.c.outcome == "taken")
    row = one_row(connection, wanted)
    if row is None:
        raise NotFound(f"{identifier} was taken from no offer in the register", recording=identifier)
    return row


def device(connection: Connection, serial: str) -> Row | None:
    """The device of this serial, if registered."""
    return one_row(connection, select(devices).where(devices.c.serial == serial))


def every(connection: Connection, noun: str) -> list[Row]:
    """All rows of `devices`, `officers`, `assignments`, `cases` or `segments`, by key."""
    table: Table = schema.metadata.tables[noun]
    return all_rows(connection, select(table).order_by(*table.primary_key.columns))


def officer(connection: Connection, number: str) -> Row | None:
    """The officer of this certificate number, if registered."""
    return one_row(connection, select(officers).where(officers.c.number == number))


def officer_holding(connection: Connection, serial: str, at: str) -> str | None:
    """Number of the officer a device was assigned to at an instant, if any."""
    wanted = (
        select(assignments.c.officer)
        .where(
            assignments.c.device == serial,
            assignments.c.start_at <= at,
            or_(assignments.c.end_at.is_(None), assignments.c.end_at > at),
        )
        .order_by(assignments.c.start_at.desc())
        .limit(1)
    )
    return connection.scalar(wanted)


def case(connection: Connection, number: str) -> Row:
    """The case of this number.

    Raises:
        NotFound: there is none.
    """
    row = one_row(connection, select(cases).where(cases.c.number == number))
    if row is None:
        raise NotFound(f"no case {number!r} (`evidock case list` shows them)", case=number)
    return row


def officers_of_case(connection: Connection, case_id: str) -> list[str]:
    """Certificate numbers of the officers of a case."""
    wanted = select(case_officers.c.officer).where(case_officers.c.case_id == case_id)
    return list(connection.scalars(wanted.order_by(case_officers.c.officer)))


def open_cases_of(connection: Connection, officer_number: str, start: str, end: str) -> list[Row]:
    """Open cases of an officer whose window shares an instant with `[start, end]`."""
    wanted = (
        select(cases)
        .join(case_officers)
        .where(
            case_officers.c.officer == officer_number,
            cases.c.start_at <= end,
            cases.c.end_at > start,
            cases.c.closed_at.is_(None),
        )
    )
    return all_rows(connection, wanted.order_by(cases.c.number))


def links_of_recording(connection: Connection, identifier: str) -> list[Row]:
    """Standing links of a recording's segments, with the number of each case."""
    wanted = (
        select(case_links, cases.c.number.label("case"))
        .join(cases)
        .where(case_links.c.recording == identifier, case_links.c.withdrawn_at.is_(None))
    )
    return all_rows(connection, wanted.order_by(case_links.c.segment))


def events_of(connection: Connection, stream: str) -> list[Row]:
    """The custody events of one stream in order."""
    wanted = select(custody_events).where(custody_events.c.stream == stream)
    return all_rows(connection, wanted.order_by(custody_events.c.seq))


def event_of_kind(connection: Connection, stream: str, kind: str) -> Row:
    """The newest event of a kind in a stream.

    Raises:
        NotFound: there is none.
    """
    wanted = (
        select(custody_events)
        .where(custody_events.c.stream == stream, custody_events.c.kind == kind)
        .order_by(custody_events.c.seq.desc())
        .limit(1)
    )
    row = one_row(connection, wanted)
    if row is None:
        raise NotFound(f"{stream} has no event {kind!r}", stream=stream, kind=kind)
    return row


def newest_events(connection: Connection, limit: int) -> list[Row]:
    """The latest custody events, newest first."""
    return all_rows(connection, select(custody_events).order_by(custody_events.c.id.desc()).limit(limit))


def numbered(connection: Connection) -> int:
    """How many custody events have their place in the public log."""
    last = connection.scalar(select(func.max(custody_events.c.leaf_index)))
    return 0 if last is None else last + 1


def has_unpublished(connection: Connection) -> bool:
    """True when a committed custody event is not a leaf of the public log yet."""
    wanted = select(custody_events.c.id).where(custody_events.c.leaf_index.is_(None)).limit(1)
    return connection.scalar(wanted) is not None


def newest_checkpoint(connection: Connection) -> Row | None:
    """The checkpoint of greatest size that the register knows."""
    return one_row(connection, select(checkpoints).order_by(checkpoints.c.size.desc()).limit(1))


def checkpoints_above(connection: Connection, leaf_index: int | None, *, limit: int) -> list[int]:
    """Sizes of the smallest checkpoints that cover a leaf; none for an event that has no place in the log yet."""
    if leaf_index is None:
        return []
    wanted = select(checkpoints.c.size).where(checkpoints.c.size > leaf_index)
    return list(connection.scalars(wanted.order_by(checkpoints.c.size).limit(limit)))


def tokens_of(connection: Connection, size: int) -> list[Row]:
    """Time tokens over the checkpoint of this size, by authority."""
    wanted = select(time_tokens).where(time_tokens.c.size == size)
    return all_rows(connection, wanted.order_by(time_tokens.c.authority))


def stamped_sizes(connection: Connection) -> Sequence[int]:
    """Sizes of the checkpoints that hold a time token."""
    return list(connection.scalars(select(time_tokens.c.size).distinct().order_by(time_tokens.c.size)))
