# SPDX-License-Identifier: Apache-2.0
"""This is where programs of others are told: signed, in order, again and again until they say that they heard.

Each is told at least once. One that does not hear keeps its own later messages waiting, and nobody else's.

Source: Standard Webhooks 1.0.0 (headers, signature, retries).
"""

import base64
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from evidence import instant
from evidence.errors import EvidockError, IntegrityError, NotAllowed, Unavailable
from pipeline.ports import Ports
from pipeline.webhooks import take_on
from storage.register import webhook_rows
from storage.register.answers import Row
from storage.secret_box import SecretBox
from web.outbound.client import Outbound

SECRET_PREFIX = "whsec_"  # noqa: S105 - what a secret's text begins with
_FIRST_S, _LONGEST_S = 5.0, 4 * 3600.0
_MOST_TRIES = 25  # some three days
_KEPT = timedelta(days=7)
_AT_ONCE = 50
_HEARD = range(200, 300)


def purpose_of(webhook: str) -> str:
    """What the secret of a web hook is sealed for."""
    return f"webhook {webhook}"


def signature(secret: bytes, *, identifier: str, at: datetime, body: str) -> str:
    """What proves to the other side that it is us: `v1,` and base64 of HMAC-SHA256."""
    signed = f"{identifier}.{int(at.timestamp())}.{body}".encode()
    return "v1," + base64.b64encode(hmac.digest(secret, signed, "sha256")).decode()


@dataclass(frozen=True, slots=True)
class Teller:
    """Tells every web hook what it is to be told. `chance` gives random bytes, for waits that differ."""

    ports: Ports
    outbound: Outbound
    box: SecretBox
    now: Callable[[], datetime]
    note: Callable[..., None]

    def once(self) -> int:
        """Take on what happened, and send what waits; how many messages were heard.

        Raises:
            RegisterUnavailable: worth another try.
        """
        with self.ports.register.view() as connection:
            found = webhook_rows.standing(connection)
        heard = sum(self._tell(one) for one in found)
        if found:
            with self.ports.register.leasing() as connection:
                webhook_rows.forget_deliveries(connection, before=instant.to_text(self.now() - _KEPT))
        return heard

    def _tell(self, webhook: Row) -> int:
        take_on(webhook, ports=self.ports, now=self.now())
        heard = 0
        for _ in range(_AT_ONCE):
            with self.ports.register.view() as connection:
                row = webhook_rows.next_delivery(connection, webhook["id"], at=instant.to_text(self.now()))
            if row is None or not self._send(webhook, row):
                break
            heard += 1
        return heard

    def _send(self, webhook: Row, row: Row) -> bool:
        """True when it was heard; otherwise it waits for another try, or is given up."""
        status, error = self._asked(webhook, row)
        if status in _HEARD:
            told = {"state": webhook_rows.DELIVERED}
        elif row["tries"] + 1 >= _MOST_TRIES:
            told = {"state": webhook_rows.FAILED}
            self.note(
                "webhook-failed", f"{webhook['id']} did not hear {row['id']} after many tries", webhook=webhook["id"]
            )
        else:
            told = {"due_at": instant.to_text(self.now() + self._pause(row["tries"]))}
        with self.ports.register.leasing() as connection:
            webhook_rows.set_delivery(connection, row["id"], **told, tries=row["tries"] + 1, status=status, error=error)
        return status in _HEARD

    def _asked(self, webhook: Row, row: Row) -> tuple[int | None, str | None]:
        now = self.now()
        try:
            secret = self.box.open(webhook["secret"], purpose_of(webhook["id"]))
            headers = {
                "content-type": "application/json",
                "user-agent": "evidock",
                "webhook-id": row["id"],
                "webhook-timestamp": str(int(now.timestamp())),
                "webhook-signature": signature(secret, identifier=row["id"], at=now, body=row["body"]),
            }
            answer = self.outbound.ask("POST", webhook["url"], headers=headers, body=row["body"].encode())
        except (Unavailable, NotAllowed, IntegrityError) as error:
            return None, error.code
        except EvidockError as error:
            return None, error.code
        return answer.status, None if answer.status in _HEARD else f"http-{answer.status}"

    def _pause(self, tries: int) -> timedelta:
        """Twice as long each time, and up to half as long again, so that not everybody comes back at once."""
        share = 1 + int.from_bytes(self.ports.chance(2)) / 131072
        return timedelta(seconds=min(_LONGEST_S, _FIRST_S * 2**tries) * share)
