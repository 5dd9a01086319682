# SPDX-License-Identifier: Apache-2.0
"""This is where cases are listed, told, opened, revised, closed and reopened over HTTP."""

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response

from evidence import case as told_case
from evidence.access import Reach
from evidence.case import CaseKind
from evidence.case_told import Party, Place
from pipeline import casework
from pipeline.case_codes import codes_now
from pipeline.cells import term
from pipeline.ports import Ports
from pipeline.tell_cases import tell_cases, tell_papers
from storage.register import casebook, search
from storage.register.search import Connection, Row
from web.access.acting import Acting, Asker, audited
from web.api.bodies_cases import CaseBody, CaseBrief, CaseChange, CaseDone, CaseMade, Closing, NewCase
from web.api.etags import check_match, tagged
from web.api.idempotency import Once
from web.api.moments import From, To, text_of, utc
from web.api.paging import Listed, Paged, listed
from web.api.recordings import Why
from web.api.texts import Id, Line

router = APIRouter(prefix="/v1/cases", route_class=audited.AuditedRoute, tags=["cases"])

CaseId = Annotated[Id, Path(description="`cas-…`")]
Reads = Annotated[Asker, Acting("case.read")]
Changes = Annotated[Asker, Acting("case.change")]
# What a null of a change empties; the rest cannot be without a value.
_EMPTY: dict[str, Any] = {
    "title": "",
    "links": (),
    "parties": (),
    **dict.fromkeys(("item", "type", "unit", "file_term", "place")),
}


@router.get("", operation_id="cases.list", response_model=Listed[CaseBrief])
def listing(
    asker: Reads,
    paging: Paged,
    number: Line | None = None,
    unit: Annotated[Line | None, Query(description="Code of a unit.")] = None,
    officer: Annotated[Line | None, Query(description="Number of a certificate.")] = None,
    kind: CaseKind | None = None,
    is_open: Annotated[bool | None, Query(alias="open")] = None,
    start: From = None,
    end: To = None,
) -> Listed[CaseBrief]:
    """Cases by the time they begin; `from` and `to` name when."""
    wanted = casebook.WantedCases(
        units=None if unit is None else [unit],
        kind=kind,
        is_open=is_open,
        start=text_of(start),
        end=text_of(end),
        number=number,
        officer=officer,
        seen=asker.sees_cases(),
    )
    with asker.view() as connection:
        page = casebook.cases_page(connection, wanted, limit=paging.limit, after=paging.place())
        items = [CaseBrief(**one) for one in _told(connection, page.rows)]
    asker.about("case", "", rows=len(items))
    return listed(items, page)


@router.get("/{case}", operation_id="cases.show", response_model=CaseBody)
def show(case: CaseId, asker: Reads, request: Request) -> Response:
    """A case with all that is told of it."""
    with asker.view() as connection:
        return tagged(request, body_of(connection, asker.case(connection, case)))


@router.post("", status_code=201, operation_id="cases.open", response_model=CaseMade)
def open_case(told: NewCase, asker: Annotated[Asker, Acting("case.open")], once: Once) -> Response:
    """Open a case; what its officers recorded in its window is linked to it, now and later."""

    def do() -> CaseMade:
        fields = {"title": "", "unit": asker.actor.unit} | fields_of(told, asker.ports, asker)
        opened = told_case.CaseBody(**fields, kind=told.kind)
        _check_near(asker, unit=opened.unit, officers=opened.officers)
        links = casework.open_case(opened, ports=asker.ports, now=asker.now)
        with asker.ports.register.view() as connection:
            row = search.case(connection, opened.number)
        asker.about("case", row["id"])
        return CaseMade(id=row["id"], number=row["number"], recordings_linked=links)

    return once.answer(asker, do, status=201, headers=lambda body: {"Location": f"/v1/cases/{body.model_dump()['id']}"})


