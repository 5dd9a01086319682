# SPDX-License-Identifier: Apache-2.0
"""This is where a person sees who they are to us: their roles, what they may do, and where they are signed in."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from evidence.access import ACTS, Reach, reach_of
from evidence.errors import NotFound
from storage.register import credential_rows, session_rows, user_rows
from web.access import audited
from web.access.acting import Acting, Asker
from web.api.etags import tagged
from web.api.texts import Id
from web.signin import passkeys, totp
from web.signin.accounts import PASSWORD
from web.signin.sessions import Session, end_session

router = APIRouter(prefix="/v1/me", route_class=audited.AuditedRoute, tags=["me"])

Own = Annotated[Asker, Acting("user.self")]

_SESSION_LETTERS = 20


class Means(BaseModel):
    """What a person can sign in with here."""

    password: bool
    totp: bool
    passkeys: int


class MeBody(BaseModel):
    """Who asks. `acts`: what they may do, each with how far: self, granted, own, unit or all. `unit` null: all of it.

    `proved_at`: sensitive acts want that it is minutes ago; `sensitive` are those acts.
    """

    id: str
    login: str
    name: str
    officer: str | None
    unit: str | None
    roles: list[str]
    acts: dict[str, str]
    sensitive: list[str]
    means: Means
    proved_at: datetime | None


class OwnSession(BaseModel):
    """Where somebody is signed in."""

    id: str
    how: str
    made_at: datetime
    seen_at: datetime
    until_at: datetime
    is_this: bool


class OwnSessions(BaseModel):
    """All of them, oldest first; they are few."""

    items: list[OwnSession]
    next: None = None


@router.get("", operation_id="me.show", response_model=MeBody)
def show(request: Request, asker: Own) -> Response:
    """Who asks, and what they may do."""
    actor = asker.actor
    with asker.view() as connection:
        row = user_rows.user(connection, actor.name)
        kinds = [one["kind"] for one in credential_rows.credentials_of(connection, actor.name)]
    reaches = {name: reach_of(actor, name) for name in ACTS}
    allowed = {name: reach for name, reach in sorted(reaches.items()) if reach is not Reach.NONE}
    means = Means(password=PASSWORD in kinds, totp=totp.KIND in kinds, passkeys=kinds.count(passkeys.KIND))
    body = MeBody(
        **{name: row[name] for name in ("id", "login", "name", "officer", "unit")},
        roles=sorted(actor.roles),
        acts={name: reach.name.lower() for name, reach in allowed.items()},
        sensitive=[name for name in allowed if ACTS[name].is_sensitive],
        means=means,
        proved_at=asker.known.proved_at,
    )
    return tagged(request, body)


@router.get("/sessions", operation_id="me.sessions.list", response_model=OwnSessions)
def list_sessions(asker: Own) -> OwnSessions:
    """Where the person is signed in."""
    return OwnSessions(items=[_own(one, asker) for one in _sessions(asker)])


@router.delete("/sessions/{session}", operation_id="me.sessions.end", status_code=204, response_class=Response)
def end(session: Id, asker: Own) -> None:
    """Nothing: whoever used that session is signed out.

    Raises:
        NotFound: no such session of this person.
    """
    found = next((one for one in _sessions(asker) if _id(one) == session), None)
    if found is None:
        raise NotFound("no such session of yours")
    end_session(found.sha256, user=found.user, why="ended", ports=asker.ports, now=asker.now)


def _sessions(asker: Asker) -> list[Session]:
    figures = asker.here.sign_in.figures
    with asker.view() as connection:
        rows = session_rows.sessions_of(connection, asker.actor.name)
    return [one for one in map(Session.of_row, rows) if not one.is_over(figures, asker.now)]


def _own(one: Session, asker: Asker) -> OwnSession:
    return OwnSession(
        id=_id(one),
        how=one.how,
        made_at=one.made_at,
        seen_at=one.seen_at,
        until_at=one.until_at,
        is_this=one.sha256 == asker.known.holder,
    )


def _id(one: Session) -> str:
    return f"ses-{one.sha256[:_SESSION_LETTERS]}"
