# SPDX-License-Identifier: Apache-2.0
"""This is where disposal lists are told to programs, from their signed records and from the register."""

from datetime import datetime
from typing import Any

from evidence import instant
from pipeline.disposal_list import DisposalList
from storage.register.answers import Row


def tell_list(told: DisposalList) -> dict[str, Any]:
    """A list as scripts get it."""
    return {
        "id": told.id,
        "digest": told.digest,
        "why": told.why,
        "proposed_by": told.proposed_by,
        "proposed_at": instant.to_text(told.proposed_at),
        "approved_by": told.approved_by,
        "approved_at": _text(told.approved_at),
        "grace_until": _text(told.grace_until),
        "is_withdrawn": told.is_withdrawn,
        "is_finished": told.is_finished,
        "withdrawn": sorted(told.withdrawn),
        "entries": [one.to_json() for one in told.entries],
    }


def stands(row: Row) -> str:
    """Where a list of the register stands, as a code for words."""
    if row["withdrawn_at"] is not None:
        return "withdrawn"
    if row["finished_at"] is not None:
        return "finished"
    return "proposed" if row["approved_at"] is None else "approved"


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else instant.to_text(moment)
