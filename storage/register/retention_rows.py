# SPDX-License-Identifier: Apache-2.0
"""This is where the answers of the retention sweep rest: until when each recording is kept, and what is due.

The table follows from nothing but the last sweep and may be thrown away. One row is of no recording: it says when
the last sweep ended, and until when another process has said that it sweeps.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, and_, delete, exists, func, or_, select, text, update

from evidence import instant
from evidence.retention import Outcome
from storage.register.answers import Page, Place, Stretch, page_of
from storage.register.keeping import GONE
from storage.register.reach import Sight
from storage.register.schema import case_links, cases, officers, originals, recordings, retention

_SWEEP = ""
_SWEPT = "swept"

_PUT = text(
    "INSERT INTO retention (recording, outcome, until, swept_at) VALUES (:recording, :outcome, :until, :swept_at) "
    "ON CONFLICT (recording) DO UPDATE "
    "SET outcome = excluded.outcome, until = excluded.until, swept_at = excluded.swept_at"
)
# The same for many rows at once: psycopg sends rows one by one.
_PUT_ARRAYS = text(
    "INSERT INTO retention (recording, outcome, until, swept_at) "
    "SELECT recording, outcome, until, :swept_at FROM unnest(CAST(:recordings AS text[]), "
    "CAST(:outcomes AS text[]), CAST(:untils AS text[])) AS told (recording, outcome, until) "
    "ON CONFLICT (recording) DO UPDATE "
    "SET outcome = excluded.outcome, until = excluded.until, swept_at = excluded.swept_at"
)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a sweep says of a recording; `until` as text."""

    recording: str
    outcome: str
    until: str | None


def put(connection: Connection, answers: Sequence[Answer], *, swept_at: datetime) -> None:
    """Write answers over those that stand."""
    if not answers:
        return
    at = instant.to_text(swept_at)
    if connection.dialect.name == "postgresql":
        told = {
            "recordings": [one.recording for one in answers],
            "outcomes": [one.outcome for one in answers],
            "untils": [one.until for one in answers],
        }
        connection.execute(_PUT_ARRAYS, told | {"swept_at": at})
        return
    rows = [{"recording": one.recording, "outcome": one.outcome, "until": one.until, "swept_at": at} for one in answers]
    connection.execute(_PUT, rows)


def forget_gone(connection: Connection) -> None:
    """Drop the answers for recordings that are not there any more, or whose bytes are being taken away."""
    still = exists().where(recordings.c.id == retention.c.recording, recordings.c.state.not_in(sorted(GONE)))
    connection.execute(delete(retention).where(retention.c.recording != _SWEEP, ~still))


# --- what is due ------------------------------------------------------------------------------


def due_page(
    connection: Connection,
    *,
    until: datetime | None,
    units: Sequence[str] | None,
    limit: int | None,
    after: Place | None,
    sight: Sight | None = None,
) -> Page:
    """What the last sweep found due, what came due first first: id, until, item, officer, size_bytes.

    `sight`: only what is within this reach. `until`: only what came due by then. `units`: only what an officer of one
    of these units (codes, and names that officers are registered with) filmed, or a case of one holds.
    """
    size = select(func.sum(originals.c.size_bytes)).where(originals.c.recording == retention.c.recording)
    wanted = (
        select(
            retention.c.recording.label("id"),
            retention.c.until,
            recordings.c.item,
            recordings.c.officer,
            recordings.c.start_at,
            recordings.c.state,
            size.scalar_subquery().label("size_bytes"),
        )
        .join(recordings, recordings.c.id == retention.c.recording)
        .where(retention.c.outcome == Outcome.DUE.value)
    )
    if until is not None:
        wanted = wanted.where(retention.c.until <= instant.to_text(until))
    if units is not None:
        wanted = wanted.where(_of_units(units))
    if sight is not None:
        wanted = wanted.where(sight.recordings())
    stretch = Stretch(wanted, retention.c.until, retention.c.recording.label("id"))
    return page_of(connection, [stretch], limit=limit, after=after)


def _of_units(units: Sequence[str]) -> ColumnElement[bool]:
    filmed = exists().where(officers.c.number == recordings.c.officer, officers.c.unit.in_(units))
    filed = exists().where(
        case_links.c.recording == recordings.c.id,
        case_links.c.withdrawn_at.is_(None),
        cases.c.id == case_links.c.case_id,
        cases.c.unit.in_(units),
    )
    return or_(filmed, filed)


# --- the sweep itself -------------------------------------------------------------------------


def last_sweep(connection: Connection) -> datetime | None:
    """When the last sweep ended, None before the first."""
    told = connection.scalar(
        select(retention.c.swept_at).where(retention.c.recording == _SWEEP, retention.c.outcome == _SWEPT)
    )
    return None if told is None else instant.from_text(told)


def claim(connection: Connection, *, now: datetime, every: timedelta, for_: timedelta) -> bool:
    """True when a sweep is wanted, and no other process has said lately that it does it; then this one has."""
    if connection.scalar(select(retention.c.recording).where(retention.c.recording == _SWEEP)) is None:
        connection.execute(_PUT, _sweep_row("never", None, now))
    table = retention.c
    is_old = or_(table.outcome != _SWEPT, table.swept_at <= instant.to_text(now - every))
    is_free = or_(table.until.is_(None), table.until <= instant.to_text(now))
    taken = connection.execute(
        update(retention)
        .where(and_(table.recording == _SWEEP, is_old, is_free))
        .values(until=instant.to_text(now + for_))
    )
    return taken.rowcount == 1


def swept(connection: Connection, *, at: datetime) -> None:
    """Take down that a sweep has ended."""
    connection.execute(_PUT, _sweep_row(_SWEPT, None, at))


def _sweep_row(outcome: str, until: str | None, at: datetime) -> dict[str, str | None]:
    return {"recording": _SWEEP, "outcome": outcome, "until": until, "swept_at": instant.to_text(at)}
