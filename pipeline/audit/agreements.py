# SPDX-License-Identifier: Apache-2.0
"""This is where an audit hears who may do what, and what two people agreed on: roles, approvals, grants, members.

Rows of the register open doors. Whoever could write a role, a grant or an approval there would need no second person:
so these rows are held against the signed records, and the records against the rules of two people (`agreed`).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from evidence import instant
from evidence.custody import CustodyEvent
from evidence.errors import RecordMalformed
from storage.register.rows import as_text

Row = dict[str, Any]
Key = tuple[str, ...]

TABLES: Mapping[str, tuple[str, ...]] = {
    "users": ("id",),
    "user_roles": ("user", "role"),
    "approvals": ("id",),
    "grants": ("id",),
    "case_members": ("case_id", "user"),
}


@dataclass(frozen=True, slots=True)
class Use:
    """That something was done by an approval (None: by none): `act` on `subject`, with what its params must say."""

    what: str
    act: str
    subject: str
    approval: str | None
    params: Mapping[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Agreements:
    """What rows should say, by table and key; `uses`: all that needed an approval; `decided`: how often each was.

    `agreed_digest`: what the decision was over. `founding`: roles that one person gave to the first user.
    """

    rows: dict[str, dict[Key, Row]] = field(default_factory=lambda: {table: {} for table in TABLES})
    uses: list[Use] = field(default_factory=list)
    decided: dict[str, int] = field(default_factory=dict)
    agreed_digest: dict[str, str] = field(default_factory=dict)
    founding: list[tuple[str, str]] = field(default_factory=list)
    two_lift: set[str] = field(default_factory=set)
    """Holds that two people lift."""
    filings: list[CustodyEvent] = field(default_factory=list)
    """Events that say in their details what a row holds."""

    def hear(self, event: CustodyEvent) -> None:
        """Take an event; called in the order of its stream.

        Raises:
            RecordMalformed: it does not say what its kind must say.
        """
        try:
            _HEARD.get(event.kind, _nothing)(self, event)
        except (KeyError, TypeError) as error:
            raise RecordMalformed(f"a {event.kind} record lacks {error}") from error


def read_filings(heard: Agreements, detail_of: Callable[[CustodyEvent], Mapping[str, Any] | None]) -> None:
    """Take what the details of `filings` say; one that cannot be read is noted where all details are checked.

    Raises:
        RecordMalformed: one does not say what its kind must say.
    """
    for event in heard.filings:
        detail, name = detail_of(event), _subject(event)
        if detail is None:
            continue
        try:
            if event.kind == "user-registered":
                told = {one: detail.get(one) for one in ("login", "name", "officer", "unit", "issuer", "subject")}
                heard.rows["users"][name,].update(told)
            elif event.kind == "approval-requested":
                told = {"params": as_text(detail["params"]), "why": detail["why"]}
                heard.rows["approvals"][name,].update(told)
            else:
                heard.rows["grants"][name,].update(why=detail["why"])
        except KeyError as error:
            raise RecordMalformed(f"the detail of a {event.kind} record lacks {error}") from error


def _subject(event: CustodyEvent) -> str:
    return event.stream.partition("/")[2]


def _at(event: CustodyEvent) -> str:
    return instant.to_text(event.at)


def _user_registered(heard: Agreements, event: CustodyEvent) -> None:
    heard.filings.append(event)
    row = heard.rows["users"].setdefault((_subject(event),), {"state": "active", "disabled_at": None})
    row.setdefault("registered_at", _at(event))


def _user_disabled(heard: Agreements, event: CustodyEvent) -> None:
    heard.rows["users"][_subject(event),].update(state="disabled", disabled_at=_at(event))


def _user_enabled(heard: Agreements, event: CustodyEvent) -> None:
    heard.rows["users"][_subject(event),].update(state="active", disabled_at=None)


def _role_given(heard: Agreements, event: CustodyEvent) -> None:
    user, role = _subject(event), event.facts["role"]
    is_founding, approval = bool(event.facts.get("is_founding", False)), event.facts.get("approval")
    row = {"is_founding": int(is_founding), "since": _at(event)}
    heard.rows["user_roles"][user, role] = row | _agreed(approval)
    if is_founding:
        heard.founding.append((user, role))
    elif approval is not None or role in _PRIVILEGED:
        use = Use(f"the role {role} of {user}", "role", user, approval, {"role": role})
        heard.uses.append(use)


_PRIVILEGED = ("admin", "approver", "auditor")


def _agreed(approval: str | None) -> Row:
    return {"approval": approval, "approval_decision": None if approval is None else "approved"}


def _role_taken(heard: Agreements, event: CustodyEvent) -> None:
    heard.rows["user_roles"].pop((_subject(event), event.facts["role"]), None)


def _approval_requested(heard: Agreements, event: CustodyEvent) -> None:
    heard.filings.append(event)
    told = {name: event.facts[name] for name in ("act", "noun", "subject", "digest", "expires_at")}
    asked = {"unit": event.facts.get("unit"), "requested_by": event.actor, "requested_at": _at(event)}
    rest = dict.fromkeys(("decision", "decided_by", "decided_at", "used_at"))
    heard.rows["approvals"][_subject(event),] = told | asked | rest


def _approval_decided(heard: Agreements, event: CustodyEvent) -> None:
    name = _subject(event)
    told = {"decision": event.facts["decision"], "decided_by": event.actor, "decided_at": _at(event)}
    heard.rows["approvals"][name,].update(told)
    heard.decided[name] = heard.decided.get(name, 0) + 1
    heard.agreed_digest[name] = event.facts["digest"]


def _approval_used(heard: Agreements, event: CustodyEvent) -> None:
    heard.rows["approvals"][_subject(event),]["used_at"] = _at(event)


_WHATS = {"view": "access", "original": "access", "export": "disclosure", "break-glass": "break-glass"}


def _granted(heard: Agreements, event: CustodyEvent) -> None:
    heard.filings.append(event)
    names = ("user", "noun", "subject", "what", "from_at", "until_at", "approval")
    told = {name: event.facts[name] for name in names}
    row = told | {"watermark": int(event.facts.get("watermark", False)), "granted_at": _at(event)}
    row |= _agreed(told["approval"]) | {"revoked_at": None, "revoked_by": None}
    heard.rows["grants"][_subject(event),] = row
    act, params = _WHATS.get(told["what"], "none"), {"user": told["user"]}
    if act == "access":
        params["what"] = told["what"]
    if act != "break-glass":
        params["until"] = told["until_at"]
    heard.uses.append(Use(f"the grant {_subject(event)}", act, told["subject"], told["approval"], params))


def _grant_revoked(heard: Agreements, event: CustodyEvent) -> None:
    heard.rows["grants"][_subject(event),].update(revoked_at=_at(event), revoked_by=event.actor)


def _member_added(heard: Agreements, event: CustodyEvent) -> None:
    heard.rows["case_members"][_subject(event), event.facts["user"]] = {"since": _at(event), "until": None}


def _member_removed(heard: Agreements, event: CustodyEvent) -> None:
    heard.rows["case_members"][_subject(event), event.facts["user"]]["until"] = _at(event)


def _hold_placed(heard: Agreements, event: CustodyEvent) -> None:
    if event.facts.get("needs_two", False):
        heard.two_lift.add(_subject(event))


def _hold_lifted(heard: Agreements, event: CustodyEvent) -> None:
    hold, approval = _subject(event), event.facts.get("approval")
    if hold in heard.two_lift or approval is not None:
        heard.uses.append(Use(f"the end of the hold {hold}", "hold-lift", hold, approval))


def _nothing(_: Agreements, __: CustodyEvent) -> None:
    """Other events say nothing of it."""


_HEARD: Mapping[str, Callable[[Agreements, CustodyEvent], None]] = {
    "approval-decided": _approval_decided,
    "approval-requested": _approval_requested,
    "approval-used": _approval_used,
    "case-member-added": _member_added,
    "case-member-removed": _member_removed,
    "grant-revoked": _grant_revoked,
    "granted": _granted,
    "hold-lifted": _hold_lifted,
    "hold-placed": _hold_placed,
    "role-given": _role_given,
    "role-taken": _role_taken,
    "user-disabled": _user_disabled,
    "user-enabled": _user_enabled,
    "user-registered": _user_registered,
}
