# SPDX-License-Identifier: Apache-2.0
"""This is where a dock is signed in: a challenge answered with its key, a token for as long as it lasts, and again.

A server that was started anew knows no token any more. So every request that is answered with 401 is asked once more
after signing in; answered so twice, the dock is known no longer.
"""

import json
import threading
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urljoin, urlsplit

from devices.agent.server_wire import Answer, Body, Wire, failure
from devices.agent.signing import DockKey
from evidence.errors import NotFound, NotSignedIn, ServerUnavailable

_TOKEN_SHARE = 0.9  # a token is exchanged before it ends: an upload must not be cut by its end
_JSON = {"Content-Type": "application/json"}


class Session:
    """Requests of one dock to its server; threads may share it. `monotonic` tells seconds."""

    def __init__(self, wire: Wire, *, dock: str, key: DockKey, monotonic: Callable[[], float]) -> None:
        self.dock = dock
        self._wire = wire
        self._key = key
        self._monotonic = monotonic
        self._signing_in = threading.Lock()
        self._token: str | None = None
        self._until = 0.0

    def ask(
        self,
        method: str,
        path: str,
        *,
        told: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        body: Body | bytes | None = None,
    ) -> Answer:
        """The answer to a request that the server did; `told` goes as JSON.

        Raises:
            ServerUnavailable: it does not answer, or cannot now; `values` may hold `retry_after_s`.
            NotSignedIn: it knows this dock no longer.
            Refused, Unacceptable: what it said to the request itself.
        """
        if told is not None:
            headers, body = {**(headers or {}), **_JSON}, json.dumps(told).encode()
        token = self._signed_in()
        answer = self._with(token, method, path, headers, body)
        if answer.status == 401:
            self._forget(token)
            answer = self._with(self._signed_in(), method, path, headers, body)
        if answer.status >= 400:
            raise failure(answer)
        return answer

    def own_path(self, location: str, *, of: str) -> str:
        """The path of something that the server said is at `location`, in its answer to a request for the path `of`.

        Only the path is kept: the server may stand behind another name one day.

        Raises:
            ServerUnavailable: it is no place.
        """
        path = urlsplit(urljoin(of, location)).path
        if not path.startswith("/") or len(path) > 1024 or not path.isascii() or not path.isprintable():
            raise ServerUnavailable("the server names a place for the file that is none")
        return path

    def close(self) -> None:
        """Let the connections go."""
        self._wire.close()

    def _with(
        self, token: str, method: str, path: str, headers: Mapping[str, str] | None, body: Body | bytes | None
    ) -> Answer:
        given = {**(headers or {}), "Authorization": f"Bearer {token}"}
        return self._wire.send(method, path, headers=given, body=body)

    def _forget(self, token: str) -> None:
        with self._signing_in:
            if self._token == token:
                self._token = None

    def _signed_in(self) -> str:
        with self._signing_in:
            if self._token is None or self._monotonic() >= self._until:
                self._token = self._sign_in()
            return self._token

    def _sign_in(self) -> str:
        try:
            challenge = str(self._post("/v1/challenges", dock=self.dock).get("challenge"))
            signature = self._key.answer(self.dock, challenge)
            told = self._post("/v1/sessions", dock=self.dock, challenge=challenge, signature=signature)
        except NotFound as error:
            raise NotSignedIn(error.message) from error
        token, lasts_s = told.get("token"), told.get("expires_in")
        if not isinstance(token, str) or not token.isprintable() or not isinstance(lasts_s, int):
            raise ServerUnavailable("what answers there does not speak as the server does")
        self._until = self._monotonic() + lasts_s * _TOKEN_SHARE
        return token

    def _post(self, path: str, **told: str) -> dict[str, Any]:
        answer = self._wire.send("POST", path, headers=_JSON, body=json.dumps(told).encode())
        if answer.status >= 400:
            raise failure(answer)
        return answer.json()
