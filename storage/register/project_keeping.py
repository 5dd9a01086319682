# SPDX-License-Identifier: Apache-2.0
"""This is where events about keeping become rows: catalog versions, holds, appraisals, archive and disposal."""

from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from evidence import instant
from evidence.custody import CustodyEvent
from evidence.lifecycle import State
from storage.register import schema
from storage.register.rows import Apply, Detail, as_text, move_recording, set_recording, subject
from storage.register.schema_people import APPROVED


def _at(event: CustodyEvent) -> str:
    return instant.to_text(event.at)


def _catalog_proposed(connection: Connection, event: CustodyEvent, detail: Detail) -> None:
    table = schema.catalogs
    # A version that was withdrawn may be proposed again.
    connection.execute(delete(table).where(table.c.id == event.facts["catalog"], table.c.withdrawn_at.is_not(None)))
    connection.execute(
        insert(table).values(
            id=event.facts["catalog"],
            sha256=event.facts["sha256"],
            profile=event.facts["profile"],
            preset=event.facts["preset"],
            effective_from=event.facts["effective_from"],
            shortens=as_text(event.facts["shortens"]),
            body=detail["body"],
            why=detail["why"],
            effects=as_text(detail["effects"]),
            proposed_by=event.actor,
            proposed_at=_at(event),
        )
    )


def _set_catalog(connection: Connection, event: CustodyEvent, **values: Any) -> None:
    table = schema.catalogs
    connection.execute(update(table).where(table.c.id == event.facts["catalog"]).values(**values))


def _catalog_approved(connection: Connection, event: CustodyEvent, _: Detail) -> None:
    _set_catalog(connection, event, approved_by=event.actor, approved_at=_at(event))


def _catalog_withdrawn(connection: Connection, event: CustodyEvent, _: Detail) -> None:
    _set_catalog(connection, event, withdrawn_at=_at(event))


def _catalog_filed(connection: Connection, event: CustodyEvent, detail: Detail) -> None:
    _set_catalog(connection, event, filing=as_text(detail))


def _hold_placed(connection: Connection, event: CustodyEvent, detail: Detail) -> None:
    connection.execute(
        insert(schema.holds).values(
            id=subject(event),
            noun=event.facts["noun"],
            subject=event.facts["subject"],
            why=detail["why"],
            authority=detail["authority"],
            placed_by=event.actor,
            placed_at=_at(event),
            needs_two=int(event.facts.get("needs_two", False)),
        )
    )


def _hold_lifted(connection: Connection, event: CustodyEvent, detail: Detail) -> None:
    table = schema.holds
    values = {"lifted_by": event.actor, "lifted_at": _at(event), "lifted_why": detail["why"]}
    approval = event.facts.get("approval")
    values |= {"approval": approval, "approval_decision": None if approval is None else APPROVED}
    connection.execute(update(table).where(table.c.id == subject(event)).values(**values))


def _reviewed(connection: Connection, event: CustodyEvent, _: Detail) -> None:
    set_recording(connection, subject(event), reviewed_at=_at(event))


def _lock_extended(connection: Connection, event: CustodyEvent, _: Detail) -> None:
    set_recording(connection, subject(event), locked_until=event.facts["until"])


def _appraised(connection: Connection, event: CustodyEvent, detail: Detail) -> None:
    table = schema.appraisals
    connection.execute(delete(table).where(table.c.recording == subject(event)))
    connection.execute(
        insert(table).values(
            recording=subject(event),
            decision=event.facts["decision"],
            until=event.facts["until"],
            why=detail["why"],
            appraised_by=event.actor,
            appraised_at=_at(event),
        )
    )


def _disposal_proposed(connection: Connection, event: CustodyEvent, detail: Detail) -> None:
    entries = detail["entries"]
    connection.execute(
        insert(schema.disposals).values(
            id=subject(event),
            digest=event.facts["digest"],
            count=len(entries),
            why=detail["why"],
            proposed_by=event.actor,
            proposed_at=_at(event),
        )
    )
    connection.execute(
        insert(schema.disposal_entries),
        [
            {
                "disposal": subject(event),
                "reasons": as_text(one["reasons"]),
                **{name: one[name] for name in ("recording", "until", "sha256", "size_bytes")},
            }
            for one in entries
        ],
    )


def _set_disposal(connection: Connection, event: CustodyEvent, **values: Any) -> None:
    table = schema.disposals
    connection.execute(update(table).where(table.c.id == subject(event)).values(**values))


def _disposal_approved(connection: Connection, event: CustodyEvent, _: Detail) -> None:
    values = {"approved_by": event.actor, "approved_at": _at(event), "grace_until": event.facts["grace_until"]}
    _set_disposal(connection, event, **values)
    for recording in _standing_entries(connection, event):
        move_recording(connection, recording, State.DUE)


def _standing_entries(connection: Connection, event: CustodyEvent) -> list[str]:
    table = schema.disposal_entries
    wanted = select(table.c.recording).where(table.c.disposal == subject(event), table.c.withdrawn_at.is_(None))
    return list(connection.scalars(wanted.order_by(table.c.recording)))


