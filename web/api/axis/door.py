# SPDX-License-Identifier: Apache-2.0
"""This is where a body worn system of Axis signs in by the key of its connection file, and is known by its token.

Its tokens are its own: they open nothing else here, and nobody else's open this door.

Source: OpenStack Swift, "Auth v1"; Axis body worn integration API 1.6.10, "Access token API".
"""

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends, Request
from fastapi.responses import Response
from fastapi.routing import APIRoute

from evidence.errors import DeviceRefused, EvidockError, NotFound, NotSignedIn
from pipeline.axis_docks import KIND, is_key_of
from storage.register import dock_rows
from storage.register.answers import Row
from web.api.axis.clips import Objects
from web.api.axis.headers import place
from web.api.context import Here, context_of
from web.api.problems import answer_to
from web.api.rates import neighbours

AUTH = "/auth/v1.0"
STORAGE = "/axis/v1/"
ACCOUNT = "AUTH_"
# What the controller knows, for what it does not.
_SPOKEN = {429: 503, 460: 422, 423: 503}


class AxisRoute(APIRoute):
    """A route whose errors have the statuses that the controller knows: busy is 503, a wrong MD5 is 422."""

    def get_route_handler(self) -> Callable[[Request], Awaitable[Response]]:  # type: ignore[override]
        """The handler."""
        inner = super().get_route_handler()

        async def handle(request: Request) -> Response:
            try:
                return await inner(request)
            except EvidockError as error:
                answer = answer_to(error, context_of(request))
                answer.status_code = _SPOKEN.get(answer.status_code, answer.status_code)
                return answer

        return handle


def objects_of(request: Request) -> Objects:
    """The objects of the server that a request came to."""
    found = request.app.state.axis
    assert isinstance(found, Objects)  # noqa: S101 - create_app put it there
    return found


Kept = Annotated[Objects, Depends(objects_of)]
"""A parameter of a route: what Axis docks sent."""


def sign_in(request: Request, here: Here, kept: Kept) -> Response:
    """A token, and where to store."""
    asks = neighbours("unknown" if request.client is None else request.client.host)
    # Counted before it is looked up: of many guesses at once, none is free.
    here.rates.wrong_codes.count(asks, at=here.monotonic())
    try:
        dock = _dock(here, request.headers.get("x-auth-user", ""), request.headers.get("x-auth-key", ""))
    except NotSignedIn:
        raise
    except BaseException:
        here.rates.wrong_codes.take_back(asks)  # nothing was learned of any key
        raise
    here.rates.wrong_codes.take_back(asks)
    kept.forget_torn()
    token = here.sessions.open_for(_session(dock))
    told = {
        "X-Auth-Token": token,
        "X-Storage-Token": token,
        "X-Auth-Token-Expires": str(here.limits.session_s),
        "X-Storage-Url": f"{request.url.scheme}://{request.url.netloc}{STORAGE}{ACCOUNT}{dock['id']}",
    }
    return Response(status_code=200, headers=told)


def _dock(here: Here, name: str, key: str) -> Row:
    try:
        with here.ports.register.view() as connection:
            dock = dock_rows.dock(connection, name[:200])
    except NotFound as error:
        raise NotSignedIn("the name or the key is not good") from error
    if not is_key_of(dock, key):
        raise NotSignedIn("the name or the key is not good")
    return dock


def _session(dock: Row) -> str:
    # With a new key, tokens of the old one name nobody.
    return f"{KIND}:{dock['id']}:{dock['key']}"


def signed_in(request: Request, here: Here) -> Row:
    """The row of the dock that a request speaks for, in its own account.

    Raises:
        NotSignedIn: no token, or none of this door, or no longer. DeviceRefused: it is another's account.
        RegisterUnavailable: worth another try.
    """
    kind, _, named = here.sessions.dock_of(request.headers.get("x-auth-token", "")).partition(":")
    if kind != KIND:
        raise NotSignedIn("this token is for another door")
    try:
        with here.ports.register.view() as connection:
            dock = dock_rows.dock(connection, named.partition(":")[0])
    except NotFound as error:
        raise NotSignedIn("the dock of this token is not known any more") from error
    if dock["state"] != "enrolled" or _session(dock) != f"{kind}:{named}":
        here.sessions.end(f"{kind}:{named}")
        raise NotSignedIn("this dock has another key, or is shut out")
    if place(request, prefix=STORAGE)[0] != f"{ACCOUNT}{dock['id']}":
        raise DeviceRefused("this account is another's")
    return dock


AxisDock = Annotated[Row, Depends(signed_in)]
"""A parameter of a route: the dock that asks."""
