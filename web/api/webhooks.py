# SPDX-License-Identifier: Apache-2.0
"""This is where programs of others are listed that are told when something happens, and what they were told."""

import base64
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field, StringConstraints

from evidence import ids
from evidence.errors import BadInput, Refused
from pipeline.webhooks import add_webhook, remove_webhook, take_on_test
from storage.register import webhook_rows
from web.access import audited
from web.access.acting import Acting, Asker
from web.api.etags import tagged
from web.api.idempotency import Once
from web.api.paging import Listed, Paged, listed
from web.api.texts import Asking, Id, Line
from web.outbound.telling import SECRET_PREFIX, purpose_of

router = APIRouter(prefix="/v1/webhooks", route_class=audited.AuditedRoute, tags=["webhooks"])

Reading = Annotated[Asker, Acting("webhook.read")]
Deciding = Annotated[Asker, Acting("webhook.change")]
Url = Annotated[str, StringConstraints(min_length=9, max_length=2000, pattern=r"^https?://[\x21-\x7e]+$")]

_SECRET_BYTES = 32
_MOST_KINDS = 200


class NewWebhook(Asking):
    """Where a program listens, and which kinds of events it is told."""

    url: Url
    kinds: Annotated[list[Line], Field(min_length=1, max_length=_MOST_KINDS)]


class WebhookBody(BaseModel):
    """A program that is told."""

    id: str
    url: str
    kinds: list[str]
    made_by: str
    made_at: datetime


class MadeWebhookBody(WebhookBody):
    """One that was just listed, with the secret that messages are signed with; it is told once."""

    secret: str


class DeliveryBody(BaseModel):
    """A message to a program: what became of it, and when it is tried next while it waits."""

    id: str
    state: str
    tries: int
    status: int | None
    error: str | None
    at: datetime
    due_at: datetime


class TestBody(BaseModel):
    """The message that only tries whether somebody listens."""

    delivery: str


@router.get("", operation_id="webhooks.list", response_model=Listed[WebhookBody])
def list_webhooks(asker: Reading, paged: Paged) -> Listed[WebhookBody]:
    """Programs that are told, as they were listed."""
    with asker.view() as connection:
        page = webhook_rows.webhooks_page(connection, limit=paged.limit, after=paged.place())
    return listed([WebhookBody(**row) for row in page.rows], page)


@router.post("", operation_id="webhooks.add", status_code=201, response_model=MadeWebhookBody)
def add(told: NewWebhook, asker: Deciding, once: Once) -> Response:
    """List a program; its secret comes with this answer and never again."""

    def do() -> MadeWebhookBody:
        outbound, box = asker.here.outbound, asker.here.sign_in.box
        if outbound is None or box is None:
            raise Refused("this server tells nobody: it was started without the means to")
        outbound.check(told.url)
        identifier, secret = ids.opaque("whk", asker.ports.chance(10)), asker.ports.chance(_SECRET_BYTES)
        sealed = box.seal(secret, purpose_of(identifier))
        add_webhook(told.url, told.kinds, sealed=sealed, identifier=identifier, ports=asker.ports, now=asker.now)
        shown = SECRET_PREFIX + base64.b64encode(secret).decode()
        return MadeWebhookBody(**_shown(identifier, asker).model_dump(), secret=shown)

    return once.answer(asker, do, status=201, is_secret=True)


@router.get("/{webhook}", operation_id="webhooks.show", response_model=WebhookBody)
def show(webhook: Id, request: Request, asker: Reading) -> Response:
    """A program that is told."""
    return tagged(request, _shown(webhook, asker))


@router.delete("/{webhook}", operation_id="webhooks.remove", status_code=204, response_class=Response)
def remove(webhook: Id, asker: Deciding) -> Response:
    """Tell it nothing any more."""
    asker.about("webhook", webhook)
    remove_webhook(webhook, ports=asker.ports, now=asker.now)
    return Response(status_code=204)


@router.post("/{webhook}/test", operation_id="webhooks.test", status_code=202, response_model=TestBody)
def test(webhook: Id, asker: Deciding) -> TestBody:
    """Send it a message of kind `test`; its deliveries tell what became of it."""
    asker.about("webhook", webhook)
    with asker.view() as connection:
        row = webhook_rows.webhook(connection, webhook)
        if webhook not in {one["id"] for one in webhook_rows.standing(connection)}:
            raise BadInput("its secret is lost with an earlier register: take it away and list it anew")
    return TestBody(delivery=take_on_test(row, ports=asker.ports, now=asker.now))


@router.get("/{webhook}/deliveries", operation_id="webhooks.deliveries", response_model=Listed[DeliveryBody])
def deliveries(webhook: Id, asker: Reading, paged: Paged) -> Listed[DeliveryBody]:
    """What was sent to it in the last days, and what waits."""
    asker.about("webhook", webhook)
    with asker.view() as connection:
        webhook_rows.webhook(connection, webhook)
        page = webhook_rows.deliveries_page(connection, webhook, limit=paged.limit, after=paged.place())
    return listed([DeliveryBody(**row) for row in page.rows], page)


def _shown(webhook: str, asker: Asker) -> WebhookBody:
    asker.about("webhook", webhook)
    with asker.view() as connection:
        return WebhookBody(**webhook_rows.webhook(connection, webhook))
