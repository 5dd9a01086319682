# SPDX-License-Identifier: Apache-2.0
"""This is where a user gets a link that is good once, to begin an account or to begin it again."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from evidence import instant
from evidence.access import PRIVILEGED
from evidence.custody import Happening
from evidence.errors import Refused, WrongState
from evidence.ids import stream_of
from evidence.tokens import TOKEN_BYTES, token_of, token_sha256
from pipeline.ports import Ports
from pipeline.users import LINK
from storage.register import credential_rows, user_rows

_MACHINE = "cli"


@dataclass(frozen=True, slots=True)
class Link:
    """What is handed to the person; `token` is told once, here, and kept nowhere."""

    user: str
    token: str
    until: datetime


def issue_link(user: str, *, lasts: timedelta, ports: Ports, now: datetime) -> Link:
    """A link for a user, in the place of any before it. What they proved themselves by so far ends once it is used.

    Whoever holds a privileged role gets theirs at the machine itself: an administrator who could make one alone
    could be the second person of everything.

    Raises:
        NotFound: no such user. WrongState: they are disabled. Refused: the role is privileged, and this is not
            the machine.
    """
    token, until = token_of(ports.chance(TOKEN_BYTES)), now + lasts
    with ports.register.begin() as writing:
        row = user_rows.user(writing.connection, user)
        if row["state"] != "active":
            raise WrongState(f"{user} is disabled: enable them first", user=user)
        check_link_maker(user_rows.roles_of(writing.connection, user), ports.actor)
        credential_rows.drop_one_times(writing.connection, LINK, user)
        kept = {
            "sha256": token_sha256(token),
            "purpose": LINK,
            "subject": user,
            "told": ports.actor,
            "until_at": instant.to_text(until),
        }
        credential_rows.add_one_time(writing.connection, kept, forget_before=instant.to_text(now - lasts))
        facts = {"change": "issued", "credential": "link"}
        writing.record(Happening("credential-changed", stream_of("user", user), facts=facts), actor=ports.actor, at=now)
    return Link(user, token, until)


def check_link_maker(roles: list[str], maker: str) -> None:
    """Return when `maker`, an actor, may have made a link for somebody with these roles; asked again at its use.

    Raises:
        Refused: only whoever is at the machine may.
    """
    if PRIVILEGED.intersection(roles) and maker.partition(":")[0] != _MACHINE:
        raise Refused("who is administrator, approver or auditor gets a link at the machine only: `evidock user link`")
