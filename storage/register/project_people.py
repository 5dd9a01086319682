# SPDX-License-Identifier: Apache-2.0
"""This is where events about devices, officers and cases become rows."""

from sqlalchemy import Connection, delete, insert, update

from evidence import instant
from evidence.custody import CustodyEvent
from storage.register import schema
from storage.register.rows import Apply, Detail, as_text, subject


def _device_registered(connection: Connection, event: CustodyEvent, detail: Detail) -> None:
    values = {
        "serial": subject(event),
        "kind": event.facts["kind"],
        "label": detail["label"],
        "clock_offset_ms": event.facts["clock_offset_ms"],
        "registered_at": instant.to_text(event.at),
    }
    # Changed in place: assignments refer to the row.
    table = schema.devices
    changed = connection.execute(update(table).where(table.c.serial == values["serial"]).values(**values))
    if changed.rowcount == 0:
        connection.execute(insert(table).values(**values))


def _officer_registered(connection: Connection, event: CustodyEvent, detail: Detail) -> None:
    table = schema.officers
    connection.execute(delete(table).where(table.c.id == subject(event)))
    connection.execute(
        insert(table).values(
            id=subject(event),
            number=detail["number"],
            name=detail["name"],
            unit=detail["unit"],
            registered_at=instant.to_text(event.at),
        )
    )


def _assigned(connection: Connection, event: CustodyEvent, detail: Detail) -> None:
    table = schema.assignments
    start = event.facts["start_at"]
    # A device is with one officer at a time: a new assignment closes the open one.
    connection.execute(
        update(table)
        .where(table.c.device == subject(event), table.c.end_at.is_(None), table.c.start_at <= start)
        .values(end_at=start)
    )
    connection.execute(
        insert(table).values(
            id=f"{subject(event)}.{event.seq}",
            device=subject(event),
            officer=detail["officer"],
            start_at=start,
            end_at=event.facts["end_at"],
        )
    )


def _case_opened(connection: Connection, event: CustodyEvent, detail: Detail) -> None:
    connection.execute(
        insert(schema.cases).values(
            id=subject(event),
            number=detail["number"],
            title=detail["title"],
            item=detail["item"],
            start_at=detail["start_at"],
            end_at=detail["end_at"],
            opened_at=instant.to_text(event.at),
        )
    )
    rows = [{"case_id": subject(event), "officer": officer} for officer in detail["officers"]]
    if rows:
        connection.execute(insert(schema.case_officers), rows)


def _case_closed(connection: Connection, event: CustodyEvent, _: Detail) -> None:
    table = schema.cases
    closed = instant.to_text(event.at)
    connection.execute(update(table).where(table.c.id == subject(event)).values(closed_at=closed))


def _case_linked(connection: Connection, event: CustodyEvent, detail: Detail) -> None:
    table = schema.case_links
    for segment in detail["segments"]:
        key = (table.c.segment == segment, table.c.case_id == subject(event))
        connection.execute(delete(table).where(*key))
        connection.execute(
            insert(table).values(
                segment=segment,
                case_id=subject(event),
                recording=segment.rpartition(".")[0],
                reason=as_text(detail["reason"]),
                linked_by=event.actor,
                linked_at=instant.to_text(event.at),
            )
        )


def _case_unlinked(connection: Connection, event: CustodyEvent, detail: Detail) -> None:
    table = schema.case_links
    connection.execute(
        update(table)
        .where(table.c.case_id == subject(event), table.c.segment.in_(detail["segments"]))
        .values(withdrawn_at=instant.to_text(event.at))
    )


KINDS: dict[str, Apply] = {
    "assigned": _assigned,
    "case-closed": _case_closed,
    "case-linked": _case_linked,
    "case-opened": _case_opened,
    "case-unlinked": _case_unlinked,
    "device-registered": _device_registered,
    "officer-registered": _officer_registered,
}
