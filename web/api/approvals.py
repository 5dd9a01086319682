# SPDX-License-Identifier: Apache-2.0
"""This is where people ask for what needs two of them, and the second one is shown all of it and decides."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, Field

from evidence import instant
from evidence.access import Reach
from evidence.errors import NotFound
from pipeline import approvals
from pipeline.approval_told import Approval, of_row, read_approval
from storage.register import approval_rows
from storage.register.search import Connection
from web.access import audited
from web.access.acting import Acting, Asker
from web.access.asker import About
from web.api.etags import tagged
from web.api.idempotency import Once
from web.api.paging import Listed, Paged, listed
from web.api.texts import Asking, Id, Line, Sha256, Words

router = APIRouter(prefix="/v1/approvals", route_class=audited.AuditedRoute, tags=["approvals"])

Reading = Annotated[Asker, Acting("approval.read")]
State = Literal["waiting", "expired", "approved", "refused", "withdrawn"]
Act = Literal["access", "break-glass", "disclosure", "hold-lift", "role", "sandbox-off"]
Param = Annotated[str, Field(max_length=200)] | bool | Annotated[int, Field(ge=0, le=1_000_000)]


class NewApproval(Asking):
    """What is asked for. `params` as the act takes them: docs/operate/approvals.md. `hours`: how long it may wait."""

    act: Act
    noun: Literal["recording", "case", "hold", "user", "installation"]
    subject: Line
    params: Annotated[dict[str, Param], Field(max_length=8, default_factory=dict)]
    why: Words
    hours: Annotated[int, Field(ge=1, le=100_000)] | None = None


class Decision(Asking):
    """What the second person says. `digest`: of what they were shown: nothing else is agreed on."""

    decision: Literal["approved", "refused"]
    digest: Sha256
    why: Words | None = None


class Withdrawal(Asking):
    """Why it is taken back, if there is something to say."""

    why: Words | None = None


class ApprovalBody(BaseModel):
    """What somebody asked another person to agree on. `unit` null: of the whole agency. `kind`: asked for here."""

    kind: Literal["asked"] = "asked"
    id: str
    act: str
    noun: str
    subject: str
    unit: str | None
    params: dict[str, Any]
    digest: str
    why: str
    state: State
    requested_by: str
    requested_at: datetime
    expires_at: datetime
    decided_by: str | None
    decided_at: datetime | None
    decided_why: str | None
    used_at: datetime | None


class Elsewhere(BaseModel):
    """What waits for a second person in records of its own, and is decided through its own noun. `kind`: only told."""

    kind: Literal["told"] = "told"
    act: str
    noun: str
    subject: str
    why: str
    requested_by: str
    requested_at: datetime


class ApprovalList(Listed[ApprovalBody]):
    """One page; `elsewhere` stands on the first."""

    elsewhere: list[Elsewhere] = Field(default_factory=list)


class ApprovalShown(ApprovalBody):
    """An approval with what its second person should know beside it; empty for whoever decides nothing."""

    context: dict[str, Any]


class DecidedBody(ApprovalBody):
    """An approval that was decided. `made`: the id of the grant, if it is one; `recordings`: held no longer."""

    made: str | None
    recordings: list[str]


@router.get("", operation_id="approvals.list", response_model=ApprovalList)
def list_approvals(
    asker: Reading,
    paged: Paged,
    state: Annotated[State | None, Query(description="Only those.")] = None,
    mine: Annotated[bool, Query(description="Only what one asked for oneself.")] = False,
) -> ApprovalList:
    """What was asked for: of an approver all of their unit, of others what they asked for themselves."""
    now, own = asker.steady_now(), mine or asker.reach < Reach.UNIT
    units = None if own else _units(asker)
    wanted = approval_rows.Wanted(instant.to_text(now), state, units, [asker.actor.id] if own else None)
    with asker.view() as connection:
        page = approval_rows.approvals_page(connection, wanted, limit=paged.limit, after=paged.place())
        is_told = not own and paged.after is None and state in (None, approval_rows.WAITING)
        others = approvals.at_other_doors(connection) if is_told else []
    found = listed([ApprovalBody(**_body(of_row(row), now)) for row in page.rows], page)
    elsewhere = [Elsewhere(**{name: one[name] for name in one if name != "decide"}) for one in others]
    return ApprovalList(items=found.items, next=found.next, elsewhere=elsewhere)


def _units(asker: Asker) -> tuple[str, ...] | None:
    return None if asker.reach is Reach.ALL or asker.actor.unit is None else asker.actor.units


@router.post("", operation_id="approvals.request", status_code=201, response_model=ApprovalBody)
def request(told: NewApproval, asker: Annotated[Asker, Acting("approval.request")], once: Once) -> Response:
    """The request, which waits for another person."""
    asker.told.failed_on = About("approval", "", {"wanted": told.act})
    expires = None if told.hours is None else timedelta(hours=told.hours)
    wanted = approvals.Request(told.act, told.noun, told.subject, told.params, expires)

    def do() -> ApprovalBody:
        now = asker.steady_now()
        made = approvals.request(wanted, why=told.why, ports=asker.ports, now=now)
        asker.about("approval", made.id, wanted=told.act)
        return ApprovalBody(**_body(made, now))

    return once.answer(asker, do, status=201, headers=_where)


def _where(body: BaseModel) -> Mapping[str, str]:
    assert isinstance(body, ApprovalBody)  # noqa: S101 - `do` made it
    return {"Location": f"/v1/approvals/{body.id}"}


@router.get("/{approval}", operation_id="approvals.show", response_model=ApprovalShown)
def show(approval: Id, request: Request, asker: Reading) -> Response:
    """An approval, held against its signed records; for whoever may decide it, with what they should know."""
    now = asker.steady_now()
    # What is to be decided is shown whole, also what its approver could not open: so without the asker's own wall.
    with asker.ports.register.view() as connection:
        told = _seen(connection, approval, asker)
        beside = approvals.context_of(connection, told) if asker.reach >= Reach.UNIT else {}
    return tagged(request, ApprovalShown(**_body(told, now), context=beside))


@router.post("/{approval}/decision", operation_id="approvals.decide", response_model=DecidedBody)
def decide(approval: Id, told: Decision, asker: Annotated[Asker, Acting("approval.decide")], once: Once) -> Response:
    """Decide as the second person; what is approved is done at once, or nothing is recorded."""
    with asker.ports.register.view() as connection:
        _seen(connection, approval, asker)

    def do() -> DecidedBody:
        done, now = _decided(approval, told, asker), asker.steady_now()
        performed = done.performed
        if performed.alarm is not None:
            asker.here.note("approval-alarm", performed.alarm, approval=approval, act=done.approval.act)
        freed = list(performed.recordings)
        return DecidedBody(**_body(done.approval, now), made=performed.made, recordings=freed)

    return once.answer(asker, do)


def _decided(approval: str, told: Decision, asker: Asker) -> approvals.Decided:
    now, why = asker.steady_now(), told.why or ""
    asker.about("approval", approval, decision=told.decision)
    if told.decision == "refused":
        return approvals.refuse(approval, why=why, ports=asker.ports, now=now)
    counted = min(now, asker.now)
    return approvals.approve(approval, why=why, digest=told.digest, ports=asker.ports, now=now, counted=counted)


@router.post("/{approval}/withdrawal", operation_id="approvals.withdraw", response_model=ApprovalBody)
def withdraw(
    approval: Id, told: Withdrawal, asker: Annotated[Asker, Acting("approval.withdraw")], once: Once
) -> Response:
    """Take back what one asked for oneself."""
    with asker.ports.register.view() as connection:
        _seen(connection, approval, asker)

    def do() -> ApprovalBody:
        now = asker.steady_now()
        taken = approvals.withdraw(approval, why=told.why or "", ports=asker.ports, now=now)
        return ApprovalBody(**_body(taken, now))

    return once.answer(asker, do)


def _seen(connection: Connection, identifier: str, asker: Asker) -> Approval:
    """The approval, when it is within reach; that it was looked at will be told.

    Raises:
        NotFound: there is none, or none within reach; that is told too.
    """
    asker.told.failed_on = About("approval", identifier, {})
    told = read_approval(connection, identifier, verifiers=asker.ports.verifiers)
    units = _units(asker)
    is_theirs = asker.reach >= Reach.UNIT and (units is None or told.unit in units)
    if not (is_theirs or told.requested_by == asker.actor.id):
        raise NotFound(f"no approval {identifier}", approval=identifier)
    asker.told.failed_on = None
    asker.about("approval", identifier)
    return told


def _body(told: Approval, now: datetime) -> dict[str, Any]:
    names = ("id", "act", "noun", "subject", "unit", "digest", "why", "requested_by", "requested_at", "expires_at")
    more = ("decided_by", "decided_at", "decided_why", "used_at")
    body = {name: getattr(told, name) for name in (*names, *more)}
    return body | {"params": dict(told.params), "state": told.state(now)}
