# SPDX-License-Identifier: Apache-2.0
"""This is where it is told whether two actors are one person, and whether somebody may be the second of two.

One person has several doors: an account at the machine (`cli:li`), an account of ours (`user:usr-…`, whose login is
`li`), and a certificate that names them as an officer. Two of these that may be one person are one person here.
"""

from collections.abc import Iterable

from evidence.access import Role
from evidence.disposal import is_same_person
from evidence.errors import BadInput, NotAllowed, NotFound
from evidence.people import fold_login, looks_like
from storage.register import user_rows
from storage.register.search import Connection, Row

_PERSONS = "user"
_TERMINAL = "cli"


def same_person(connection: Connection, one: str, other: str) -> bool:
    """True when two actors may be one person: by account, by login in any spelling, or by certificate number."""
    if is_same_person(one, other):
        return True
    others = _names(connection, other)
    return any(_is_alike(mine, yours) for mine in _names(connection, one) for yours in others)


def _is_alike(one: str, other: str) -> bool:
    if is_same_person(one, other):
        return True
    try:
        mine, yours = (fold_login(name.partition(":")[2]) for name in (one, other))
    except BadInput:
        return False
    return looks_like(mine, [yours]) is not None


def _names(connection: Connection, actor: str) -> set[str]:
    """Everything a person is known by, each after a door, so that it can be compared as an actor."""
    return {actor} | {
        # Marked, because a certificate number is nobody's login.
        f"{sort}:{'#' if sort == 'officer' else ''}{row[sort]}"
        for row in _users_of(connection, actor)
        for sort in ("id", "login", "officer")
        if row[sort]
    }


def _users_of(connection: Connection, actor: str) -> list[Row]:
    """The users who may be this actor."""
    door, _, account = actor.partition(":")
    if door == _PERSONS:
        try:
            return [user_rows.user(connection, account)]
        except NotFound:
            return []
    alike = {
        user for login, user in user_rows.every_login(connection).items() if is_same_person(f"login:{login}", actor)
    }
    return [user_rows.user(connection, one) for one in sorted(alike)]


def check_may_ask(connection: Connection, actor: str) -> None:
    """Return when an actor is a person who may ask for an approval.

    Raises:
        NotAllowed: a program, a dock, or a user who is disabled or unknown.
    """
    door = actor.partition(":")[0]
    if door in ("key", "dock"):
        raise NotAllowed(f"{actor} is no person: what needs two people is asked for by one")
    _check_active(connection, actor)


def check_may_decide(connection: Connection, actor: str, *, unit: str | None, gains: Iterable[str]) -> None:
    """Return when an actor may be the second person of an approval that is of `unit` (None: of the whole agency).

    `gains`: the users who get something by it: none of them decides it. Whoever is at the machine's own terminal
    and is no user of ours may decide only as long as nobody is an approver.

    Raises:
        NotAllowed: they may not; the message says who may.
    """
    door = actor.partition(":")[0]
    if door not in (_PERSONS, _TERMINAL):
        raise NotAllowed(f"{actor} is no person: two people agree")
    for user in gains:
        if same_person(connection, actor, f"{_PERSONS}:{user}"):
            raise NotAllowed("nobody decides on what they themselves are to get")
    _check_active(connection, actor)
    mine = [one for one in _users_of(connection, actor) if Role.APPROVER in user_rows.roles_of(connection, one["id"])]
    if any(_holds(connection, one["unit"], unit) for one in mine):
        return
    if mine:
        raise NotAllowed(f"this is for an approver of {unit or 'the whole agency'} to decide", unit=unit)
    if door == _TERMINAL and not user_rows.active_holders(connection, Role.APPROVER):
        return
    raise NotAllowed("an approver decides this")


def _check_active(connection: Connection, actor: str) -> None:
    found = _users_of(connection, actor)
    if actor.partition(":")[0] == _PERSONS and not found:
        raise NotAllowed(f"{actor} is not registered")
    if any(one["state"] != "active" for one in found):
        raise NotAllowed(f"{actor} is disabled")


def units_of(connection: Connection, unit: str | None) -> tuple[str | None, ...] | None:
    """The units whose approvals an approver of `unit` decides: it and those below; None: every one."""
    return None if unit is None else user_rows.units_below(connection, unit)


def _holds(connection: Connection, mine: str | None, unit: str | None) -> bool:
    return mine is None or (unit is not None and unit in user_rows.units_below(connection, mine))
