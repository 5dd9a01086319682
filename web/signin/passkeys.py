# SPDX-License-Identifier: Apache-2.0
"""This is where passkeys are made and asked: a signature over a challenge of ours, which is good once.

Who asks for a challenge need not say who they are: a passkey knows whose it is. The person is verified by it each
time (a finger, a PIN), so that it is two factors in one.

Source: W3C Web Authentication Level 3, §7.1 (registration), §7.2 (authentication), §6.1.1 (signature counter).
"""

import base64
import binascii
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import webauthn
from webauthn.helpers import bytes_to_base64url
from webauthn.helpers.exceptions import InvalidAuthenticationResponse, WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from evidence import instant
from evidence.errors import BadInput, NotSignedIn
from evidence.tokens import token_sha256
from pipeline.ports import Ports
from storage.register import credential_rows
from storage.register.answers import Row
from web.signin.means import Means

KIND = "passkey"
_CHALLENGE_BYTES = 32
_NAME = "evidock"
_MALFORMED = (WebAuthnException, ValueError, KeyError, TypeError, AttributeError, IndexError)
_VERIFIED = UserVerificationRequirement.REQUIRED

Told = Mapping[str, Any]
"""What a browser's `credential.toJSON()` tells."""


@dataclass(frozen=True, slots=True)
class Passkey:
    """A passkey that was made, as it is to be kept."""

    id: str
    secret: str
    counter: int


def ask_new(user: Row, known: Iterable[Row], *, means: Means, ports: Ports, now: datetime) -> dict[str, Any]:
    """What a browser's `navigator.credentials.create` wants, for a user who has the passkeys `known`.

    Raises:
        BadInput: nobody told the server its name.
    """
    told = webauthn.generate_registration_options(
        rp_id=_rp(means),
        rp_name=_NAME,
        user_id=user["id"].encode(),
        user_name=user["login"],
        user_display_name=user["name"],
        challenge=_challenge(user["id"], means=means, ports=ports, now=now),
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.REQUIRED, user_verification=_VERIFIED
        ),
        exclude_credentials=[PublicKeyCredentialDescriptor(id=webauthn.base64url_to_bytes(row["id"])) for row in known],
    )
    return _plain(told)


def ask_known(*, means: Means, ports: Ports, now: datetime) -> dict[str, Any]:
    """What a browser's `navigator.credentials.get` wants; it names nobody.

    Raises:
        BadInput: nobody told the server its name.
    """
    challenge = _challenge("", means=means, ports=ports, now=now)
    told = webauthn.generate_authentication_options(rp_id=_rp(means), challenge=challenge, user_verification=_VERIFIED)
    return _plain(told)


def made(told: Told, user: str, *, means: Means, ports: Ports, now: datetime) -> Passkey:
    """The passkey that an authenticator made for a user, who was asked for it; the challenge is used up.

    Raises:
        BadInput: it is not an answer to a challenge of ours for this user, or not for this server.
    """
    try:
        challenge = _answered(told, user, ports=ports, now=now)
        found = webauthn.verify_registration_response(
            credential=dict(told),
            expected_challenge=challenge,
            expected_rp_id=_rp(means),
            expected_origin=means.public_url,
            require_user_verification=True,
        )
    except _MALFORMED as error:
        raise BadInput(f"this passkey cannot be taken: {error}"[:300], field="passkey") from error
    secret = json.dumps({"public_key": bytes_to_base64url(found.credential_public_key)})
    return Passkey(bytes_to_base64url(found.credential_id), secret, found.sign_count)


def signer(told: Told, *, means: Means, ports: Ports, now: datetime) -> Row:
    """The credential of the passkey that signed a challenge of ours, which is used up; the counter has risen.

    Raises:
        NotSignedIn: it is not known, signed something else or elsewhere, or its counter says that there are two of it.
    """
    try:
        challenge = _answered(told, "", ports=ports, now=now)
        with ports.register.view() as connection:
            row = credential_rows.credential(connection, str(told["id"]))
        if row is None or row["kind"] != KIND:
            raise InvalidAuthenticationResponse("not known")
        found = webauthn.verify_authentication_response(
            credential=dict(told),
            expected_challenge=challenge,
            expected_rp_id=_rp(means),
            expected_origin=means.public_url,
            credential_public_key=webauthn.base64url_to_bytes(json.loads(row["secret"])["public_key"]),
            credential_current_sign_count=row["counter"],
            require_user_verification=True,
        )
    except _MALFORMED as error:
        raise NotSignedIn("this passkey does not sign you in here") from error
    with ports.register.leasing() as connection:
        # Asked again while it is written: of two that sign with one counter, one is a copy.
        counter, at = found.new_sign_count, instant.to_text(now)
        is_new = credential_rows.use_credential(connection, row["id"], counter=counter, at=at)
    if not is_new:
        raise NotSignedIn("this passkey does not sign you in here")
    return row


def _answered(told: Told, subject: str, *, ports: Ports, now: datetime) -> bytes:
    """The challenge that an answer is to, which is used up by it.

    Raises:
        InvalidAuthenticationResponse: it is none of ours, or not for `subject`, or was used, or is too old.
    """
    try:
        client = json.loads(webauthn.base64url_to_bytes(told["response"]["clientDataJSON"]))
        challenge = webauthn.base64url_to_bytes(client["challenge"])
    except (*_MALFORMED, binascii.Error, RecursionError) as error:
        raise InvalidAuthenticationResponse("no challenge") from error
    with ports.register.leasing() as connection:  # of its own: whatever comes of it, the challenge is used
        row = credential_rows.use_one_time(connection, _digest(challenge), KIND, at=instant.to_text(now))
    if row is None or row["subject"] != subject:
        raise InvalidAuthenticationResponse("not a challenge of ours")
    return challenge


def _challenge(subject: str, *, means: Means, ports: Ports, now: datetime) -> bytes:
    challenge, lasts = ports.chance(_CHALLENGE_BYTES), timedelta(minutes=means.figures.challenge_minutes)
    row = {
        "sha256": _digest(challenge),
        "purpose": KIND,
        "subject": subject,
        "told": "",
        "until_at": instant.to_text(now + lasts),
    }
    with ports.register.leasing() as connection:
        credential_rows.add_one_time(connection, row, forget_before=instant.to_text(now - lasts))
    return challenge


def _digest(challenge: bytes) -> str:
    return token_sha256(base64.b64encode(challenge).decode())


def _rp(means: Means) -> str:
    if not means.host:
        raise BadInput("for passkeys the server must know its name: set EVIDOCK_PUBLIC_URL")
    return means.host


def _plain(options: Any) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(webauthn.options_to_json(options))
    return told
