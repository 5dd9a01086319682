# SPDX-License-Identifier: Apache-2.0
"""This is where holds are listed and placed over HTTP, and asked to be lifted, which two people do."""

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel

from pipeline import approvals, holds
from storage.register import hold_rows
from web.access import audited
from web.access.acting import Acting, Asker
from web.api.etags import check_match, tagged
from web.api.idempotency import Once
from web.api.moments import Instant
from web.api.paging import Listed, Paged, listed
from web.api.recordings import Why
from web.api.texts import Id, Line

router = APIRouter(prefix="/v1/holds", route_class=audited.AuditedRoute, tags=["holds"])

HoldId = Annotated[Id, Path(description="`hol-…`")]
Placing = Annotated[Asker, Acting("hold.place")]


class NewHold(Why):
    """What is held: a recording by its id, or a case by its id or number; and who asked for it, such as a court."""

    recording: Id | None = None
    case: Line | None = None
    authority: Line | None = None


class HoldBody(BaseModel):
    """A hold. `case`: the number of the case it is on, if it is on one."""

    id: str
    noun: Literal["recording", "case"]
    subject: str
    case: str | None
    why: str
    authority: str | None
    placed_by: str
    placed_at: Instant
    lifted_by: str | None
    lifted_at: Instant | None
    lifted_why: str | None
    needs_two: bool
    approval: str | None


class LiftAsked(BaseModel):
    """The approval that now waits for another person; agreed on, it lifts the hold."""

    hold: str
    approval: str


@router.get("", operation_id="holds.list", response_model=Listed[HoldBody])
def list_holds(
    asker: Annotated[Asker, Acting("hold.read")],
    paged: Paged,
    lifted: Annotated[bool, Query(description="Also those that were lifted.")] = False,
) -> Listed[HoldBody]:
    """Holds by the time they were placed."""
    with asker.view() as connection:
        page = hold_rows.holds_page(
            connection,
            is_lifted=None if lifted else False,
            limit=paged.limit,
            after=paged.place(),
            sight=asker.sight,
        )
    asker.about("hold", "", rows=len(page.rows))
    return listed([HoldBody(**row) for row in page.rows], page)


@router.post("", operation_id="holds.place", status_code=201, response_model=HoldBody)
def place(told: NewHold, asker: Placing, once: Once) -> Response:
    """Hold a recording, or a case with all its recordings, also later ones, until the hold is lifted."""
    with asker.view() as connection:
        recording = None if told.recording is None else asker.recording(connection, told.recording)["id"]
        case = None if told.case is None else asker.case(connection, told.case)["number"]
    target = holds.Target(recording, case)

    def do() -> HoldBody:
        now = asker.steady_now()
        held = holds.place(target, why=told.why, authority=told.authority, ports=asker.ports, now=now)
        return _shown(asker, held.id)

    return once.answer(asker, do, status=201)


@router.get("/{hold}", operation_id="holds.show", response_model=HoldBody)
def show(hold: HoldId, request: Request, asker: Annotated[Asker, Acting("hold.read")]) -> Response:
    """A hold."""
    return tagged(request, _shown(asker, hold))


@router.post("/{hold}/lift", operation_id="holds.lift", status_code=202, response_model=LiftAsked)
def lift(hold: HoldId, told: Why, request: Request, asker: Placing, once: Once) -> Response:
    """Ask for a hold to be lifted: another person decides it through `/v1/approvals`, and then it is."""
    check_match(request, _shown(asker, hold))

    def do() -> LiftAsked:
        wanted = approvals.Request("hold-lift", "hold", hold)
        made = approvals.request(wanted, why=told.why, ports=asker.ports, now=asker.steady_now())
        asker.about("hold", hold, approval=made.id)
        return LiftAsked(hold=hold, approval=made.id)

    return once.answer(asker, do, status=202)


def _shown(asker: Asker, hold: str) -> HoldBody:
    asker.about("hold", hold)
    with asker.view() as connection:
        return HoldBody(**hold_rows.hold_seen(connection, hold, asker.sight))
