# SPDX-License-Identifier: Apache-2.0
"""This is where footage is asked for, fetched, and said to have been watched."""

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Request, Response
from pydantic import BaseModel, Field

from evidence.errors import BadInput
from evidence.media_time import Span, parse_offset
from web.access.acting import Acting, Asker, audited
from web.api import problems
from web.api.context import Here
from web.api.texts import Asking, Id
from web.media.leave import Given, give, open_leave
from web.media.room import MediaRoom
from web.media.things import files_of

asking = APIRouter(prefix="/v1/recordings", route_class=audited.AuditedRoute, tags=["media"])
fetching = APIRouter(prefix="/v1/media", tags=["media"])

_LONGEST_MS = 48 * 3600 * 1000
_STRETCHES = 200
_Offset = Annotated[str, Field(max_length=40, description="Seconds, as `31.5` or `1:02:03.25`.")]
_Ms = Annotated[int, Field(ge=0, le=_LONGEST_MS)]
_Token = Annotated[str, Path(max_length=100)]
_File = Annotated[str, Path(max_length=100)]

BYTES: dict[int | str, dict[str, Any]] = {
    200: {"description": "All of it", "content": {"*/*": {"schema": {"type": "string", "format": "binary"}}}},
    206: {"description": "The part", "content": {"*/*": {"schema": {"type": "string", "format": "binary"}}}},
    416: {
        "description": "No such range",
        "content": {problems.MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    },
}


class PlaybackWanted(Asking):
    """What is to be shown of a recording; of `proxy`, `waveform` and `track` a part alone, if it is named."""

    what: Literal["proxy", "thumbnails", "waveform", "track"] = "proxy"
    start: _Offset | None = Field(None, alias="from")
    end: _Offset | None = Field(None, alias="to")


class Playback(BaseModel):
    """Leave to fetch: these addresses answer whoever asked for it, until then."""

    token: str
    urls: list[str] = Field(description="The one to begin with first.")
    until: datetime
    sha256: str = Field(description="Of the object that is shown, or that it is made of.")
    size_bytes: int
    proof: str | None = Field(None, description="Where the receipt of an original is.")


class Watched(Asking):
    """What a player showed: stretches of media time, in milliseconds, each from and to."""

    stretches: list[tuple[_Ms, _Ms]] = Field(max_length=_STRETCHES)


@asking.post("/{recording}/playback", status_code=201, operation_id="media.play")
def play(recording: Id, said: PlaybackWanted, asker: Annotated[Asker, Acting("media.view")]) -> Playback:
    """Leave to fetch what is shown of a recording."""
    return _told(give(asker, recording, said.what, part=_part(said)), said.what)


@asking.post("/{recording}/original", status_code=201, operation_id="media.take")
def take(recording: Id, asker: Annotated[Asker, Acting("media.original")]) -> Playback:
    """Leave to fetch the original itself, with its receipt."""
    return _told(give(asker, recording, "original", part=None), "original")


@fetching.get("/{token}/{file}", operation_id="media.fetch", responses=BYTES, response_class=Response)
def fetch(token: _Token, file: _File, request: Request, here: Here) -> Response:
    """A file that leave opens, or one range of it."""
    room = room_of(request)
    leave = open_leave(request, here, token)
    return room.answer(request, leave, room.things.thing(leave, file))


@fetching.head("/{token}/{file}", include_in_schema=False)
def look(token: _Token, file: _File, request: Request, here: Here) -> Response:
    """What fetching it would say first."""
    return fetch(token, file, request, here)


@fetching.post("/{token}/watched", status_code=204, operation_id="media.watched")
def watched(token: _Token, said: Watched, request: Request, here: Here) -> Response:
    """A player says what it showed; it is on record when the leave ends."""
    leave = open_leave(request, here, token)
    room_of(request).ledger.watched(leave.token, [(first, end) for first, end in said.stretches if end > first])
    return Response(status_code=204)


def room_of(request: Request) -> MediaRoom:
    """Where the server that a request came to shows footage."""
    found = request.app.state.media
    assert isinstance(found, MediaRoom)  # noqa: S101 - create_app put it there
    return found


def _told(given: Given, what: str) -> Playback:
    base = f"/v1/media/{given.token}/"
    files = files_of(given.shown.kind, what, is_whole=given.is_whole)
    return Playback(
        token=given.token,
        urls=[base + file for file in files],
        until=given.until,
        sha256=given.shown.sha256,
        size_bytes=given.shown.size_bytes,
        proof=base + files[-1] if what == "original" else None,
    )


def _part(said: PlaybackWanted) -> Span | None:
    if said.start is None and said.end is None:
        return None
    if said.start is None or said.end is None:
        raise BadInput("name both from and to, or neither")
    part = Span(parse_offset(said.start), parse_offset(said.end))
    if not part.length:
        raise BadInput("from and to are the same instant")
    return part
