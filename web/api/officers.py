# SPDX-License-Identifier: Apache-2.0
"""This is where officers are listed, registered and changed over HTTP."""

import json
from dataclasses import replace
from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response
from pydantic import BaseModel, Field

from evidence.agency import Officer
from evidence.errors import Conflict
from pipeline.case_codes import codes_now
from pipeline.people import officer_of, register_officer
from storage.register import registry_lists, search
from storage.register.search import Row
from web.access import audited
from web.access.acting import Acting, Asker
from web.api.etags import check_match, tagged
from web.api.idempotency import Once
from web.api.paging import Listed, Paged, listed
from web.api.texts import Asking, Line

router = APIRouter(prefix="/v1/officers", route_class=audited.AuditedRoute, tags=["officers"])

Number = Annotated[Line, Path(description="The number of a certificate.")]
Reading = Annotated[Asker, Acting("officer.read")]
Changing = Annotated[Asker, Acting("officer.change")]
_Text = Annotated[str, Field(max_length=200)]


class OfficerChange(Asking):
    """What is told of an officer; what is not named stays. `types`: codes or names of the catalog in force."""

    name: _Text = ""
    unit: _Text = ""
    post: _Text = ""
    area: _Text = ""
    types: Annotated[list[Line], Field(max_length=20, default_factory=list)]
    valid_from: date | None = None
    valid_to: date | None = None


class NewOfficer(OfficerChange):
    """An officer who is not registered yet."""

    number: Line


class OfficerBody(BaseModel):
    """An officer as they are registered; days are those of the certificate, both included."""

    id: str
    number: str
    name: str
    unit: str | None
    post: str
    types: list[str]
    area: str
    valid_from: date | None
    valid_to: date | None


@router.get("", operation_id="officers.list", response_model=Listed[OfficerBody])
def list_officers(asker: Reading, paged: Paged, unit: Line | None = None) -> Listed[OfficerBody]:
    """Officers by the number of their certificate."""
    with asker.view() as connection:
        page = registry_lists.officers_page(connection, asker.sight, unit=unit, limit=paged.limit, after=paged.place())
    asker.about("officer", "", rows=len(page.rows))
    return listed([_body(row) for row in page.rows], page)


@router.post("", operation_id="officers.add", status_code=201, response_model=OfficerBody)
def add(told: NewOfficer, asker: Changing, once: Once) -> Response:
    """Register an officer."""

    def do() -> OfficerBody:
        with asker.view() as connection:
            if search.officer(connection, told.number) is not None:
                raise Conflict("this officer is registered: change what is told of them instead")
        register_officer(Officer(**_fields(told, asker)), ports=asker.ports, now=asker.now)
        return _shown(asker, told.number)

    return once.answer(asker, do, status=201)


@router.get("/{officer}", operation_id="officers.show", response_model=OfficerBody)
def show(officer: Number, request: Request, asker: Reading) -> Response:
    """An officer."""
    return tagged(request, _shown(asker, officer))


@router.patch("/{officer}", operation_id="officers.change", response_model=OfficerBody)
def change(officer: Number, told: OfficerChange, request: Request, asker: Changing, once: Once) -> Response:
    """Change what is registered of an officer."""
    check_match(request, _shown(asker, officer))

    def do() -> OfficerBody:
        with asker.view() as connection:
            was = officer_of(registry_lists.officer(connection, officer, asker.sight))
        register_officer(replace(was, **_fields(told, asker)), ports=asker.ports, now=asker.now)
        return _shown(asker, officer)

    return once.answer(asker, do)


def _fields(told: OfficerChange, asker: Asker) -> dict[str, Any]:
    fields = told.model_dump(exclude_unset=True)
    if "types" in fields:
        with asker.ports.register.view() as connection:
            codes = codes_now(connection, ports=asker.ports, now=asker.now)
        fields["types"] = tuple(codes.code_of("types", one) for one in fields["types"])
    return fields


def _shown(asker: Asker, number: str) -> OfficerBody:
    with asker.view() as connection:
        row = registry_lists.officer(connection, number, asker.sight)
    asker.about("officer", row["id"])
    return _body(row)


def _body(row: Row) -> OfficerBody:
    return OfficerBody(**dict(row) | {"types": json.loads(row["types"])})
