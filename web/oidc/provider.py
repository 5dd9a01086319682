# SPDX-License-Identifier: Apache-2.0
"""This is where an OpenID provider's own description and keys are fetched, checked and kept for a while.

Source: OpenID Connect Discovery 1.0 §4; OpenID Connect Core 1.0 §10.1.1 (rotation of keys).
"""

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from evidence.errors import ServerUnavailable
from web.outbound.client import Outbound

_KEPT_S = 3600.0
_NEW_KEYS_S = 60.0  # a token by an unknown key has them fetched anew, not more often


@dataclass(frozen=True, slots=True)
class Registration:
    """What the provider and we agreed on: its issuer, our id, and our secret when it gave one."""

    issuer: str
    client_id: str
    secret: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Described:
    """Where the provider is asked what."""

    authorization: str
    token: str
    keys: str
    names_issuer: bool
    """It names itself in each answer that comes by the browser (RFC 9207)."""


@dataclass(slots=True)
class Provider:
    """One OpenID provider; `monotonic` counts seconds. Threads may share it."""

    registration: Registration
    outbound: Outbound
    monotonic: Callable[[], float]
    _lock: threading.Lock = field(init=False, repr=False, default_factory=threading.Lock)
    _described: tuple[float, Described] | None = field(init=False, repr=False, default=None)
    _keys: tuple[float, KeySet] | None = field(init=False, repr=False, default=None)

    def described(self) -> Described:
        """What the provider says of itself.

        Raises:
            ServerUnavailable: it does not answer, or what it says is not of this issuer.
            NotAllowed: it is somewhere where the server may not ask.
        """
        with self._lock:
            if self._described is None or self.monotonic() >= self._described[0] + _KEPT_S:
                self._described = self.monotonic(), self._fetched()
            return self._described[1]

    def keys(self, *, kid: str | None) -> KeySet:
        """Its public keys; fetched anew when none is called `kid`.

        Raises:
            ServerUnavailable, NotAllowed: as `described`.
        """
        where = self.described().keys
        with self._lock:
            kept = self._keys
            if kept is None or (not _has(kept[1], kid) and self.monotonic() >= kept[0] + _NEW_KEYS_S):
                try:
                    kept = self.monotonic(), KeySet.import_key_set(self._json(where))  # type: ignore[arg-type]
                except (JoseError, KeyError, TypeError, ValueError) as error:
                    raise ServerUnavailable("the identity provider's keys cannot be read") from error
                self._keys = kept
            return kept[1]

    def _fetched(self) -> Described:
        issuer = self.registration.issuer
        told = self._json(f"{issuer.rstrip('/')}/.well-known/openid-configuration")
        names = ("authorization_endpoint", "token_endpoint", "jwks_uri")
        if told.get("issuer") != issuer or not all(isinstance(told.get(name), str) for name in names):
            raise ServerUnavailable(f"what {issuer} says of itself is not of that issuer, or lacks an address")
        names_issuer = told.get("authorization_response_iss_parameter_supported") is True
        authorization, token, keys = (told[name] for name in names)
        return Described(authorization, token, keys, names_issuer)

    def _json(self, url: str) -> Mapping[str, Any]:
        answer = self.outbound.ask("GET", url, headers={"accept": "application/json"})
        try:
            told = json.loads(answer.body)
        except ValueError as error:
            raise ServerUnavailable("the identity provider answered with no JSON") from error
        if answer.status != 200 or not isinstance(told, dict):
            raise ServerUnavailable(f"the identity provider answered {answer.status}")
        return told


def _has(keys: KeySet, kid: str | None) -> bool:
    return kid is None or any(key.kid == kid for key in keys.keys)
