# SPDX-License-Identifier: Apache-2.0
"""This is where people sign in, prove themselves anew, and sign out."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field, StringConstraints

from evidence.errors import BadInput, NotSignedIn
from evidence.tokens import token_sha256
from storage.register import session_rows, user_rows
from web.api.context import Context, Here
from web.api.rates import neighbours
from web.api.texts import Asking
from web.signin import passkeys
from web.signin.accounts import Believed, Proof, by_passkey, by_password
from web.signin.cookies import check_page, give_cookie, take_cookie
from web.signin.sessions import Session, end_session, open_session, renew_session
from web.signin.who import SignedIn, signed_in

router = APIRouter(prefix="/v1/session", tags=["session"])

Login = Annotated[str, StringConstraints(max_length=200)]
Secret = Annotated[str, StringConstraints(max_length=1024)]
Code = Annotated[str, StringConstraints(max_length=20)]
Credential = Annotated[dict[str, Any], Field(description="What the browser's credential.toJSON() tells.")]
Options = Annotated[dict[str, Any], Field(description="What the browser's navigator.credentials takes.")]


class SigningIn(Asking):
    """A login with its password, and the code that an app shows where the account has codes."""

    login: Login
    password: Secret
    code: Code = ""


class Proving(Asking):
    """The password (and code) of the person who is signed in, or a passkey of theirs."""

    password: Secret | None = None
    code: Code = ""
    passkey: Credential | None = None


class PasskeySigningIn(Asking):
    """A passkey that signed what `options` asked."""

    passkey: Credential


class PasskeyAsked(BaseModel):
    """What a passkey is to sign; good once, for minutes."""

    options: Options


class SessionBody(BaseModel):
    """A session: whose, how they proved themselves and when, and how long it lasts at most."""

    user: str
    login: str
    name: str
    how: str
    made_at: datetime
    proved_at: datetime
    until_at: datetime


@router.post("", operation_id="session.begin", status_code=201, response_model=SessionBody)
def sign_in(told: SigningIn, request: Request, response: Response, here: Here) -> SessionBody:
    """A session, by cookie, for whoever knows password and code."""
    check_page(request)
    proof = Proof(address_of(request), told.password, told.code)
    return _begin(by_password(told.login, proof, here), request, response, here)


@router.post("/passkey/options", operation_id="session.passkey.ask", response_model=PasskeyAsked)
def ask_passkey(request: Request, here: Here) -> PasskeyAsked:
    """What a passkey is to sign; it names nobody."""
    check_page(request)
    here.rates.challenges.count(address_of(request), at=here.monotonic())
    return PasskeyAsked(options=passkeys.ask_known(means=here.sign_in, ports=here.ports, now=here.now()))


@router.post("/passkey", operation_id="session.passkey.begin", status_code=201, response_model=SessionBody)
def sign_in_by_passkey(told: PasskeySigningIn, request: Request, response: Response, here: Here) -> SessionBody:
    """A session, by cookie, for whoever holds the passkey of a user."""
    check_page(request)
    return _begin(by_passkey(told.passkey, here), request, response, here)


@router.get("", operation_id="session.show", response_model=SessionBody)
def show(request: Request, here: Here) -> SessionBody:
    """The session that this request is of."""
    return session_body(_session(signed_in(request, here)), here)


@router.post("/proof", operation_id="session.prove", response_model=SessionBody)
def prove(told: Proving, request: Request, response: Response, here: Here) -> SessionBody:
    """The same session under a new token, its person proved anew: what sensitive acts want."""
    check_page(request)
    session = _session(signed_in(request, here))
    believed = _proved(told, session, request, here)
    if believed.user != session.user:
        raise NotSignedIn("this is another person than the one who is signed in")
    now, means = here.now(), here.sign_in
    token = renew_session(session, believed.how, ports=here.ports, figures=means.figures, now=now)
    return given(token, request, response, here)


@router.delete("", operation_id="session.end", status_code=204, response_class=Response)
def sign_out(request: Request, here: Here) -> Response:
    """Nothing: the session has ended, here and for whoever copied its cookie."""
    check_page(request)
    session = _session(signed_in(request, here))
    end_session(session.sha256, user=session.user, why="asked", ports=here.ports, now=here.now())
    response = Response(status_code=204, headers={"Clear-Site-Data": '"cache", "storage"'})
    take_cookie(request, response, here)
    return response


def address_of(request: Request) -> str:
    """Whence a request comes, as neighbours are counted."""
    return neighbours("unknown" if request.client is None else request.client.host)


def session_body(session: Session, here: Context) -> SessionBody:
    """A session as its person sees it."""
    with here.ports.register.view() as connection:
        user = user_rows.user(connection, session.user)
    return SessionBody(
        user=user["id"],
        login=user["login"],
        name=user["name"],
        how=session.how,
        made_at=session.made_at,
        proved_at=session.proved_at,
        until_at=session.until_at,
    )


def _session(asking: SignedIn) -> Session:
    if asking.session is None:
        raise NotSignedIn("only people have sessions: programs send their key with each request")
    return asking.session


def _proved(told: Proving, session: Session, request: Request, here: Context) -> Believed:
    if (told.passkey is None) == (told.password is None):
        raise BadInput("send a password, or a passkey")
    if told.passkey is not None:
        return by_passkey(told.passkey, here)
    with here.ports.register.view() as connection:
        login = user_rows.user(connection, session.user)["login"]
    return by_password(login, Proof(address_of(request), told.password or "", told.code), here)


def _begin(believed: Believed, request: Request, response: Response, here: Context) -> SessionBody:
    now, figures = here.now(), here.sign_in.figures
    token = open_session(believed.user, believed.how, ports=here.ports, figures=figures, now=now)
    return given(token, request, response, here)


def given(token: str, request: Request, response: Response, here: Context) -> SessionBody:
    """The session of a token that was just made, which the browser gets as its cookie."""
    give_cookie(request, response, token, here)
    with here.ports.register.view() as connection:
        row = session_rows.session(connection, token_sha256(token))
    if row is None:
        raise NotSignedIn("this session has ended: sign in again")
    return session_body(Session.of_row(row), here)
