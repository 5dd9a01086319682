# SPDX-License-Identifier: Apache-2.0
"""This is where a dock proves that it holds its key, and where the tokens live that say so for an hour.

A challenge is made of the server's own secret and is remembered only once it was used, so that asking for
challenges costs the server no memory. Of a token only its SHA-256 is kept, in memory alone: a server that starts
anew knows none, and clients sign in again.
"""

import base64
import binascii
import hmac
import struct
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256

from evidence.errors import NotSignedIn
from evidence.note import VerifierKey
from storage.register.answers import Row
from storage.signing import verifier_of
from web.api.limits import Limits

_TIME = struct.Struct(">Q")
_CHANCE_BYTES, _SEAL_BYTES, _TOKEN_BYTES = 8, 16, 32
_CHALLENGE_BYTES = _TIME.size + _CHANCE_BYTES + _SEAL_BYTES
_SIGNATURE_BYTES = 64
ENROLLED = "enrolled"


def signed_text(dock: str, challenge: str) -> bytes:
    """What a dock signs: `challenge` is the text as it came, base64 of 32 bytes."""
    return f"evidock-session-v1\n{dock}\n{challenge}".encode()


@dataclass(slots=True)
class Sessions:
    """Challenges and tokens of one server; `monotonic` in seconds. Threads may share it."""

    monotonic: Callable[[], float]
    chance: Callable[[int], bytes]
    limits: Limits
    _secret: bytes = field(init=False, repr=False)
    _used: "OrderedDict[str, float]" = field(init=False, repr=False, default_factory=OrderedDict)
    _tokens: dict[bytes, tuple[str, float]] = field(init=False, repr=False, default_factory=dict)
    _of_dock: dict[str, list[bytes]] = field(init=False, repr=False, default_factory=dict)
    _lock: threading.Lock = field(init=False, repr=False, default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._secret = self.chance(32)

    def challenge(self, dock: str) -> str:
        """A fresh challenge for whoever says to be `dock`: base64 of 32 bytes, good once and for a while."""
        until = _TIME.pack(int((self.monotonic() + self.limits.challenge_s) * 1000))
        told = until + self.chance(_CHANCE_BYTES)
        return base64.b64encode(told + self._seal(dock, told)).decode()

    def open(self, dock: Row, *, challenge: str, signature: str) -> str:
        """A token for the dock, whose key signed the challenge. The challenge is used up.

        Raises:
            NotSignedIn: the dock is not enrolled; the challenge is not ours, not its, too old or used; or its key
                did not sign it.
        """
        until = self._checked(str(dock["id"]), challenge)
        if dock["state"] != ENROLLED or not dock["key"] or not _is_signed(dock, challenge, signature):
            raise NotSignedIn("the signature is not by the key of an enrolled dock")
        token = self._token()
        with self._lock:
            if challenge in self._used:
                raise NotSignedIn("this challenge was used before: ask for a new one")
            self._used[challenge] = until
            self._forget_old()
            self._keep(str(dock["id"]), sha256(token.encode()).digest())
        return token

    def open_for(self, name: str) -> str:
        """A token for `name`, who proved otherwise who it is. No dock is called so: it is no dock's token."""
        token = self._token()
        with self._lock:
            self._forget_old()
            self._keep(name, sha256(token.encode()).digest())
        return token

    def dock_of(self, token: str) -> str:
        """The id of the dock that a token speaks for. Whether it may still speak is for the register to say.

        Raises:
            NotSignedIn: no such token, or no longer.
        """
        digest = sha256(token.encode()).digest()
        with self._lock:
            dock, until = self._tokens.get(digest, ("", 0.0))
        if not dock or self.monotonic() >= until:
            raise NotSignedIn("this token is not known, or no longer: sign in again")
        return dock

    def end(self, dock: str) -> None:
        """End every session of a dock."""
        with self._lock:
            for digest in self._of_dock.pop(dock, []):
                self._tokens.pop(digest, None)

    def _token(self) -> str:
        return base64.urlsafe_b64encode(self.chance(_TOKEN_BYTES)).decode().rstrip("=")

    def _seal(self, dock: str, told: bytes) -> bytes:
        return hmac.digest(self._secret, told + dock.encode(), "sha256")[:_SEAL_BYTES]

    def _checked(self, dock: str, challenge: str) -> float:
        """When a challenge ends, after it was found to be ours, made for this dock, and not too old."""
        try:
            told = base64.b64decode(challenge, validate=True)
        except (binascii.Error, ValueError) as error:
            raise NotSignedIn("the challenge is not one of ours") from error
        body, seal = told[:-_SEAL_BYTES], told[-_SEAL_BYTES:]
        # Base64 has several spellings of some bytes: only ours counts, or a used one would be good again.
        is_ours = len(told) == _CHALLENGE_BYTES and base64.b64encode(told).decode() == challenge
        if not is_ours or not hmac.compare_digest(seal, self._seal(dock, body)):
            raise NotSignedIn("the challenge is not one of ours")
        until = _TIME.unpack_from(body)[0] / 1000
        if self.monotonic() >= until:
            raise NotSignedIn("the challenge is too old: ask for a new one")
        return float(until)

    def _forget_old(self) -> None:
        now = self.monotonic()
        while self._used and next(iter(self._used.values())) <= now - self.limits.challenge_s:
            self._used.popitem(last=False)
        for digest in [one for one, (_, until) in self._tokens.items() if until <= now]:
            dock, _ = self._tokens.pop(digest)
            self._of_dock[dock].remove(digest)

    def _keep(self, dock: str, digest: bytes) -> None:
        mine = self._of_dock.setdefault(dock, [])
        while len(mine) >= self.limits.sessions_per_dock:
            self._tokens.pop(mine.pop(0), None)
        mine.append(digest)
        self._tokens[digest] = (dock, self.monotonic() + self.limits.session_s)


def _is_signed(dock: Row, challenge: str, signature: str) -> bool:
    try:
        told = base64.b64decode(signature, validate=True)
        key = bytes.fromhex(dock["key"])
    except (binascii.Error, ValueError):
        return False
    if len(told) != _SIGNATURE_BYTES:
        return False
    return verifier_of(VerifierKey(str(dock["id"]), key)).verify(signed_text(dock["id"], challenge), told)
