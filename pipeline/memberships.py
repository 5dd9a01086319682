# SPDX-License-Identifier: Apache-2.0
"""This is where it is decided who belongs to a case, and where a case is restricted to those who do.

Its officers belong to it anyway. A restricted case, and every recording that stands in it, is shown to nobody else but
auditors; so it is restricted only while somebody belongs to it.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from evidence.custody import Happening
from evidence.errors import Conflict, NotFound
from evidence.ids import stream_of
from evidence.written import reason
from pipeline.ports import Ports
from storage.register import member_rows, search, user_rows
from storage.register.facts import Facts
from storage.register.search import Connection, Row


def add_member(case: str, user: str, *, ports: Ports, now: datetime) -> None:
    """Have a user (by id) belong to a case (by number) from now on.

    Raises:
        NotFound: no such case or user. Conflict: they belong to it already, or are disabled.
    """
    with ports.register.begin() as facts:
        row = search.case(facts.connection, case)
        found = user_rows.user(facts.connection, user)
        if found["state"] != "active":
            raise Conflict(f"{found['login']} is disabled", user=user)
        if member_rows.is_member(facts.connection, row["id"], user):
            raise Conflict(f"{found['login']} belongs to case {row['number']!r} already", user=user)
        _record(facts, "case-member-added", row, {"user": user}, ports=ports, now=now)


def remove_member(case: str, user: str, *, ports: Ports, now: datetime) -> None:
    """End that a user (by id) belongs to a case (by number).

    Raises:
        NotFound: no such case, or they do not belong to it. Conflict: a restricted case would be left with nobody.
    """
    with ports.register.begin() as facts:
        row = search.case(facts.connection, case)
        if not member_rows.is_member(facts.connection, row["id"], user):
            raise NotFound(f"{user[:80]!r} is no member of case {row['number']!r}", user=user[:80])
        if row["restricted"] and _others(facts.connection, row, user) == 0:
            raise Conflict(f"case {row['number']!r} is restricted: it would be left with nobody who sees it")
        _record(facts, "case-member-removed", row, {"user": user}, ports=ports, now=now)


def restrict(case: str, *, is_restricted: bool, why: str, ports: Ports, now: datetime) -> None:
    """Restrict a case (by number) to those who belong to it, or open it to its unit again.

    Raises:
        NotFound: no such case. BadInput: no reason.
        Conflict: it is so already, or nobody who can sign in belongs to it.
    """
    told = reason(why)
    with ports.register.begin() as facts:
        row = search.case(facts.connection, case)
        if bool(row["restricted"]) == is_restricted:
            words = "is restricted already" if is_restricted else "is not restricted"
            raise Conflict(f"case {row['number']!r} {words}")
        if is_restricted and _others(facts.connection, row, "") == 0:
            raise Conflict(f"nobody who can sign in belongs to case {row['number']!r}: add a member first")
        marked = {"is_restricted": is_restricted}
        _record(facts, "case-restricted", row, marked, ports=ports, now=now, detail={"why": told})


def _others(connection: Connection, case: Row, user: str) -> int:
    """How many active users but this one belong to a case, as members or by their certificates."""
    return member_rows.people_of(connection, case["id"], but=user)


def _record(
    facts: Facts,
    kind: str,
    case: Row,
    told: Mapping[str, Any],
    *,
    ports: Ports,
    now: datetime,
    detail: Mapping[str, Any] | None = None,
) -> None:
    happening = Happening(kind, stream_of("case", case["id"]), facts=told, detail=detail)
    facts.record(happening, actor=ports.actor, at=now)
