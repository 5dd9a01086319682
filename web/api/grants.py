# SPDX-License-Identifier: Apache-2.0
"""This is where leaves to see or take footage are listed, and ended before their time."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel

from evidence import instant
from evidence.access import Reach
from evidence.errors import NotFound
from pipeline import grants
from storage.register import approval_rows
from storage.register.answers import Row
from storage.register.search import Connection
from web.access import audited
from web.access.acting import Acting, Asker
from web.access.asker import About
from web.api.etags import tagged
from web.api.idempotency import Once
from web.api.paging import Listed, Paged, listed
from web.api.texts import Asking, Id, Words

router = APIRouter(prefix="/v1/grants", route_class=audited.AuditedRoute, tags=["grants"])

Reading = Annotated[Asker, Acting("grant.read")]


class Why(Asking):
    """The reason."""

    why: Words


class GrantBody(BaseModel):
    """Leave for a user, on a noun, for one thing, from one time until another; `unit` whose approver gave it."""

    id: str
    user: str
    noun: str
    subject: str
    what: str
    watermark: bool
    from_at: datetime
    until_at: datetime
    why: str
    approval: str
    unit: str | None
    granted_at: datetime
    revoked_at: datetime | None
    revoked_by: str | None
    stands: bool


@router.get("", operation_id="grants.list", response_model=Listed[GrantBody])
def list_grants(
    asker: Reading,
    paged: Paged,
    user: Annotated[Id | None, Query(description="Only of this user.")] = None,
    ended: Annotated[bool, Query(description="Also those that have ended.")] = False,
) -> Listed[GrantBody]:
    """Grants as they were given: of an approver those of their unit, of others their own."""
    now = instant.to_text(asker.steady_now())
    is_own = asker.reach < Reach.UNIT
    named = asker.actor.name if is_own else user
    units = None if is_own or asker.reach is Reach.ALL or asker.actor.unit is None else asker.actor.units
    wanted = approval_rows.WantedGrants(named, None if ended else now, units)
    with asker.view() as connection:
        page = approval_rows.grants_page(connection, wanted, limit=paged.limit, after=paged.place())
    return listed([GrantBody(**_body(row, now)) for row in page.rows], page)


@router.get("/{grant}", operation_id="grants.show", response_model=GrantBody)
def show(grant: Id, request: Request, asker: Reading) -> Response:
    """A grant."""
    now = instant.to_text(asker.steady_now())
    with asker.view() as connection:
        row = _seen(connection, grant, asker)
    return tagged(request, GrantBody(**_body(row, now)))


@router.post("/{grant}/revocation", operation_id="grants.revoke", response_model=GrantBody)
def revoke(grant: Id, told: Why, asker: Annotated[Asker, Acting("grant.revoke")], once: Once) -> Response:
    """End a grant at once."""
    with asker.view() as connection:
        unit = _seen(connection, grant, asker)["unit"]

    def do() -> GrantBody:
        now = asker.steady_now()
        row = grants.revoke(grant, why=told.why, ports=asker.ports, now=now)
        return GrantBody(**_body(dict(row) | {"unit": unit}, instant.to_text(now)))

    return once.answer(asker, do)


def _seen(connection: Connection, identifier: str, asker: Asker) -> Row:
    """The grant with its unit, when it is within reach; that it was looked at will be told.

    Raises:
        NotFound: there is none, or none within reach; that is told too.
    """
    asker.told.failed_on = About("grant", identifier, {})
    row = dict(approval_rows.grant(connection, identifier))
    row["unit"] = approval_rows.approval(connection, row["approval"])["unit"]
    actor = asker.actor
    is_ours = asker.reach is Reach.ALL or actor.unit is None or row["unit"] in actor.units
    if not ((asker.reach >= Reach.UNIT and is_ours) or row["user"] == actor.name):
        raise NotFound(f"no grant {identifier}", grant=identifier)
    asker.told.failed_on = None
    asker.about("grant", identifier)
    return row


def _body(row: Row, now: str) -> dict[str, Any]:
    stands = row["revoked_at"] is None and row["from_at"] <= now < row["until_at"]
    named = {name: row[name] for name in GrantBody.model_fields if name not in ("stands", "watermark")}
    return named | {"stands": stands, "watermark": bool(row["watermark"])}
