# SPDX-License-Identifier: Apache-2.0
"""This is where a browser is given the cookie of a session, and told to forget it.

Source: RFC 6265bis §4.1.3.2 (`__Host-`: by TLS alone, for this host alone, for every path).
"""

from fastapi import Request, Response

from web.access.same_site import check_same_site
from web.api.context import Context
from web.signin.who import cookie_name, is_secure


def give_cookie(request: Request, response: Response, token: str, here: Context) -> None:
    """Give the browser a session; no script reads it, and it goes when the browser does."""
    response.set_cookie(
        cookie_name(request, here), token, path="/", secure=is_secure(request, here), httponly=True, samesite="lax"
    )
    response.headers["Cache-Control"] = "no-store"


def take_cookie(request: Request, response: Response, here: Context) -> None:
    """Have the browser forget its session."""
    response.delete_cookie(
        cookie_name(request, here), path="/", secure=is_secure(request, here), httponly=True, samesite="lax"
    )


def check_page(request: Request) -> None:
    """Return when no other site's page asks; a client that is no browser says nothing of pages.

    Nobody signs a person in, or out, behind their back.

    Raises:
        NotAllowed: another site's page asks.
    """
    if "origin" in request.headers or "sec-fetch-site" in request.headers:
        check_same_site(request)
