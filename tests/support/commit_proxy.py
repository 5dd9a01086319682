# SPDX-License-Identifier: Apache-2.0
"""This is where a connection to PostgreSQL is cut at its commit: before the server, or before we hear of it."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Literal

Cut = Literal["unheard", "unanswered"]
_COMMIT = b"COMMIT\x00"
_AT_ONCE = 1 << 16
_ANSWER_S = 10.0


class CommitProxy:
    """A way to a server on a loopback port, which is cut at the nth commit after `arm`, once."""

    def __init__(self, upstream: int) -> None:
        self._upstream = upstream
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self.cuts = 0
        self._lock = threading.Lock()
        self._left = 0
        self._how: Cut = "unheard"
        threading.Thread(target=self._accept, daemon=True).start()

    def arm(self, how: Cut, *, commit: int) -> None:
        """Cut at the `commit`th commit from now on: 1 is the next."""
        with self._lock:
            self._left, self._how = commit, how

    def disarm(self) -> None:
        """Let all through."""
        with self._lock:
            self._left = 0

    def draw(self, data: bytes) -> Cut | None:
        """How to cut at what is being sent, None when it passes."""
        with self._lock:
            if self._left == 0 or _COMMIT not in data:
                return None
            self._left -= 1
            if self._left:
                return None
            self.cuts += 1
            return self._how

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                _Way(client, socket.create_connection(("127.0.0.1", self._upstream)), self).begin()


class _Way:
    """One connection."""

    def __init__(self, client: socket.socket, server: socket.socket, proxy: CommitProxy) -> None:
        self._client = client
        self._server = server
        self._proxy = proxy
        self._is_mute = False
        self._answered = threading.Event()

    def begin(self) -> None:
        for work in (self._to_server, self._to_client):
            threading.Thread(target=work, daemon=True).start()

    def _to_server(self) -> None:
        with suppress(OSError):
            while data := self._client.recv(_AT_ONCE):
                how = self._proxy.draw(data)
                if how == "unheard":
                    break
                self._is_mute = how == "unanswered"
                self._server.sendall(data)
                if self._is_mute:
                    self._answered.wait(_ANSWER_S)
                    break
        self._end()

    def _to_client(self) -> None:
        with suppress(OSError):
            while data := self._server.recv(_AT_ONCE):
                if self._is_mute:
                    self._answered.set()  # it has committed, and nobody will hear of it
                    break
                self._client.sendall(data)
        if not self._is_mute:
            self._end()

    def _end(self) -> None:
        for one in (self._client, self._server):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()


@contextmanager
def commit_proxy(upstream: int) -> Iterator[CommitProxy]:
    """A running one, gone at the end."""
    proxy = CommitProxy(upstream)
    try:
        yield proxy
    finally:
        proxy.close()
