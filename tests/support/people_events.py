# SPDX-License-Identifier: Apache-2.0
"""This is where one event of every kind about users, agreements, grants, accesses and what goes out is written."""

from datetime import UTC, datetime
from typing import Any

from evidence.custody import Happening
from storage.register.facts import Facts

AT = datetime(2026, 6, 19, 12, tzinfo=UTC)
START, END = "2026-06-19T01:00:00.000000Z", "2027-06-19T02:00:00.000000Z"
USER, OTHER = "usr-a", "usr-b"
ASKS = {"noun": "recording", "digest": "0" * 64, "expires_at": END}


def everything_of_people(facts: Facts, *, recording: str, case: str) -> None:
    """One event of each kind; `case` is an id."""

    def record(
        what: str, stream: str, detail: dict[str, Any] | None = None, /, actor: str = "user:usr-a", **told: Any
    ) -> None:
        facts.record(Happening(what, stream, facts=told, detail=detail), actor=actor, at=AT)

    for user, login in ((USER, "li"), (OTHER, "wang")):
        record("user-registered", f"user/{user}", {"login": login, "name": login.title(), "officer": "7", "unit": "01"})
    record("user-disabled", f"user/{OTHER}", {"why": "left"})
    record("user-enabled", f"user/{OTHER}", {"why": "came back"})
    record("role-given", f"user/{USER}", role="admin", is_founding=True)
    record("approval-requested", "approval/apv-a", {"params": {}, "why": "w"}, act="role", subject=OTHER, **ASKS)
    record("approval-decided", "approval/apv-a", {"why": ""}, actor=f"user:{OTHER}", decision="approved")
    record("approval-used", "approval/apv-a")
    record("role-given", f"user/{OTHER}", role="auditor", approval="apv-a")
    record("role-given", f"user/{OTHER}", role="officer")
    record("role-taken", f"user/{OTHER}", role="officer")
    leave: dict[str, Any] = {
        "user": OTHER,
        "noun": "recording",
        "subject": recording,
        "what": "view",
    }
    record(
        "granted", "grant/gra-a", {"why": "w"}, **leave, watermark=True, from_at=START, until_at=END, approval="apv-a"
    )
    record("grant-revoked", "grant/gra-a", {"why": "done"})
    for member in (USER, OTHER):
        record("case-member-added", f"case/{case}", user=member)
    record("case-member-removed", f"case/{case}", user=OTHER)
    record("case-restricted", f"case/{case}", {"why": "a minor"}, is_restricted=True)
    keyed: dict[str, Any] = {"sha256": "1" * 64, "acts": ["case.read"], "unit": None, "until_at": END}
    record("key-made", "key/key-a", {"name": "case system"}, **keyed)
    record("key-revoked", "key/key-a", {"why": "lost"})
    seen: dict[str, Any] = {"noun": "recording", "subject": recording, "outcome": "refused", "code": "refused"}
    record("accessed", f"user/{OTHER}", {"query": "q"}, act="recording.read", **seen, count=1)
    record("credential-changed", f"user/{USER}", credential="password", change="set")
    record("signed-in", f"user/{USER}", how="password")
    record("signed-out", f"user/{USER}", why="asked")
    record("sign-in-failed", "door/sign-in", {"login": "nobody"}, count=3)
    record("webhook-added", "webhook/whk-a", {"url": "https://example.org/in"}, kinds=["sealed"])
    record("webhook-removed", "webhook/whk-a")
    for export in ("exp-a", "exp-b"):
        record("export-asked", f"export/{export}", {"wanted": {"originals": True}}, case=case, approval=None)
    record("exported", "export/exp-a", manifest_sha256="2" * 64, size_bytes=9)
    record("export-failed", "export/exp-b", {"why": "gone"}, code="object-missing")
