# SPDX-License-Identifier: Apache-2.0
"""This is where a browser is sent to the OpenID provider, and what it brings back is matched with what was asked.

What was asked is kept here, under a state that is good once: nonce, PKCE verifier, and the page to go on to. The
state is bound to the browser by a cookie, so that nobody can have another person finish their sign-in.

Source: OpenID Connect Core 1.0 §3.1; RFC 7636 (PKCE); RFC 9207 (issuer in the answer); RFC 9700 §2.1.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import httpx2
from authlib.common.errors import AuthlibBaseError
from authlib.common.urls import add_params_to_uri
from authlib.integrations.httpx_client import OAuth2Client
from authlib.oauth2.rfc7636 import create_s256_code_challenge

from evidence import instant
from evidence.errors import BadInput, NotSignedIn, ServerUnavailable
from evidence.tokens import TOKEN_BYTES, token_of, token_sha256
from storage.register import credential_rows
from storage.register.register import Register
from web.oidc.id_token import Identity, identity_of
from web.oidc.provider import Provider

_PURPOSE = "oidc"
_SCOPE = "openid profile"
_GOOD_FOR = timedelta(minutes=10)
# A path of ours: one slash, and nothing that a browser reads as another host or another line.
_PATH = re.compile(r"/(?:[A-Za-z0-9._~!$&'()*+,;=:@%-][A-Za-z0-9._~!$&'()*+,;=:@%/?-]*)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Asked:
    """Where the browser goes, and the state it must bring back."""

    url: str
    state: str


@dataclass(frozen=True, slots=True)
class Answered:
    """What the browser brought from the provider."""

    state: str
    code: str
    issuer: str | None


@dataclass(frozen=True, slots=True)
class Flow:
    """Signing in at one provider; `callback` is our own address there, `chance` gives random bytes."""

    provider: Provider
    callback: str
    register: Register
    chance: Callable[[int], bytes]

    def begin(self, onward: str, *, now: datetime) -> Asked:
        """Send a browser off; `onward` is the page of ours where it goes on afterwards.

        Raises:
            BadInput: that is no path of ours. ServerUnavailable: the provider does not answer.
        """
        if not _PATH.fullmatch(onward):
            raise BadInput("after signing in only a page of this server can follow (next=/…)")
        described = self.provider.described()
        state, nonce, verifier = (token_of(self.chance(TOKEN_BYTES)) for _ in range(3))
        row = {
            "sha256": token_sha256(state),
            "purpose": _PURPOSE,
            "subject": self.provider.registration.issuer,
            "told": json.dumps({"nonce": nonce, "verifier": verifier, "next": onward}),
            "until_at": instant.to_text(now + _GOOD_FOR),
            "used_at": None,
        }
        with self.register.leasing() as connection:
            credential_rows.add_one_time(connection, row, forget_before=instant.to_text(now))
        asked = {
            "response_type": "code",
            "client_id": self.provider.registration.client_id,
            "redirect_uri": self.callback,
            "scope": _SCOPE,
            "state": state,
            "nonce": nonce,
            "code_challenge": create_s256_code_challenge(verifier),
            "code_challenge_method": "S256",
        }
        return Asked(add_params_to_uri(described.authorization, asked), state)

    def finish(self, answered: Answered, *, cookie: str, now: datetime) -> tuple[Identity, str]:
        """Who signed in, and the page to go on to. The state is used up, whatever comes of it.

        Raises:
            NotSignedIn: this browser did not ask, or too long ago, or the answer is somebody else's or does not hold.
            ServerUnavailable: the provider does not answer.
        """
        if not answered.state or answered.state != cookie:
            raise NotSignedIn("this browser did not begin to sign in: begin again")
        with self.register.leasing() as connection:
            digest, at = token_sha256(answered.state), instant.to_text(now)
            row = credential_rows.use_one_time(connection, digest, _PURPOSE, at=at)
        issuer = self.provider.registration.issuer
        if row is None or row["subject"] != issuer:
            raise NotSignedIn("this sign-in is over, or was finished before: begin again")
        described = self.provider.described()
        if answered.issuer != issuer and (answered.issuer is not None or described.names_issuer):
            raise NotSignedIn("another identity provider answered than was asked")
        told = json.loads(row["told"])
        token = self._exchanged(described.token, answered.code, told["verifier"])
        return identity_of(token, provider=self.provider, nonce=told["nonce"], now=now), told["next"]

    def _exchanged(self, url: str, code: str, verifier: str) -> str:
        """The ID token for a code."""
        registration = self.provider.registration
        method = "none" if registration.secret is None else "client_secret_basic"
        with (
            self.provider.outbound.transport() as transport,
            OAuth2Client(
                registration.client_id,
                registration.secret,
                token_endpoint_auth_method=method,
                redirect_uri=self.callback,
                transport=transport,
                timeout=self.provider.outbound.timeout_s,
            ) as client,
        ):
            try:
                answer = client.fetch_token(url, code=code, code_verifier=verifier, grant_type="authorization_code")
            except (httpx2.HTTPError, ValueError) as error:
                raise ServerUnavailable(f"the identity provider does not answer: {type(error).__name__}") from error
            except AuthlibBaseError as error:
                raise NotSignedIn("the identity provider does not take this code") from error
        token = answer.get("id_token")
        if not isinstance(token, str):
            raise NotSignedIn("the identity provider did not say who signed in")
        return token
