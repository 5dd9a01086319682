# SPDX-License-Identifier: Apache-2.0
"""This is where people change what they sign in with: password, codes, passkeys. Each asks for a fresh proof."""

from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Response
from pydantic import BaseModel, StringConstraints

from evidence import instant
from evidence.tokens import TOKEN_BYTES, token_of, token_sha256
from storage.register import credential_rows, user_rows
from storage.register.answers import Row
from web.access import audited
from web.access.acting import Asker
from web.api.me import Own
from web.api.sign_in import Code, Credential, PasskeyAsked, Secret
from web.api.texts import Asking, Line
from web.signin import changes, passkeys, totp
from web.signin.who import check_fresh

router = APIRouter(prefix="/v1/me", route_class=audited.AuditedRoute, tags=["me"])

PasskeyId = Annotated[str, StringConstraints(min_length=1, max_length=1400, pattern=r"^[A-Za-z0-9_-]+$")]


class NewPassword(Asking):
    """The password to be."""

    password: Secret


class OfferBody(BaseModel):
    """A secret for an app that shows codes, told once. `offer`: what to confirm it with."""

    offer: str
    secret: str
    uri: str
    until_at: datetime


class Confirming(Asking):
    """An offer, and the code that the app shows for it."""

    offer: Line
    code: Code


class NewPasskey(Asking):
    """A passkey that was just made, and what the person calls it."""

    passkey: Credential
    label: Line | None = None


class PasskeyBody(BaseModel):
    """A passkey of a person."""

    id: str
    label: str
    made_at: datetime
    used_at: datetime | None


class PasskeysBody(BaseModel):
    """All of them, oldest first; they are few."""

    items: list[PasskeyBody]
    next: None = None


@router.post("/password", operation_id="me.password.set", status_code=204, response_class=Response)
def set_password(told: NewPassword, asker: Own) -> None:
    """Nothing: the password is another one, and the person's other sessions have ended."""
    changes.set_password(asker.actor.name, told.password, by=_fresh(asker))


@router.post("/totp", operation_id="me.totp.offer", response_model=OfferBody)
def offer_totp(response: Response, asker: Own) -> OfferBody:
    """A secret for an app; it counts once it was confirmed."""
    by, user = _fresh(asker), asker.actor.name
    until = asker.now + timedelta(minutes=by.means.figures.challenge_minutes)
    token = token_of(asker.ports.chance(TOKEN_BYTES))
    with asker.view() as connection:
        login = user_rows.user(connection, user)["login"]
    made = totp.offer(login, user, means=by.means, ports=asker.ports)
    row = {
        "sha256": token_sha256(token),
        "purpose": totp.KIND,
        "subject": user,
        "told": made.sealed,
        "until_at": instant.to_text(until),
    }
    with asker.ports.register.leasing() as connection:
        credential_rows.drop_one_times(connection, totp.KIND, user)
        credential_rows.add_one_time(connection, row, forget_before=instant.to_text(asker.now - timedelta(days=1)))
    response.headers["Cache-Control"] = "no-store"
    return OfferBody(offer=token, secret=made.secret, uri=made.uri, until_at=until)


@router.post("/totp/confirm", operation_id="me.totp.keep", status_code=204, response_class=Response)
def keep_totp(told: Confirming, asker: Own) -> None:
    """Nothing: from now on the person signs in with password and code."""
    changes.keep_totp(asker.actor.name, told.offer, told.code, by=_fresh(asker))


@router.delete("/totp", operation_id="me.totp.remove", status_code=204, response_class=Response)
def remove_totp(asker: Own) -> None:
    """Nothing: there are codes no longer."""
    changes.remove_totp(asker.actor.name, by=_fresh(asker))


@router.get("/passkeys", operation_id="me.passkeys.list", response_model=PasskeysBody)
def list_passkeys(asker: Own) -> PasskeysBody:
    """The person's passkeys."""
    return PasskeysBody(items=[_passkey(row) for row in _passkeys(asker)])


@router.post("/passkeys/options", operation_id="me.passkeys.ask", response_model=PasskeyAsked)
def ask_passkey(asker: Own) -> PasskeyAsked:
    """What to make a passkey by."""
    by = _fresh(asker)
    with asker.view() as connection:
        user = user_rows.user(connection, asker.actor.name)
    asked = passkeys.ask_new(user, _passkeys(asker), means=by.means, ports=asker.ports, now=asker.now)
    return PasskeyAsked(options=asked)


@router.post("/passkeys", operation_id="me.passkeys.keep", status_code=201, response_model=PasskeyBody)
def keep_passkey(told: NewPasskey, asker: Own) -> PasskeyBody:
    """The passkey, which signs in from now on."""
    made = changes.keep_passkey(asker.actor.name, told.passkey, told.label or "", by=_fresh(asker))
    return next(_passkey(row) for row in _passkeys(asker) if row["id"] == made)


@router.delete("/passkeys/{passkey}", operation_id="me.passkeys.remove", status_code=204, response_class=Response)
def remove_passkey(passkey: PasskeyId, asker: Own) -> None:
    """Nothing: it signs in no longer."""
    changes.remove_passkey(asker.actor.name, passkey, by=_fresh(asker))


def _fresh(asker: Asker) -> changes.Changing:
    """Where a change is made, by a person who proved minutes ago who they are.

    Raises:
        ProveAgain: it is longer ago.
    """
    check_fresh(asker.known.proved_at, asker.here)
    return changes.Changing(asker.ports, asker.here.sign_in, asker.now, asker.known.holder)


def _passkeys(asker: Asker) -> list[Row]:
    with asker.view() as connection:
        return credential_rows.credentials_of(connection, asker.actor.name, passkeys.KIND)


def _passkey(row: Row) -> PasskeyBody:
    return PasskeyBody(**{name: row[name] for name in ("id", "label", "made_at", "used_at")})
