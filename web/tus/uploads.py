# SPDX-License-Identifier: Apache-2.0
"""This is where the requests of tus are answered.

Source: tus resumable upload protocol 1.0.0: core, creation, creation-with-upload, checksum, termination, expiration.
"""

from email.utils import format_datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import Response

from evidence.errors import EvidockError
from web.api.context import Here
from web.api.problems import problem
from web.api.signed_in import Dock
from web.tus import headers
from web.tus.intake import Intake, Standing
from web.tus.stream import Body

PREFIX = "/v1/uploads"

router = APIRouter(prefix=PREFIX)


def intake_of(request: Request) -> Intake:
    """The uploads of the server that a request came to."""
    found = request.app.state.intake
    assert isinstance(found, Intake)  # noqa: S101 - create_app put it there
    return found


Uploads = Annotated[Intake, Depends(intake_of)]


@router.options("")
@router.options("/{identifier}")
def options(here: Here) -> Response:
    """What this server can do."""
    told = {
        "Tus-Version": headers.VERSION,
        "Tus-Extension": headers.EXTENSIONS,
        "Tus-Max-Size": str(here.limits.largest_bytes),
        "Tus-Checksum-Algorithm": ",".join(headers.ALGORITHMS),
    }
    return Response(status_code=204, headers=told)


@router.post("")
async def announce(request: Request, dock: Dock, here: Here, uploads: Uploads) -> Response:
    """Announce a file, and perhaps send the first of its bytes along."""
    asked = request.headers
    length = headers.length(asked.get("upload-length"), largest=here.limits.largest_bytes)
    checksum = headers.checksum(asked.get("upload-checksum"))
    has_bytes = asked.get("content-type") == headers.BYTES_TYPE
    if not has_bytes and _has_body(request):
        return _not_bytes()
    identifier = await run_in_threadpool(uploads.announce, asked.get("upload-metadata"), length=length, dock=dock)
    if has_bytes:
        try:
            body = Body(request, silence_s=here.limits.silence_s)
            coming = _coming(request)
            await uploads.grow(identifier, body, at=0, checksum=checksum, coming=coming, dock=dock)
        except EvidockError:
            # The client is told no address: nothing could go on with it.
            await run_in_threadpool(uploads.end, identifier, dock)
            raise
    elif length == 0:
        await run_in_threadpool(uploads.finish, identifier)
    standing = await run_in_threadpool(uploads.standing, identifier, dock)
    return Response(status_code=201, headers={"Location": f"{PREFIX}/{identifier}", **_place(standing)})


@router.head("/{identifier}")
def look(identifier: str, dock: Dock, uploads: Uploads) -> Response:
    """How far an upload is."""
    standing = uploads.standing(identifier, dock)
    told = {"Upload-Length": str(standing.length), "Cache-Control": "no-store", **_place(standing)}
    if said := standing.told.extra.get("metadata"):
        told["Upload-Metadata"] = str(said)
    return Response(status_code=200, headers=told)


@router.patch("/{identifier}")
async def append(identifier: str, request: Request, dock: Dock, here: Here, uploads: Uploads) -> Response:
    """Append bytes."""
    asked = request.headers
    if asked.get("content-type") != headers.BYTES_TYPE:
        return _not_bytes()
    body = Body(request, silence_s=here.limits.silence_s)
    standing = await uploads.grow(
        identifier,
        body,
        at=headers.number(asked.get("upload-offset"), "Upload-Offset"),
        checksum=headers.checksum(asked.get("upload-checksum")),
        coming=_coming(request),
        dock=dock,
    )
    if body.is_broken:
        answer: Response = problem(408, "broken-off", "the request ended before its end; ask how far the upload is")
        answer.headers["Connection"] = "close"
        return answer
    return Response(status_code=204, headers=_place(standing))


@router.delete("/{identifier}")
def end(identifier: str, dock: Dock, uploads: Uploads) -> Response:
    """Give an upload up."""
    uploads.end(identifier, dock)
    return Response(status_code=204)


def _place(standing: Standing) -> dict[str, str]:
    told = {"Upload-Offset": str(standing.offset)}
    if standing.expires_at is not None:
        told["Upload-Expires"] = format_datetime(standing.expires_at, usegmt=True)
    return told


def _coming(request: Request) -> int:
    """How many bytes a request says to bring; 0 when it does not say."""
    told = request.headers.get("content-length")
    return 0 if told is None else headers.number(told, "Content-Length")


def _has_body(request: Request) -> bool:
    return request.headers.get("content-length", "0") != "0" or "transfer-encoding" in request.headers


def _not_bytes() -> Response:
    return problem(415, "media-type", f"bytes are sent as {headers.BYTES_TYPE}")
