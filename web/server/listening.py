# SPDX-License-Identifier: Apache-2.0
"""This is where the server listens, in a thread of its own, until it is told to end."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import uvicorn
from fastapi import FastAPI

from evidence.errors import BadInput, ServerUnavailable
from web.server.certificate import Identity
from web.server.protocol import PatientProtocol

_BACKLOG = 2048
_KEEP_ALIVE_S = 75
_CONNECTIONS = 4096
_TICK_S = 0.2
_START_S = 30.0


@dataclass(slots=True)
class Listening:
    """A server that runs; `address` is where clients reach it."""

    address: str
    _thread: threading.Thread

    def is_alive(self) -> bool:
        """False when it ended by itself, which it should not."""
        return self._thread.is_alive()


def bound(host: str, port: int) -> socket.socket:
    """A socket that listens at an address; port 0: a free one.

    Raises:
        BadInput: nothing can listen there.
    """
    try:
        family, _, _, _, where = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(where)
        except OSError:
            listener.close()
            raise
    except OSError as error:
        raise BadInput(f"cannot listen at {host}:{port} (EVIDOCK_SERVE): {error.strerror or error}") from error
    return listener


@contextmanager
def listening(
    app: FastAPI, listener: socket.socket, *, identity: Identity | None, grace_s: float
) -> Iterator[Listening]:
    """Answer at `listener` while the block runs; without `identity`, plain HTTP.

    At its end no new request is taken, and those under way have `grace_s` seconds;
    streams of live events end at once.

    Raises:
        BadInput: the certificate cannot be used. ServerUnavailable: it does not come up.
    """
    config = uvicorn.Config(
        app,
        http=PatientProtocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        backlog=_BACKLOG,
        limit_concurrency=_CONNECTIONS,
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=int(grace_s),
    )
    config.load()
    if identity is not None:
        config.ssl = identity.context()
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listener],), name="server", daemon=True)
    thread.start()
    try:
        _await_start(server, thread)
        host, port = listener.getsockname()[:2]
        shown = f"[{host}]" if ":" in host else host
        yield Listening(f"{'http' if identity is None else 'https'}://{shown}:{port}", thread)
    finally:
        if watchers := getattr(app.state, "watchers", None):
            watchers.close()
        server.should_exit = True
        thread.join(grace_s + 2.0)
        listener.close()


def _await_start(server: uvicorn.Server, thread: threading.Thread) -> None:
    waited = 0.0
    while not server.started:
        thread.join(_TICK_S / 10)
        waited += _TICK_S / 10
        if not thread.is_alive() or waited > _START_S:
            raise ServerUnavailable("the server does not come up")
