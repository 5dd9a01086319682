# SPDX-License-Identifier: Apache-2.0
"""This is where codes that change with the time are checked: each is good once, and for a minute or so.

Source: RFC 6238 (TOTP), §5.2 (a code is accepted once); RFC 4226 §5.3.
"""

import base64
import hmac
from dataclasses import dataclass
from datetime import datetime

import pyotp

from evidence import ids, instant
from evidence.errors import BadInput, StoreUnavailable
from pipeline.ports import Ports
from storage.register import credential_rows
from storage.register.answers import Row
from storage.register.search import Connection
from storage.secret_box import SecretBox
from web.signin.means import Means

KIND = "totp"
_SECRET_BYTES = 20  # RFC 4226, R6: 160 bits
_STEP_S = 30
_ISSUER = "evidock"


@dataclass(frozen=True, slots=True)
class Offered:
    """What is shown to the person once, to put into their app; `sealed` is what we keep of it until they confirm."""

    secret: str
    uri: str
    sealed: str


def offer(login: str, user: str, *, means: Means, ports: Ports) -> Offered:
    """A new secret for a user.

    Raises:
        StoreUnavailable: this server has no key to keep it under.
    """
    secret = base64.b32encode(ports.chance(_SECRET_BYTES)).decode()
    uri = pyotp.TOTP(secret, interval=_STEP_S).provisioning_uri(name=login, issuer_name=_ISSUER)
    return Offered(secret, uri, _box(means).seal(secret.encode(), _purpose(user)))


def keep(
    connection: Connection, user: str, sealed: str, code: str, *, means: Means, ports: Ports, now: datetime
) -> None:
    """Keep a secret that was offered, now that a code shows that the person has it; another one before it ends.

    Raises:
        BadInput: it is not the code of this secret. StoreUnavailable: the secret does not open.
    """
    step = _step_of(sealed, user, code, means=means, now=now)
    if step is None:
        raise BadInput("this is not the code that the app shows for this secret", field="code")
    credential_rows.remove_credentials(connection, user, kind=KIND)
    row = {"id": ids.opaque("crd", ports.chance(10)), "user": user, "kind": KIND, "secret": sealed, "counter": step}
    credential_rows.add_credential(connection, row | {"made_at": instant.to_text(now)})


def is_right(connection: Connection, row: Row, code: str, *, means: Means, now: datetime) -> bool:
    """True when `code` is of the credential and was not used before; then it is used. In an open transaction.

    Raises:
        StoreUnavailable: the secret does not open.
    """
    step = _step_of(row["secret"], row["user"], code, means=means, now=now)
    if step is None:
        return False
    return credential_rows.use_credential(connection, row["id"], counter=step, at=instant.to_text(now))


def _step_of(sealed: str, user: str, code: str, *, means: Means, now: datetime) -> int | None:
    """The step of time that a code is of, among those that count now; the newest when it is of several."""
    made = pyotp.TOTP(_box(means).open(sealed, _purpose(user)).decode(), interval=_STEP_S)
    told, here = code.replace(" ", "").encode(), int(now.timestamp()) // _STEP_S
    around = range(here - means.figures.totp_steps, here + means.figures.totp_steps + 1)
    fits = [step for step in around if hmac.compare_digest(made.generate_otp(step).encode(), told)]
    return max(fits, default=None)


def _box(means: Means) -> SecretBox:
    if means.box is None:
        raise StoreUnavailable("this server has no key to keep secrets under")
    return means.box


def _purpose(user: str) -> str:
    return f"totp:{user}"
