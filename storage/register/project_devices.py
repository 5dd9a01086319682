# SPDX-License-Identifier: Apache-2.0
"""This is where events about devices, docks and dockings become rows."""

from typing import Any

from sqlalchemy import Connection, delete, insert, update

from evidence import instant
from evidence.custody import CustodyEvent
from storage.register import schema
from storage.register.rows import Apply, Detail, add_new, as_text, subject

_LISTED = {
    **dict.fromkeys(("maker", "model", "firmware", "national_id", "asset", "unit", "officer", "category", "clock"), ""),
    **dict.fromkeys(("bound_at", "purchased_on", "capacity_bytes")),
    "status": "in-use",
    "is_allowed": 1,
}


def _at(event: CustodyEvent) -> str:
    return instant.to_text(event.at)


def _device_registered(connection: Connection, event: CustodyEvent, detail: Detail) -> None:
    values = {
        "serial": subject(event),
        "kind": event.facts["kind"],
        "label": detail["label"],
        "clock_offset_ms": event.facts["clock_offset_ms"],
        "registered_at": _at(event),
        **{name: detail.get(name, default) for name, default in _LISTED.items()},
    }
    # Changed in place: assignments refer to the row.
    table = schema.devices
    changed = connection.execute(update(table).where(table.c.serial == values["serial"]).values(**values))
    if changed.rowcount == 0:
        connection.execute(insert(table).values(**values))


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
            due_at=event.facts.get("due_at"),
            issued_by=event.actor,
            note=detail.get("note", ""),
        )
    )


def _returned(connection: Connection, event: CustodyEvent, detail: Detail) -> None:
    table = schema.assignments
    values = {"end_at": event.facts["at"], "returned_to": event.actor}
    if detail.get("note"):
        values["note"] = detail["note"]
    connection.execute(update(table).where(table.c.id == event.facts["assignment"]).values(**values))


def _dock_invited(connection: Connection, event: CustodyEvent, detail: Detail) -> None:
    table = schema.docks
    told = {
        "kind": event.facts["kind"],
        "state": "invited",
        "code_sha256": event.facts["code_sha256"],
        "code_until": event.facts["until"],
        "erases": int(event.facts["erases"]),
        "name": detail["name"],
        "unit": detail["unit"],
        "device": detail["device"],
        "key": None,
        "invited_at": _at(event),
        "enrolled_at": None,
        "revoked_at": None,
    }
    connection.execute(delete(table).where(table.c.id == subject(event)))
    connection.execute(insert(table).values(id=subject(event), **told))


def _set_dock(connection: Connection, event: CustodyEvent, **values: Any) -> None:
    table = schema.docks
    connection.execute(update(table).where(table.c.id == subject(event)).values(**values))


def _dock_enrolled(connection: Connection, event: CustodyEvent, _: Detail) -> None:
    used = {"code_sha256": None, "code_until": None}
    _set_dock(connection, event, state="enrolled", key=event.facts["key"], enrolled_at=_at(event), **used)


def _dock_revoked(connection: Connection, event: CustodyEvent, _: Detail) -> None:
    _set_dock(connection, event, state="revoked", code_sha256=None, code_until=None, revoked_at=_at(event))


def _dock_switched(connection: Connection, event: CustodyEvent, _: Detail) -> None:
    _set_dock(connection, event, erases=int(event.facts["erases"]))


def _docked(connection: Connection, event: CustodyEvent, detail: Detail) -> None:
    facts = event.facts
    row = {
        "id": facts["docking"],
        "device": detail["device"],
        "began_at": facts["began_at"],
        "refusal": facts["refusal"],
        **{name: facts[name] for name in ("dock", "port", "manifest_sha256", "names", "taken", "taken_bytes")},
    }
    add_new(connection, schema.dockings, row)
    clock = facts["clock"]
    if clock is not None and detail["device"] is not None:
        reading = {"device": detail["device"], "docking": facts["docking"]}
        told = {name: clock[name] for name in ("at", "offset_ms", "uncertainty_ms", "after_ms")}
        add_new(connection, schema.clock_readings, reading | told)


def _set_docking(connection: Connection, event: CustodyEvent, **values: Any) -> None:
    table = schema.dockings
    connection.execute(update(table).where(table.c.id == event.facts["docking"]).values(**values))


def _erasing(connection: Connection, event: CustodyEvent, _: Detail) -> None:
    _set_docking(connection, event, erasing_at=_at(event))


def _undocked(connection: Connection, event: CustodyEvent, _: Detail) -> None:
    told = {name: event.facts[name] for name in ("outcome", "received", "erased")}
    _set_docking(connection, event, ended_at=_at(event), **told)


def _no_change(_: Connection, __: CustodyEvent, ___: Detail) -> None:
    """An alarm leaves its event and changes no table."""


def _reconciled(connection: Connection, event: CustodyEvent, detail: Detail) -> None:
    table, day = schema.reconciliations, event.facts["day"]
    connection.execute(delete(table).where(table.c.day == day))
    row = {"day": day, "digest": event.facts["digest"], "body": as_text(detail["body"]), "at": _at(event)}
    connection.execute(insert(table).values(**row))


def _stitched(connection: Connection, event: CustodyEvent, _: Detail) -> None:
    table = schema.series_parts
    told = {name: event.facts[name] for name in ("series", "position", "gap_ms", "basis")}
    connection.execute(delete(table).where(table.c.recording == subject(event)))
    connection.execute(insert(table).values(recording=subject(event), **told))


def _remarked(connection: Connection, event: CustodyEvent, detail: Detail) -> None:
    table = schema.remarks
    of_it = (table.c.recording == subject(event), table.c.code == event.facts["code"])
    connection.execute(delete(table).where(*of_it))
    row = {"recording": subject(event), "code": event.facts["code"], "text": detail["text"], "at": _at(event)}
    connection.execute(insert(table).values(**row))


def _attached(connection: Connection, event: CustodyEvent, detail: Detail) -> None:
    told = {name: event.facts[name] for name in ("role", "sha256", "size_bytes", "signer")}
    row = {"recording": subject(event), "name": detail["name"], "at": _at(event), **told}
    add_new(connection, schema.attachments, row)


KINDS: dict[str, Apply] = {
    "assigned": _assigned,
    "attached": _attached,
    "device-alarm": _no_change,
    "device-registered": _device_registered,
    "dock-enrolled": _dock_enrolled,
    "dock-invited": _dock_invited,
    "dock-revoked": _dock_revoked,
    "dock-switched": _dock_switched,
    "docked": _docked,
    "erasing": _erasing,
    "reconciled": _reconciled,
    "remarked": _remarked,
    "returned": _returned,
    "stitched": _stitched,
    "undocked": _undocked,
}
