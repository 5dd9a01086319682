# SPDX-License-Identifier: Apache-2.0
"""This is where events about recordings become rows."""

from datetime import timedelta
from fractions import Fraction
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from evidence import ids, instant
from evidence.custody import CustodyEvent
from evidence.errors import Conflict
from evidence.lifecycle import State
from storage.register import schema
from storage.register.rows import Apply, Detail, add_new, as_text, move_recording, set_recording, subject


def _offer_row(event: CustodyEvent, detail: Detail, outcome: str) -> dict[str, Any]:
    told = detail["offer"]
    return {
        "id": event.facts["offer"],
        "recording": subject(event),
        "dock": told["dock"],
        "root": detail["root"],
        "path": told["path"],
        "name": told["name"],
        "size_bytes": told["size_bytes"],
        "mtime_ns": told["mtime_ns"],
        "at": instant.to_text(event.at),
        "outcome": outcome,
    }


def _put_offer(connection: Connection, row: dict[str, Any]) -> None:
    connection.execute(delete(schema.offers).where(schema.offers.c.id == row["id"]))
    connection.execute(insert(schema.offers).values(**row))


def _arrived(connection: Connection, event: CustodyEvent, detail: Detail) -> None:
    problem = detail["problem"] or {"code": None, "text": None}
    _put_offer(connection, _offer_row(event, detail, "taken"))
    connection.execute(
        insert(schema.recordings).values(
            id=subject(event),
            state=State.ARRIVED.value,
            name=detail["offer"]["name"],
            dock=detail["offer"]["dock"],
            device=detail["device"],
            officer=detail["officer"],
            start_at=detail["start_at"],
            claims=as_text(detail["claims"]),
            problem_code=problem["code"],
            problem_text=problem["text"],
            arrived_at=instant.to_text(event.at),
        )
    )


def _clock_of(detail: Detail) -> dict[str, Any]:
    """How surely the start is known: what of the clock ledger was used."""
    clock = detail.get("clock") or {"early_ms": None, "late_ms": None, "basis": None}
    basis = None if clock["basis"] is None else as_text(clock["basis"])
    return {"early_ms": clock["early_ms"], "late_ms": clock["late_ms"], "clock_basis": basis}


def _measured(connection: Connection, event: CustodyEvent, detail: Detail) -> None:
    facts = event.facts
    held = schema.originals.c
    holder = connection.scalar(select(held.recording).where(held.sha256 == facts["sha256"]))
    if holder is not None:
        raise Conflict(f"these bytes are already held as {holder}", holder=holder)
    move_recording(connection, subject(event), State.MEASURED)
    # A problem of the arrival may be gone by now: a device that was registered meanwhile.
    problem = detail["problem"] or {"code": None, "text": None}
    values: dict[str, Any] = {name: detail[name] for name in ("device", "officer", "start_at", "end_at")} | {
        "kind": facts["kind"],
        "duration": facts["duration"],
        "claims": as_text(detail["claims"]),
        "end_latest": detail.get("end_latest"),
        **_clock_of(detail),
        "problem_code": problem["code"],
        "problem_text": problem["text"],
    }
    set_recording(connection, subject(event), **values)
    connection.execute(
        insert(schema.originals).values(
            recording=subject(event),
            position=0,
            name=detail["name"],
            sha256=facts["sha256"],
            size_bytes=facts["size_bytes"],
            container=facts["container"],
            chunk_root=facts["chunk_root"],
            packet_root=facts["packet_root"],
            packets_sha256=facts["packets_sha256"],
            facts=as_text(detail["examined"]),
        )
    )


def _sealed(connection: Connection, event: CustodyEvent, _: Detail) -> None:
    move_recording(connection, subject(event), State.SEALED)
    table = schema.originals
    connection.execute(
        update(table)
        .where(table.c.recording == subject(event), table.c.sha256 == event.facts["sha256"])
        .values(receipt_sha256=event.facts["receipt_sha256"], sealed_at=instant.to_text(event.at))
    )


def _offered_again(connection: Connection, event: CustodyEvent, detail: Detail) -> None:
    row = _offer_row(event, detail, "again")
    table = schema.offers
    first = (table.c.id == row["id"], table.c.recording == row["recording"], table.c.outcome == "taken")
    # The offer a recording was taken from stays that: the bytes may have to be read from it once more.
    if connection.scalar(select(table.c.id).where(*first)) is None:
        _put_offer(connection, row)
    folded = event.facts["was"]
    if folded is not None:
        connection.execute(delete(schema.recordings).where(schema.recordings.c.id == folded))


