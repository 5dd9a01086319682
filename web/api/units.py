# SPDX-License-Identifier: Apache-2.0
"""This is where the agency's units are listed, registered and changed over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response
from pydantic import BaseModel

from evidence.agency import Unit
from evidence.errors import Conflict
from pipeline.units import parents_of, register_unit
from storage.register import casebook, registry_lists
from web.access import audited
from web.access.acting import Acting, Asker
from web.api.etags import check_match, tagged
from web.api.idempotency import Once
from web.api.paging import Listed, Paged, listed
from web.api.texts import Asking, Line

router = APIRouter(prefix="/v1/units", route_class=audited.AuditedRoute, tags=["units"])

Code = Annotated[Line, Path(description="The code of a unit.")]
Reading = Annotated[Asker, Acting("unit.read")]
Changing = Annotated[Asker, Acting("unit.change")]


class UnitTold(Asking):
    """A unit: its name, and the code of the unit above (null: it is the agency itself)."""

    name: Line
    parent: Line | None = None


class NewUnit(UnitTold):
    """A unit that is not registered yet."""

    code: Line


class UnitBody(BaseModel):
    """A unit as it is registered."""

    id: str
    code: str
    name: str
    parent: str | None


@router.get("", operation_id="units.list", response_model=Listed[UnitBody])
def list_units(asker: Reading, paged: Paged) -> Listed[UnitBody]:
    """Units by code."""
    with asker.view() as connection:
        page = registry_lists.units_page(connection, limit=paged.limit, after=paged.place())
    return listed([UnitBody(**row) for row in page.rows], page)


@router.post("", operation_id="units.add", status_code=201, response_model=UnitBody)
def add(told: NewUnit, asker: Changing, once: Once) -> Response:
    """Register a unit."""

    def do() -> UnitBody:
        with asker.view() as connection:
            if told.code in parents_of(connection):
                raise Conflict("this unit is registered: change it instead", unit=told.code)
        register_unit(Unit(told.code, told.name, told.parent), ports=asker.ports, now=asker.now)
        return _shown(asker, told.code)

    return once.answer(asker, do, status=201)


@router.get("/{unit}", operation_id="units.show", response_model=UnitBody)
def show(unit: Code, request: Request, asker: Reading) -> Response:
    """A unit."""
    return tagged(request, _shown(asker, unit))


@router.put("/{unit}", operation_id="units.change", response_model=UnitBody)
def change(unit: Code, told: UnitTold, request: Request, asker: Changing, once: Once) -> Response:
    """Change a unit's name, or the unit above it."""
    check_match(request, _shown(asker, unit))

    def do() -> UnitBody:
        register_unit(Unit(unit, told.name, told.parent), ports=asker.ports, now=asker.now)
        return _shown(asker, unit)

    return once.answer(asker, do)


def _shown(asker: Asker, code: str) -> UnitBody:
    with asker.view() as connection:
        row = casebook.unit(connection, code)
    asker.about("unit", row["id"])
    return UnitBody(**row)
