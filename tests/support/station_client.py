# SPDX-License-Identifier: Apache-2.0
"""This is where tests get a server on this machine's loopback, and play dock stations that speak to it.

The server is the real one behind real sockets, in a thread of this process; its two clocks are the test's to set.
"""

import base64
import hashlib
import http.client
import io
import json
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import uvicorn
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from evidence import ids, instant
from evidence.offer import Offer
from pipeline.dock_manifest import Row, write_rows
from pipeline.docks import Invitation, invite, switch_erasing
from pipeline.receive import finish
from pipeline.received import ReceivedFiles
from pipeline.received_told import Told
from storage.signing import KeyFile
from tests.support.home import Home
from web.api.app import create_app
from web.api.context import Context
from web.api.limits import shipped_limits
from web.api.sessions import Sessions, signed_text

NOW = datetime(2026, 6, 20, 4, tzinfo=UTC)
_MTIME = 1_781_841_600_000_000_000


@dataclass(slots=True)
class Clocks:
    """The server's clocks: they stand still unless a test moves them."""

    now: datetime = NOW
    seconds: float = 1000.0

    def move(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
        self.seconds += seconds


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server answered."""

    status: int
    body: Any
    headers: http.client.HTTPMessage

    @property
    def code(self) -> str:
        """The code of a problem."""
        assert self.headers["Content-Type"].startswith("application/problem+json"), self
        return str(self.body["code"])


@dataclass(frozen=True, slots=True)
class Serving:
    """A home whose server answers at a port."""

    home: Home
    port: int
    clocks: Clocks

    def request(
        self, method: str, path: str, body: Any = None, *, token: str | None = None, address: str = "127.0.0.1"
    ) -> Answer:
        """One request; a body is JSON, or bytes as they are. `address` is the one it comes from."""
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        if data is not None and not isinstance(body, bytes):
            headers["Content-Type"] = "application/json"
        line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30, source_address=(address, 0))
        try:
            line.request(method, path, body=data, headers=headers)
            came = line.getresponse()
            content = came.read()
            kind = came.headers.get("Content-Type", "")
            return Answer(came.status, json.loads(content) if "json" in kind else content, came.headers)
        finally:
            line.close()

    def invited(self, name: str = "hall", **more: Any) -> str:
        """The one-time code of a dock that is invited now."""
        return invite(Invitation(name, **more), ports=self.home.ports, now=self.clocks.now).code

    def enrol(self, code: str, key: bytes | None = None, *, address: str = "127.0.0.1") -> Answer:
        """Bring a key for a code."""
        key = Ed25519PrivateKey.generate().public_key().public_bytes_raw() if key is None else key
        body = {"code": code, "name": "station", "key": base64.b64encode(key).decode()}
        return self.request("POST", "/v1/enrolments", body, address=address)

    def station(self, name: str = "hall", *, erases: bool = False, **more: Any) -> "Station":
        """A dock that is enrolled and signed in."""
        key = Ed25519PrivateKey.generate()
        answer = self.enrol(self.invited(name, **more), key.public_key().public_bytes_raw())
        assert answer.status == 201, answer
        station = Station(self, answer.body["dock"], key)
        if erases:
            switch_erasing(station.id, erases=True, why="order 3", ports=self.home.ports, now=self.clocks.now)
        station.sign_in()
        return station


@dataclass(slots=True)
class Station:
    """A dock, as it speaks to its server."""

    at: Serving
    id: str
    key: Ed25519PrivateKey
    token: str = ""
    numbers: Iterator[int] = field(default_factory=lambda: iter(range(1 << 20)))

    def sign_in(self) -> None:
        challenge = self.at.request("POST", "/v1/challenges", {"dock": self.id}).body["challenge"]
        signature = base64.b64encode(self.key.sign(signed_text(self.id, challenge))).decode()
        body = {"dock": self.id, "challenge": challenge, "signature": signature}
        self.token = self.at.request("POST", "/v1/sessions", body).body["token"]

    def post(self, path: str, body: Any) -> Answer:
        return self.at.request("POST", path, body, token=self.token)

    def get(self, path: str) -> Answer:
        return self.at.request("GET", path, token=self.token)

    def put(self, path: str, body: bytes) -> Answer:
        return self.at.request("PUT", path, body, token=self.token)

    # --- files ------------------------------------------------------------------------------

    def offer(self, path: str, data: bytes) -> Offer:
        """The offer that a file of these bytes is."""
        return Offer(self.id, path, path.rpartition("/")[2], len(data), _MTIME)

    def send(self, path: str, data: bytes) -> str:
        """Have a file come in, whole; the recording that it became. Nothing is run yet."""
        offer = self.offer(path, data)
        files = ReceivedFiles(self.at.home.ports.received)
        told = Told(self.id, path, offer.name, offer.mtime_ns, offer.size_bytes)
        identifier = files.create(told, chance=self.at.home.ports.chance(10))
        with files.appending(identifier, at=0) as piece:
            piece.write(data)
            piece.commit()
        return finish(identifier, ports=self.at.home.ports, now=self.at.clocks.now).recording

    def sealed(self, path: str, data: bytes) -> str:
        """Have a file come in, and every step run."""
        recording = self.send(path, data)
        self.at.home.drain(recording)
        return recording

    # --- dockings ---------------------------------------------------------------------------

    def manifest(self, files: Mapping[str, bytes], *, ignored: Sequence[str] = ()) -> tuple[bytes, dict[str, Any]]:
        """A manifest that takes these files, and what a docking says of it."""
        rows = [Row("file", path, len(data), _MTIME, None) for path, data in files.items()]
        rows += [Row("symlink", path, None, None, "symlink") for path in ignored]
        out = io.BytesIO()
        told = write_rows(self.id, sorted(rows, key=lambda one: one.path), out)
        assert told.digest is not None
        listing = {"sha256": told.digest.hex, "names": told.names, "taken": told.taken}
        return out.getvalue(), listing | {"taken_bytes": told.taken_bytes}

    def docking(self, device: str | None, listing: Mapping[str, Any] | None = None, **more: Any) -> dict[str, Any]:
        """What is told of a plug-in; each call is another docking."""
        chance = hashlib.sha256(f"{self.id} {next(self.numbers)}".encode()).digest()[:10]
        told = {
            "docking": ids.opaque("dkg", chance),
            "port": "3",
            "device": device,
            "began_at": instant.to_text(self.at.clocks.now),
            "clock": None,
            "problem": None,
            "manifest": dict(listing or self.manifest({})[1]),
        }
        return told | more

    def docked(self, device: str, files: Mapping[str, bytes], *, ignored: Sequence[str] = ()) -> str:
        """A docking that is told, with its manifest; its id."""
        manifest, listing = self.manifest(files, ignored=ignored)
        told = self.docking(device, listing)
        assert self.post("/v1/dockings", told).body["is_taken"]
        assert self.put(f"/v1/dockings/{told['docking']}/manifest", manifest).status == 204
        return str(told["docking"])

    def ask_erasure(self, docking: str, files: Mapping[str, bytes], *, first: int | None = None) -> Answer:
        """Ask for leave to clear these files, with their own digests; `first`: a part of what was listed."""
        named = [
            {"offer": self.offer(path, data).id, "sha256": hashlib.sha256(data).hexdigest()}
            for path, data in files.items()
        ]
        part = {} if first is None else {"first": first}
        return self.post(f"/v1/dockings/{docking}/erasure", {"files": named, **part})


@contextmanager
def serving(home: Home, clocks: Clocks | None = None) -> Iterator[Serving]:
    """The server of a home, until the block ends."""
    clocks = clocks or Clocks()
    records = KeyFile.load(home.settings.keys / "records.pem", home.ports.signer.name)
    limits = shipped_limits()
    context = Context(
        ports=home.ports,
        files=ReceivedFiles(home.ports.received),
        sessions=Sessions(lambda: clocks.seconds, home.ports.chance, limits),
        limits=limits,
        now=lambda: clocks.now,
        monotonic=lambda: clocks.seconds,
        admit=lambda _: None,
        hint=lambda _: None,
        server_keys=(records.verifier_key.to_text(),),
    )
    config = uvicorn.Config(create_app(context), host="127.0.0.1", port=0, log_config=None, lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.005)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield Serving(home, port, clocks)
    finally:
        server.should_exit = True
        thread.join()
