# SPDX-License-Identifier: Apache-2.0
"""This is where the end of a hold is agreed on: what was held may be disposed of afterwards, and then is gone."""

from pipeline import holds
from pipeline.approval_acts.act import Act, Agreed, Asked, Performed, Settled
from pipeline.approval_acts.asked_for import noun, one_of, only
from storage.register.facts import Facts
from storage.register.search import Connection


def _settle(connection: Connection, asked: Asked) -> Settled:
    only(asked.params)
    holds.check_stands(connection, asked.subject)
    hold, unit = noun(connection, one_of(asked.noun, "hold"), asked.subject)
    return Settled("hold", hold, unit)


def _perform(writing: Facts, agreed: Agreed) -> Performed:
    lifted = holds.lift_in(
        writing, agreed.subject, why=agreed.why, approval=agreed.approval, actor=agreed.decider, now=agreed.now
    )
    return Performed(recordings=lifted.recordings)


ACT = Act("hold-lift", _settle, _perform)
