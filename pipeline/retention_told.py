# SPDX-License-Identifier: Apache-2.0
"""This is where it is told to programs until when a recording is kept, and why."""

from datetime import datetime
from typing import Any

from evidence import instant
from evidence.retention import Decision, recompute
from storage.register.keeping import Entry


def tell_decision(entry: Entry, decision: Decision, now: datetime) -> dict[str, Any]:
    """The JSON of an answer with every reason for it; `recomputes`: the same follows from these reasons alone."""
    reasons = [reason.to_json() for reason in decision.reasons]
    again = recompute(reasons, now=now)
    return {
        "recording": entry.id,
        "outcome": decision.outcome.value,
        "until": None if decision.until is None else instant.to_text(decision.until),
        "now": instant.to_text(now),
        "reasons": reasons,
        "recomputes": again == (decision.outcome, decision.until),
        "swept": None if entry.was is None else {"outcome": entry.was[0], "until": entry.was[1]},
    }
