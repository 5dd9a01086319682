# SPDX-License-Identifier: Apache-2.0
"""This is where programs of others get keys, and lose them."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Request, Response
from pydantic import AwareDatetime, BaseModel, Field

from pipeline.program_keys import Key, make_key, revoke_key
from storage.register import user_rows
from storage.register.answers import Row
from web.access import audited
from web.access.acting import Acting, Asker
from web.api.etags import tagged
from web.api.idempotency import Once
from web.api.paging import Listed, Paged, listed
from web.api.texts import Asking, Id, Line
from web.api.users import Why

router = APIRouter(prefix="/v1/keys", route_class=audited.AuditedRoute, tags=["keys"])

Reading = Annotated[Asker, Acting("key.read")]
Deciding = Annotated[Asker, Acting("key.change")]

_MOST_ACTS = 100


class NewKey(Asking):
    """What a key is for: acts that a program may do, the unit (null: the whole agency), and until when."""

    name: Line
    acts: Annotated[list[Line], Field(min_length=1, max_length=_MOST_ACTS)]
    until_at: AwareDatetime
    unit: Line | None = None


class KeyBody(BaseModel):
    """A key of a program."""

    id: str
    name: str
    acts: list[str]
    unit: str | None
    made_by: str
    made_at: datetime
    until_at: datetime
    revoked_at: datetime | None
    last_used_at: datetime | None = Field(description="Of what is on record of it; null: never.")


class MadeKeyBody(KeyBody):
    """A key with its secret, which is told once and kept nowhere."""

    key: str


@router.get("", operation_id="keys.list", response_model=Listed[KeyBody])
def list_keys(asker: Reading, paged: Paged) -> Listed[KeyBody]:
    """Keys as they were made."""
    with asker.view() as connection:
        page = user_rows.keys_page(connection, limit=paged.limit, after=paged.place())
        used = user_rows.last_uses(connection, [row["id"] for row in page.rows])
    return listed([_told(row, used) for row in page.rows], page)


@router.post("", operation_id="keys.make", status_code=201, response_model=MadeKeyBody)
def make(told: NewKey, asker: Deciding, once: Once) -> Response:
    """A key, and its secret this once."""
    longest = timedelta(days=asker.here.sign_in.figures.key_days)

    def do() -> MadeKeyBody:
        wanted = Key(told.name, told.acts, told.until_at, told.unit)
        made = make_key(wanted, longest=longest, ports=asker.ports, now=asker.now)
        return MadeKeyBody(**_shown(made.id, asker).model_dump(), key=made.secret)

    return once.answer(asker, do, status=201, is_secret=True)


@router.get("/{key}", operation_id="keys.show", response_model=KeyBody)
def show(key: Id, request: Request, asker: Reading) -> Response:
    """A key, without its secret."""
    return tagged(request, _shown(key, asker))


@router.post("/{key}/revoke", operation_id="keys.revoke", response_model=KeyBody)
def revoke(key: Id, told: Why, asker: Deciding) -> KeyBody:
    """The key, which signs nobody in any more."""
    asker.about("key", key)
    revoke_key(key, why=told.why, ports=asker.ports, now=asker.now)
    return _shown(key, asker)


def _shown(key: str, asker: Asker) -> KeyBody:
    asker.about("key", key)
    with asker.view() as connection:
        used = user_rows.last_uses(connection, [key])
        return _told(user_rows.key(connection, key), used)


def _told(row: Row, used: Mapping[str, str]) -> KeyBody:
    return KeyBody.model_validate({**row, "last_used_at": used.get(row["id"])})
