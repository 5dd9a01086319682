# SPDX-License-Identifier: Apache-2.0
"""This is where a browser goes to an OpenID provider and comes back from it, signed in.

No account is made by it. Somebody is let in whose account an administrator tied to the provider: by the subject that
the provider knows them as, or, the first time, by their login there, which ties the subject.
"""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import RedirectResponse

from evidence.errors import BadInput, NotFound, NotSignedIn
from evidence.people import fold_login
from pipeline.users import change_user
from storage.register import user_rows
from storage.register.answers import Row
from web.api.context import Context, Here
from web.oidc.flow import Answered, Flow
from web.oidc.id_token import Identity
from web.signin.sessions import open_session
from web.signin.who import cookie_name, is_secure

router = APIRouter(prefix="/v1/oidc", tags=["session"])

CALLBACK = "/v1/oidc/callback"
_BY_PROVIDER = "oidc"
_GOOD_FOR_S = 600

Word = Annotated[str, Query(max_length=2000)]


def _flow(here: Context) -> Flow:
    """The sign-in elsewhere that the settings name.

    Raises:
        NotFound: they name none.
    """
    provider, address = here.sign_in.oidc, here.sign_in.public_url
    if provider is None or not address:
        raise NotFound("nobody signs in elsewhere here: set EVIDOCK_OIDC_ISSUER and EVIDOCK_PUBLIC_URL")
    return Flow(provider, address.rstrip("/") + CALLBACK, here.ports.register, here.ports.chance)


@router.get("/start", status_code=303, response_class=RedirectResponse, operation_id="oidc.start")
def start(request: Request, here: Here, onward: Annotated[str, Query(alias="next", max_length=500)] = "/") -> object:
    """Send the browser to the provider; afterwards it goes on to `next`, a page of this server."""
    asked = _flow(here).begin(onward, now=here.now())
    answer = RedirectResponse(asked.url, 303)
    _set(answer, request, here, name=_waiting(request, here), value=asked.state, seconds=_GOOD_FOR_S)
    return answer


@router.get("/callback", status_code=303, response_class=RedirectResponse, operation_id="oidc.callback")
def callback(
    request: Request,
    here: Here,
    state: Word = "",
    code: Word = "",
    iss: Word | None = None,
    error: Word | None = None,
) -> object:
    """Take what the provider sent along, and begin a session."""
    if error is not None:
        raise NotSignedIn("the identity provider let nobody in")
    if not code:
        raise BadInput("the identity provider sent no code")
    waiting = _waiting(request, here)
    identity, onward = _flow(here).finish(
        Answered(state, code, iss), cookie=request.cookies.get(waiting, ""), now=here.now()
    )
    user = _user(identity, here)
    token = open_session(user["id"], _BY_PROVIDER, ports=here.ports, figures=here.sign_in.figures, now=here.now())
    answer = RedirectResponse(onward, 303)
    _set(answer, request, here, name=cookie_name(request, here), value=token, seconds=None)
    answer.delete_cookie(waiting, path="/", secure=is_secure(request, here), httponly=True, samesite="lax")
    return answer


def _user(identity: Identity, here: Context) -> Row:
    """The account of somebody; tied to their subject by now.

    Raises:
        NotSignedIn: there is none, or it is shut.
    """
    with here.ports.register.view() as connection:
        row = user_rows.user_elsewhere(connection, identity.issuer, identity.subject)
        waiting = _named(identity)
        first = None if row is not None or waiting is None else user_rows.user_of_login(connection, waiting)
    if first is not None and first["issuer"] == identity.issuer and first["subject"] is None:
        change_user(first["id"], {"subject": identity.subject}, ports=here.ports, now=here.now())
        row = first
    if row is None or row["state"] != "active":
        raise NotSignedIn("you have no account here: ask your administrator for one that is tied to this provider")
    return row


def _named(identity: Identity) -> str | None:
    try:
        return None if identity.login is None else fold_login(identity.login)
    except BadInput:
        return None  # no login of ours looks so


def _waiting(request: Request, here: Context) -> str:
    """The cookie of a browser that was sent off."""
    return f"{cookie_name(request, here)}-oidc"


def _set(
    answer: RedirectResponse, request: Request, here: Context, *, name: str, value: str, seconds: int | None
) -> None:
    secure = is_secure(request, here)
    answer.set_cookie(name, value, max_age=seconds, path="/", secure=secure, httponly=True, samesite="lax")
