# SPDX-License-Identifier: Apache-2.0
"""This is where leave to see (调阅审批) is agreed on: a recording or a case, to view or to take the original."""

from evidence.errors import BadInput
from pipeline.approval_acts.act import Act, Agreed, Asked, Performed, Settled
from pipeline.approval_acts.asked_for import noun, one_of, only, text, until, user, yes
from pipeline.approval_acts.granting import grant, of_user
from pipeline.approval_figures import approval_figures
from storage.register.facts import Facts
from storage.register.search import Connection


def _settle(connection: Connection, asked: Asked) -> Settled:
    only(asked.params, "user", "what", "until", "watermark")
    what, leave = text(asked.params, "what") or "view", approval_figures().leave
    if what not in ("view", "original"):
        raise BadInput(f"leave is given to `view` or for the `original`, not {what!r}", field="what")
    for_whom = user(connection, text(asked.params, "user"), asker=asked.asker)["id"]
    subject, unit = noun(connection, one_of(asked.noun, "recording", "case"), asked.subject)
    days = leave.view_days if what == "view" else leave.original_days
    params = {
        "until": until(asked.params, now=asked.now, days=days),
        "user": for_whom,
        "watermark": yes(asked.params, "watermark"),
        "what": what,
    }
    return Settled(asked.noun, subject, unit, params, (for_whom,))


def _perform(writing: Facts, agreed: Agreed) -> Performed:
    return Performed(grant(writing, agreed, what=agreed.params["what"], until=agreed.params["until"]))


ACT = Act("access", _settle, _perform, of_user)
