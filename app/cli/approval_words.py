# SPDX-License-Identifier: Apache-2.0
"""This is where approvals and grants become words, JSON and tables."""

from collections.abc import Mapping
from datetime import datetime, tzinfo
from typing import Any

from app.cli.recordings import show_time
from app.cli.session import out
from app.words import word
from evidence import instant
from pipeline.approval_told import Approval

_MOMENTS = ("requested_at", "expires_at", "decided_at", "used_at")
_TOLD = ("id", "act", "noun", "subject", "unit", "params", "digest", "why", "requested_by", "decision", "decided_by")


def tell_approval(told: Approval, now: datetime) -> dict[str, Any]:
    """An approval as scripts get it."""
    body = {name: getattr(told, name) for name in (*_TOLD, "decided_why")}
    moments = {name: _text(getattr(told, name)) for name in _MOMENTS}
    return body | moments | {"params": dict(told.params), "state": told.state(now)}


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else instant.to_text(moment)


def cells(told: Approval, zone: tzinfo, now: datetime) -> tuple[str, ...]:
    """An approval as a line of a table."""
    return (
        told.id,
        word("approval.act", told.act),
        told.subject,
        word("approval.state", told.state(now)),
        told.requested_by,
        show_time(instant.to_text(told.requested_at), zone),
        told.why,
    )


def show_approval(told: Approval, zone: tzinfo, now: datetime) -> None:
    """An approval for people: all that the second of two must know."""
    out.print(f"{told.id}: {word('approval.act', told.act)}, {told.noun} {told.subject}")
    for name, value in told.params.items():
        out.print(f"  {name}: {_shown(name, value, zone)}")
    out.print(f"  asked for by {told.requested_by} at {show_time(_text(told.requested_at), zone)}: {told.why}")
    out.print(f"  decided by an approver of {told.unit or 'the whole agency'}")
    state = word("approval.state", told.state(now))
    if told.decided_by is None:
        out.print(f"  {state}; until {show_time(_text(told.expires_at), zone)}")
    else:
        why = f": {told.decided_why}" if told.decided_why else ""
        out.print(f"  {state} by {told.decided_by} at {show_time(_text(told.decided_at), zone)}{why}")
    out.print(f"  digest {told.digest}")


def _shown(name: str, value: Any, zone: tzinfo) -> str:
    return show_time(value, zone) if name == "until" else str(value)


def grant_cells(row: Mapping[str, Any], zone: tzinfo) -> tuple[str, ...]:
    """A grant as a line of a table."""
    ended = show_time(row["revoked_at"], zone) if row["revoked_at"] else ""
    until = show_time(row["until_at"], zone)
    what = f"{row['what']}{', with a watermark' if row['watermark'] else ''}"
    return row["id"], row["user"], what, f"{row['noun']} {row['subject']}", until, ended, row["why"]