def _disposal_withdrawn(connection: Connection, event: CustodyEvent, detail: Detail) -> None:
    """Undo, of the whole list (`recordings` None) or of some; what it had made due goes back to where it was."""
    table, told = schema.disposals, detail["recordings"]
    approved = connection.scalar(select(table.c.approved_at).where(table.c.id == subject(event)))
    taken_back = _standing_entries(connection, event) if told is None else told
    if approved is not None:
        for recording in taken_back:
            _go_back(connection, recording)
    entries = schema.disposal_entries
    connection.execute(
        update(entries)
        .where(entries.c.disposal == subject(event), entries.c.recording.in_(taken_back))
        .values(withdrawn_at=_at(event))
    )
    if told is None or not _standing_entries(connection, event):
        _set_disposal(connection, event, withdrawn_by=event.actor, withdrawn_at=_at(event))


def _go_back(connection: Connection, recording: str) -> None:
    table = schema.archives
    row = connection.execute(select(table.c.restored_at).where(table.c.recording == recording)).first()
    is_archived = row is not None and row.restored_at is None
    move_recording(connection, recording, State.ARCHIVED if is_archived else State.INDEXED)


def _disposing(connection: Connection, event: CustodyEvent, _: Detail) -> None:
    move_recording(connection, subject(event), State.DISPOSING)
    table = schema.originals
    bytes_of = connection.execute(
        select(table.c.sha256, table.c.size_bytes).where(table.c.recording == subject(event))
    ).one()
    connection.execute(
        insert(schema.tombstones).values(
            recording=subject(event),
            disposal=event.facts["disposal"],
            sha256=bytes_of.sha256,
            size_bytes=bytes_of.size_bytes,
            told="{}",
            began_at=_at(event),
        )
    )


def _disposed(connection: Connection, event: CustodyEvent, detail: Detail) -> None:
    move_recording(connection, subject(event), State.DISPOSED)
    table = schema.tombstones
    values = {"told": as_text(detail["tombstone"]), "disposed_at": _at(event)}
    connection.execute(update(table).where(table.c.recording == subject(event)).values(**values))
    _remove_derivatives(connection, event, None)


def _disposal_finished(connection: Connection, event: CustodyEvent, _: Detail) -> None:
    _set_disposal(connection, event, finished_at=_at(event))


def _derivative_removed(connection: Connection, event: CustodyEvent, _: Detail) -> None:
    _remove_derivatives(connection, event, event.facts["derivative"])


def _remove_derivatives(connection: Connection, event: CustodyEvent, kind: str | None) -> None:
    table = schema.derivatives
    wanted = update(table).where(table.c.recording == subject(event), table.c.removed_at.is_(None))
    if kind is not None:
        wanted = wanted.where(table.c.kind == kind)
    connection.execute(wanted.values(removed_at=_at(event)))


def _archived(connection: Connection, event: CustodyEvent, _: Detail) -> None:
    move_recording(connection, subject(event), State.ARCHIVED)
    table = schema.archives
    connection.execute(delete(table).where(table.c.recording == subject(event)))
    connection.execute(
        insert(table).values(
            recording=subject(event),
            place=event.facts["place"],
            storage_class=event.facts["storage_class"],
            archived_at=_at(event),
        )
    )


def _set_archive(connection: Connection, event: CustodyEvent, **values: Any) -> None:
    table = schema.archives
    connection.execute(update(table).where(table.c.recording == subject(event)).values(**values))


def _hot_removed(connection: Connection, event: CustodyEvent, _: Detail) -> None:
    _set_archive(connection, event, hot_removed_at=_at(event))


def _restored(connection: Connection, event: CustodyEvent, _: Detail) -> None:
    move_recording(connection, subject(event), State.INDEXED)
    _set_archive(connection, event, restored_at=_at(event))


def _clock_confirmed(_: Connection, __: CustodyEvent, ___: Detail) -> None:
    """A person's word; the mark it is about belongs to the running system."""


KINDS: dict[str, Apply] = {
    "appraised": _appraised,
    "archived": _archived,
    "catalog-approved": _catalog_approved,
    "catalog-filed": _catalog_filed,
    "catalog-proposed": _catalog_proposed,
    "catalog-withdrawn": _catalog_withdrawn,
    "clock-confirmed": _clock_confirmed,
    "derivative-removed": _derivative_removed,
    "disposal-approved": _disposal_approved,
    "disposal-finished": _disposal_finished,
    "disposal-proposed": _disposal_proposed,
    "disposal-withdrawn": _disposal_withdrawn,
    "disposed": _disposed,
    "disposing": _disposing,
    "hold-lifted": _hold_lifted,
    "hold-placed": _hold_placed,
    "hot-removed": _hot_removed,
    "lock-extended": _lock_extended,
    "restored": _restored,
    "reviewed": _reviewed,
}
