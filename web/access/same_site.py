# SPDX-License-Identifier: Apache-2.0
"""This is where a change that another site had a browser ask for is refused (cross-site request forgery).

The browser itself says where a request was made, in headers that no page can write.

Source: W3C Fetch Metadata Request Headers §2.4; RFC 6454 §7; OWASP ASVS 5.0 V3.5.
"""

from urllib.parse import urlsplit

from fastapi import Request

from evidence.errors import NotAllowed

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_OURS = frozenset({"same-origin", "none"})


def check_same_site(request: Request) -> None:
    """Return when a request changes nothing, or was made by a page of ours or by the person at the browser.

    Raises:
        NotAllowed: another site made it, or nothing says that none did.
    """
    if request.method in _SAFE or _is_ours(request):
        return
    raise NotAllowed("this change was not asked for by a page of this server")


def _is_ours(request: Request) -> bool:
    origin, site = request.headers.get("origin"), request.headers.get("sec-fetch-site")
    if site is not None and site not in _OURS:
        return False
    if origin is None:
        return site is not None
    # Only names are compared: the scheme is another one behind a proxy that ends TLS.
    return urlsplit(origin).netloc.lower() == request.headers.get("host", "").lower() != ""
