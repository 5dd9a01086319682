# SPDX-License-Identifier: Apache-2.0
"""This is where a privileged role is agreed on: nobody makes an administrator, auditor or approver alone."""

from evidence.access import PRIVILEGED, Role
from evidence.custody import Happening
from evidence.errors import BadInput, Conflict
from evidence.ids import stream_of
from pipeline.approval_acts.act import Act, Agreed, Asked, Performed, Settled
from pipeline.approval_acts.asked_for import one_of, only, text, user
from storage.register import user_rows
from storage.register.facts import Facts
from storage.register.search import Connection


def _settle(connection: Connection, asked: Asked) -> Settled:
    only(asked.params, "role")
    one_of(asked.noun, "user")
    role, wanted = text(asked.params, "role"), {one.value for one in PRIVILEGED}
    if role not in wanted:
        raise BadInput(f"two people give the roles {', '.join(sorted(wanted))}; others an administrator gives alone")
    row = user(connection, asked.subject, asker=asked.asker)
    _check_new(connection, row["id"], role)
    # Administrators and auditors reach everything, so nobody of one unit decides who they are.
    unit = row["unit"] if role == Role.APPROVER else None
    return Settled("user", row["id"], unit, {"role": role}, (row["id"],))


def _check_new(connection: Connection, identifier: str, role: str) -> None:
    if role in user_rows.roles_of(connection, identifier):
        raise Conflict(f"{identifier} has the role {role} already", user=identifier)


def _perform(writing: Facts, agreed: Agreed) -> Performed:
    row, role = user(writing.connection, agreed.subject, asker=agreed.decider), agreed.params["role"]
    _check_new(writing.connection, row["id"], role)
    given = Happening("role-given", stream_of("user", row["id"]), facts={"approval": agreed.approval, "role": role})
    writing.record(given, actor=agreed.decider, at=agreed.now)
    return Performed(alarm=f"{row['id']} is now {role}")


ACT = Act("role", _settle, _perform, lambda agreed: (agreed.subject,))
