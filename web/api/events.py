# SPDX-License-Identifier: Apache-2.0
"""This is where people watch what goes on: all docks within reach as they are now, and what changes from then on."""

from typing import Annotated

from fastapi import APIRouter, Header, Request, Response
from pydantic import BaseModel

from web.access import audited
from web.access.acting import Acting, Asker
from web.live.room import WatchRoom
from web.live.stream import KIND, EventStream
from web.live.wall import DockNow, wall
from web.live.watch import Watch

router = APIRouter(prefix="/v1", route_class=audited.AuditedRoute, tags=["events"])

Reading = Annotated[Asker, Acting("dock.read")]
_DIGITS_MAX = 18


class Wall(BaseModel):
    """Docks by name."""

    docks: list[DockNow]


@router.get("/docks/wall", operation_id="docks.wall", response_model=Wall)
def show_wall(asker: Reading) -> Wall:
    """All docks within reach as they are now, each with its ports; `/v1/events` tells what changes."""
    docks = wall(asker.ports.register, asker.sight, now=asker.now, days=asker.here.limits.wall_days)
    asker.about("dock", "", rows=len(docks))
    return Wall(docks=docks)


@router.get(
    "/events",
    operation_id="events.watch",
    response_class=Response,
    responses={200: {"description": "Events, as they happen", "content": {KIND: {"schema": {"type": "string"}}}}},
)
def watch(
    request: Request, asker: Reading, last_event_id: Annotated[str | None, Header(max_length=40)] = None
) -> Response:
    """Events `dock`, `job` and `approval` as they happen, as JSON; after a `reset` ask for everything anew.

    Whoever comes back with `Last-Event-ID` is told what they missed. The stream ends with the session.
    """
    room = request.app.state.watchers
    assert isinstance(room, WatchRoom)  # noqa: S101 - create_app put it there
    room.check(asker.actor.id)
    asker.about("dock", "", watched=True)
    return EventStream(Watch(asker, asker.here.limits, _number(last_event_id)), room)


def _number(told: str | None) -> int | None:
    """The number of an event; of what is none, one that no event has, so that the reader starts anew."""
    if not told:
        return None
    is_one = told.isascii() and told.isdigit() and len(told) <= _DIGITS_MAX
    return int(told) if is_one else 10**_DIGITS_MAX
