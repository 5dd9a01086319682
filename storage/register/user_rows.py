# SPDX-License-Identifier: Apache-2.0
"""This is where the register is asked about users, their roles, and the keys of programs."""

import json
from collections.abc import Iterable

from sqlalchemy import Connection, and_, func, or_, select

from evidence.errors import NotFound
from evidence.ids import stream_of
from storage.register.answers import Page, Place, Row, Stretch, all_rows, one_row, page_of
from storage.register.schema_cases import units
from storage.register.schema_people import accesses, api_keys, user_roles, users


def user(connection: Connection, identifier: str) -> Row:
    """The user of this id.

    Raises:
        NotFound: there is none.
    """
    row = one_row(connection, select(users).where(users.c.id == identifier))
    if row is None:
        raise NotFound(f"no user {identifier[:80]!r} (`evidock user list` lists them)", user=identifier[:80])
    return row


def user_of_login(connection: Connection, login: str) -> Row | None:
    """The user of a login, as `evidence.people` folds it."""
    return one_row(connection, select(users).where(users.c.login == login))


def user_elsewhere(connection: Connection, issuer: str, subject: str) -> Row | None:
    """The user whom an OpenID provider knows as `subject`."""
    return one_row(connection, select(users).where(users.c.issuer == issuer, users.c.subject == subject))


def same_person_rows(connection: Connection, officer: str | None, issuer: str | None, subject: str | None) -> list[Row]:
    """The users with this certificate number, or known as `subject` to an OpenID provider; None asks for neither."""
    same = []
    if officer is not None:
        same.append(users.c.officer == officer)
    if issuer is not None and subject is not None:  # whoever was never there yet is nobody there
        same.append(and_(users.c.issuer == issuer, users.c.subject == subject))
    return all_rows(connection, select(users).where(or_(*same)).order_by(users.c.id)) if same else []


def every_login(connection: Connection) -> dict[str, str]:
    """The id of the user of each login."""
    return {row.login: row.id for row in connection.execute(select(users.c.login, users.c.id))}


def users_page(connection: Connection, *, limit: int | None, after: Place | None = None) -> Page:
    """Users as they were registered, page by page; each with its `roles`, by name."""
    page = page_of(
        connection, [Stretch(select(users), users.c.registered_at, users.c.id, is_short=True)], limit=limit, after=after
    )
    roles = roles_by_user(connection, [row["id"] for row in page.rows])
    return Page([dict(row) | {"roles": roles.get(row["id"], [])} for row in page.rows], page.after)


def roles_of(connection: Connection, user: str) -> list[str]:
    """The roles of a user, by name."""
    wanted = select(user_roles.c.role).where(user_roles.c.user == user)
    return list(connection.scalars(wanted.order_by(user_roles.c.role)))


def role_rows_of(connection: Connection, user: str) -> list[Row]:
    """The roles of a user with whence each came: role, since, is_founding, approval."""
    names = ("role", "since", "is_founding", "approval")
    wanted = select(*(user_roles.c[name] for name in names)).where(user_roles.c.user == user)
    return all_rows(connection, wanted.order_by(user_roles.c.role))


def roles_by_user(connection: Connection, identifiers: Iterable[str]) -> dict[str, list[str]]:
    """The roles of each of some users (of at most a page), by name."""
    found: dict[str, list[str]] = {}
    wanted = select(user_roles.c.user, user_roles.c.role).where(user_roles.c.user.in_(list(identifiers)))
    for row in connection.execute(wanted.order_by(user_roles.c.user, user_roles.c.role)):
        found.setdefault(row.user, []).append(row.role)
    return found


def holders_of(connection: Connection, role: str) -> list[str]:
    """The users who have a role, disabled ones too."""
    return list(connection.scalars(select(user_roles.c.user).where(user_roles.c.role == role)))


def active_holders(connection: Connection, role: str) -> int:
    """How many active users have a role."""
    wanted = select(func.count()).select_from(user_roles.join(users, users.c.id == user_roles.c.user))
    return connection.scalar(wanted.where(user_roles.c.role == role, users.c.state == "active")) or 0


def units_below(connection: Connection, unit: str) -> tuple[str, ...]:
    """The codes of a unit and of all below it; of a unit that is not registered, its own alone."""
    tree = select(units.c.code).where(units.c.parent == unit).cte("below", recursive=True)
    # UNION, not UNION ALL: units that were above each other by mistake would never end.
    tree = tree.union(select(units.c.code).join(tree, units.c.parent == tree.c.code))
    return (unit, *sorted(code for code in connection.scalars(select(tree.c.code)) if code != unit))


def key(connection: Connection, identifier: str) -> Row:
    """The key of a program, by id; `acts` is a list.

    Raises:
        NotFound: there is none.
    """
    row = one_row(connection, select(api_keys).where(api_keys.c.id == identifier))
    if row is None:
        raise NotFound(f"no key {identifier[:80]!r}", key=identifier[:80])
    return _key(row)


def key_of_digest(connection: Connection, sha256: str) -> Row | None:
    """The key whose secret has this digest, whatever became of it."""
    row = one_row(connection, select(api_keys).where(api_keys.c.sha256 == sha256))
    return None if row is None else _key(row)


def keys_page(connection: Connection, *, limit: int | None, after: Place | None = None) -> Page:
    """Keys as they were made, page by page."""
    stretch = Stretch(select(api_keys), api_keys.c.made_at, api_keys.c.id, is_short=True)
    page = page_of(connection, [stretch], limit=limit, after=after)
    return Page([_key(row) for row in page.rows], page.after)


def last_uses(connection: Connection, identifiers: Iterable[str]) -> dict[str, str]:
    """When each of some keys (of at most a page) last asked for something that is on record; none: never."""
    streams = {stream_of("key", identifier): identifier for identifier in identifiers}
    wanted = select(accesses.c.stream, func.max(accesses.c.at)).where(accesses.c.stream.in_(streams))
    return {streams[stream]: at for stream, at in connection.execute(wanted.group_by(accesses.c.stream))}


def _key(row: Row) -> Row:
    return dict(row) | {"acts": json.loads(row["acts"])}
