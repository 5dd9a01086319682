# SPDX-License-Identifier: Apache-2.0
"""This is where it is told over HTTP until when recordings are kept and why, and what is due; nothing goes here."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel, Field

from evidence import instant
from evidence.agency import below
from pipeline import retain
from pipeline.retention_told import tell_decision
from pipeline.units import parents_of
from storage.register import retention_rows
from web.access import audited
from web.access.acting import Acting, Asker
from web.api.moments import Instant, Moment, utc
from web.api.paging import Listed, Paged, listed
from web.api.texts import Id, Line

router = APIRouter(prefix="/v1/retention", route_class=audited.AuditedRoute, tags=["retention"])
Reads = Annotated[Asker, Acting("retention.read")]


class DueBody(BaseModel):
    """A recording that the last sweep found due."""

    id: str
    until: Instant
    item: str | None
    officer: str | None
    start_at: Instant | None
    state: str
    size_bytes: int | None


class DueList(Listed[DueBody]):
    """What is due; `swept`: when the last sweep ended."""

    swept: Instant | None


class Swept(BaseModel):
    """What the last sweep said."""

    outcome: str
    until: Instant | None


class Explained(BaseModel):
    """Until when a recording is kept. `recomputes`: the same follows from these reasons alone."""

    recording: str
    outcome: str
    until: Instant | None
    now: Instant
    reasons: list[dict[str, Any]] = Field(description="Each with its `rule` and every figure it counts with.")
    recomputes: bool
    swept: Swept | None


@router.get("", operation_id="retention.due", response_model=DueList)
def due(
    asker: Reads,
    paged: Paged,
    until: Annotated[Moment | None, Query(description="Only what came due by then.")] = None,
    unit: Annotated[Line | None, Query(description="Code of a unit that filmed it, or has a case of it.")] = None,
) -> DueList:
    """What the last sweep found due, what has been due longest first."""
    by = None if until is None else utc(until)
    with asker.view() as connection:
        units = None if unit is None else below(unit, parents_of(connection))
        page = retention_rows.due_page(
            connection, until=by, units=units, limit=paged.limit, after=paged.place(), sight=asker.sight
        )
        last = retention_rows.last_sweep(connection)
    asker.about("retention", "", rows=len(page.rows))
    told = listed([DueBody(**row) for row in page.rows], page)
    return DueList(items=told.items, next=told.next, swept=None if last is None else instant.to_text(last))


@router.get("/{recording}", operation_id="retention.explain", response_model=Explained)
def explain(recording: Annotated[Id, Path(description="`rec-…`")], asker: Reads, request: Request) -> Response:
    """Until when a recording is kept, and every reason for it, counted once more."""
    now = asker.steady_now()
    with asker.view() as connection:
        row = asker.recording(connection, recording)
    with asker.ports.register.view() as connection:
        entry, decision = retain.decision_within(connection, row["id"], ports=asker.ports, now=now)
    body = Explained(**tell_decision(entry, decision, now))
    return Response(body.model_dump_json(by_alias=True), media_type="application/json")
