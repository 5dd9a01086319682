# SPDX-License-Identifier: Apache-2.0
"""This is where somebody who was given a link begins an account, or begins it again."""

from datetime import datetime

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from evidence import instant
from storage.register.answers import Row
from storage.register.search import Connection
from web.api.context import Context, Here
from web.api.sign_in import Credential, Options, Secret, SessionBody, address_of, given
from web.api.texts import Asking, Line
from web.signin import passkeys
from web.signin.changes import Beginning, Changing, begin_by_link, user_of_link
from web.signin.cookies import check_page

router = APIRouter(prefix="/v1/session/link", tags=["session"])


class LinkTold(Asking):
    """The secret of a link: what follows the `#`."""

    link: Line


class LinkUsed(LinkTold):
    """The secret of a link, and what to sign in with from now on: a password, a passkey, or both."""

    password: Secret | None = None
    passkey: Credential | None = None
    label: Line | None = None


class LinkBody(BaseModel):
    """Whom a link is for. `passkey`: what to make one by; null where the server was not told its name."""

    login: str
    name: str
    until_at: datetime
    passkey: Options | None


@router.post("/look", operation_id="session.link.look", response_model=LinkBody)
def look(told: LinkTold, request: Request, here: Here) -> LinkBody:
    """Whom a link is for; it stays good."""
    check_page(request)
    address, now = address_of(request), here.now()
    here.rates.challenges.count(address, at=here.monotonic())
    with here.ports.register.view() as connection:
        user, link = _counted(told.link, connection, address, here)
    asked = None
    if here.sign_in.host:
        asked = passkeys.ask_new(user, (), means=here.sign_in, ports=here.ports, now=now)
    until = instant.from_text(link["until_at"])
    return LinkBody(login=user["login"], name=user["name"], until_at=until, passkey=asked)


@router.post("", operation_id="session.link.begin", status_code=201, response_model=SessionBody)
def begin(told: LinkUsed, request: Request, response: Response, here: Here) -> SessionBody:
    """A session, by cookie. The link is used up, and all that the user signed in with before."""
    check_page(request)
    with here.ports.register.view() as connection:
        _counted(told.link, connection, address_of(request), here)
    beginning = Beginning(told.password, told.passkey, told.label or "")
    by = Changing(here.ports, here.sign_in, here.now())
    return given(begin_by_link(told.link, beginning, by=by), request, response, here)


def _counted(token: str, connection: Connection, address: str, here: Context) -> tuple[Row, Row]:
    """As `user_of_link`. Whoever guesses does not do so often."""
    here.rates.wrong_codes.count(address, at=here.monotonic())
    found = user_of_link(connection, token, now=here.now())
    here.rates.wrong_codes.take_back(address)
    return found
