# SPDX-License-Identifier: Apache-2.0
"""This is where events about users, roles, approvals, grants, accesses, keys, webhooks and exports become rows."""

from typing import Any

from sqlalchemy import Connection, Table, delete, insert, update

from evidence import instant
from evidence.custody import CustodyEvent
from storage.register import schema
from storage.register.rows import Apply, Detail, as_text, subject
from storage.register.schema_people import APPROVED


def _at(event: CustodyEvent) -> str:
    return instant.to_text(event.at)


def _agreed(event: CustodyEvent) -> dict[str, Any]:
    """The two columns by which a row refers to an approval as approved; both null where it needs none."""
    approval = event.facts.get("approval")
    return {"approval": approval, "approval_decision": None if approval is None else APPROVED}


def _set(connection: Connection, table: Table, identifier: str, **values: Any) -> None:
    connection.execute(update(table).where(table.c.id == identifier).values(**values))


def _user_registered(connection: Connection, event: CustodyEvent, detail: Detail) -> None:
    table = schema.users
    told = {name: detail.get(name) for name in ("login", "name", "officer", "unit", "issuer", "subject")}
    changed = connection.execute(update(table).where(table.c.id == subject(event)).values(**told))
    if changed.rowcount == 0:
        row = told | {"id": subject(event), "state": "active", "registered_at": _at(event)}
        connection.execute(insert(table).values(**row))


def _user_disabled(connection: Connection, event: CustodyEvent, _: Detail) -> None:
    _set(connection, schema.users, subject(event), state="disabled", disabled_at=_at(event))


def _user_enabled(connection: Connection, event: CustodyEvent, _: Detail) -> None:
    _set(connection, schema.users, subject(event), state="active", disabled_at=None)


def _role_given(connection: Connection, event: CustodyEvent, _: Detail) -> None:
    table, role = schema.user_roles, event.facts["role"]
    connection.execute(delete(table).where(table.c.user == subject(event), table.c.role == role))
    founding = int(event.facts.get("is_founding", False))
    row = {"user": subject(event), "role": role, "is_founding": founding, "since": _at(event), **_agreed(event)}
    connection.execute(insert(table).values(**row))


def _role_taken(connection: Connection, event: CustodyEvent, _: Detail) -> None:
    table = schema.user_roles
    connection.execute(delete(table).where(table.c.user == subject(event), table.c.role == event.facts["role"]))


def _approval_requested(connection: Connection, event: CustodyEvent, detail: Detail) -> None:
    told = {name: event.facts[name] for name in ("act", "noun", "subject", "digest", "expires_at")}
    row = told | {
        "id": subject(event),
        "unit": event.facts.get("unit"),
        "params": as_text(detail["params"]),
        "why": detail["why"],
        "requested_by": event.actor,
        "requested_at": _at(event),
    }
    connection.execute(insert(schema.approvals).values(**row))


def _approval_decided(connection: Connection, event: CustodyEvent, detail: Detail) -> None:
    told = {"decision": event.facts["decision"], "decided_by": event.actor, "decided_at": _at(event)}
    _set(connection, schema.approvals, subject(event), **told, decided_why=detail.get("why"))


def _approval_used(connection: Connection, event: CustodyEvent, _: Detail) -> None:
    _set(connection, schema.approvals, subject(event), used_at=_at(event))


def _granted(connection: Connection, event: CustodyEvent, detail: Detail) -> None:
    told = {name: event.facts[name] for name in ("user", "noun", "subject", "what", "from_at", "until_at")}
    watermark = int(event.facts.get("watermark", False))
    row = told | {"id": subject(event), "watermark": watermark, "why": detail["why"], "granted_at": _at(event)}
    connection.execute(insert(schema.grants).values(**row, **_agreed(event)))


def _grant_revoked(connection: Connection, event: CustodyEvent, _: Detail) -> None:
    _set(connection, schema.grants, subject(event), revoked_at=_at(event), revoked_by=event.actor)


