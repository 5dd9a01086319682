# SPDX-License-Identifier: Apache-2.0
"""This is where the packs of cases are asked for, followed while they are made, and fetched."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field

from evidence.errors import NotFound
from pipeline import grants
from pipeline.export import ask, fetched_from
from pipeline.pack.plan import What
from storage.register import export_rows, jobs
from storage.register.search import Connection, Row
from web.access.acting import Acting, Asker, audited
from web.api.etags import tagged
from web.api.idempotency import Once
from web.api.paging import Listed, Paged, listed
from web.api.tar_stream import tar_of
from web.api.texts import Asking, Id, Line

router = APIRouter(prefix="/v1/exports", route_class=audited.AuditedRoute, tags=["exports"])

Reading = Annotated[Asker, Acting("export.read")]
_TAR = "application/x-tar"
TAR: dict[int | str, dict[str, Any]] = {
    200: {"description": "The pack", "content": {_TAR: {"schema": {"type": "string", "format": "binary"}}}},
}


class NewExport(Asking):
    """What is wanted: the case, by number or id, and whole originals or exactly what the case links to."""

    case: Line
    what: Literal["originals", "clips"] = "originals"


class ExportBody(BaseModel):
    """A pack that was asked for. `case`: its id. `progress`: 0 to 1000. `manifest_sha256`: what was handed over."""

    id: str
    case: str
    what: Literal["originals", "clips"]
    approval: str | None
    asked_by: str
    asked_at: datetime
    state: Literal["waiting", "made", "failed"]
    progress: int = Field(ge=0, le=1000)
    made_at: datetime | None
    manifest_sha256: str | None
    size_bytes: int | None
    problem: str | None


@router.post("", operation_id="exports.ask", status_code=201, response_model=ExportBody)
def ask_for(told: NewExport, asker: Annotated[Asker, Acting("export.make")], once: Once) -> Response:
    """Have the pack of a case made, by a grant to hand it out; a worker makes it."""

    def do() -> ExportBody:
        with asker.view() as connection:
            case = asker.case(connection, told.case)
            grant = grants.may(connection, asker.actor, "export", case=case["id"], now=asker.steady_now())
        if grant is None:
            asker.refuse("case", case["id"], "no grant lets you hand this case out")
        export = ask(
            case["number"], What(told.what), ports=asker.ports, now=asker.now, approval=grant["approval"], is_job=True
        )
        asker.about("export", export, case=case["id"])
        asker.here.hint(f"export:{export}")
        with asker.ports.register.view() as connection:
            return _body(connection, export_rows.export(connection, export))

    return once.answer(asker, do, status=201, headers=_where)


def _where(body: BaseModel) -> Mapping[str, str]:
    assert isinstance(body, ExportBody)  # noqa: S101 - `do` made it
    return {"Location": f"/v1/exports/{body.id}"}


@router.get("", operation_id="exports.list", response_model=Listed[ExportBody])
def list_exports(
    asker: Reading, paged: Paged, case: Annotated[Id | None, Query(description="Of this case alone.")] = None
) -> Listed[ExportBody]:
    """The packs that were asked for, of the cases one sees."""
    with asker.view() as connection:
        page = export_rows.exports_page(
            connection, case=case, seen=asker.sees_cases(), limit=paged.limit, after=paged.place()
        )
        return listed([_body(connection, row) for row in page.rows], page)


@router.get("/{export}", operation_id="exports.show", response_model=ExportBody)
def show(export: Id, request: Request, asker: Reading) -> Response:
    """What became of a pack that was asked for."""
    with asker.view() as connection:
        return tagged(request, _body(connection, _seen(connection, asker, export)))


@router.get("/{export}/pack", operation_id="exports.take", responses=TAR, response_class=StreamingResponse)
def take(export: Id, asker: Annotated[Asker, Acting("export.take")]) -> Response:
    """The pack itself, as one tar stream; unpacked, `evidock verify` checks it."""
    with asker.view() as connection:
        row = _seen(connection, asker, export)
        if grants.may(connection, asker.actor, "export", case=row["case_id"], now=asker.steady_now()) is None:
            asker.refuse("export", export, "no grant lets you hand this case out")
    stream = tar_of(fetched_from(export, ports=asker.ports), top=export)
    asker.about("export", export, manifest_sha256=row["manifest_sha256"])
    headers = {
        "Content-Length": str(stream.size_bytes),
        "Content-Disposition": f'attachment; filename="{export}.tar"',
        "Cache-Control": "private, no-store",
    }
    return StreamingResponse(stream.blocks(), media_type=_TAR, headers=headers)


def _seen(connection: Connection, asker: Asker, export: str) -> Row:
    """The export, if its case is within reach.

    Raises:
        NotFound: it is not, or there is none; nobody can tell which.
    """
    try:
        row = export_rows.export(connection, export)
        asker.case(connection, row["case_id"])
    except NotFound as error:
        raise NotFound("no such export, or none that is yours to see", noun="export") from error
    asker.about("export", export)
    return row


def _body(connection: Connection, row: Row) -> ExportBody:
    state: Literal["waiting", "made", "failed"] = "made" if row["made_at"] else "waiting"
    if row["problem_code"]:
        state = "failed"
    done = [one.progress_permille for one in jobs.jobs_of(connection, row["id"])]
    return ExportBody(
        id=row["id"],
        case=row["case_id"],
        what=json.loads(row["wanted"])["what"],
        approval=row["approval"],
        asked_by=row["asked_by"],
        asked_at=row["asked_at"],
        state=state,
        progress=1000 if state == "made" else max(done, default=0),
        made_at=row["made_at"],
        manifest_sha256=row["manifest_sha256"],
        size_bytes=row["size_bytes"],
        problem=row["problem_code"],
    )
