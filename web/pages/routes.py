# SPDX-License-Identifier: Apache-2.0
"""This is where a browser gets the console: its files, and for every page's address the one page that starts it.

Which page is meant is in the address, and the console reads it there. Only what a person navigates to is answered so:
a program that asks for something that is not there is told that it is not there.
"""

from http import HTTPStatus

from fastapi import APIRouter, Request, Response
from starlette.convertors import Convertor, register_url_convertor
from starlette.exceptions import HTTPException

from web.pages.site import Asset, Site, encoding_for

# Scripts, styles and pictures of this server alone, nothing inline; of markup made by a script, only what the
# framework makes of templates that were compiled. Source: Content Security Policy Level 3; Trusted Types.
POLICY = "; ".join(  # noqa: FLY002 - a line for each directive
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' blob:",
        "font-src 'self'",
        "connect-src 'self'",
        "media-src 'self' blob:",
        "worker-src 'self'",
        "manifest-src 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
        "form-action 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types svelte-trusted-html",
    )
)
_FOREVER, _ASK_AGAIN = "public, max-age=31536000, immutable", "no-cache"
_NOT_BUILT = """The console is not built in this checkout; the API at /v1 answers without it.
Build it with: make console      (docs/operate/console.md)

此处尚未构建控制台;/v1 接口照常可用。
构建命令:make console
"""


class PageAddress(Convertor[str]):
    """Every address but those of the API and of docks' protocols: what is not there, they say themselves."""

    regex = r"(?!(?:v1|auth|axis)(?:/|$)).*"

    def convert(self, value: str) -> str:
        """The address as it is."""
        return value

    def to_string(self, value: str) -> str:
        """The same."""
        return value


register_url_convertor("page", PageAddress())
router = APIRouter(tags=["console"])


@router.api_route("/{address:page}", methods=["GET", "HEAD"], include_in_schema=False)
async def page(request: Request) -> Response:
    """A file of the console, or the page that starts it."""
    site: Site = request.app.state.site
    asset = site.assets.get(request.path_params["address"])
    if asset is not None:
        return _answered(asset, request)
    if not _is_navigation(request):
        raise HTTPException(HTTPStatus.NOT_FOUND)
    if site.entry is None:
        return Response(_NOT_BUILT, HTTPStatus.SERVICE_UNAVAILABLE, media_type="text/plain")
    return _answered(site.entry, request)


def _is_navigation(request: Request) -> bool:
    """Whether a person's browser goes there. A name with an ending is a file's, and no page's."""
    wants_html = "text/html" in request.headers.get("accept", "")
    mode = request.headers.get("sec-fetch-mode", "navigate")
    last = request.url.path.rpartition("/")[2]
    return wants_html and mode == "navigate" and "." not in last


def _answered(asset: Asset, request: Request) -> Response:
    encoding = encoding_for(request.headers.get("accept-encoding"), asset.packed)
    tag = asset.tag(encoding)
    headers = {
        "ETag": tag,
        "Vary": "Accept-Encoding",
        "Cache-Control": _FOREVER if asset.is_hashed else _ASK_AGAIN,
        "Content-Security-Policy": POLICY,
    }
    if tag in _tags(request.headers.get("if-none-match")):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    if encoding is not None:
        headers["Content-Encoding"] = encoding
    return Response(asset.bytes_for(encoding), headers=headers, media_type=asset.media_type)


def _tags(told: str | None) -> set[str]:
    """The entity tags of an `If-None-Match`; a weak one is as good as a strong one here (RFC 9110 §13.1.2)."""
    return {one.strip().removeprefix("W/") for one in (told or "").split(",")}