def _case_member_added(connection: Connection, event: CustodyEvent, _: Detail) -> None:
    table, user = schema.case_members, event.facts["user"]
    connection.execute(delete(table).where(table.c.case_id == subject(event), table.c.user == user))
    connection.execute(insert(table).values(case_id=subject(event), user=user, since=_at(event)))


def _case_member_removed(connection: Connection, event: CustodyEvent, _: Detail) -> None:
    table = schema.case_members
    mine = (table.c.case_id == subject(event), table.c.user == event.facts["user"])
    connection.execute(update(table).where(*mine).values(until=_at(event)))


def _case_restricted(connection: Connection, event: CustodyEvent, _: Detail) -> None:
    _set(connection, schema.cases, subject(event), restricted=int(event.facts["is_restricted"]))


def _key_made(connection: Connection, event: CustodyEvent, detail: Detail) -> None:
    facts = event.facts
    row = {"id": subject(event), "name": detail["name"], "made_by": event.actor, "made_at": _at(event)}
    told = {"sha256": facts["sha256"], "acts": as_text(facts["acts"]), "until_at": facts["until_at"]}
    connection.execute(insert(schema.api_keys).values(**row, **told, unit=facts.get("unit")))


def _key_revoked(connection: Connection, event: CustodyEvent, _: Detail) -> None:
    _set(connection, schema.api_keys, subject(event), revoked_at=_at(event))


_ACCESS = ("act", "noun", "subject", "outcome", "code")


def _accessed(connection: Connection, event: CustodyEvent, detail: Detail) -> None:
    others = {name: value for name, value in event.facts.items() if name not in _ACCESS}
    told = {name: event.facts.get(name) for name in _ACCESS}
    row = {"stream": event.stream, "seq": event.seq, "at": _at(event), "told": as_text(others | dict(detail)), **told}
    connection.execute(insert(schema.accesses).values(**row))


def _no_change(_: Connection, __: CustodyEvent, ___: Detail) -> None:
    """What happened at a door leaves its event and changes no table."""


def _webhook_added(connection: Connection, event: CustodyEvent, detail: Detail) -> None:
    row = {"id": subject(event), "url": detail["url"], "kinds": as_text(event.facts["kinds"])}
    connection.execute(insert(schema.webhooks).values(**row, made_by=event.actor, made_at=_at(event)))


def _webhook_removed(connection: Connection, event: CustodyEvent, _: Detail) -> None:
    _set(connection, schema.webhooks, subject(event), removed_at=_at(event))


def _export_asked(connection: Connection, event: CustodyEvent, detail: Detail) -> None:
    row = {"id": subject(event), "case_id": event.facts["case"], "approval": event.facts.get("approval")}
    told = {"wanted": as_text(detail["wanted"]), "asked_by": event.actor, "asked_at": _at(event)}
    connection.execute(insert(schema.exports).values(**row, **told))


def _exported(connection: Connection, event: CustodyEvent, _: Detail) -> None:
    told = {name: event.facts[name] for name in ("manifest_sha256", "size_bytes")}
    _set(connection, schema.exports, subject(event), made_at=_at(event), **told)


def _export_failed(connection: Connection, event: CustodyEvent, _: Detail) -> None:
    _set(connection, schema.exports, subject(event), problem_code=event.facts["code"])


KINDS: dict[str, Apply] = {
    "accessed": _accessed,
    "approval-decided": _approval_decided,
    "approval-requested": _approval_requested,
    "approval-used": _approval_used,
    "case-member-added": _case_member_added,
    "case-member-removed": _case_member_removed,
    "case-restricted": _case_restricted,
    "credential-changed": _no_change,
    "export-asked": _export_asked,
    "export-failed": _export_failed,
    "exported": _exported,
    "grant-revoked": _grant_revoked,
    "granted": _granted,
    "key-made": _key_made,
    "key-revoked": _key_revoked,
    "role-given": _role_given,
    "role-taken": _role_taken,
    "sign-in-failed": _no_change,
    "signed-in": _no_change,
    "signed-out": _no_change,
    "user-disabled": _user_disabled,
    "user-enabled": _user_enabled,
    "user-registered": _user_registered,
    "webhook-added": _webhook_added,
    "webhook-removed": _webhook_removed,
}
