# SPDX-License-Identifier: Apache-2.0
"""This is where a version is taken back before it counts, and where it is written down that it was filed (备案)."""

from datetime import date, datetime

from evidence import instant
from evidence.custody import Happening
from evidence.errors import Conflict
from evidence.written import one_line, reason
from pipeline.catalogs.in_force import stream_of_catalog
from pipeline.catalogs.review import is_remembered
from pipeline.ports import Ports
from storage.register import catalogs


def withdraw(identifier: str, *, why: str, ports: Ports, now: datetime) -> None:
    """Take back a version that is proposed, or approved and not yet in force. One person can.

    Raises:
        NotFound: no such version. BadInput: no reason.
        Conflict: it counts already, or something was classified under it; it was withdrawn before.
    """
    happening = Happening(
        "catalog-withdrawn", stream_of_catalog(identifier), {"catalog": identifier}, {"why": reason(why)}
    )
    with ports.register.begin() as facts:
        row = catalogs.version(facts.connection, identifier)
        if row["withdrawn_at"] is not None:
            raise Conflict(f"{identifier} was withdrawn at {row['withdrawn_at']}")
        is_in_force = row["approved_at"] is not None and row["effective_from"] <= instant.to_text(now)
        # A worker whose clock is ahead may have used it.
        if is_in_force or is_remembered(row) or catalogs.is_pinned(facts.connection, identifier):
            raise Conflict(f"{identifier} counts already: adopt another version in its place")
        facts.record(happening, actor=ports.actor, at=now)


def file(identifier: str, *, status: str, on: date, body: str, ports: Ports, now: datetime) -> None:
    """Write down that a version was filed: with whom, when, and what became of it. The newest word counts.

    Raises:
        NotFound: no such version. BadInput: a word is missing or cannot be printed.
        Conflict: it was withdrawn.
    """
    detail = {"status": one_line(status, "the status"), "filed_on": on.isoformat(), "body": one_line(body, "the body")}
    happening = Happening("catalog-filed", stream_of_catalog(identifier), {"catalog": identifier}, detail)
    with ports.register.begin() as facts:
        row = catalogs.version(facts.connection, identifier)
        if row["withdrawn_at"] is not None:
            raise Conflict(f"{identifier} was withdrawn at {row['withdrawn_at']}")
        facts.record(happening, actor=ports.actor, at=now)
