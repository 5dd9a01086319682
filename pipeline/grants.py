# SPDX-License-Identifier: Apache-2.0
"""This is where a grant is asked for and ended: leave to see or take something, from an agreement, until a time.

A grant is used at a time that never goes back (`Steady.now`): a clock that is set back opens none again.
"""

from datetime import datetime
from enum import StrEnum

from evidence import instant
from evidence.access import Actor
from evidence.custody import Happening
from evidence.errors import BadInput, WrongState
from evidence.ids import stream_of
from evidence.written import reason
from pipeline.approval_people import check_may_decide
from pipeline.ports import Ports
from storage.register import approval_rows
from storage.register.search import Connection, Row


class What(StrEnum):
    """What a grant gives leave to."""

    VIEW = "view"
    ORIGINAL = "original"
    EXPORT = "export"
    BREAK_GLASS = "break-glass"


# Whoever may take the original may see it. Broken glass shows, and hands nothing out.
_HELD_BY = {
    What.VIEW: (What.VIEW, What.ORIGINAL, What.BREAK_GLASS),
    What.ORIGINAL: (What.ORIGINAL,),
    What.EXPORT: (What.EXPORT,),
    What.BREAK_GLASS: (What.BREAK_GLASS,),
}


def standing(connection: Connection, user: str, *, now: datetime) -> list[Row]:
    """The grants of an active user that stand now, those that end last first."""
    return approval_rows.standing_grants(connection, user, at=instant.to_text(now))


def may(
    connection: Connection,
    actor: Actor,
    what: str,
    *,
    recording: str | None = None,
    case: str | None = None,
    now: datetime,
) -> Row | None:
    """The grant by which a person may do `what` with a recording or a case (ids); None when there is none.

    A grant on a case is one on every recording of which the case holds a part now. Of several the one without a
    watermark is told, then the one that ends last. Programs and docks have no grants.

    Raises:
        BadInput: not exactly one noun.
    """
    if (recording is None) == (case is None):
        raise BadInput("a grant is on one recording or on one case")
    door, _, user = actor.id.partition(":")
    if door != "user":
        return None
    found = approval_rows.grants_on(
        connection,
        user,
        at=instant.to_text(now),
        what=[one.value for one in _HELD_BY[What(what)]],
        recording=recording,
        case=case,
    )
    return found[0] if found else None


def revoke(grant: str, *, why: str, ports: Ports, now: datetime) -> Row:
    """End a grant before its time, at once; one approver is enough. The row as it is then.

    Raises:
        BadInput: no reason. NotFound: no such grant. WrongState: it has ended already.
        NotAllowed: they are no approver of its unit.
    """
    told = {"why": reason(why, "the reason for ending a grant")}
    with ports.register.begin() as writing:
        connection = writing.connection
        row = approval_rows.grant(connection, grant)
        if row["revoked_at"] is not None or row["until_at"] <= instant.to_text(now):
            raise WrongState(f"{grant} ended at {row['revoked_at'] or row['until_at']}", grant=grant)
        unit = approval_rows.approval(connection, row["approval"])["unit"]
        check_may_decide(connection, ports.actor, unit=unit, gains=())
        writing.record(Happening("grant-revoked", stream_of("grant", grant), detail=told), actor=ports.actor, at=now)
        return approval_rows.grant(connection, grant)
