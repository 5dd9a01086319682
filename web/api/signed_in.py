# SPDX-License-Identifier: Apache-2.0
"""This is where a request is found to be a dock's, by its bearer token (RFC 6750 §2.1)."""

from typing import Annotated

from fastapi import Depends, Request

from evidence.errors import NotFound, NotSignedIn
from storage.register import dock_rows
from storage.register.answers import Row
from web.api.context import Context, Here
from web.api.sessions import ENROLLED

_SCHEME = "bearer"


def signed_in(request: Request, here: Here) -> Row:
    """The row of the dock that a request speaks for, as the register has it now: a revoked one ends at once.

    Raises:
        NotSignedIn: no token, one that is not known, or of a dock that is no longer enrolled.
        RegisterUnavailable: worth another try.
    """
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != _SCHEME or not token:
        raise NotSignedIn("sign in first: this request needs a bearer token")
    return dock_of_token(token.strip(), here)


def dock_of_token(token: str, here: Context) -> Row:
    """The row of the dock that a token speaks for.

    Raises:
        NotSignedIn, RegisterUnavailable: as `signed_in`.
    """
    identifier = here.sessions.dock_of(token)
    try:
        with here.ports.register.view() as connection:
            dock = dock_rows.dock(connection, identifier)
    except NotFound as error:
        raise NotSignedIn("the dock of this token is not known any more") from error
    if dock["state"] != ENROLLED:
        here.sessions.end(identifier)
        raise NotSignedIn("this dock is not enrolled any more")
    return dock


Dock = Annotated[Row, Depends(signed_in)]
"""A parameter of a route: the dock that asks, as its row of the register."""
