# SPDX-License-Identifier: Apache-2.0
"""This is where tests get a system controller of Axis: it signs in by its connection file's key and stores recordings.

It speaks the subset of Swift that the API lists, one request at a time, right or wrong.
"""

import hashlib
import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

from app import clocks
from pipeline.axis_docks import connect
from tests.support.home import Home
from tests.support.web_server import Reply, WebServer

USER = "c2a3f1d4-0b5e-4a77-9d1e-7f00aa11bb22"
SERIAL = "ACCC8EF90001"
CONTAINER = f"{USER}_{SERIAL}_20260619T040000Z"
SAID = {
    "ContainerName": CONTAINER,
    "BWCSerialNumber": SERIAL,
    "SCUSerialNumber": "ACCC8EAA0001",
    "UserID": USER,
    "TriggerOn": "Button",
    "StartTimeISO": "2026-06-19T04:00:00.250Z",
    "TimeZone": "Asia/Shanghai",
    "BWCModel": "W110",
    "Status": "Transferring",
}


def clip_said(start: str, stop: str) -> dict[str, str]:
    return {"StartTimeISO": start, "StopTimeISO": stop, "ContainerType": "mp4"}


@dataclass(slots=True)
class Controller:
    """A system that was let in."""

    port: int
    id: str
    key: str
    token: str = ""
    storage: str = ""

    def raw(self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None) -> Reply:
        """One request, its path as it is given."""
        line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            line.request(method, path, body=body, headers=dict(headers or {}))
            came = line.getresponse()
            return Reply(came.status, came.headers, came.read())
        finally:
            line.close()

    def auth(self, *, user: str | None = None, key: str | None = None) -> Reply:
        told = {"X-Auth-User": user or self.id, "X-Auth-Key": key or self.key}
        return self.raw("GET", "/auth/v1.0", headers=told)

    def sign_in(self) -> None:
        reply = self.auth()
        assert reply.status == 200, reply
        self.token, self.storage = reply.headers["X-Auth-Token"], urlsplit(reply.headers["X-Storage-Url"]).path

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Reply:
        """One request below its account; `path` as it goes on the wire."""
        told = {"X-Auth-Token": self.token} | {name.replace("_", "-"): value for name, value in headers.items()}
        return self.raw(method, f"{self.storage}/{path}", body, told)

    def make(self, container: str = CONTAINER, said: Mapping[str, str] = SAID) -> Reply:
        return self.ask("PUT", quote(container), **meta("Container", said))

    def put(
        self, name: str, data: bytes, said: Mapping[str, str] | None = None, *, at: str = CONTAINER, **headers: str
    ) -> Reply:
        """Store an object with its MD5."""
        told = {"ETag": hashlib.md5(data, usedforsecurity=False).hexdigest()} | headers
        return self.ask("PUT", f"{quote(at)}/{quote(name)}", data, **meta("Object", said or {}), **told)

    def complete(self, container: str = CONTAINER) -> Reply:
        return self.ask("POST", quote(container), **meta("Container", {"Status": "Complete"}))


def meta(kind: str, said: Mapping[str, str]) -> dict[str, str]:
    """Metadata as headers."""
    return {f"X-{kind}-Meta-{key.capitalize()}": quote(value) for key, value in said.items()}


def let_in(home: Home, port: int, name: str = "station 3") -> Controller:
    """A system that the register knows; not signed in."""
    made = connect(name, ports=home.ports, now=clocks.now())
    return Controller(port, made.dock, made.key)


def controller(server: WebServer, name: str = "station 3") -> Controller:
    """A system that is signed in."""
    made = let_in(server.home, server.port, name)
    made.sign_in()
    return made


def trail(*points: tuple[float, float]) -> bytes:
    """A location file; points are latitude and longitude."""
    entries = [
        {"LocationWKT": f"POINT({lon} {lat})", "SecondsFromStart": 1.0, "Timestamp": "2026-06-19T04:00:01Z"}
        for lat, lon in points
    ]
    return json.dumps({"CoordinateEntries": entries}).encode()
