# SPDX-License-Identifier: Apache-2.0
"""This is where people are made members of a case, and where a case is restricted to those who belong to it."""

from typing import Annotated

from fastapi import APIRouter, Path, Response
from pydantic import BaseModel

from pipeline import memberships
from storage.register import member_rows
from web.access import audited
from web.access.acting import Acting, Asker
from web.api.idempotency import Once
from web.api.moments import Instant
from web.api.paging import Listed, listed
from web.api.texts import Asking, Id, Words

router = APIRouter(prefix="/v1/cases/{case}", route_class=audited.AuditedRoute, tags=["cases"])

CaseId = Annotated[Id, Path(description="`cas-…`")]
UserId = Annotated[Id, Path(description="`usr-…`")]
Admits = Annotated[Asker, Acting("case.member")]
Restricts = Annotated[Asker, Acting("case.restrict")]


class Joining(Asking):
    """Who is to belong to the case, by id."""

    user: Id


class Restriction(Asking):
    """Whether the case is shown to those alone who belong to it, and why."""

    restricted: bool
    why: Words


class Member(BaseModel):
    """Somebody who belongs to a case beside its officers. `unit` null: of the whole agency."""

    user: str
    login: str
    name: str
    unit: str | None
    state: str
    since: Instant


class Done(BaseModel):
    """What was done."""

    case: str
    done: bool = True


@router.get("/members", operation_id="cases.members", response_model=Listed[Member])
def members(case: CaseId, asker: Annotated[Asker, Acting("case.read")]) -> Listed[Member]:
    """The members of a case, by login."""
    with asker.view() as connection:
        row = asker.case(connection, case)
        rows = member_rows.members_of(connection, row["id"])
    return listed([Member(**one) for one in rows], None)


@router.post("/members", operation_id="cases.add-member", response_model=Done)
def add(case: CaseId, told: Joining, asker: Admits, once: Once) -> Response:
    """Have a user belong to a case."""
    number = _number(asker, case)

    def do() -> Done:
        memberships.add_member(number, told.user, ports=asker.ports, now=asker.now)
        return Done(case=case)

    asker.about("case", case, user=told.user)
    return once.answer(asker, do)


@router.delete("/members/{user}", operation_id="cases.remove-member", response_model=Done)
def remove(case: CaseId, user: UserId, asker: Admits) -> Done:
    """End that a user belongs to a case."""
    number = _number(asker, case)
    memberships.remove_member(number, user, ports=asker.ports, now=asker.now)
    asker.about("case", case, user=user)
    return Done(case=case)


@router.put("/restriction", operation_id="cases.restrict", response_model=Done)
def restrict(case: CaseId, told: Restriction, asker: Restricts) -> Done:
    """Restrict a case to those who belong to it, or open it to its unit again."""
    number = _number(asker, case)
    memberships.restrict(number, is_restricted=told.restricted, why=told.why, ports=asker.ports, now=asker.now)
    return Done(case=case)


def _number(asker: Asker, case: str) -> str:
    with asker.view() as connection:
        return str(asker.case(connection, case)["number"])
