# SPDX-License-Identifier: Apache-2.0
"""This is where events about units and officers become rows."""

from sqlalchemy import Connection, delete, insert, update

from evidence import instant
from evidence.custody import CustodyEvent
from storage.register import schema
from storage.register.rows import Apply, Detail, as_text, subject


def _officer_registered(connection: Connection, event: CustodyEvent, detail: Detail) -> None:
    table = schema.officers
    connection.execute(delete(table).where(table.c.id == subject(event)))
    connection.execute(
        insert(table).values(
            id=subject(event),
            number=detail["number"],
            name=detail["name"],
            unit=detail["unit"],
            post=detail.get("post", ""),
            types=as_text(detail.get("types", [])),
            area=detail.get("area", ""),
            valid_from=detail.get("valid_from"),
            valid_to=detail.get("valid_to"),
            registered_at=instant.to_text(event.at),
        )
    )


def _unit_registered(connection: Connection, event: CustodyEvent, detail: Detail) -> None:
    table = schema.units
    connection.execute(delete(table).where(table.c.id == subject(event)))
    connection.execute(
        insert(table).values(
            id=subject(event),
            code=detail["code"],
            name=detail["name"],
            parent=detail["parent"],
            registered_at=instant.to_text(event.at),
        )
    )


def _report_submitted(connection: Connection, event: CustodyEvent, detail: Detail) -> None:
    """A report, or what takes the place of one that was sent back."""
    table = schema.unit_reports
    connection.execute(delete(table).where(table.c.id == subject(event)))
    connection.execute(
        insert(table).values(
            id=subject(event),
            digest=event.facts["digest"],
            body=as_text(detail["body"]),
            state="submitted",
            submitted_by=event.actor,
            submitted_at=instant.to_text(event.at),
            **{name: detail[name] for name in ("unit", "above", "start_at", "end_at")},
        )
    )


def _decide_report(connection: Connection, event: CustodyEvent, state: str, why: str | None) -> None:
    table = schema.unit_reports
    decided = {"decided_by": event.actor, "decided_at": instant.to_text(event.at)}
    connection.execute(update(table).where(table.c.id == subject(event)).values(state=state, why=why, **decided))


def _report_accepted(connection: Connection, event: CustodyEvent, _: Detail) -> None:
    _decide_report(connection, event, "accepted", None)


def _report_returned(connection: Connection, event: CustodyEvent, detail: Detail) -> None:
    _decide_report(connection, event, "returned", detail["why"])


KINDS: dict[str, Apply] = {
    "officer-registered": _officer_registered,
    "unit-registered": _unit_registered,
    "unit-report-accepted": _report_accepted,
    "unit-report-returned": _report_returned,
    "unit-report-submitted": _report_submitted,
}