@router.patch("/{case}", operation_id="cases.revise", response_model=CaseDone)
def revise(case: CaseId, told: CaseChange, asker: Changes, request: Request, once: Once) -> Response:
    """Change what is told of a case; the custody log keeps what was told before."""
    row = reached(asker, case, request)

    def do() -> CaseDone:
        changes = fields_of(told, asker.ports, asker)
        if "unit" in changes or "officers" in changes:
            with asker.view() as connection:
                was = casework.body_of(connection, row)
            unit, officers = changes.get("unit", was.unit), changes.get("officers", was.officers)
            _check_near(asker, unit=unit, officers=officers, was=row)
        changed = casework.revise_case(row["number"], changes, ports=asker.ports, now=asker.steady_now())
        return CaseDone(id=row["id"], changed=changed)

    return once.answer(asker, do)


@router.post("/{case}/close", operation_id="cases.close", response_model=CaseDone)
def close(case: CaseId, told: Closing, asker: Changes, request: Request, once: Once) -> Response:
    """Close a case: no rule links anything to it any more, and terms of keeping begin to count."""
    row = reached(asker, case, request)

    def do() -> CaseDone:
        at = None if told.at is None else utc(told.at)
        casework.close_case(row["number"], ports=asker.ports, now=asker.steady_now(), closed_at=at)
        return CaseDone(id=row["id"])

    return once.answer(asker, do)


@router.post("/{case}/reopen", operation_id="cases.reopen", response_model=CaseDone)
def reopen(
    case: CaseId, told: Why, asker: Annotated[Asker, Acting("case.reopen")], request: Request, once: Once
) -> Response:
    """Reopen a closed case: what it holds is kept until it is closed again."""
    row = reached(asker, case, request)

    def do() -> CaseDone:
        casework.reopen_case(row["number"], why=told.why, ports=asker.ports, now=asker.steady_now())
        return CaseDone(id=row["id"])

    return once.answer(asker, do)


def reached(asker: Asker, case: str, request: Request) -> Row:
    """The row of a case that is to be changed, once the client saw it as it is (`If-Match`).

    Raises:
        NotFound: there is none within reach. ChangedMeanwhile.
    """
    with asker.view() as connection:
        row = asker.case(connection, case)
        if request.headers.get("if-match") is not None:
            check_match(request, body_of(connection, row))
    return row


def body_of(connection: Connection, row: Row) -> CaseBody:
    """What a case is told as."""
    (told,) = _told(connection, [row])
    return CaseBody(**told, **tell_papers(connection, row))


def fields_of(told: CaseChange, ports: Ports, asker: Asker) -> dict[str, Any]:
    """What was told, as fields of a case, names turned into codes; only what was told.

    Raises:
        BadInput: a part cannot be used.
    """
    with ports.register.view() as connection:
        codes = codes_now(connection, ports=ports, now=asker.now)
    made: dict[str, Any] = {}
    for name in sorted(told.model_fields_set - {"kind"}):
        value = getattr(told, name)
        if value is None:
            made |= {name: _EMPTY[name]} if name in _EMPTY else {}
        elif name == "file_term":
            made[name] = term(value)
        elif name == "type":
            made[name] = codes.code_of("types", value)
        elif name == "links":
            made[name] = tuple(codes.code_of("links", one) for one in value)
        else:
            made[name] = _field(value)
    return made


def _field(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(Party(**one.model_dump()) if hasattr(one, "model_dump") else one for one in value)
    if hasattr(value, "model_dump"):
        return Place(**value.model_dump())
    return utc(value) if hasattr(value, "tzinfo") else value


def _check_near(asker: Asker, *, unit: str | None, officers: Sequence[str], was: Row | None = None) -> None:
    """Return when a case would be where the asker reaches: one's own, or of one's unit and those below it."""
    actor, subject = asker.actor, "" if was is None else str(was["id"])
    if actor.officer is not None and actor.officer in officers:
        return
    if asker.reach is Reach.ALL or (asker.reach is Reach.UNIT and (actor.unit is None or unit in actor.units)):
        return
    asker.refuse("case", subject, "the case would be neither yours nor of your unit")


def _told(connection: Connection, rows: Sequence[Row]) -> list[dict[str, Any]]:
    told = zip(rows, tell_cases(connection, rows), strict=True)
    return [
        {name: value for name, value in one.items() if name != "recordings"}
        | {"id": row["id"], "restricted": bool(row["restricted"])}
        for row, one in told
    ]
