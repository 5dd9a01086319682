# SPDX-License-Identifier: Apache-2.0
"""This is where it is told who saw, searched, took or was refused what: by person, by object, and signed."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel

from pipeline.access_export import access_of, signed_accesses, that_fit
from storage.register.access_rows import WantedAccesses, accesses_page
from storage.register.answers import Page, Place
from web.access import audited
from web.access.acting import Acting, Asker
from web.api.moments import From, Instant, To, text_of
from web.api.paging import Listed, Paged, cursor, listed
from web.api.texts import Id

router = APIRouter(prefix="/v1", route_class=audited.AuditedRoute, tags=["accesses"])

Reads = Annotated[Asker, Acting("access.read")]
Stream = Annotated[
    str | None,
    Query(
        max_length=90,
        pattern=r"^(user|key|door)/[A-Za-z0-9._-]+$",
        description="Of whom: `user/usr-…`, `key/key-…`; `door/api`: of who was not known.",
    ),
]
Outcome = Annotated[Literal["allowed", "refused"] | None, Query(description="Only these.")]
ActName = Annotated[str | None, Query(max_length=60, pattern=r"^[a-z.-]+$", description="Such as `media.view`.")]
Subject = Annotated[Id | None, Query(description="Of a recording, case or other thing, by id.")]


class Access(BaseModel):
    """One access, as its custody event tells it: event number `seq` of `stream`. `subject` empty: a list."""

    stream: str
    seq: int
    at: Instant
    act: str
    noun: str
    subject: str
    outcome: Literal["allowed", "refused"]
    code: str | None
    told: dict[str, Any]


@router.get("/accesses", operation_id="accesses.list", response_model=Listed[Access])
def accesses(
    asker: Reads,
    paged: Paged,
    by: Stream = None,
    subject: Subject = None,
    act: ActName = None,
    outcome: Outcome = None,
    start: From = None,
    end: To = None,
) -> Listed[Access]:
    """Accesses by time."""
    wanted = WantedAccesses(by, None, subject, act, outcome, text_of(start), text_of(end))
    page = _page(asker, wanted, limit=paged.limit, after=paged.place())
    asker.about("access", subject or "", rows=len(page.rows), by=by)
    return _listed(page)


@router.get(
    "/accesses/export",
    operation_id="accesses.export",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}, "description": "A signed note."}},
)
def export(
    asker: Annotated[Asker, Acting("access.export")],
    paged: Paged,
    by: Stream = None,
    subject: Subject = None,
    act: ActName = None,
    outcome: Outcome = None,
    start: From = None,
    end: To = None,
) -> Response:
    """The same as a text that our key signed, and openssl checks (docs/formats.md); its head says where to go on."""
    times = text_of(start), text_of(end)
    wanted = WantedAccesses(by, None, subject, act, outcome, *times)
    page = that_fit(_page(asker, wanted, limit=paged.limit, after=paged.place()))
    asked = {"act": act, "by": by, "end": times[1], "outcome": outcome, "start": times[0], "subject": subject}
    note = signed_accesses(page, asked=asked, after=cursor(page.after), ports=asker.ports, now=asker.now)
    asker.about("access", subject or "", rows=len(page.rows), by=by)
    return Response(
        note,
        media_type="text/plain; charset=utf-8",
        headers={"Cache-Control": "no-store"},
    )


@router.get("/me/accesses", operation_id="me.accesses", response_model=Listed[Access], tags=["me"])
def mine(asker: Annotated[Asker, Acting("access.own")], paged: Paged) -> Listed[Access]:
    """What is on record of oneself, by time."""
    wanted = WantedAccesses(stream=asker.actor.id.replace(":", "/", 1))
    page = _page(asker, wanted, limit=paged.limit, after=paged.place())
    asker.about("access", "", rows=len(page.rows))
    return _listed(page)


@router.get("/recordings/{recording}/accesses", operation_id="recordings.accesses", response_model=Listed[Access])
def of_recording(recording: Annotated[Id, Path(description="`rec-…`")], asker: Reads, paged: Paged) -> Listed[Access]:
    """Who saw a recording, by time."""
    return _of(asker, recording, paged.limit, paged.place(), is_case=False)


@router.get("/cases/{case}/accesses", operation_id="cases.accesses", response_model=Listed[Access])
def of_case(case: Annotated[Id, Path(description="`cas-…`")], asker: Reads, paged: Paged) -> Listed[Access]:
    """Who saw a case, by time."""
    return _of(asker, case, paged.limit, paged.place(), is_case=True)


def _of(asker: Asker, subject: str, limit: int, after: Place | None, *, is_case: bool) -> Listed[Access]:
    with asker.view() as connection:
        row = asker.case(connection, subject) if is_case else asker.recording(connection, subject)
        page = accesses_page(connection, WantedAccesses(subject=row["id"]), limit=limit, after=after)
    return _listed(page)


def _page(asker: Asker, wanted: WantedAccesses, *, limit: int, after: Place | None) -> Page:
    with asker.view() as connection:
        return accesses_page(connection, wanted, limit=limit, after=after)


def _listed(page: Page) -> Listed[Access]:
    return listed([Access(**access_of(row)) for row in page.rows], page)
