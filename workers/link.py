# SPDX-License-Identifier: Apache-2.0
"""This is where a process gets its tie to the broker that the settings name, embedded or by URL."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import redis

from evidence.errors import Unavailable
from workers import client
from workers.broker import HintBroker, Hints
from workers.valkey import EmbeddedValkey, find_server

EMBEDDED = "embedded:"


class Link:
    """A broker, the hints that go through it, and the server behind it."""

    def __init__(self, server: redis.Redis, *, namespace: str, place: str, embedded: EmbeddedValkey | None) -> None:
        self._server = server
        self._embedded = embedded
        self.broker = HintBroker(server, namespace=namespace)
        self.hints = Hints(self.broker, place=place)

    def require_program(self) -> None:
        """Return when the embedded server could be started, or none is wanted.

        Raises:
            ToolMissing: there is no program for it, so waiting would be in vain.
        """
        if self._embedded is not None:
            find_server()

    def ensure(self) -> None:
        """Return when the server answers; the embedded one is started when it does not.

        Raises:
            Unavailable: it does not answer, or cannot be started. Worth another try.
            ToolMissing: there is no program for the embedded one.
        """
        if self._embedded is not None:
            self._embedded.ensure()
            return
        try:
            self._server.ping()
        except redis.RedisError as error:
            raise Unavailable(f"the broker of EVIDOCK_BROKER_URL does not answer: {error}") from error

    def close(self) -> None:
        """Let go of the server."""
        self.broker.close()
        self._server.close()
        if self._embedded is not None:
            self._embedded.close()


@contextmanager
def open_link(url: str, *, home: Path, namespace: str, place: str) -> Iterator[Link]:
    """The tie to the broker at `url`. Nothing is started or connected before it is asked for.

    `namespace` keeps agencies apart that share a server; `place` is this installation among those of one agency.

    Raises:
        BadInput: the URL cannot be used. Unavailable: the embedded broker's folder cannot be used.
    """
    embedded = EmbeddedValkey(home) if url == EMBEDDED else None
    server = client.over_url(url) if embedded is None else client.over_socket(embedded.socket)
    link = Link(server, namespace=f"evidock.{namespace}", place=place, embedded=embedded)
    try:
        yield link
    finally:
        link.close()
