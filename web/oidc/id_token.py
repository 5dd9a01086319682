# SPDX-License-Identifier: Apache-2.0
"""This is where an ID token is believed, or not: by whom, for whom, when, and for which question.

Source: OpenID Connect Core 1.0 §3.1.3.7.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from joserfc import jws, jwt
from joserfc.errors import JoseError

from evidence.errors import NotSignedIn
from web.oidc.provider import Provider

# Signatures that a public key checks. Never `none`, nor one whose key is a secret that we share with the provider.
_ALGORITHMS = ("RS256", "PS256", "ES256", "ES384", "Ed25519", "EdDSA")
_LEEWAY_S = 60
_LONGEST = 255  # of a subject (OpenID Connect Core 1.0 §2)


@dataclass(frozen=True, slots=True)
class Identity:
    """Who somebody is elsewhere; `login`: the name they go by there, which may change."""

    issuer: str
    subject: str
    login: str | None


def identity_of(token: str, *, provider: Provider, nonce: str, now: datetime) -> Identity:
    """Whom a token names.

    Raises:
        NotSignedIn: it is not signed by the provider, or not meant for us, this sign-in, or now.
        ServerUnavailable: the provider's keys cannot be had.
    """
    registration = provider.registration
    try:
        # Read before it is checked: only to know which key is asked for.
        kid = jws.extract_compact(token.encode()).headers().get("kid")
        keys = provider.keys(kid=kid if isinstance(kid, str) else None)
        claims = jwt.decode(token, keys, algorithms=list(_ALGORITHMS)).claims
        jwt.JWTClaimsRegistry(
            now=int(now.timestamp()),
            leeway=_LEEWAY_S,
            iss={"essential": True, "value": registration.issuer},
            aud={"essential": True, "value": registration.client_id},
            sub={"essential": True},
            exp={"essential": True},
            iat={"essential": True},
            nonce={"essential": True, "value": nonce},
        ).validate(claims)
    except (JoseError, ValueError, TypeError, KeyError) as error:
        raise NotSignedIn(f"the identity provider's word does not hold: {type(error).__name__}") from error
    return _identity(claims, client=registration.client_id)


def _identity(claims: Mapping[str, Any], *, client: str) -> Identity:
    audience, party = claims["aud"], claims.get("azp")
    if isinstance(audience, list) and len(audience) > 1 and party is None:
        raise NotSignedIn("the identity provider's word is meant for several, and names none")
    if party is not None and party != client:
        raise NotSignedIn("the identity provider's word was asked for by somebody else")
    subject, login = claims["sub"], claims.get("preferred_username")
    if not isinstance(subject, str) or not 0 < len(subject) <= _LONGEST:
        raise NotSignedIn("the identity provider names nobody")
    return Identity(claims["iss"], subject, login if isinstance(login, str) else None)
