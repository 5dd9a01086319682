# SPDX-License-Identifier: Apache-2.0
"""This is where programs of others are listed that are told when something happens, and what they are told.

They are told little: that a thing of some kind happened to a noun, by its opaque name. Who wants more asks for it with
a key, and that is on record.

Source: Standard Webhooks 1.0.0 (thin payloads).
"""

import json
from collections.abc import Sequence
from datetime import datetime

from evidence import ids, instant
from evidence.custody import Happening
from evidence.errors import BadInput
from evidence.ids import stream_of
from pipeline.ports import Ports
from storage.register import webhook_rows
from storage.register.answers import Row
from storage.register.projection import KINDS

TEST = "test"
_AT_ONCE = 200
# Whoever is told of every view has a view of the viewers: that is for auditors, on record.
_UNTOLD = frozenset({"accessed", "sign-in-failed", "signed-in", "signed-out", "credential-changed"})


def add_webhook(url: str, kinds: Sequence[str], *, sealed: str, identifier: str, ports: Ports, now: datetime) -> None:
    """List a program at `url`, told of events of `kinds` from now on; `sealed` is the secret it knows us by.

    Raises:
        BadInput: a kind of event that there is none of, or that nobody is told.
    """
    wrong = sorted(set(kinds) - (KINDS - _UNTOLD))
    if wrong or not kinds:
        raise BadInput(f"no kind of event that others are told: {', '.join(one[:40] for one in wrong) or 'none named'}")
    happening = Happening(
        "webhook-added", stream_of("webhook", identifier), {"kinds": sorted(set(kinds))}, {"url": url}
    )
    with ports.register.begin() as writing:
        writing.record(happening, actor=ports.actor, at=now)
        webhook_rows.add_secret(writing.connection, identifier, sealed)


def remove_webhook(identifier: str, *, ports: Ports, now: datetime) -> None:
    """Tell a program nothing any more.

    Raises:
        NotFound: there is none.
    """
    with ports.register.begin() as writing:
        webhook_rows.webhook(writing.connection, identifier)
        writing.record(Happening("webhook-removed", stream_of("webhook", identifier)), actor=ports.actor, at=now)
        webhook_rows.forget(writing.connection, identifier)


def take_on(webhook: Row, *, ports: Ports, now: datetime) -> int:
    """Note what is to be sent to a web hook of `webhook_rows.standing`; how many. Repeat: nothing is noted twice."""
    with ports.register.view() as connection:
        happened = webhook_rows.happened(connection, behind=webhook["read_to"], limit=_AT_ONCE)
    if not happened:
        return 0
    told = [_delivery(webhook, event, ports, now) for event in happened if event["kind"] in webhook["kinds"]]
    with ports.register.leasing() as connection:
        is_ours = webhook_rows.add_deliveries(
            connection, webhook["id"], told, was=webhook["read_to"], now=happened[-1]["id"]
        )
    return len(told) if is_ours else 0


def take_on_test(webhook: Row, *, ports: Ports, now: datetime) -> str:
    """Note a delivery that only tries whether somebody listens; its id."""
    event = {"kind": TEST, "stream": stream_of("webhook", webhook["id"]), "seq": 0, "at": instant.to_text(now)}
    row = _delivery(webhook, event, ports, now)
    with ports.register.leasing() as connection:
        newest = next(one["read_to"] for one in webhook_rows.standing(connection) if one["id"] == webhook["id"])
        webhook_rows.add_deliveries(connection, webhook["id"], [row], was=newest, now=newest)
    return str(row["id"])


def _delivery(webhook: Row, event: Row, ports: Ports, now: datetime) -> Row:
    body = {
        "type": event["kind"],
        "timestamp": event["at"],
        "data": {"stream": event["stream"], "seq": event["seq"]},
    }
    # Ordered by its number, which events have; a test comes where it is asked for.
    place = f"{event.get('id', 0):016d}"
    return {
        "id": f"msg_{place}{ids.opaque('', ports.chance(5))[1:]}",
        "webhook": webhook["id"],
        "body": json.dumps(body, ensure_ascii=False, separators=(",", ":")),
        "state": webhook_rows.WAITING,
        "tries": 0,
        "due_at": instant.to_text(now),
        "at": instant.to_text(now),
    }
