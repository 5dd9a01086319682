# SPDX-License-Identifier: Apache-2.0
"""This is where it is listed over HTTP what was put aside, and why; it is let go on through `/v1/recordings`."""

from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel

from storage.register.listing import Wanted, recordings_page
from web.access import audited
from web.access.acting import Acting, Asker
from web.api.moments import Instant
from web.api.paging import Listed, Paged, listed
from web.api.texts import Line

router = APIRouter(prefix="/v1/quarantine", route_class=audited.AuditedRoute, tags=["recordings"])


class PutAside(BaseModel):
    """A recording that was put aside: the reason as a stable code, and in words."""

    id: str
    name: str
    kind: str | None
    dock: str
    device: str | None
    officer: str | None
    start_at: Instant | None
    arrived_at: Instant
    problem_code: str | None
    problem_text: str | None


@router.get("", operation_id="quarantine.list", response_model=Listed[PutAside])
def list_quarantine(
    asker: Annotated[Asker, Acting("quarantine.read")], paged: Paged, device: Line | None = None
) -> Listed[PutAside]:
    """What was put aside, by start, that of unknown start last."""
    wanted = Wanted(device=device, state="quarantined", seen=asker.sees_recordings())
    with asker.view() as connection:
        page = recordings_page(connection, wanted, limit=paged.limit, after=paged.place())
    asker.about("recording", "", rows=len(page.rows))
    return listed([PutAside(**row) for row in page.rows], page)
