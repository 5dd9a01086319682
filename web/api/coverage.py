# SPDX-License-Identifier: Apache-2.0
"""This is where what the recording catalog asks of cases is held against what was recorded (清单覆盖), over HTTP."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, Field

from pipeline.catalogs.in_force import catalog_now
from pipeline.coverage import coverage_of_case, matrix_of
from pipeline.coverage_told import tell_coverage, tell_matrix
from web.access import audited
from web.access.acting import Acting, Asker
from web.api.etags import tagged
from web.api.moments import From, Instant, To, utc
from web.api.texts import Id, Line

router = APIRouter(prefix="/v1/coverage", route_class=audited.AuditedRoute, tags=["coverage"])
Reads = Annotated[Asker, Acting("coverage.read")]


class CellBody(BaseModel):
    """What the catalog asks of one activity of a case, and what there is. `can_be`: items that would do as well."""

    item: str
    type: str
    link: str
    obligation: str
    can_be: list[str]
    papers: list[str]
    start: Instant | None = Field(alias="from")
    end: Instant | None = Field(alias="to")
    status: str
    is_demanded: bool
    due: Instant
    recordings: list[str]
    invalid: list[str]
    findings: list[dict[str, Any]] = Field(description="`code`, and what it is of.")


class Doubt(BaseModel):
    """Something about a case that the catalog could not be held against."""

    code: str
    of: str


class CaseCoverage(BaseModel):
    """A case, cell by cell."""

    case: str
    catalog: str
    type: str | None
    unit: str | None
    demanded: int
    present: int
    rate_permille: int | None
    cells: list[CellBody]
    doubts: list[Doubt]


class TallyBody(BaseModel):
    """Counts of cells; `other` are cells of items that need not be recorded."""

    demanded: int
    present: int
    missing: int
    invalid: int
    awaited: int
    rate_permille: int | None
    other: int
    other_present: int
    findings: dict[str, int]


class CellTally(TallyBody):
    """Counts of the cells of a type and link."""

    type: str
    link: str


class UnitTally(TallyBody):
    """Counts of the cases of a unit; null: of none."""

    unit: str | None


class MatrixBody(BaseModel):
    """Counts of the cases within reach that begin in a period."""

    catalog: str
    unit: str | None
    cases: int
    total: TallyBody
    cells: list[CellTally]
    units: list[UnitTally]
    doubts: dict[str, int]


@router.get("/cases/{case}", operation_id="coverage.case", response_model=CaseCoverage)
def of_case(case: Id, request: Request, asker: Reads) -> Response:
    """What the catalog in force asks of a case, against what was recorded."""
    with asker.view() as connection:
        number = asker.case(connection, case)["number"]
    found = coverage_of_case(number, ports=asker.ports, now=asker.now)
    return tagged(request, CaseCoverage(**tell_coverage(found, catalog_now(asker.ports, asker.now))))


@router.get("", operation_id="coverage.matrix", response_model=MatrixBody)
def matrix(
    asker: Reads,
    unit: Annotated[Line | None, Query(description="Code of a unit: with those below it.")] = None,
    start: From = None,
    end: To = None,
) -> MatrixBody:
    """The same, counted over all cases within reach that begin in a period."""
    since, until = (None if one is None else utc(one) for one in (start, end))
    found = matrix_of(ports=asker.ports, now=asker.now, unit=unit, start=since, end=until, sight=asker.sight)
    asker.about("coverage", unit or "", rows=found.cases)
    return MatrixBody(**tell_matrix(found, catalog_now(asker.ports, asker.now), unit=unit))
