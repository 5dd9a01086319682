# SPDX-License-Identifier: Apache-2.0
"""A case system (办案系统) that answers over real HTTP what a test wants it to: pages as agreed, or anything else."""

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from evidence import instant
from tests.support.home import NOON


@dataclass(frozen=True, slots=True)
class Asked:
    """One request."""

    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Says:
    """One answer. `length`: what it says its length is, when it lies; `drip_s`: seconds between its bytes."""

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    length: int | None = None
    drip_s: float = 0.0


@dataclass(slots=True)
class CaseSystem:
    """A running one; `say` makes each answer, `asked` is what was asked."""

    url: str
    say: Callable[[Asked], Says]
    asked: list[Asked] = field(default_factory=list)


def page(*cases: Mapping[str, Any], next_page: int | None = None, cursor: str | None = None, **headers: str) -> Says:
    """A page as agreed."""
    body = {"cases": list(cases), "next_page": next_page, "cursor": cursor}
    return Says(json.dumps(body, ensure_ascii=False).encode(), headers=headers)


def told(key: str, **more: Any) -> dict[str, Any]:
    """A case as agreed."""
    window = {"start": instant.to_text(NOON), "end": instant.to_text(NOON.replace(hour=6))}
    return {"key": key, "number": f"案{key}", "title": "检查", "officers": ["7"], **window, **more}


@contextmanager
def case_system(say: Callable[[Asked], Says]) -> Iterator[CaseSystem]:
    """A case system on this machine's loopback, gone at the end."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
            asked = Asked(parts.path, query, dict(self.headers))
            system.asked.append(asked)
            self._answer(system.say(asked))

        def _answer(self, says: Says) -> None:
            self.send_response(says.status)
            length = len(says.body) if says.length is None else says.length
            defaults = {"Content-Type": "application/json; charset=utf-8", "Content-Length": str(length)}
            for name, value in {**defaults, "Connection": "close", **says.headers}.items():
                self.send_header(name.replace("_", "-"), value)
            self.end_headers()
            self.close_connection = True
            try:
                self._send(says)
            except OSError:
                return  # whoever asked has gone, as it should

        def _send(self, says: Says) -> None:
            if not says.drip_s:
                self.wfile.write(says.body)
                return
            for place in range(len(says.body)):
                self.wfile.write(says.body[place : place + 1])
                time.sleep(says.drip_s)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.block_on_close = False
    system = CaseSystem(f"http://127.0.0.1:{server.server_port}/api/cases", say)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield system
    finally:
        server.shutdown()
        server.server_close()
