# SPDX-License-Identifier: Apache-2.0
"""This is where links, papers, gaps, delays, conditions and the time of a case are told and changed over HTTP."""

import json
from typing import Annotated

from fastapi import APIRouter, Path, Request, Response

from evidence.case import Document
from evidence.case_told import Delay
from pipeline import case_papers, casework, conditions
from pipeline.case_codes import codes_now
from pipeline.tell import tell_events
from storage.register import casebook
from storage.register.listing import Wanted, links_page, recordings_page
from web.access.acting import Acting, Asker, audited
from web.api.bodies_cases import (
    CaseDone,
    CaseLink,
    Gap,
    Linked,
    Linking,
    NewDelay,
    NewGap,
    NewPaper,
    Paper,
    PaperFiled,
    TimelineLine,
)
from web.api.bodies_log import CustodyEntry
from web.api.cases import CaseId, Changes, Reads, body_of, reached
from web.api.idempotency import Once
from web.api.moments import utc
from web.api.paging import Listed, Paged, listed
from web.api.recordings import Condition, Why
from web.api.texts import Id

router = APIRouter(prefix="/v1/cases/{case}", route_class=audited.AuditedRoute, tags=["cases"])

Links = Annotated[Asker, Acting("case.link")]
PaperId = Annotated[Id, Path(description="`doc-…`, or its number.")]
_MOST_LINES = 2000


@router.get("/links", operation_id="cases.links", response_model=Listed[CaseLink])
def links(case: CaseId, asker: Reads, paging: Paged) -> Listed[CaseLink]:
    """The segments that stand in a case, by time, and why each does."""
    with asker.view() as connection:
        row = asker.case(connection, case)
        seen = asker.sees_recordings()
        page = links_page(connection, row["id"], limit=paging.limit, after=paging.place(), seen=seen)
    items = [CaseLink(**{**one, "reason": json.loads(one["reason"])}) for one in page.rows]
    return listed(items, page)


@router.post("/links", operation_id="cases.link", response_model=Linked)
def link(case: CaseId, told: Linking, asker: Links, request: Request, once: Once) -> Response:
    """Link recordings or single segments to a case by hand."""
    return _link(case, told, asker, request, once, withdraw=False)


@router.post("/unlink", operation_id="cases.unlink", response_model=Linked)
def unlink(case: CaseId, told: Linking, asker: Links, request: Request, once: Once) -> Response:
    """Withdraw links; the recordings stay, and the custody log keeps both."""
    return _link(case, told, asker, request, once, withdraw=True)


@router.get("/papers", operation_id="cases.papers", response_model=Listed[Paper])
def papers(case: CaseId, asker: Reads) -> Listed[Paper]:
    """The papers of a case that stand."""
    with asker.view() as connection:
        return listed(body_of(connection, asker.case(connection, case)).documents, None)


@router.post("/papers", operation_id="cases.papers.file", response_model=PaperFiled)
def file_paper(case: CaseId, told: NewPaper, asker: Changes, request: Request, once: Once) -> Response:
    """File a paper with the times it states, or change the one of the same number."""
    row = reached(asker, case, request)

    def do() -> PaperFiled:
        times = [None if at is None else utc(at) for at in (told.start, told.end)]
        paper = Document(told.name, told.number, _code(asker, told.link), told.item, tuple(told.officers), *times)
        made, is_new = case_papers.file_document(row["number"], paper, ports=asker.ports, now=asker.now)
        return PaperFiled(id=row["id"], changed=is_new, document=made)

    return once.answer(asker, do)


@router.post("/papers/{paper}/withdraw", operation_id="cases.papers.withdraw", response_model=PaperFiled)
def withdraw_paper(case: CaseId, paper: PaperId, told: Why, asker: Changes, request: Request, once: Once) -> Response:
    """Withdraw a paper; the custody log keeps it."""
    row = reached(asker, case, request)

    def do() -> PaperFiled:
        gone = case_papers.withdraw_document(row["number"], paper, why=told.why, ports=asker.ports, now=asker.now)
        return PaperFiled(id=row["id"], document=gone)

    return once.answer(asker, do)


@router.get("/gaps", operation_id="cases.gaps", response_model=Listed[Gap])
def gaps(case: CaseId, asker: Reads) -> Listed[Gap]:
    """The interruptions of a case's record that were explained, by time."""
    with asker.view() as connection:
        return listed(body_of(connection, asker.case(connection, case)).gaps, None)


