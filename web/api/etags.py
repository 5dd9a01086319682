# SPDX-License-Identifier: Apache-2.0
"""This is where a single thing's answer carries a strong ETag, so that nobody fetches it twice or changes it unseen.

The tag is a digest of the body that this person gets: what another may not see makes another tag.

Source: RFC 9110 §8.8.3 (ETag), §13.1.1 (If-Match), §13.1.2 (If-None-Match), §15.4.5 (304).
"""

import base64
import hashlib

from fastapi import Request, Response
from pydantic import BaseModel

from evidence.errors import ChangedMeanwhile
from web.api.idempotency import refuse_first

_JSON = "application/json"
# What an answer tells a cache: it is this person's, and is asked for anew each time.
_PRIVATE = "private, no-cache"


def tag_of(body: BaseModel) -> str:
    """The strong ETag of a body, in its quotes."""
    return _tag(_bytes(body))


def tagged(request: Request, body: BaseModel, *, status: int = 200) -> Response:
    """The answer that is this body, with its ETag; 304 without a body where the client has it already."""
    data = _bytes(body)
    tag = _tag(data)
    headers = {"ETag": tag, "Cache-Control": _PRIVATE}
    if request.method in ("GET", "HEAD") and _names(request.headers.get("if-none-match"), tag, is_weak=True):
        return Response(status_code=304, headers=headers)
    return Response(data, status, headers, media_type=_JSON)


def check_match(request: Request, body: BaseModel) -> None:
    """Return when the client saw what is to be changed as it is now (`If-Match`), or does not say what it saw.

    `body`: what a GET of it would answer this person now. Of a request that may be a repeat (`Once`) it returns too,
    and a first request is refused when it is answered: a repeat has changed by itself what it saw.

    Raises:
        ChangedMeanwhile: it saw something else (412).
    """
    told = request.headers.get("if-match")
    if told is not None and not _names(told, tag_of(body), is_weak=False):
        changed = ChangedMeanwhile("this has changed since it was read: read it again, then change it")
        refuse_first(request, changed)


def _names(header: str | None, tag: str, *, is_weak: bool) -> bool:
    """True when a list of tags holds this one; `is_weak`: a `W/` before it makes no difference."""
    if header is None:
        return False
    told = [one.strip() for one in header.split(",")]
    return "*" in told or tag in ([one.removeprefix("W/") for one in told] if is_weak else told)


def _bytes(body: BaseModel) -> bytes:
    return body.model_dump_json(by_alias=True).encode()


def _tag(data: bytes) -> str:
    return f'"{base64.urlsafe_b64encode(hashlib.sha256(data).digest()[:18]).decode()}"'
