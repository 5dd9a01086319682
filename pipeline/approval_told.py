# SPDX-License-Identifier: Apache-2.0
"""This is where an approval is read back, and its row held against its signed records: what counts is what they say.

The digest is over the act, its noun and all that was asked for, and stands in the record of the request and in that
of the decision. So what was agreed on is what was asked for, whoever may write rows.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from evidence import canonical_json, instant
from evidence.custody import CustodyEvent, parse_event
from evidence.errors import LogInconsistent
from evidence.ids import stream_of
from evidence.note import Verifier, open_note
from storage.register import approval_rows, search
from storage.register.approval_rows import EXPIRED, WAITING
from storage.register.search import Connection, Row

APPROVED = "approved"
REFUSED = "refused"
WITHDRAWN = "withdrawn"


def digest_of(act: str, noun: str, subject: str, params: Mapping[str, Any]) -> str:
    """SHA-256 (hexadecimal) over what is asked for: what is agreed on.

    Raises:
        RecordMalformed: it has no canonical spelling.
    """
    body = {"act": act, "noun": noun, "params": dict(params), "subject": subject}
    return hashlib.sha256(canonical_json.dumps(body)).hexdigest()


@dataclass(frozen=True, slots=True)
class Approval:
    """What somebody asked another person to agree on, and what became of it. `unit` None: of the whole agency."""

    id: str
    act: str
    noun: str
    subject: str
    unit: str | None
    params: Mapping[str, Any]
    digest: str
    why: str
    requested_by: str
    requested_at: datetime
    expires_at: datetime
    decision: str | None
    decided_by: str | None
    decided_at: datetime | None
    decided_why: str | None
    used_at: datetime | None

    def state(self, now: datetime) -> str:
        """Waiting, expired, approved, refused or withdrawn."""
        return self.decision or (EXPIRED if now > self.expires_at else WAITING)


def of_row(row: Row) -> Approval:
    """The approval that a row of the register tells; nothing of it is proven."""
    moments: dict[str, Any] = {
        name: None if row[name] is None else instant.from_text(row[name])
        for name in ("requested_at", "expires_at", "decided_at", "used_at")
    }
    names = ("id", "act", "noun", "subject", "unit", "digest", "why", "requested_by", "decision", "decided_by")
    told: dict[str, Any] = {name: row[name] for name in (*names, "decided_why")}
    return Approval(**told, **moments, params=json.loads(row["params"]))


def read_approval(connection: Connection, identifier: str, *, verifiers: Sequence[Verifier]) -> Approval:
    """The approval of this id, its row as its signed records say.

    Raises:
        NotFound: there is none.
        SignatureInvalid, RecordMalformed, LogInconsistent: row and records are not of one mind; a person must look.
    """
    row = approval_rows.approval(connection, identifier)
    rows = search.events_of(connection, stream_of("approval", identifier))
    events = [parse_event(open_note(one["note"], verifiers).text) for one in rows]
    if [one.seq for one in events] != list(range(len(events))) or not events:
        raise LogInconsistent(f"the records of {identifier} are not in their order", approval=identifier)
    if any(one.stream != f"approval/{identifier}" for one in events):
        raise LogInconsistent(f"a record of another approval stands among those of {identifier}", approval=identifier)
    try:
        told = of_row(row)
        digest = digest_of(told.act, told.noun, told.subject, told.params)
    except (TypeError, ValueError) as error:
        raise LogInconsistent(f"the row of {identifier} does not read: {error}", approval=identifier) from error
    different = [name for name, value in _recorded(events).items() if getattr(told, name) != value]
    if different or digest != told.digest:
        words = ", ".join(different) or "params"
        raise LogInconsistent(f"the row of {identifier} is not what was recorded: {words}", approval=identifier)
    return told


def _recorded(events: Sequence[CustodyEvent]) -> dict[str, Any]:
    """What the row must say, as far as events tell it; the digest binds what was asked for."""
    asked = events[0]
    told: dict[str, Any] = {name: asked.facts.get(name) for name in ("act", "noun", "subject", "unit", "digest")}
    told |= {
        "requested_by": asked.actor,
        "requested_at": asked.at,
        "expires_at": instant.from_text(asked.facts["expires_at"]),
        **dict.fromkeys(("decision", "decided_by", "decided_at", "used_at")),
    }
    for event in events[1:]:
        if event.kind == "approval-decided":
            told |= {"decision": event.facts["decision"], "decided_by": event.actor, "decided_at": event.at}
            told["digest"] = event.facts["digest"]
        elif event.kind == "approval-used":
            told["used_at"] = event.at
    if asked.kind != "approval-requested" or told["digest"] != asked.facts["digest"]:
        raise LogInconsistent("what was agreed on is not what was asked for")
    return told
