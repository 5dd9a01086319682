# SPDX-License-Identifier: Apache-2.0
"""This is where somebody whose role shows no footage is let in for hours at most, with an alarm."""

from datetime import timedelta

from evidence import instant
from evidence.access import Role
from evidence.errors import BadInput
from pipeline.approval_acts.act import Act, Agreed, Asked, Performed, Settled
from pipeline.approval_acts.asked_for import noun, one_of, only, text, user, whole, yes
from pipeline.approval_acts.granting import grant, of_user
from pipeline.approval_figures import approval_figures
from storage.register import user_rows
from storage.register.facts import Facts
from storage.register.search import Connection

_WHO = frozenset({Role.ADMIN, Role.AUDITOR})


def _settle(connection: Connection, asked: Asked) -> Settled:
    only(asked.params, "user", "minutes", "watermark")
    for_whom = user(connection, text(asked.params, "user"), asker=asked.asker)["id"]
    if not _WHO & set(user_rows.roles_of(connection, for_whom)):
        raise BadInput("breaking glass is for administrators and auditors: others ask for `access`", user=for_whom)
    subject, unit = noun(connection, one_of(asked.noun, "recording", "case"), asked.subject)
    params = {
        "minutes": whole(asked.params, "minutes", most=approval_figures().leave.break_glass_minutes),
        "user": for_whom,
        "watermark": yes(asked.params, "watermark"),
    }
    return Settled(asked.noun, subject, unit, params, (for_whom,))


def _perform(writing: Facts, agreed: Agreed) -> Performed:
    """From the decision on: what is short must not run while it waits for one."""
    until = instant.to_text(agreed.now + timedelta(minutes=agreed.params["minutes"]))
    made = grant(writing, agreed, what="break-glass", until=until)
    told = f"{agreed.params['user']} may see {agreed.noun} {agreed.subject} until {until}: {agreed.why}"
    return Performed(made, alarm=f"glass was broken: {told}")


ACT = Act("break-glass", _settle, _perform, of_user)
