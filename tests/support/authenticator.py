# SPDX-License-Identifier: Apache-2.0
"""This is where tests get an authenticator: a passkey in software, which a test may copy, turn back or lead astray.

It writes what a browser hands on: `credential.toJSON()` of W3C Web Authentication Level 3, §5.1.
"""

import base64
import hashlib
import json
from dataclasses import dataclass, field, replace
from typing import Any

import cbor2
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

_PRESENT, _VERIFIED, _HAS_KEY = 0x01, 0x04, 0x40
_AAGUID = bytes(16)


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


@dataclass(frozen=True, slots=True)
class Authenticator:
    """One passkey. `origin`: what page the browser says it was on; `rp`: the name whose digest is signed."""

    origin: str
    rp: str
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    credential: bytes = b"passkey-of-a-test"
    counter: int = 0
    is_verified: bool = True

    def turned(self, counter: int) -> "Authenticator":
        """The same key at another count: what a copy is."""
        return replace(self, counter=counter)

    def make(self, options: dict[str, Any]) -> dict[str, Any]:
        """What it answers when it is asked to make a passkey."""
        told = self._data(_HAS_KEY) + _AAGUID + len(self.credential).to_bytes(2, "big") + self.credential + self._cose()
        attestation = cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": told})
        client = self._client("webauthn.create", options)
        return self._told({"clientDataJSON": b64(client), "attestationObject": b64(attestation)})

    def sign(self, options: dict[str, Any]) -> dict[str, Any]:
        """What it answers when it is asked to sign."""
        client, told = self._client("webauthn.get", options), self._data(0)
        signature = self.key.sign(told + hashlib.sha256(client).digest(), ec.ECDSA(SHA256()))
        return self._told({"clientDataJSON": b64(client), "authenticatorData": b64(told), "signature": b64(signature)})

    def _told(self, response: dict[str, str]) -> dict[str, Any]:
        named = b64(self.credential)
        return {
            "id": named,
            "rawId": named,
            "type": "public-key",
            "response": response,
            "clientExtensionResults": {},
        }

    def _client(self, kind: str, options: dict[str, Any]) -> bytes:
        return json.dumps({"type": kind, "challenge": options["challenge"], "origin": self.origin}).encode()

    def _data(self, flags: int) -> bytes:
        told = flags | _PRESENT | (_VERIFIED if self.is_verified else 0)
        return hashlib.sha256(self.rp.encode()).digest() + bytes([told]) + self.counter.to_bytes(4, "big")

    def _cose(self) -> bytes:
        point = self.key.public_key().public_numbers()
        return cbor2.dumps({1: 2, 3: -7, -1: 1, -2: point.x.to_bytes(32, "big"), -3: point.y.to_bytes(32, "big")})
