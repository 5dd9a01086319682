# SPDX-License-Identifier: Apache-2.0
"""This is where the register is asked who belongs to a case."""

from sqlalchemy import Connection, exists, func, or_, select

from storage.register.answers import Row, all_rows
from storage.register.schema_cases import case_officers
from storage.register.schema_people import case_members, users


def members_of(connection: Connection, case_id: str) -> list[Row]:
    """The standing members of a case: `user`, `login`, `name`, `unit`, `state`, `since`, by login."""
    wanted = (
        select(case_members.c.user, users.c.login, users.c.name, users.c.unit, users.c.state, case_members.c.since)
        .join(users, users.c.id == case_members.c.user)
        .where(case_members.c.case_id == case_id, case_members.c.until.is_(None))
    )
    return all_rows(connection, wanted.order_by(users.c.login))


def is_member(connection: Connection, case_id: str, user: str) -> bool:
    """True when a user is a standing member of a case."""
    mine = (case_members.c.case_id == case_id, case_members.c.user == user, case_members.c.until.is_(None))
    return connection.scalar(select(case_members.c.user).where(*mine)) is not None


def people_of(connection: Connection, case_id: str, *, but: str) -> int:
    """How many active users but one see a case when it is restricted: members, and its officers."""
    member = exists(
        select(case_members.c.user).where(
            case_members.c.user == users.c.id, case_members.c.case_id == case_id, case_members.c.until.is_(None)
        )
    )
    officer = exists(
        select(case_officers.c.officer).where(
            case_officers.c.officer == users.c.officer, case_officers.c.case_id == case_id
        )
    )
    # Whoever leaves as a member stays if they are one of its officers.
    stays = or_(officer, member & (users.c.id != but))
    wanted = select(func.count()).select_from(users).where(users.c.state == "active", stays)
    return connection.scalar(wanted) or 0
