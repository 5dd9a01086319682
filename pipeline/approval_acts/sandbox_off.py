# SPDX-License-Identifier: Apache-2.0
"""This is where it is agreed that an installation decodes media without walls, until a time."""

from evidence.errors import BadInput
from pipeline.approval_acts.act import Act, Agreed, Asked, Performed, Settled
from pipeline.approval_acts.asked_for import one_of, only, until
from pipeline.approval_figures import approval_figures
from storage.register.facts import Facts
from storage.register.search import Connection

NAME = "sandbox-off"


def _settle(_: Connection, asked: Asked) -> Settled:
    only(asked.params, "until")
    one_of(asked.noun, "installation")
    if asked.subject != asked.place:
        raise BadInput(f"this installation is called {asked.place}, not {asked.subject[:80]!r}", field="subject")
    ends = until(asked.params, now=asked.now, days=approval_figures().leave.sandbox_off_days)
    return Settled("installation", asked.place, None, {"until": ends})


def _perform(_: Facts, agreed: Agreed) -> Performed:
    """Nothing is written but the agreement: whoever opens the installation reads it (`pipeline.approvals`)."""
    return Performed(alarm=f"{agreed.subject} may decode media without walls until {agreed.params['until']}")


ACT = Act(NAME, _settle, _perform)
