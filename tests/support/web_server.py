# SPDX-License-Identifier: Apache-2.0
"""This is where tests get the upload server as it is shipped: in a thread with limits of their own, or as a process.

`Uploader` is a dock that speaks tus by hand, one request at a time, right or wrong.
"""

import base64
import fcntl
import http.client
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from app import clocks
from evidence.errors import Unavailable
from pipeline.docks import Invitation, enrol, invite
from pipeline.ports import Ports
from pipeline.received import ReceivedFiles
from tests.support.home import Home
from tests.support.nursery import ROOT
from tests.support.servers import until
from web.api.app import create_app
from web.api.context import Context
from web.api.limits import shipped_limits
from web.api.sessions import Sessions, signed_text
from web.server.certificate import Identity
from web.server.listening import bound, listening
from web.tus.intake import Intake

BYTES = "application/offset+octet-stream"


@dataclass(frozen=True, slots=True)
class Reply:
    """What the server answered."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def code(self) -> str:
        """The code of a problem."""
        assert self.headers["Content-Type"] == "application/problem+json", self
        return str(json.loads(self.body)["code"])

    @property
    def offset(self) -> int:
        return int(self.headers["Upload-Offset"])


@dataclass(slots=True)
class Uploader:
    """An enrolled dock."""

    port: int
    id: str
    key: Ed25519PrivateKey
    token: str = ""

    def request(self, method: str, path: str, body: Any = None, **headers: str | None) -> Reply:
        """One request below /v1; header names are written with `_`. A header of None is left out."""
        told: dict[str, str | None] = {"Tus_Resumable": "1.0.0", "Authorization": f"Bearer {self.token}"}
        told.update(headers)
        line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            line.request(
                method,
                f"/v1{path}",
                body=body,
                headers={name.replace("_", "-"): value for name, value in told.items() if value is not None},
            )
            came = line.getresponse()
            return Reply(came.status, came.headers, came.read())
        finally:
            line.close()

    def say(self, path: str, **told: str) -> Reply:
        return self.request("POST", path, json.dumps(told), Content_Type="application/json")

    def challenge(self) -> str:
        return str(json.loads(self.say("/challenges", dock=self.id).body)["challenge"])

    def answer(self, challenge: str, *, signed: bytes | None = None) -> Reply:
        """Sign a challenge; or send a signature of something else."""
        text = signed_text(self.id, challenge) if signed is None else signed
        signature = base64.b64encode(self.key.sign(text)).decode()
        return self.say("/sessions", dock=self.id, challenge=challenge, signature=signature)

    def sign_in(self) -> None:
        reply = self.answer(self.challenge())
        assert reply.status == 201, reply
        self.token = json.loads(reply.body)["token"]

    # --- tus ----------------------------------------------------------------------------------

    def announce(self, length: int | str, **said: str | bytes) -> Reply:
        return self.request("POST", "/uploads", Upload_Length=str(length), Upload_Metadata=metadata(said))

    def create(self, length: int, **said: str | bytes) -> str:
        reply = self.announce(length, **said)
        assert reply.status == 201, reply
        return reply.headers["Location"].rpartition("/")[2]

    def look(self, upload: str) -> Reply:
        return self.request("HEAD", f"/uploads/{upload}")

    def patch(self, upload: str, at: int | str, data: Any, **headers: str | None) -> Reply:
        return self.request("PATCH", f"/uploads/{upload}", data, Upload_Offset=str(at), Content_Type=BYTES, **headers)


def metadata(said: Mapping[str, str | bytes]) -> str | None:
    """As a client writes it into the header."""
    raw = {key: value.encode() if isinstance(value, str) else value for key, value in said.items()}
    return ",".join(f"{key} {base64.b64encode(value).decode()}" for key, value in raw.items()) or None


def enrolled(ports: Ports, port: int, name: str) -> Uploader:
    """A dock that is known to the register; not signed in."""
    key = Ed25519PrivateKey.generate()
    code = invite(Invitation(name), ports=ports, now=clocks.now()).code
    row = enrol(code, key.public_key().public_bytes_raw(), ports=ports, now=clocks.now())
    return Uploader(port, row["id"], key)


@dataclass(slots=True)
class Weather:
    """What the server meets; tests change it while it runs."""

    refusal: Unavailable | None = None
    seconds: float = 0.0
    hints: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def admit(self, size_bytes: int) -> None:
        if self.refusal is not None:
            raise self.refusal

    def note(self, event: str, sentence: str, **ids: Any) -> None:
        self.notes.append(event)


@dataclass(frozen=True, slots=True)
class WebServer:
    """A server in a thread of this process."""

    home: Home
    port: int
    weather: Weather
    intake: Intake

    @property
    def files(self) -> ReceivedFiles:
        return self.intake.context.files

    def dock(self, name: str = "hall") -> Uploader:
        """A dock that is enrolled and signed in."""
        made = enrolled(self.home.ports, self.port, name)
        made.sign_in()
        return made

    def is_held(self, upload: str) -> bool:
        """True while somebody writes to an upload."""
        try:
            with (self.files.folder / upload / "ledger").open("r+b") as ledger:
                fcntl.flock(ledger, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False

    def until_held(self, *uploads: str) -> None:
        """Wait until somebody writes to each of these uploads."""
        until(lambda: all(map(self.is_held, uploads)), f"somebody writes to {uploads}", pause_s=0.01)

    def until_free(self, upload: str) -> None:
        """Wait until nobody writes to an upload."""
        until(lambda: not self.is_held(upload), f"nobody writes to {upload}", pause_s=0.01)


@contextmanager
def web_server(
    home: Home, *, identity: Identity | None = None, limits: Mapping[str, int] | None = None
) -> Iterator[WebServer]:
    """A running one, gone at the end; `limits` are other figures than those shipped."""
    weather, figures = Weather(), replace(shipped_limits(), **(limits or {}))
    context = Context(
        ports=home.ports,
        files=ReceivedFiles(home.ports.received),
        sessions=Sessions(lambda: time.monotonic() + weather.seconds, home.ports.chance, figures),
        limits=figures,
        now=clocks.now,
        monotonic=time.monotonic,
        admit=weather.admit,
        hint=weather.hints.append,
        note=weather.note,
    )
    app = create_app(context)
    with bound("127.0.0.1", 0) as listener, listening(app, listener, identity=identity, grace_s=1.0):
        yield WebServer(home, listener.getsockname()[1], weather, app.state.intake)


class ServerProcess:
    """`evidock serve --plain` as a process; a test may kill it, and start it again on the same port."""

    def __init__(self, home: Path, port: int, **settings: str) -> None:
        self.home, self.port = home, port
        self._settings = settings
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        return self.home.parent / "serve.log"

    def start(self) -> None:
        given = {f"EVIDOCK_{name.upper()}": value for name, value in self._settings.items()}
        environment = os.environ | {"EVIDOCK_HOME": str(self.home), "PYTHONDONTWRITEBYTECODE": "1"} | given
        command = [sys.executable, "-m", "app", "serve", "--plain", "--listen", f"127.0.0.1:{self.port}"]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        until(self._answers, "the server answers")

    def kill(self) -> None:
        """SIGKILL."""
        self._end(lambda process: process.kill())

    def stop(self) -> int:
        """SIGTERM; the exit status."""
        return self._end(lambda process: process.terminate())

    def _end(self, by: Callable[["subprocess.Popen[bytes]"], None]) -> int:
        process, self._process = self._process, None
        if process is None:
            return 0
        by(process)
        return process.wait(30)

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self.log.read_text("utf-8", "replace")
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
            return True
        return False


@contextmanager
def server_process(home: Path, **settings: str) -> Iterator[ServerProcess]:
    """A running one, gone at the end."""
    with bound("127.0.0.1", 0) as found:
        port = found.getsockname()[1]
    made = ServerProcess(home, port, **settings)
    try:
        made.start()
        yield made
    finally:
        made.kill()
