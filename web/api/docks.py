# SPDX-License-Identifier: Apache-2.0
"""This is where people invite, list, switch and revoke docks; what docks themselves say comes in elsewhere."""

from collections.abc import Callable
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Request, Response
from pydantic import BaseModel, Field

from evidence import instant
from evidence.ids import stream_of
from pipeline.docks import Invitation, invite, revoke, switch_erasing
from storage.register import device_rows, dock_rows, registry_lists, search
from storage.register.search import Connection, Row
from web.access import audited
from web.access.acting import Acting, Asker
from web.api.etags import check_match, tagged
from web.api.idempotency import Once
from web.api.moments import Instant
from web.api.paging import Listed, Paged, listed
from web.api.recordings import Why
from web.api.texts import Asking, Id, Line

router = APIRouter(prefix="/v1/docks", route_class=audited.AuditedRoute, tags=["docks"])

DockId = Annotated[Id, Path(description="`dck-…`")]
Reading = Annotated[Asker, Acting("dock.read")]
Changing = Annotated[Asker, Acting("dock.change")]
_DOCKINGS = 20


class Minutes(Asking):
    """How long a one-time code is good; null: as long as the figures say."""

    minutes: Annotated[int, Field(ge=1, le=100_000)] | None = None


class NewDock(Minutes):
    """Who is invited. `device`: of a terminal, the serial of the device that it is."""

    name: Line
    kind: Literal["dock", "terminal", "axis"] = "dock"
    unit: Line | None = None
    device: Id | None = None


class Erasing(Why):
    """Whether a dock clears devices all of whose files rest here, and why."""

    erases: bool


class DockBrief(BaseModel):
    """A dock as it is known. `key`: its public key in hexadecimal, once it is enrolled."""

    id: str
    name: str
    kind: str
    unit: str
    device: str | None
    state: str
    erases: bool
    key: str | None
    invited_at: Instant
    enrolled_at: Instant | None
    revoked_at: Instant | None


class Docking(BaseModel):
    """One plug-in of one device. `outcome` null: it goes on, or its end was never told."""

    id: str
    port: str
    device: str | None
    began_at: Instant
    names: int
    taken: int
    taken_bytes: int
    refusal: str | None
    erasing_at: Instant | None
    ended_at: Instant | None
    outcome: str | None
    received: int | None
    erased: int | None


class DockEvent(BaseModel):
    """What became of a dock, as the custody log has it."""

    seq: int
    kind: str
    at: Instant
    actor: str
    leaf_index: int | None


class DockBody(DockBrief):
    """A dock with when something last came of it, what became of it, and what was plugged in last."""

    seen_at: Instant | None
    custody: list[DockEvent]
    dockings: list[Docking]


class Invited(BaseModel):
    """A one-time code, told this once: with it the dock enrols until then."""

    dock: str
    code: str
    until: Instant


@router.get("", operation_id="docks.list", response_model=Listed[DockBrief])
def list_docks(
    asker: Reading,
    paged: Paged,
    state: Literal["invited", "enrolled", "revoked"] | None = None,
    unit: Line | None = None,
) -> Listed[DockBrief]:
    """Docks by id."""
    with asker.view() as connection:
        page = registry_lists.docks_page(
            connection, asker.sight, state=state, unit=unit, limit=paged.limit, after=paged.place()
        )
    asker.about("dock", "", rows=len(page.rows))
    return listed([DockBrief(**row) for row in page.rows], page)


@router.post("", operation_id="docks.invite", status_code=201, response_model=Invited)
def invite_dock(told: NewDock, asker: Changing, once: Once) -> Response:
    """Invite a dock; its code comes with this answer and never again."""
    wanted = Invitation(told.name, told.kind, told.unit or "", told.device, told.minutes)
    return once.answer(asker, lambda: _invited(asker, wanted), status=201, is_secret=True)


@router.get("/{dock}", operation_id="docks.show", response_model=DockBody)
def show(dock: DockId, request: Request, asker: Reading) -> Response:
    """All that is known of a dock."""
    return tagged(request, _shown(asker, dock))


@router.post("/{dock}/invite", operation_id="docks.invite_again", status_code=201, response_model=Invited)
def invite_again(dock: DockId, told: Minutes, request: Request, asker: Changing, once: Once) -> Response:
    """Another code for a dock that is known: its key so far is worth nothing from now on."""
    was = _matched(asker, dock, request)
    wanted = Invitation(was.name, was.kind, was.unit, was.device, told.minutes)
    return once.answer(asker, lambda: _invited(asker, wanted, again=dock), status=201, is_secret=True)


@router.post("/{dock}/erasing", operation_id="docks.switch_erasing", response_model=DockBody)
def switch(dock: DockId, told: Erasing, request: Request, asker: Changing, once: Once) -> Response:
    """Let a dock clear devices all of whose files rest here, or have it clear none."""
    _matched(asker, dock, request)
    done: dict[str, Any] = {"why": told.why, "ports": asker.ports, "now": asker.now}
    return _changed(asker, dock, once, lambda: switch_erasing(dock, erases=told.erases, **done))


@router.post("/{dock}/revoke", operation_id="docks.revoke", response_model=DockBody)
def shut_out(dock: DockId, told: Why, request: Request, asker: Changing, once: Once) -> Response:
    """Shut a dock out, for good: its key, its sessions and an unused code end now."""
    _matched(asker, dock, request)
    return _changed(asker, dock, once, lambda: revoke(dock, why=told.why, ports=asker.ports, now=asker.now))


def _invited(asker: Asker, wanted: Invitation, *, again: str | None = None) -> Invited:
    made = invite(wanted, ports=asker.ports, now=asker.now, again=again)
    asker.about("dock", made.dock)
    return Invited(dock=made.dock, code=made.code, until=instant.to_text(made.until))


def _matched(asker: Asker, dock: str, request: Request) -> DockBody:
    was = _shown(asker, dock)
    check_match(request, was)
    return was


def _changed(asker: Asker, dock: str, once: Once, do: Callable[[], object]) -> Response:
    def answer() -> DockBody:
        do()
        return _shown(asker, dock)

    return once.answer(asker, answer)


def _shown(asker: Asker, dock: str) -> DockBody:
    asker.about("dock", dock)
    with asker.view() as connection:
        return _body(connection, registry_lists.dock(connection, dock, asker.sight), instant.to_text(asker.now))


def _body(connection: Connection, row: Row, now: str) -> DockBody:
    events = search.events_of(connection, stream_of("dock", row["id"]))
    dockings = dock_rows.newest_dockings(connection, row["id"], _DOCKINGS)
    return DockBody(
        **row,
        seen_at=device_rows.docks_seen_last(connection, now).get(row["id"]),
        custody=[DockEvent(**one) for one in events],
        dockings=[Docking(**one) for one in dockings],
    )
