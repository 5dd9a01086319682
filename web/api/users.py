# SPDX-License-Identifier: Apache-2.0
"""This is where administrators let people in and shut them out."""

from datetime import datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from evidence import instant
from pipeline import users
from pipeline.sign_in_links import issue_link
from storage.register import credential_rows, session_rows, user_rows
from storage.register.answers import Row
from storage.register.search import Connection
from web.access import audited
from web.access.acting import Acting, Asker
from web.api.etags import check_match, tagged
from web.api.idempotency import Once
from web.api.paging import Listed, Paged, listed
from web.api.texts import Asking, Id, Line, Words

router = APIRouter(prefix="/v1/users", route_class=audited.AuditedRoute, tags=["users"])

Reading = Annotated[Asker, Acting("user.read")]
Deciding = Annotated[Asker, Acting("user.change")]


class NewUser(Asking):
    """Somebody who gets an account. `unit` null: the whole agency. `issuer`, `subject`: who they are elsewhere."""

    login: Line
    name: Line
    officer: Line | None = None
    unit: Line | None = None
    issuer: Line | None = None
    subject: Line | None = None


class Changes(Asking):
    """What is to be different; what is not named stays."""

    name: Line | None = None
    officer: Line | None = None
    unit: Line | None = None
    issuer: Line | None = None
    subject: Line | None = None


class Why(Asking):
    """The reason."""

    why: Words


class UserInList(BaseModel):
    """A user. `unit` null: the whole agency."""

    id: str
    login: str
    name: str
    officer: str | None
    unit: str | None
    state: str
    roles: list[str]
    issuer: str | None
    subject: str | None
    registered_at: datetime
    disabled_at: datetime | None


class RoleBody(BaseModel):
    """A role of a user, and whence they have it."""

    role: str
    since: datetime
    is_founding: bool
    approval: str | None


class UserBody(UserInList):
    """A user, with whence each role came, what they sign in with, and how often they are signed in now."""

    given: list[RoleBody]
    means: list[str]
    sessions: int


class LinkBody(BaseModel):
    """A link, told once: hand it to this person and nobody else. Without a name of the server, its secret alone."""

    user: str
    link: str
    until_at: datetime


@router.get("", operation_id="users.list", response_model=Listed[UserInList])
def list_users(asker: Reading, paged: Paged) -> Listed[UserInList]:
    """Users as they were registered."""
    with asker.view() as connection:
        page = user_rows.users_page(connection, limit=paged.limit, after=paged.place())
    return listed([UserInList(**row) for row in page.rows], page)


@router.post("", operation_id="users.add", status_code=201, response_model=UserBody)
def add(told: NewUser, asker: Deciding, once: Once) -> Response:
    """The user, who has no role yet; a link lets them sign in."""

    def do() -> UserBody:
        made = users.register_user(users.User(**told.model_dump()), ports=asker.ports, now=asker.now)
        return _shown(made, asker)

    return once.answer(asker, do, status=201, headers=lambda body: {"Location": f"/v1/users/{_id_of(body)}"})


@router.get("/{user}", operation_id="users.show", response_model=UserBody)
def show(user: Id, request: Request, asker: Reading) -> Response:
    """A user."""
    return tagged(request, _shown(user, asker))


@router.patch("/{user}", operation_id="users.change", response_model=UserBody)
def change(user: Id, told: Changes, request: Request, asker: Deciding) -> Response:
    """The user as they are now."""
    check_match(request, _shown(user, asker))
    users.change_user(user, told.model_dump(exclude_unset=True), ports=asker.ports, now=asker.now)
    return tagged(request, _shown(user, asker))


@router.post("/{user}/disable", operation_id="users.disable", response_model=UserBody)
def disable(user: Id, told: Why, asker: Deciding) -> UserBody:
    """The user, who is shut out now, wherever they are signed in."""
    _named(user, asker)
    users.disable_user(user, why=told.why, ports=asker.ports, now=asker.now)
    return _shown(user, asker)


@router.post("/{user}/enable", operation_id="users.enable", response_model=UserBody)
def enable(user: Id, told: Why, asker: Deciding) -> UserBody:
    """The user, who may sign in again."""
    _named(user, asker)
    users.enable_user(user, why=told.why, ports=asker.ports, now=asker.now)
    return _shown(user, asker)


@router.put("/{user}/roles/{role}", operation_id="users.roles.give", response_model=UserBody)
def give_role(user: Id, role: Id, asker: Deciding) -> UserBody:
    """The user with one role more; privileged roles are two people's to give (`/v1/approvals`)."""
    _named(user, asker)
    users.give_role(user, role, ports=asker.ports, now=asker.now)
    return _shown(user, asker)


@router.delete("/{user}/roles/{role}", operation_id="users.roles.take", response_model=UserBody)
def take_role(user: Id, role: Id, asker: Deciding) -> UserBody:
    """The user with one role less."""
    _named(user, asker)
    users.take_role(user, role, ports=asker.ports, now=asker.now)
    return _shown(user, asker)


@router.post("/{user}/link", operation_id="users.link", status_code=201, response_model=LinkBody)
def link(user: Id, asker: Deciding, once: Once) -> Response:
    """A link to begin the account, or to begin it again; it is good once, for a day."""
    _named(user, asker)
    means = asker.here.sign_in

    def do() -> LinkBody:
        lasts = timedelta(hours=means.figures.link_hours)
        made = issue_link(user, lasts=lasts, ports=asker.ports, now=asker.now)
        return LinkBody(user=user, link=means.link(made.token), until_at=made.until)

    return once.answer(asker, do, status=201, is_secret=True)


def _shown(user: str, asker: Asker) -> UserBody:
    _named(user, asker)
    with asker.view() as connection:
        return UserBody(**_told(connection, user_rows.user(connection, user), asker))


def _named(user: str, asker: Asker) -> None:
    asker.about("user", user)


def _told(connection: Connection, row: Row, asker: Asker) -> dict[str, Any]:
    given = user_rows.role_rows_of(connection, row["id"])
    kinds = sorted({one["kind"] for one in credential_rows.credentials_of(connection, row["id"])})
    at = instant.to_text(asker.now)
    held = [one for one in session_rows.sessions_of(connection, row["id"]) if one["until_at"] > at]
    roles = [one["role"] for one in given]
    return dict(row) | {"given": given, "roles": roles, "means": kinds, "sessions": len(held)}


def _id_of(body: BaseModel) -> str:
    return body.id if isinstance(body, UserBody) else ""
