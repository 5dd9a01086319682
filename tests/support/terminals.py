# SPDX-License-Identifier: Apache-2.0
"""This is where tests get a terminal that speaks to a running server by hand, and the reference client as a process."""

import base64
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from app import clocks
from pipeline.docks import Invitation, enrol, invite
from pipeline.media.tools import find_ffmpeg
from pipeline.ports import Ports
from tests.support.live_footage import SERIAL, sha256_of, word
from tests.support.nursery import ROOT
from tests.support.servers import until
from tests.support.web_server import Reply, Uploader


class Terminal(Uploader):
    """An enrolled terminal, right or wrong."""

    def ask(self, method: str, path: str, told: Any = None) -> Reply:
        """JSON to a path below /v1/live."""
        body = None if told is None else json.dumps(told)
        return self.request(method, f"/live{path}", body, Content_Type="application/json")

    def begin(self, **more: Any) -> str:
        said = {"name": "one.mp4", "path": "live/one.mp4", "started_at": "2026-06-19T12:00:00+08:00"} | more
        reply = self.ask("POST", "", said)
        assert reply.status == 201, reply
        return str(json.loads(reply.body)["live"])

    def put(self, live: str, number: int | str, data: bytes, *, digest: str | None = None) -> Reply:
        told = digest or f"sha-256=:{base64.b64encode(hashlib.sha256(data).digest()).decode()}:"
        return self.request("PUT", f"/live/{live}/fragments/{number}", data, Content_Digest=told)

    def put_all(self, live: str, parts: Sequence[bytes]) -> None:
        for number, data in enumerate(parts):
            reply = self.put(live, number, data)
            assert reply.status == 204, reply

    def end(self, live: str, parts: Sequence[bytes], **told: Any) -> Reply:
        signed = word(parts, key=self.key, **told)
        said = {"fragments": len(parts), "sha256": sha256_of(parts), "sidecar": signed.text}
        said["signature"] = base64.b64encode(signed.signature).decode()
        return self.ask("POST", f"/{live}/end", said)

    def get(self, live: str, name: str) -> Reply:
        return self.ask("GET", f"/{live}/{name}")


def terminal(ports: Ports, port: int, *, name: str = "terminal", device: str = SERIAL) -> Terminal:
    """One that is enrolled and signed in; its device is registered already."""
    key = Ed25519PrivateKey.generate()
    code = invitation(ports, name=name, device=device)
    row = enrol(code, key.public_key().public_bytes_raw(), ports=ports, now=clocks.now())
    made = Terminal(port, row["id"], key)
    made.sign_in()
    return made


def invitation(ports: Ports, *, name: str = "terminal", device: str = SERIAL) -> str:
    """A one-time code for a terminal."""
    return invite(Invitation(name, kind="terminal", device=device), ports=ports, now=clocks.now()).code


class Client:
    """The reference client in a folder of its own; each run is a process."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = folder.with_suffix(".log")

    def start(self, *words: str) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-m", "devices.terminal.client", str(self.folder), *words]
        with self.log.open("ab") as log:
            return subprocess.Popen(
                command, cwd=ROOT, env=dict(os.environ), stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def run(self, *words: str, timeout_s: float = 60.0) -> None:
        """To its end, which must be good."""
        process = self.start(*words)
        try:
            assert process.wait(timeout_s) == 0, self.log.read_text()
        finally:
            process.kill()
            process.wait()

    def enrol(self, server: str, code: str, *, pin: str = "") -> None:
        self.run("enrol", "--server", server, "--code", code, "--pin", pin)

    @contextmanager
    def recording(self, *words: str, seconds: float, fragment: float) -> Iterator["subprocess.Popen[bytes]"]:
        """It records, and sends meanwhile; gone at the end."""
        given = ["--seconds", str(seconds), "--fragment", str(fragment), "--size", "320x180"]
        process = self.start("record", *given, "--ffmpeg", str(find_ffmpeg().program), *words)
        try:
            yield process
        finally:
            process.kill()
            process.wait()

    def said(self, what: str) -> list[dict[str, Any]]:
        """The lines that tell of something, so far."""
        lines = [line for line in self.log.read_text().splitlines() if line.startswith("{")]
        return [told for line in lines if what in (told := json.loads(line))]

    def until_acknowledged(self, number: int, *, timeout_s: float = 30.0) -> None:
        def is_so() -> bool:
            return any(one["acknowledged"] >= number for one in self.said("acknowledged"))

        until(is_so, f"fragment {number} is acknowledged", timeout_s=timeout_s)

    def media(self) -> list[bytes]:
        """What it recorded, each recording's own copy."""
        return [path.read_bytes() for path in sorted(self.folder.glob("recordings/*/media.mp4"))]
