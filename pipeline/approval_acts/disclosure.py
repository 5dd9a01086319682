# SPDX-License-Identifier: Apache-2.0
"""This is where leave to take an export of a case out is agreed on."""

from pipeline.approval_acts.act import Act, Agreed, Asked, Performed, Settled
from pipeline.approval_acts.asked_for import noun, one_of, only, text, until, user
from pipeline.approval_acts.granting import grant, of_user
from pipeline.approval_figures import approval_figures
from storage.register.facts import Facts
from storage.register.search import Connection


def _settle(connection: Connection, asked: Asked) -> Settled:
    only(asked.params, "user", "until")
    for_whom = user(connection, text(asked.params, "user"), asker=asked.asker)["id"]
    subject, unit = noun(connection, one_of(asked.noun, "case"), asked.subject)
    ends = until(asked.params, now=asked.now, days=approval_figures().leave.disclosure_days)
    return Settled("case", subject, unit, {"until": ends, "user": for_whom}, (for_whom,))


def _perform(writing: Facts, agreed: Agreed) -> Performed:
    return Performed(grant(writing, agreed, what="export", until=agreed.params["until"]))


ACT = Act("disclosure", _settle, _perform, of_user)
