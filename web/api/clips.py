# SPDX-License-Identifier: Apache-2.0
"""This is where clips are cut on demand, exact to the frame, and fetched with their proofs by whoever asked.

A clip is cut while its client waits: packets are copied as they are, so it costs little more than reading them. That
it was served is a custody event, which names the clip's own digest, before its file can be fetched.
"""

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import FileResponse
from pydantic import BaseModel, Field, model_validator

from evidence import instant, media_time
from evidence.custody import parse_event
from evidence.errors import BadInput
from evidence.media_time import Span
from evidence.note import split_note
from pipeline import clip_wanted
from pipeline.clip import Clip, clip
from storage.durable import store_errors
from storage.register import log_rows
from storage.register.listing import Wanted, recordings_page
from web.access.acting import Acting, Asker, audited
from web.api.idempotency import Once
from web.api.moments import Instant, Seconds
from web.api.paging import Listed, Paged, listed
from web.api.texts import Asking, Id, Line
from web.clips.room import ClipRoom, Waiting

router = APIRouter(prefix="/v1/clips", route_class=audited.AuditedRoute, tags=["clips"])

_MOST = 50
_MP4 = "video/mp4"
ClipId = Annotated[str, Path(pattern="^clp-[a-z2-7]{24}$", description="`clp-…`")]
Reads = Annotated[Asker, Acting("clip.read")]
_FILE: dict[int | str, dict[str, Any]] = {
    200: {"description": "All of it", "content": {_MP4: {"schema": {"type": "string", "format": "binary"}}}},
    206: {"description": "The part asked for", "content": {_MP4: {"schema": {"type": "string", "format": "binary"}}}},
    416: {"description": "No such range", "content": {"text/plain": {"schema": {"type": "string"}}}},
}


class ClipWanted(Asking):
    """What is to be cut: of a recording, or of all that a case has of a time.

    `from` and `to`: RFC 3339 instants, or of a recording offsets such as `00:31.5`; `to` is not shown any more.
    """

    recording: Id | None = None
    case: Id | None = None
    start: Line = Field(alias="from")
    end: Line = Field(alias="to")

    @model_validator(mode="after")
    def _of_one(self) -> "ClipWanted":
        if (self.recording is None) == (self.case is None):
            raise ValueError("name either a recording or a case")
        return self


class Asked(BaseModel):
    """A span of media time, `to` not included."""

    start: Seconds = Field(alias="from")
    end: Seconds = Field(alias="to")


class Delivered(Asked):
    """What a clip shows."""

    frames: int


class ClipBody(BaseModel):
    """A clip that was made. Its file and proof are fetched from where `file` and `proof` say, for an hour."""

    id: str
    recording: str
    file: str
    proof: str
    asked: Asked
    delivered: Delivered
    size_bytes: int
    left_out: list[str] = Field(description="Streams that are not in the clip.")


class ClipsMade(BaseModel):
    """The clips that were made, in the order they were filmed."""

    clips: list[ClipBody]


class ServedClip(BaseModel):
    """A clip that was once served of a recording, as its custody event tells."""

    at: Instant
    actor: str
    seq: int
    clip_sha256: str
    asked: Asked
    delivered: Asked
    frames: int
    size_bytes: int


@router.post("", status_code=201, operation_id="clips.make", response_model=ClipsMade)
def make(told: ClipWanted, asker: Annotated[Asker, Acting("clip.make")], request: Request, once: Once) -> Response:
    """Cut clips, exact to the frame, without re-encoding, each with a proof that stands alone."""
    room = room_of(request)
    wanted = _wanted(told, asker)

    def do() -> ClipsMade:
        with room.cutting():
            return ClipsMade(clips=[_made(recording, span, asker, room) for recording, span in wanted])

    return once.answer(asker, do, status=201)


@router.get("", operation_id="clips.list", response_model=Listed[ServedClip])
def served(recording: Annotated[Id, Query(description="`rec-…`")], asker: Reads, paging: Paged) -> Listed[ServedClip]:
    """The clips that were ever served of a recording: to whom, when, and their digests."""
    with asker.view() as connection:
        stream = f"recording/{asker.recording(connection, recording)['id']}"
        after = paging.number()
        rows = log_rows.events_of_kind(connection, stream, "clipped", limit=paging.limit + 1, after=after)
    items = [_told_event(row["note"]) for row in rows[: paging.limit]]
    return listed(items, rows[paging.limit - 1]["seq"] if len(rows) > paging.limit else None)


