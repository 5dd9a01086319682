# SPDX-License-Identifier: Apache-2.0
"""This is where what was done by an agreement is held against it: two people, in time, over this and nothing else.

A signed record of a role, a grant or the end of a hold is not enough: the key that signs is one, and people are two.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from evidence import canonical_json
from evidence.disposal import is_same_person
from evidence.errors import IntegrityError
from pipeline.audit.agreements import Agreements, Row, Use
from pipeline.audit.sheet import Sheet


def check_agreements(heard: Agreements, *, sheet: Sheet) -> None:
    """Check every approval, and everything that needed one; what does not hold is noted on the sheet."""
    for (name,), row in heard.rows["approvals"].items():
        for what in _wrong_with(name, row, heard):
            sheet.blame(f"approval/{name}", "not-agreed", what)
    used: Counter[str | None] = Counter(use.approval for use in heard.uses if use.approval is not None)
    for use in heard.uses:
        for what in _wrong_use(use, heard, used):
            sheet.blame(use.what, "not-agreed", what)
    for role, count in Counter(role for _, role in heard.founding).items():
        if count > 1:
            sheet.blame(f"the role {role}", "not-agreed", f"{count} users were the first to have it")


def _wrong_with(name: str, row: Row, heard: Agreements) -> Iterator[str]:
    if "params" in row and row["digest"] != _digest(row):
        yield "what was asked for does not have its digest"
    if heard.decided.get(name, 0) > 1:
        yield "it was decided more than once"
    if row["decision"] != "approved":
        return
    one, other = row["requested_by"], row["decided_by"]
    if any(is_same_person(mine, yours) for mine in _names(one, heard) for yours in _names(other, heard)):
        yield f"{one} asked for it and {other} agreed: one person"
    if heard.agreed_digest.get(name) != row["digest"]:
        yield "what was agreed on is not what was asked for"
    if not row["requested_at"] <= row["decided_at"] <= row["expires_at"]:
        yield f"it was decided at {row['decided_at']}, not between the request and {row['expires_at']}"


def _digest(row: Row) -> str | None:
    body = {name: row[name] for name in ("act", "noun", "subject")}
    try:
        return hashlib.sha256(canonical_json.dumps(body | {"params": json.loads(row["params"])})).hexdigest()
    except (IntegrityError, ValueError):
        return None


def _names(actor: str, heard: Agreements) -> set[str]:
    """An actor, and what else the person is known by: login and certificate of a user of ours."""
    row: Mapping[str, Any] = heard.rows["users"].get((actor.partition(":")[2],), {})
    found = {actor}
    if actor.startswith("user:") and row.get("login"):
        found.add(f"login:{row['login']}")
    if actor.startswith("user:") and row.get("officer"):
        found.add(f"officer:#{row['officer']}")
    return found


def _wrong_use(use: Use, heard: Agreements, used: Mapping[str | None, int]) -> Iterator[str]:
    if use.approval is None:
        yield "nobody agreed to it"
        return
    row = heard.rows["approvals"].get((use.approval,))
    if row is None or row["decision"] != "approved":
        yield f"{use.approval} was not approved"
        return
    if (row["act"], row["subject"]) != (use.act, use.subject):
        yield f"{use.approval} is about {row['act']} of {row['subject']}"
    asked = json.loads(row["params"]) if "params" in row else dict(use.params)
    different = sorted(name for name, value in use.params.items() if asked.get(name) != value)
    if different:
        yield f"{use.approval} agreed on another {', '.join(different)}"
    if used[use.approval] > 1:
        yield f"{use.approval} was used {used[use.approval]} times"
