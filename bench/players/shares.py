# SPDX-License-Identifier: Apache-2.0
"""This is where a request's time is told apart: how much of it authorization and audit take.

The server answers in this process, one request after another. What decides whether somebody may (session, role, rate,
leave) and what puts on record that they did is timed where it is called; the rest of a request is everything else that
client and server do for it. A share is the one by the whole, summed over all requests of a kind.
"""

import http.client
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from functools import wraps
from typing import Any
from unittest.mock import patch

from app.operate.lines import Spoken
from app.operate.operation import operating
from app.serve import context_of
from bench.installation import Installation
from evidence.errors import Unavailable
from web.access import acting, audited
from web.api import media
from web.api.app import create_app
from web.media import leave
from web.server.listening import bound, listening
from workers.link import open_link

_ROUNDS = 200
_GRACE_S = 2.0


@dataclass(slots=True)
class Spent:
    """Seconds, of all requests of a kind."""

    whole: float = 0.0
    authorization: float = 0.0
    audit: float = 0.0

    @property
    def share(self) -> float:
        """Authorization and audit, of the whole."""
        return (self.authorization + self.audit) / self.whole


@dataclass(slots=True)
class _Watch:
    """What the request that is under way spends."""

    authorization: float = 0.0
    audit: float = 0.0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def timed(self, part: str, call: Callable[..., Any]) -> Callable[..., Any]:
        """The same, timed; what it raises is raised."""

        @wraps(call)
        def watched(*told: Any, **named: Any) -> Any:
            began = time.perf_counter()
            try:
                return call(*told, **named)
            finally:
                self._spent(part, time.perf_counter() - began)

        return watched

    def awaited(self, part: str, call: Callable[..., Any]) -> Callable[..., Any]:
        """As `timed`, of a coroutine."""

        @wraps(call)
        async def watched(*told: Any, **named: Any) -> Any:
            began = time.perf_counter()
            try:
                return await call(*told, **named)
            finally:
                self._spent(part, time.perf_counter() - began)

        return watched

    def _spent(self, part: str, seconds: float) -> None:
        with self.lock:
            setattr(self, part, getattr(self, part) + seconds)


def measure_shares(here: Installation, cookie: str, recording: str) -> dict[str, Spent]:
    """By kind of request: one's account, six seconds of a proxy, leave to watch."""
    watch = _Watch()
    with _answering(here, watch) as port, closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as line:
        ours = {"Cookie": f"evidock={cookie}", "Origin": f"http://127.0.0.1:{port}"}
        playback: dict[str, Any] = {
            "method": "POST",
            "url": f"/v1/recordings/{recording}/playback",
            "body": b'{"what":"proxy"}',
            "headers": ours | {"Content-Type": "application/json"},
        }
        urls = json.loads(_asked(line, playback))["urls"]
        lines = _asked(line, {"method": "GET", "url": urls[0], "headers": ours}).decode().splitlines()
        segment = urls[0].rpartition("/")[0] + "/" + next(one for one in lines if one.endswith(".m4s"))
        kinds: dict[str, dict[str, Any]] = {
            "JSON: one's account": {"method": "GET", "url": "/v1/me", "headers": ours},
            "six seconds as a segment": {"method": "GET", "url": segment, "headers": ours},
            "JSON: leave, with its event": playback,
        }
        spent = {name: Spent() for name in kinds}
        for _ in range(_ROUNDS):
            for name, request in kinds.items():
                _count(spent[name], watch, lambda request=request: _asked(line, request))  # type: ignore[misc]
    return spent


def _count(spent: Spent, watch: _Watch, ask: Callable[[], bytes]) -> None:
    watch.authorization = watch.audit = 0.0
    began = time.perf_counter()
    ask()
    spent.whole += time.perf_counter() - began
    spent.authorization += watch.authorization
    spent.audit += watch.audit


def _asked(line: http.client.HTTPConnection, request: dict[str, Any]) -> bytes:
    line.request(**request)
    reply = line.getresponse()
    body = reply.read()
    if reply.status >= http.client.BAD_REQUEST:
        raise Unavailable(f"{request['url']} was answered with {reply.status}")
    return body


@contextmanager
def _answering(here: Installation, watch: _Watch) -> Iterator[int]:
    """A server in this process whose doors, leave and desk are watched; its port."""
    settings, ports, stop = here.settings, here.ports, threading.Event()
    with ExitStack() as stack:
        enter = stack.enter_context
        # The framework reads the doors when the application is made, so they are watched before.
        enter(patch.object(acting.Door, "__call__", watch.timed("authorization", acting.Door.__call__)))
        enter(patch.object(media, "open_leave", watch.timed("authorization", leave.open_leave)))
        enter(patch.object(audited, "_tell_allowed", watch.awaited("audit", audited._tell_allowed)))
        link = enter(open_link(settings.broker_url, home=settings.home, namespace=ports.log.origin, place=ports.place))
        seen = enter(operating(settings, ports, notes=Spoken(lambda _: None), stop=stop))
        app = create_app(context_of(settings, ports, link, seen))
        enter(closing(app.state.desk))
        listener = enter(bound("127.0.0.1", 0))
        enter(listening(app, listener, identity=None, grace_s=_GRACE_S))
        yield int(listener.getsockname()[1])
        stop.set()
