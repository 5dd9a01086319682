# SPDX-License-Identifier: Apache-2.0
"""This is where disposal lists are proposed, looked at, approved and taken back over HTTP.

No byte is removed from here: `evidock dispose run` does that, where the places that hold them are known.
"""

from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response
from pydantic import BaseModel, Field

from evidence.access import Reach, kinds_of_grant, reach_of
from evidence.errors import NotFound, Refused
from pipeline import agree
from pipeline.deciding import judge_at
from pipeline.disposal_list import read_list
from pipeline.disposal_told import stands, tell_list
from pipeline.tombstone import register_lines
from storage.register import ends, reach
from storage.register.reach import Sight
from web.access import audited
from web.access.acting import Acting, Asker
from web.api.etags import check_match, tagged
from web.api.idempotency import Once
from web.api.moments import Instant
from web.api.paging import Listed, Paged, listed
from web.api.recordings import Why
from web.api.texts import Id

router = APIRouter(prefix="/v1/disposals", route_class=audited.AuditedRoute, tags=["disposals"])
ListId = Annotated[Id, Path(description="`dis-…`")]
Reads = Annotated[Asker, Acting("disposal.read")]
_MOST = 10_000


class NewList(Why):
    """What is to be disposed of; without any: all that is appraised for it, as far as one list holds."""

    recordings: Annotated[list[Id], Field(min_length=1, max_length=_MOST)] | None = None


class Undone(Why):
    """What is taken back; without any: the whole list."""

    recordings: Annotated[list[Id], Field(min_length=1, max_length=_MOST)] | None = None


class ListBrief(BaseModel):
    """A list as the register has it."""

    id: str
    count: int
    why: str | None = None
    proposed_by: str
    proposed_at: Instant
    approved_by: str | None
    approved_at: Instant | None
    grace_until: Instant | None
    stands: str


class EntryBody(BaseModel):
    """A recording on a list, with what was true of it when it was proposed."""

    model_config = {"extra": "allow"}

    recording: str


class ListBody(BaseModel):
    """A list from its signed records; of its entries those within reach."""

    id: str
    digest: str
    why: str
    proposed_by: str
    proposed_at: Instant
    approved_by: str | None
    approved_at: Instant | None
    grace_until: Instant | None
    is_withdrawn: bool
    is_finished: bool
    withdrawn: list[str]
    entries: list[EntryBody]


class Register(BaseModel):
    """The disposal register of a list (销毁清册): what was destroyed, why, by whom, and when it was gone."""

    disposal: str
    is_finished: bool
    lines: list[dict[str, Any]]


@router.get("", operation_id="disposals.list", response_model=Listed[ListBrief])
def lists(asker: Reads, paged: Paged) -> Listed[ListBrief]:
    """Lists that hold anything within reach, by the time they were proposed."""
    with asker.view() as connection:
        page = ends.disposals_page(connection, asker.sight, limit=paged.limit, after=paged.place())
        asker.about("disposal", "", rows=len(page.rows))
        seen = [len(ends.seen_of(connection, row["id"], asker.sight)) for row in page.rows]
    told = [ListBrief(**{**row, "count": n}, stands=stands(row)) for row, n in zip(page.rows, seen, strict=True)]
    return listed(told, page)


@router.post("", operation_id="disposals.propose", status_code=201, response_model=ListBody)
def propose(told: NewList, asker: Annotated[Asker, Acting("disposal.propose")], once: Once) -> Response:
    """Propose a list of what is due and appraised for disposal; another person must approve it."""

    def do() -> ListBody:
        ports, now = asker.ports, asker.steady_now()
        keeping, sight = ports.keeping, _reading(asker)
        with ports.register.view(seen_by=sight) as connection:
            if told.recordings is None:
                names = ends.appraised(connection, "dispose", sight)[: keeping.largest_list]
            else:
                names = [reach.recording(connection, one, sight)["id"] for one in told.recordings]
        judge, most = judge_at(ports, now), keeping.largest_list
        made = agree.propose(names, why=told.why, judge=judge, most=most, grace=keeping.grace, ports=ports, now=now)
        return _shown(asker, made)

    return once.answer(asker, do, status=201)


@router.get("/{disposal}", operation_id="disposals.show", response_model=ListBody)
def show(disposal: ListId, request: Request, asker: Reads) -> Response:
    """A list with each recording, its date and its reasons."""
    return tagged(request, _shown(asker, disposal))


@router.post("/{disposal}/approve", operation_id="disposals.approve", response_model=ListBody)
def approve(
    disposal: ListId, request: Request, asker: Annotated[Asker, Acting("disposal.approve")], once: Once
) -> Response:
    """Approve a list that another person proposed: nothing goes before its grace is over, and it can be taken back.

    Who approves must see all of it.
    """

    def do() -> ListBody:
        shown = _shown(asker, disposal)
        check_match(request, shown)
        if len(shown.entries) < len(read_list(disposal, ports=asker.ports).entries):
            raise Refused("the list holds recordings beyond your reach: whoever approves it must see them all")
        ports, now = asker.ports, asker.steady_now()
        agree.approve(disposal, judge=judge_at(ports, now), grace=ports.keeping.grace, ports=ports, now=now)
        return _shown(asker, disposal)

    return once.answer(asker, do)


@router.post("/{disposal}/undo", operation_id="disposals.undo", response_model=ListBody)
def undo(
    disposal: ListId, told: Undone, request: Request, asker: Annotated[Asker, Acting("disposal.undo")], once: Once
) -> Response:
    """Take back a list, or some of its recordings: they are again what they were."""

    def do() -> ListBody:
        check_match(request, _shown(asker, disposal))
        agree.undo(disposal, told.recordings, why=told.why, ports=asker.ports, now=asker.steady_now())
        return _shown(asker, disposal)

    return once.answer(asker, do)


@router.get("/{disposal}/register", operation_id="disposals.register", response_model=Register)
def register(disposal: ListId, asker: Reads) -> Register:
    """What of a list was destroyed, as far as one reaches."""
    shown = _shown(asker, disposal)
    seen = {one.recording for one in shown.entries}
    with asker.view() as connection:
        lines = register_lines(read_list(disposal, ports=asker.ports), ends.tombstones_of(connection, disposal))
    within = [line for line in lines if line["recording"] in seen]
    return Register(disposal=disposal, is_finished=shown.is_finished, lines=within)


def _reading(asker: Asker) -> Sight:
    """What this person may read of lists, whatever they do to them: an act that reaches further shows no more."""
    act = "disposal.read"
    return replace(asker.sight, reach=reach_of(asker.actor, act), grants=kinds_of_grant(act))


def _shown(asker: Asker, disposal: str) -> ListBody:
    asker.about("disposal", disposal)
    sight = _reading(asker)
    with asker.ports.register.view(seen_by=sight) as connection:
        seen = ends.seen_of(connection, disposal, sight)
    if not seen and sight.reach is not Reach.ALL:
        raise NotFound("no such disposal list, or nothing of it is within your reach", disposal=disposal)
    told = tell_list(read_list(disposal, ports=asker.ports))
    told["entries"] = [one for one in told["entries"] if one["recording"] in seen]
    told["withdrawn"] = [one for one in told["withdrawn"] if one in seen]
    return ListBody(**told)