@router.get("/{clip}", operation_id="clips.show", response_model=ClipBody)
def show(clip: ClipId, asker: Reads, request: Request) -> ClipBody:
    """A clip that waits to be fetched."""
    return ClipBody(**_waiting(clip, asker, request).told)


@router.get("/{clip}/file", operation_id="clips.file", response_class=FileResponse, responses=_FILE)
def file(clip: ClipId, asker: Reads, request: Request) -> FileResponse:
    """The clip itself; ranges are answered."""
    found = _waiting(clip, asker, request)
    return FileResponse(found.file, media_type=_MP4, filename=found.file.name)


@router.get("/{clip}/proof", operation_id="clips.proof", response_model=dict)
def proof(clip: ClipId, asker: Reads, request: Request) -> FileResponse:
    """The clip's proof: keep it beside the file, as FILE.proof.json, for `evidock verify FILE`."""
    found = _waiting(clip, asker, request)
    return FileResponse(found.proof, media_type="application/json", filename=found.proof.name)


def room_of(request: Request) -> ClipRoom:
    """The room where this server's clips wait."""
    found = request.app.state.clips
    assert isinstance(found, ClipRoom)  # noqa: S101 - create_app put it there
    return found


def _wanted(told: ClipWanted, asker: Asker) -> Sequence[tuple[str, Span]]:
    """The spans to cut, all of recordings within reach."""
    with asker.view() as connection:
        if told.case is not None:
            case = asker.case(connection, told.case)
            asked = Wanted(case=case["number"], seen=asker.sees_recordings())
            rows = recordings_page(connection, asked, limit=None).rows
            found = clip_wanted.of_case(case["number"], rows, told.start, told.end)
        else:
            row = asker.recording(connection, told.recording or "")
            found = clip_wanted.of_recording(connection, row["id"], told.start, told.end)
        for recording in {recording for recording, _ in found}:
            asker.recording(connection, recording)
    if len(found) > _MOST:
        raise BadInput(f"{len(found)} clips at once are too many: at most {_MOST}; name a shorter time")
    return found


def _made(recording: str, span: Span, asker: Asker, room: ClipRoom) -> ClipBody:
    waiting = room.place(asker.ports, asker.now)
    try:
        made = clip(recording, span, waiting.file, ports=asker.ports, now=asker.now, keys=asker.here.proof_keys)
        body = _body(waiting, made)
        room.keep(waiting, body.model_dump(by_alias=True), actor=asker.actor.id)
    except BaseException:
        room.give_up(waiting)
        raise
    return body


def _body(waiting: Waiting, made: Clip) -> ClipBody:
    address = f"/v1/clips/{waiting.id}"
    shown = made.cut.delivered
    with store_errors("the clip cannot be read"):
        size_bytes = waiting.file.stat().st_size
    return ClipBody(
        id=waiting.id,
        recording=made.recording,
        file=f"{address}/file",
        proof=f"{address}/proof",
        asked=_span(made.asked),
        delivered=Delivered(**_span(shown).model_dump(by_alias=True), frames=made.cut.frames),
        size_bytes=size_bytes,
        left_out=list(made.cut.left_out),
    )


def _span(span: Span) -> Asked:
    return Asked(**{"from": media_time.to_text(span.start), "to": media_time.to_text(span.end)})


def _waiting(identifier: str, asker: Asker, request: Request) -> Waiting:
    found = room_of(request).find(identifier, actor=asker.actor.id, now=asker.now)
    with asker.view() as connection:
        asker.recording(connection, found.told["recording"])
    return found


def _told_event(note: str) -> ServedClip:
    event = parse_event(split_note(note)[0])
    names = ("clip_sha256", "asked", "delivered", "frames", "size_bytes")
    told = {name: event.facts[name] for name in names}
    return ServedClip(at=instant.to_text(event.at), actor=event.actor, seq=event.seq, **told)
