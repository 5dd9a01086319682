# SPDX-License-Identifier: Apache-2.0
"""This is where people get accounts, and where the roles are given and taken that one administrator gives alone.

Privileged roles are two people's to give (`pipeline.approval_acts.role`). The first of each comes from whoever
installs, as long as nobody has it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from evidence import ids, instant
from evidence.access import PRIVILEGED, Role
from evidence.custody import Happening
from evidence.errors import BadInput, Conflict, NotFound, Refused
from evidence.ids import stream_of
from evidence.people import fold_login, looks_like
from evidence.written import one_line, reason
from pipeline.ports import Ports
from storage.register import casebook, credential_rows, search, session_rows, user_rows
from storage.register.facts import Facts
from storage.register.search import Connection, Row

LINK = "enrol"
"""The purpose of a link to begin an account."""

ORDINARY = frozenset({Role.OFFICER, Role.INVESTIGATOR, Role.LEGAL})
"""Roles that one administrator gives alone."""

_NEEDED = (Role.ADMIN, Role.APPROVER)
_TOLD = ("login", "name", "officer", "unit", "issuer", "subject")


@dataclass(frozen=True, slots=True)
class User:
    """What is registered of a user. `officer`: the number of their certificate. `unit`: None is the whole agency.

    `issuer` and `subject`: who they are to an OpenID provider.

    Raises:
        BadInput: a login or a name that cannot be, or a `subject` without its `issuer`.

    With an issuer alone, who first signs in there by this login is tied to the account.
    """

    login: str
    name: str
    officer: str | None = None
    unit: str | None = None
    issuer: str | None = None
    subject: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "login", fold_login(self.login))
        object.__setattr__(self, "name", one_line(self.name, "the name of a user"))
        if self.issuer is None and self.subject is not None:
            raise BadInput("name the issuer whose subject it is")

    def to_detail(self) -> Mapping[str, Any]:
        """As its event tells it."""
        return {name: getattr(self, name) for name in _TOLD}


def user_of(row: Row) -> User:
    """The user of a row."""
    return User(**{name: row[name] for name in _TOLD})


def register_user(user: User, *, ports: Ports, now: datetime) -> str:
    """Register a user, who has no role yet and no way to sign in; their id.

    Raises:
        Conflict: the login, the officer or the one elsewhere has an account, or the login is read as another one.
        NotFound: the officer or the unit is not registered.
    """
    with ports.register.begin() as writing:
        return _register(writing, user, ports=ports, now=now)


def _register(writing: Facts, user: User, *, ports: Ports, now: datetime) -> str:
    _check_login(writing.connection, user.login)
    ready = _checked(writing.connection, user, but=None)
    identifier = ids.opaque("usr", ports.chance(10))
    _write(writing, identifier, "user-registered", ports=ports, now=now, detail=ready.to_detail())
    return identifier


def _check_login(connection: Connection, login: str) -> None:
    known = user_rows.every_login(connection)
    if login in known:
        raise Conflict(f"the login {login} is {known[login]}'s", login=login)
    alike = looks_like(login, known)
    if alike is not None:
        raise Conflict(f"the login {login} is read as {alike}, which is another user's: choose one that differs more")


def _checked(connection: Connection, user: User, *, but: str | None) -> User:
    """`user` with the code of the unit; `but`: the id of the one who is changed."""
    if user.officer is not None and search.officer(connection, user.officer) is None:
        raise NotFound(f"no officer {user.officer[:80]!r}: run `evidock officer add` first", officer=user.officer[:80])
    others = user_rows.same_person_rows(connection, user.officer, user.issuer, user.subject)
    other = next((row["id"] for row in others if row["id"] != but), None)
    if other is not None:
        raise Conflict(f"{other} is the account of this person already", user=other)
    if user.unit is None:
        return user
    code = casebook.unit_told(connection, user.unit)
    if code is None:
        raise NotFound(f"no unit {user.unit[:80]!r}: run `evidock unit add` first", unit=user.unit[:80])
    return replace(user, unit=code)


def change_user(identifier: str, changes: Mapping[str, str | None], *, ports: Ports, now: datetime) -> bool:
    """Change name, officer, unit, or who they are elsewhere; False, and no event, when all is so already.

    Raises:
        NotFound: no such user, officer or unit. Conflict: another account is this person's. BadInput: not such a text.
    """
    unknown = set(changes) - set(_TOLD) | ({"login"} & set(changes))
    if unknown:
        raise BadInput(f"of a user {', '.join(sorted(unknown))} cannot be changed")
    with ports.register.begin() as writing:
        was = user_of(user_rows.user(writing.connection, identifier))
        told: Any = changes
        ready = _checked(writing.connection, replace(was, **told), but=identifier)
        if ready == was:
            return False
        _write(writing, identifier, "user-registered", ports=ports, now=now, detail=ready.to_detail())
    return True


def disable_user(identifier: str, *, why: str, ports: Ports, now: datetime) -> bool:
    """Shut a user out now: their sessions and links end with the same commit. False when they were before.

    Raises:
        NotFound: no such user. Refused: nobody else who is active has a role that must have somebody. BadInput.
    """
    told = {"why": reason(why)}
    with ports.register.begin() as writing:
        row = user_rows.user(writing.connection, identifier)
        if row["state"] != "active":
            return False
        for role in user_rows.roles_of(writing.connection, identifier):
            _check_not_last(writing.connection, role)
        _write(writing, identifier, "user-disabled", ports=ports, now=now, detail=told)
        session_rows.end_sessions_of(writing.connection, identifier, at=instant.to_text(now))
        credential_rows.drop_one_times(writing.connection, LINK, identifier)
    return True


def enable_user(identifier: str, *, why: str, ports: Ports, now: datetime) -> bool:
    """Let a user in again, with the roles they had; False when they never were shut out.

    Raises:
        NotFound: no such user. BadInput: no reason.
    """
    told = {"why": reason(why)}
    with ports.register.begin() as writing:
        if user_rows.user(writing.connection, identifier)["state"] == "active":
            return False
        _write(writing, identifier, "user-enabled", ports=ports, now=now, detail=told)
    return True


def give_role(identifier: str, role: str, *, ports: Ports, now: datetime) -> bool:
    """Give a user a role that one person gives alone; False when they have it.

    Raises:
        NotFound: no such user. BadInput: no such role of people. Refused: two people give it.
    """
    wanted = _role(role)
    if wanted in PRIVILEGED:
        raise Refused(f"two people give the role {wanted}: ask for it (`evidock approval request`), act `role`")
    with ports.register.begin() as writing:
        user_rows.user(writing.connection, identifier)
        if wanted in user_rows.roles_of(writing.connection, identifier):
            return False
        _write(writing, identifier, "role-given", ports=ports, now=now, facts={"role": wanted.value})
    return True


def take_role(identifier: str, role: str, *, ports: Ports, now: datetime) -> bool:
    """Take a role from a user; False when they do not have it.

    Raises:
        NotFound: no such user. BadInput: no such role. Refused: nobody else who is active has it, and one must.
    """
    wanted = _role(role)
    with ports.register.begin() as writing:
        row = user_rows.user(writing.connection, identifier)
        if wanted not in user_rows.roles_of(writing.connection, identifier):
            return False
        if row["state"] == "active":
            _check_not_last(writing.connection, wanted)
        _write(writing, identifier, "role-taken", ports=ports, now=now, facts={"role": wanted.value})
    return True


def found_user(user: User, role: str, *, ports: Ports, now: datetime) -> str:
    """Register the first user with a privileged role, for whoever installs; their id.

    Raises:
        BadInput: the role is not privileged. Refused: somebody has it: from then on two people give it.
        Conflict, NotFound: as `register_user`.
    """
    wanted = _role(role)
    if wanted not in PRIVILEGED:
        raise BadInput(f"the first users are {', '.join(sorted(PRIVILEGED))}; an administrator adds others")
    with ports.register.begin() as writing:
        if user_rows.holders_of(writing.connection, wanted):
            raise Refused(f"somebody has the role {wanted} already: from now on two people give it")
        identifier = _register(writing, user, ports=ports, now=now)
        facts = {"is_founding": True, "role": wanted.value}
        _write(writing, identifier, "role-given", ports=ports, now=now, facts=facts)
    return identifier


def _check_not_last(connection: Connection, role: str) -> None:
    if role in _NEEDED and user_rows.active_holders(connection, role) <= 1:
        raise Refused(f"nobody else who is active has the role {role}: give it to somebody first")


def _role(text: str) -> Role:
    people = sorted(ORDINARY | PRIVILEGED)
    if text not in people:
        raise BadInput(f"no role of people is called {text[:40]!r}: {', '.join(people)}")
    return Role(text)


def _write(
    writing: Facts, identifier: str, kind: str, *, ports: Ports, now: datetime,
    facts: Mapping[str, Any] | None = None, detail: Mapping[str, Any] | None = None,
) -> None:  # fmt: skip
    happening = Happening(kind, stream_of("user", identifier), facts=facts or {}, detail=detail)
    writing.record(happening, actor=ports.actor, at=now)
