# SPDX-License-Identifier: Apache-2.0
"""This is where what is due is appraised over HTTP (到期鉴定): dispose of it, archive it, or keep it longer."""

from typing import Annotated, Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from evidence import instant
from pipeline.appraise import Wish
from pipeline.appraise import appraise as appraise_recordings
from pipeline.deciding import judge_at
from storage.register import ends
from web.access import audited
from web.access.acting import Acting, Asker
from web.api.idempotency import Once
from web.api.moments import Instant, Moment, utc
from web.api.paging import Listed, Paged, listed
from web.api.texts import Asking, Id, Words

router = APIRouter(prefix="/v1/appraisals", route_class=audited.AuditedRoute, tags=["appraisals"])
_MOST = 1000


class DueBody(BaseModel):
    """A recording that is due and waits for a person. `decision`: what was said before, and is over."""

    id: str
    state: str
    kind: str | None
    item: str | None
    start_at: Instant | None
    until: Instant
    decision: str | None
    asked_again: Instant | None


class NewAppraisal(Asking):
    """What a person decided. `until`: of `keep`, until when it is not asked about again; of `archive` perhaps."""

    decision: Literal["dispose", "archive", "keep"]
    recordings: Annotated[list[Id], Field(min_length=1, max_length=_MOST)]
    why: Words
    until: Moment | None = None


class Appraised(BaseModel):
    """What was written down."""

    decision: str
    recordings: list[str]


@router.get("", operation_id="appraisals.list", response_model=Listed[DueBody])
def due(asker: Annotated[Asker, Acting("appraisal.read")], paged: Paged) -> Listed[DueBody]:
    """What the last sweep found due and nobody has decided on, the longest due first."""
    now = instant.to_text(asker.steady_now())
    with asker.view() as connection:
        page = ends.to_appraise_page(connection, asker.sight, at=now, limit=paged.limit, after=paged.place())
    asker.about("appraisal", "", rows=len(page.rows))
    return listed([DueBody(**row) for row in page.rows], page)


@router.post("", operation_id="appraisals.make", status_code=201, response_model=Appraised)
def appraise(told: NewAppraisal, asker: Annotated[Asker, Acting("appraisal.make")], once: Once) -> Response:
    """Decide on recordings: all of them, or none when one is refused. Nothing is removed by this."""
    with asker.view() as connection:
        names = sorted({asker.recording(connection, one)["id"] for one in told.recordings})

    def do() -> Appraised:
        now, wish = asker.steady_now(), Wish(told.decision)
        until = None if told.until is None else utc(told.until)
        judge = judge_at(asker.ports, now)
        appraise_recordings(names, wish, why=told.why, until=until, judge=judge, ports=asker.ports, now=now)
        return Appraised(decision=wish.value, recordings=names)

    return once.answer(asker, do, status=201)