@router.post("/gaps", operation_id="cases.gaps.explain", response_model=CaseDone)
def explain_gap(case: CaseId, told: NewGap, asker: Changes, request: Request, once: Once) -> Response:
    """Explain why the record of a case was interrupted."""
    row = reached(asker, case, request)

    def do() -> CaseDone:
        case_papers.explain_gap(
            row["number"],
            start=utc(told.start),
            end=utc(told.end),
            how=told.how,
            why=told.why,
            ports=asker.ports,
            now=asker.now,
        )
        return CaseDone(id=row["id"])

    return once.answer(asker, do)


@router.post("/delays", operation_id="cases.delays.explain", response_model=CaseDone)
def explain_delay(case: CaseId, told: NewDelay, asker: Changes, request: Request, once: Once) -> Response:
    """Say why something of a case was handed in late."""
    row = reached(asker, case, request)

    def do() -> CaseDone:
        back = None if told.returned is None else utc(told.returned)
        late = Delay(told.why, told.item, _code(asker, told.link), back)
        casework.explain_delay(row["number"], late, ports=asker.ports, now=asker.now)
        return CaseDone(id=row["id"])

    return once.answer(asker, do)


@router.post("/conditions", operation_id="cases.conditions.set", response_model=CaseDone)
def set_condition(case: CaseId, told: Condition, asker: Changes, request: Request, once: Once) -> Response:
    """Set a condition of the catalog (永久保存情形) on a case: what it holds is kept longer from now on."""
    row = reached(asker, case, request)

    def do() -> CaseDone:
        conditions.set_condition("case", row["number"], told.code, why=told.why, ports=asker.ports, now=asker.now)
        return CaseDone(id=row["id"])

    return once.answer(asker, do)


@router.post("/conditions/lift", operation_id="cases.conditions.lift", response_model=CaseDone)
def lift_condition(case: CaseId, told: Condition, asker: Changes, request: Request, once: Once) -> Response:
    """Lift a condition: from now on it keeps nothing longer."""
    row = reached(asker, case, request)

    def do() -> CaseDone:
        now = asker.steady_now()
        conditions.lift_condition("case", row["number"], told.code, why=told.why, ports=asker.ports, now=now)
        return CaseDone(id=row["id"])

    return once.answer(asker, do)


@router.get("/timeline", operation_id="cases.timeline", response_model=Listed[TimelineLine])
def timeline(case: CaseId, asker: Reads) -> Listed[TimelineLine]:
    """What a case has of time, in order: recordings, papers, explained interruptions; of unknown time last."""
    with asker.view() as connection:
        row = asker.case(connection, case)
        wanted = Wanted(case=row["number"], seen=asker.sees_recordings())
        recordings = recordings_page(connection, wanted, limit=_MOST_LINES).rows
        documents = casebook.documents_of(connection, row["id"])
        explained = casebook.gaps_of(connection, row["id"])
    told = [
        *(("recording", one["id"], one["name"], one["start_at"], one["end_at"]) for one in recordings),
        *(("document", one["id"], one["name"], one["start_at"], one["end_at"]) for one in documents),
        *(("gap", one["id"], one["why"], one["start_at"], one["end_at"]) for one in explained),
    ]
    told.sort(key=lambda line: (line[3] is None, line[3] or "", line[1]))
    names = ("what", "id", "name", "from", "to")
    return listed([TimelineLine(**dict(zip(names, line, strict=True))) for line in told], None)


@router.get("/custody", operation_id="cases.custody", response_model=Listed[CustodyEntry])
def custody(case: CaseId, asker: Annotated[Asker, Acting("custody.read")], paging: Paged) -> Listed[CustodyEntry]:
    """Who did what with a case, when: its custody events in order, each as it was signed."""
    with asker.view() as connection:
        row = asker.case(connection, case)
        rows, after = tell_events(connection, f"case/{row['id']}", limit=paging.limit, after=paging.number())
    return listed([CustodyEntry(**one) for one in rows], after)


def _link(case: str, told: Linking, asker: Asker, request: Request, once: Once, *, withdraw: bool) -> Response:
    row = reached(asker, case, request)
    if not withdraw:  # what is linked becomes visible to others: only what one sees oneself
        with asker.view() as connection:
            for thing in sorted({thing.partition(".")[0] for thing in told.things}):
                asker.recording(connection, thing)

    def do() -> Linked:
        segments = casework.link(
            row["number"], told.things, why=told.why, withdraw=withdraw, ports=asker.ports, now=asker.now
        )
        return Linked(id=row["id"], segments=segments)

    return once.answer(asker, do)


def _code(asker: Asker, link: str | None) -> str | None:
    """The code of a link that was told by code or name."""
    if link is None:
        return None
    with asker.ports.register.view() as connection:
        return codes_now(connection, ports=asker.ports, now=asker.now).code_of("links", link)
