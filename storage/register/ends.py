# SPDX-License-Identifier: Apache-2.0
"""This is where the register is asked about the end of life: what is due, appraised, listed, archived, gone.

As in `search`, each function takes a connection, so that several answers can be of one moment.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, exists, func, or_, select, tuple_

from evidence.access import Reach
from evidence.errors import NotFound
from evidence.lifecycle import State
from storage.register.answers import Page, Place, Row, Stretch, all_rows, one_row, page_of
from storage.register.reach import Sight
from storage.register.schema import (
    appraisals,
    archives,
    attachments,
    derivatives,
    disposal_entries,
    disposals,
    recordings,
    retention,
    tombstones,
)

STANDING = (State.INDEXED.value, State.ARCHIVED.value)
"""States in which a recording can be appraised, archived or put on a list."""
_GONE = (State.DISPOSING.value, State.DISPOSED.value)


# --- appraisal ------------------------------------------------------------------------------


def appraisal_of(connection: Connection, recording: str) -> Row | None:
    """The newest appraisal of a recording, if there is one."""
    return one_row(connection, select(appraisals).where(appraisals.c.recording == recording))


def to_appraise(connection: Connection, *, at: str, limit: int | None) -> list[Row]:
    """Recordings that the last sweep found due and that no standing appraisal speaks of, the longest due first.

    What was kept until a date that has passed is asked about again; what was archived for good is not.
    """
    return all_rows(connection, _to_appraise(at).order_by(retention.c.until, recordings.c.id).limit(limit))


def to_appraise_page(connection: Connection, sight: Sight, *, at: str, limit: int | None, after: Place | None) -> Page:
    """The same within reach, page by page."""
    wanted = _to_appraise(at).where(sight.recordings())
    return page_of(connection, [Stretch(wanted, retention.c.until, recordings.c.id)], limit=limit, after=after)


def _to_appraise(at: str) -> Select[Any]:
    return (
        select(
            recordings.c.id,
            recordings.c.state,
            recordings.c.kind,
            recordings.c.item,
            recordings.c.start_at,
            retention.c.until,
            appraisals.c.decision,
            appraisals.c.until.label("asked_again"),
        )
        .join(recordings, recordings.c.id == retention.c.recording)
        .outerjoin(appraisals, appraisals.c.recording == recordings.c.id)
        .where(retention.c.outcome == "due", recordings.c.state.in_(STANDING), _is_open(at))
    )


def _is_open(at: str) -> ColumnElement[bool]:
    is_over = and_(appraisals.c.until.is_not(None), appraisals.c.until <= at)
    waits = and_(appraisals.c.decision == "archive", recordings.c.state == State.ARCHIVED.value)
    return or_(
        appraisals.c.decision.is_(None),
        and_(appraisals.c.decision == "keep", is_over),
        and_(waits, is_over),
    )


def appraised(connection: Connection, decision: str, sight: Sight | None = None) -> list[str]:
    """Recordings whose appraisal says this and nothing was done about yet; within reach alone, if that is told."""
    states = STANDING if decision != "archive" else (State.INDEXED.value,)
    listed = select(disposal_entries.c.recording).join(disposals).where(*_stands())
    wanted = (
        select(appraisals.c.recording)
        .join(recordings, recordings.c.id == appraisals.c.recording)
        .where(
            appraisals.c.decision == decision,
            recordings.c.state.in_(states),
            appraisals.c.recording.not_in(listed),
        )
    )
    if sight is not None:
        wanted = wanted.where(sight.recordings())
    return list(connection.scalars(wanted.order_by(appraisals.c.recording)))


# --- disposal lists -------------------------------------------------------------------------


def _stands() -> tuple[ColumnElement[bool], ...]:
    """An entry that may still be carried out."""
    return (
        disposal_entries.c.withdrawn_at.is_(None),
        disposals.c.withdrawn_at.is_(None),
        disposals.c.finished_at.is_(None),
    )


def disposal(connection: Connection, identifier: str) -> Row:
    """The disposal list of this id.

    Raises:
        NotFound: there is none.
    """
    row = one_row(connection, select(disposals).where(disposals.c.id == identifier))
    if row is None:
        raise NotFound(f"no disposal list {identifier!r} (`evidock dispose list` shows them)", disposal=identifier)
    return row


def every_disposal(connection: Connection) -> list[Row]:
    """All disposal lists, the newest first."""
    return all_rows(connection, select(disposals).order_by(disposals.c.proposed_at.desc(), disposals.c.id))


def disposals_page(connection: Connection, sight: Sight, *, limit: int | None, after: Place | None) -> Page:
    """Disposal lists that hold anything within reach, by the time they were proposed."""
    wanted = select(disposals)
    if sight.reach is not Reach.ALL:
        held = select(disposal_entries.c.disposal).where(
            disposal_entries.c.disposal == disposals.c.id, sight.recording_of(disposal_entries.c.recording)
        )
        wanted = wanted.where(exists(held))
    return page_of(connection, [Stretch(wanted, disposals.c.proposed_at, disposals.c.id)], limit=limit, after=after)


def seen_of(connection: Connection, identifier: str, sight: Sight) -> frozenset[str]:
    """Recordings of a list that are within reach."""
    held = select(disposal_entries.c.recording).where(disposal_entries.c.disposal == identifier)
    return frozenset(connection.scalars(held.where(sight.recording_of(disposal_entries.c.recording))))


def entries_of(connection: Connection, identifier: str) -> list[Row]:
    """The entries of a list, by recording."""
    wanted = select(disposal_entries).where(disposal_entries.c.disposal == identifier)
    return all_rows(connection, wanted.order_by(disposal_entries.c.recording))


def list_of(connection: Connection, recording: str) -> str | None:
    """The standing list that holds a recording, if one does."""
    wanted = select(disposals.c.id).join(disposal_entries).where(disposal_entries.c.recording == recording, *_stands())
    return connection.scalar(wanted.order_by(disposals.c.id).limit(1))


def lists_with(connection: Connection, recording: str) -> list[str]:
    """Every list that ever held a recording."""
    wanted = select(disposal_entries.c.disposal).where(disposal_entries.c.recording == recording)
    return list(connection.scalars(wanted.order_by(disposal_entries.c.disposal)))


def under_way(connection: Connection) -> list[str]:
    """Recordings whose bytes are being taken away: a run that was killed leaves some."""
    wanted = select(recordings.c.id).where(recordings.c.state == State.DISPOSING.value)
    return list(connection.scalars(wanted.order_by(recordings.c.id)))


# --- what is gone, and where the rest is ------------------------------------------------------


def tombstone_of(connection: Connection, recording: str) -> Row | None:
    """The tombstone of a recording, from the moment its bytes may be gone."""
    return one_row(connection, select(tombstones).where(tombstones.c.recording == recording))


def tombstones_of(connection: Connection, disposal_id: str) -> list[Row]:
    """The tombstones of a list, by recording."""
    wanted = select(tombstones).where(tombstones.c.disposal == disposal_id)
    return all_rows(connection, wanted.order_by(tombstones.c.recording))


def archive_of(connection: Connection, recording: str) -> Row | None:
    """Where the bytes of a recording rest beside the object store, if they ever did."""
    return one_row(connection, select(archives).where(archives.c.recording == recording))


def every_archive(connection: Connection) -> list[Row]:
    """All that was ever archived, by recording."""
    return all_rows(connection, select(archives).order_by(archives.c.recording))


def hot_still(connection: Connection) -> list[str]:
    """Archived recordings whose bytes were not yet taken out of the object store."""
    wanted = select(archives.c.recording).where(archives.c.hot_removed_at.is_(None), archives.c.restored_at.is_(None))
    return list(connection.scalars(wanted.order_by(archives.c.recording)))


def living_holders(connection: Connection, sha256: str, *, but: str) -> list[str]:
    """Other recordings that have these very bytes as a derivative, and are to keep it."""
    wanted = (
        select(derivatives.c.recording)
        .join(recordings, recordings.c.id == derivatives.c.recording)
        .where(
            derivatives.c.sha256 == sha256,
            derivatives.c.removed_at.is_(None),
            derivatives.c.recording != but,
            recordings.c.state.not_in(_GONE),
        )
    )
    return list(connection.scalars(wanted.order_by(derivatives.c.recording)))


def living_attachment_holders(connection: Connection, sha256: str, *, but: str) -> list[str]:
    """Other recordings that these very bytes came along with, and that are not disposed of."""
    wanted = (
        select(attachments.c.recording)
        .join(recordings, recordings.c.id == attachments.c.recording)
        .where(attachments.c.sha256 == sha256, attachments.c.recording != but, recordings.c.state.not_in(_GONE))
        .distinct()
    )
    return list(connection.scalars(wanted.order_by(attachments.c.recording)))


def prunable(
    connection: Connection, kinds: Sequence[str], *, before: str, after: tuple[str, str] | None, limit: int
) -> list[Row]:
    """Derivatives of these kinds of recordings that surely ended before an instant, by end (`ended`) and recording."""
    ended = func.coalesce(recordings.c.end_latest, recordings.c.arrived_at)
    made = (derivatives.c.recording, derivatives.c.kind, derivatives.c.sha256, derivatives.c.size_bytes)
    wanted = (
        select(*made, ended.label("ended"))
        .join(recordings, recordings.c.id == derivatives.c.recording)
        .where(
            derivatives.c.kind.in_(kinds),
            derivatives.c.removed_at.is_(None),
            recordings.c.state.in_(STANDING),
            ended < before,
            recordings.c.arrived_at < before,
        )
    )
    if after is not None:
        wanted = wanted.where(tuple_(ended, derivatives.c.recording) > after)
    return all_rows(connection, wanted.order_by(ended, derivatives.c.recording).limit(limit))


def pruned_last(connection: Connection, limit: int) -> list[Row]:
    """The derivatives of living recordings that were removed last: a killed run may have left their bytes."""
    wanted = (
        select(derivatives.c.recording, derivatives.c.kind, derivatives.c.sha256)
        .join(recordings, recordings.c.id == derivatives.c.recording)
        .where(derivatives.c.removed_at.is_not(None), recordings.c.state.not_in(_GONE))
    )
    return all_rows(connection, wanted.order_by(derivatives.c.removed_at.desc()).limit(limit))
