# SPDX-License-Identifier: Apache-2.0
"""This is where events about cases become rows: what a case is, its papers, its links, its conditions."""

from typing import Any

from sqlalchemy import Connection, delete, insert, update

from evidence import instant
from evidence.custody import CustodyEvent
from storage.register import schema
from storage.register.rows import Apply, Detail, as_text, subject

_COLUMNS = ("number", "title", "item", "start_at", "end_at")
_LATER_COLUMNS = ("type", "unit", "file_term", "source", "source_key")


def _values(detail: Detail) -> dict[str, Any]:
    return {
        **{name: detail[name] for name in _COLUMNS},
        **{name: detail.get(name) for name in _LATER_COLUMNS},
        "kind": detail.get("kind", "case"),
        "told": as_text(detail.get("told", {})),
    }


def _case_opened(connection: Connection, event: CustodyEvent, detail: Detail) -> None:
    opened = instant.to_text(event.at)
    connection.execute(insert(schema.cases).values(id=subject(event), opened_at=opened, **_values(detail)))
    _set_officers(connection, subject(event), detail)


def _case_revised(connection: Connection, event: CustodyEvent, detail: Detail) -> None:
    table = schema.cases
    connection.execute(update(table).where(table.c.id == subject(event)).values(**_values(detail)))
    _set_officers(connection, subject(event), detail)


def _set_officers(connection: Connection, case: str, detail: Detail) -> None:
    table = schema.case_officers
    connection.execute(delete(table).where(table.c.case_id == case))
    rows = [{"case_id": case, "officer": officer} for officer in detail["officers"]]
    if rows:
        connection.execute(insert(table), rows)


def _case_closed(connection: Connection, event: CustodyEvent, _: Detail) -> None:
    _set_closed(connection, event, event.facts.get("closed_at", instant.to_text(event.at)))


def _case_reopened(connection: Connection, event: CustodyEvent, _: Detail) -> None:
    _set_closed(connection, event, None)


def _set_closed(connection: Connection, event: CustodyEvent, closed: str | None) -> None:
    table = schema.cases
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


def _document_filed(connection: Connection, event: CustodyEvent, detail: Detail) -> None:
    table = schema.case_documents
    connection.execute(delete(table).where(table.c.id == event.facts["document"]))
    connection.execute(
        insert(table).values(
            id=event.facts["document"],
            case_id=subject(event),
            officers=as_text(detail["officers"]),
            **{name: detail[name] for name in ("name", "number", "link", "item", "start_at", "end_at")},
        )
    )


def _document_withdrawn(connection: Connection, event: CustodyEvent, _: Detail) -> None:
    table = schema.case_documents
    withdrawn = instant.to_text(event.at)
    connection.execute(update(table).where(table.c.id == event.facts["document"]).values(withdrawn_at=withdrawn))


def _gap_explained(connection: Connection, event: CustodyEvent, detail: Detail) -> None:
    told = {name: detail[name] for name in ("start_at", "end_at", "how", "why")}
    connection.execute(insert(schema.gaps).values(id=f"{subject(event)}.{event.seq}", case_id=subject(event), **told))


def _condition_set(connection: Connection, event: CustodyEvent, detail: Detail) -> None:
    _forget_condition(connection, event)
    connection.execute(
        insert(schema.conditions).values(
            noun=event.stream.partition("/")[0],
            subject=subject(event),
            code=event.facts["code"],
            why=detail["why"],
            set_by=event.actor,
            set_at=instant.to_text(event.at),
        )
    )


def _forget_condition(connection: Connection, event: CustodyEvent) -> None:
    table = schema.conditions
    connection.execute(delete(table).where(table.c.subject == subject(event), table.c.code == event.facts["code"]))


def _condition_lifted(connection: Connection, event: CustodyEvent, _: Detail) -> None:
    table = schema.conditions
    connection.execute(
        update(table)
        .where(table.c.subject == subject(event), table.c.code == event.facts["code"])
        .values(lifted_at=instant.to_text(event.at))
    )


KINDS: dict[str, Apply] = {
    "case-closed": _case_closed,
    "case-linked": _case_linked,
    "case-opened": _case_opened,
    "case-reopened": _case_reopened,
    "case-revised": _case_revised,
    "case-unlinked": _case_unlinked,
    "condition-lifted": _condition_lifted,
    "condition-set": _condition_set,
    "document-filed": _document_filed,
    "document-withdrawn": _document_withdrawn,
    "gap-explained": _gap_explained,
}
