# SPDX-License-Identifier: Apache-2.0
"""This is where recordings are listed and told, and where people release, review and set conditions on them."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel

from pipeline import conditions, holds
from pipeline.release import release
from pipeline.tell import tell_recordings, tell_whole
from storage.register import recording_lists
from storage.register.listing import Wanted, recordings_page
from storage.register.search import Connection
from web.access.acting import Acting, Asker, audited
from web.api.bodies_recordings import RecordingBody, RecordingBrief
from web.api.etags import check_match, tagged
from web.api.idempotency import Once
from web.api.moments import From, To, text_of
from web.api.paging import Listed, Paged, listed
from web.api.texts import Asking, Id, Line, Words

router = APIRouter(prefix="/v1/recordings", route_class=audited.AuditedRoute, tags=["recordings"])

State = Literal["arrived", "measured", "sealed", "indexed", "due", "archived", "disposing", "disposed", "quarantined"]
Kind = Literal["video", "audio", "photo", "document"]
RecordingId = Annotated[Id, Path(description="`rec-…`")]
Reads = Annotated[Asker, Acting("recording.read")]


class Why(Asking):
    """The reason, for the record."""

    why: Words


class Condition(Why):
    """A condition of the catalog (永久保存情形), and why it stands."""

    code: Line


class Done(BaseModel):
    """What was done."""

    recording: str
    jobs: list[str] = []


@router.get("", operation_id="recordings.list", response_model=Listed[RecordingBrief])
def listing(
    asker: Reads,
    paging: Paged,
    case: Annotated[Line | None, Query(description="Number or id of a case.")] = None,
    officer: Annotated[Line | None, Query(description="Number of a certificate.")] = None,
    device: Annotated[Line | None, Query(description="Serial of a camera.")] = None,
    start: From = None,
    end: To = None,
    state: State | None = None,
    kind: Kind | None = None,
    unfiled: Annotated[bool, Query(description="Indexed, and in no case.")] = False,
) -> Listed[RecordingBrief]:
    """Recordings by start, those of unknown start last."""
    with asker.view() as connection:
        number = None if case is None else asker.case(connection, case)["number"]
        wanted = Wanted(
            *(number, officer, device, text_of(start), text_of(end)),
            is_unfiled=unfiled,
            state=state,
            kind=kind,
            seen=asker.sees_recordings(),
        )
        page = recordings_page(connection, wanted, limit=paging.limit, after=paging.place())
        items = [RecordingBrief(**one) for one in tell_recordings(connection, page.rows)]
    asker.about("recording", "", rows=len(items))
    return listed(items, page)


@router.get("/{recording}", operation_id="recordings.show", response_model=RecordingBody)
def show(recording: RecordingId, asker: Reads, request: Request) -> Response:
    """All that is known of a recording."""
    with asker.view() as connection:
        return tagged(request, body_of(connection, asker, recording))


@router.post("/{recording}/release", operation_id="recordings.release", response_model=Done)
def let_go_on(
    recording: RecordingId,
    told: Why,
    asker: Annotated[Asker, Acting("recording.release")],
    request: Request,
    once: Once,
) -> Response:
    """Have a recording go on that was put aside for a device nobody knew."""
    _check(asker, recording, request)

    def do() -> Done:
        jobs = release(recording, why=told.why, ports=asker.ports, now=asker.now)
        for job in jobs:
            asker.here.hint(job)
        return Done(recording=recording, jobs=jobs)

    return once.answer(asker, do)


@router.post("/{recording}/review", operation_id="recordings.review", response_model=Done)
def review(
    recording: RecordingId,
    told: Why,
    asker: Annotated[Asker, Acting("recording.review")],
    request: Request,
    once: Once,
) -> Response:
    """Take down that a person looked at a recording that the camera marked, or whose clock is in doubt."""
    _check(asker, recording, request)

    def do() -> Done:
        holds.review(recording, why=told.why, ports=asker.ports, now=asker.steady_now())
        return Done(recording=recording)

    return once.answer(asker, do)


@router.post("/{recording}/conditions", operation_id="recordings.conditions.set", response_model=Done)
def set_condition(
    recording: RecordingId,
    told: Condition,
    asker: Annotated[Asker, Acting("recording.condition")],
    request: Request,
    once: Once,
) -> Response:
    """Set a condition of the catalog on a recording: it is kept longer from now on."""
    _check(asker, recording, request)

    def do() -> Done:
        conditions.set_condition("recording", recording, told.code, why=told.why, ports=asker.ports, now=asker.now)
        return Done(recording=recording)

    return once.answer(asker, do)


@router.post("/{recording}/conditions/lift", operation_id="recordings.conditions.lift", response_model=Done)
def lift_condition(
    recording: RecordingId,
    told: Condition,
    asker: Annotated[Asker, Acting("recording.condition")],
    request: Request,
    once: Once,
) -> Response:
    """Lift a condition: from now on it keeps nothing longer."""
    _check(asker, recording, request)

    def do() -> Done:
        now = asker.steady_now()
        conditions.lift_condition("recording", recording, told.code, why=told.why, ports=asker.ports, now=now)
        return Done(recording=recording)

    return once.answer(asker, do)


def body_of(connection: Connection, asker: Asker, recording: str) -> RecordingBody:
    """What a recording is told as to whoever asks.

    Raises:
        NotFound: there is none within reach.
    """
    row = asker.recording(connection, recording)
    told = tell_whole(connection, row, cases_seen=asker.sees_cases())
    return RecordingBody(**told, parts=parts_of(connection, asker, recording))


def parts_of(connection: Connection, asker: Asker, recording: str) -> list[Any]:
    """The parts within reach of the capture that a recording is of; none when it stands alone."""
    rows = recording_lists.parts_seen(connection, recording, asker.sees_recordings())
    columns = {"start": "start_at", "end": "end_at"}
    names = ("id", "name", "state", "start", "end", "duration", "gap_ms", "basis")
    return [{name: row[columns.get(name, name)] for name in names} for row in rows] if len(rows) > 1 else []


def _check(asker: Asker, recording: str, request: Request) -> None:
    with asker.view() as connection:
        row = asker.recording(connection, recording)
        if request.headers.get("if-match") is not None:
            check_match(request, body_of(connection, asker, row["id"]))