def _withdrawn(connection: Connection, event: CustodyEvent, _: Detail) -> None:
    connection.execute(delete(schema.recordings).where(schema.recordings.c.id == subject(event)))
    connection.execute(delete(schema.originals).where(schema.originals.c.recording == subject(event)))
    connection.execute(
        update(schema.offers).where(schema.offers.c.recording == subject(event)).values(outcome="withdrawn")
    )


def _quarantined(connection: Connection, event: CustodyEvent, detail: Detail) -> None:
    move_recording(connection, subject(event), State.QUARANTINED)
    set_recording(connection, subject(event), problem_code=event.facts["code"], problem_text=detail["reason"])


def _flagged(connection: Connection, event: CustodyEvent, detail: Detail) -> None:
    set_recording(connection, subject(event), problem_code=event.facts["code"], problem_text=detail["reason"])


def _released(connection: Connection, event: CustodyEvent, detail: Detail) -> None:
    move_recording(connection, subject(event), State.SEALED)
    # Older records say nothing of the clock: what was known when it was measured stays.
    clock = {"end_latest": detail["end_latest"], **_clock_of(detail)} if "clock" in detail else {}
    set_recording(
        connection,
        subject(event),
        problem_code=None,
        problem_text=None,
        **clock,
        **{name: detail[name] for name in ("device", "officer", "start_at", "end_at")},
    )


def _stamped(connection: Connection, event: CustodyEvent, _: Detail) -> None:
    for token in event.facts["tokens"]:
        add_new(connection, schema.time_tokens, {"size": event.facts["size"], **token})
    set_recording(connection, subject(event), stamped_size=event.facts["size"])


def _derived(connection: Connection, event: CustodyEvent, _: Detail) -> None:
    facts = event.facts
    values = {
        "recording": subject(event),
        "kind": facts["kind"],
        "sha256": facts["sha256"],
        "size_bytes": facts["size_bytes"],
        "recipe": as_text(facts["recipe"]),
        "made_at": instant.to_text(event.at),
    }
    add_new(connection, schema.derivatives, values)


def _segmented(connection: Connection, event: CustodyEvent, detail: Detail) -> None:
    recording = subject(event)
    table = schema.segments
    start_at = connection.scalar(select(schema.recordings.c.start_at).where(schema.recordings.c.id == recording))
    connection.execute(delete(table).where(table.c.recording == recording))
    rows = [
        {
            "id": ids.segment_id(recording, number),
            "recording": recording,
            "number": number,
            "start": start,
            "end": end,
            "start_at": _later(start_at, start),
            "end_at": _later(start_at, end),
        }
        for number, (start, end) in enumerate(detail["segments"])
    ]
    if rows:
        connection.execute(insert(table), rows)


def _later(start_at: str | None, offset: str) -> str | None:
    """The instant `offset` exact seconds after `start_at`, to the microsecond below."""
    if start_at is None:
        return None
    seconds = Fraction(offset)
    microseconds = seconds.numerator * 1_000_000 // seconds.denominator
    return instant.to_text(instant.from_text(start_at) + timedelta(microseconds=microseconds))


def _classified(connection: Connection, event: CustodyEvent, _: Detail) -> None:
    facts = event.facts
    set_recording(
        connection,
        subject(event),
        item=facts["item"],
        item_reason=as_text(facts["reason"]),
        catalog=facts["catalog"],
    )


def _indexed(connection: Connection, event: CustodyEvent, _: Detail) -> None:
    move_recording(connection, subject(event), State.INDEXED)


def _no_change(_: Connection, __: CustodyEvent, ___: Detail) -> None:
    """A serving leaves its event and changes no table."""


KINDS: dict[str, Apply] = {
    "arrived": _arrived,
    "classified": _classified,
    "clipped": _no_change,
    "derived": _derived,
    "flagged": _flagged,
    "indexed": _indexed,
    "measured": _measured,
    "offered-again": _offered_again,
    "quarantined": _quarantined,
    "released": _released,
    "sealed": _sealed,
    "segmented": _segmented,
    "stamped": _stamped,
    "withdrawn": _withdrawn,
}
