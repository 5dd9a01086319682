# SPDX-License-Identifier: Apache-2.0
"""This is where a simulated device is plugged into a port of a dock station, with the program of its maker.

Plugging in is a rename of its folder into the folder of ports, and out again; the program speaks JSON lines at
`<port>.control`, as `devices.agent.control` asks.
"""

import json
import socketserver
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from evidence.instant import from_text, to_text


@dataclass(slots=True)
class DeviceClock:
    """A clock that is off by `offset`, and shows its time cut to `grain_ms`; `wall` is the true time."""

    wall: Callable[[], datetime]
    offset: timedelta = timedelta()
    grain_ms: int = 1000
    can_be_set: bool = True

    def shown(self) -> datetime:
        """What it shows now."""
        at = self.wall() + self.offset
        grain = timedelta(milliseconds=max(1, self.grain_ms))
        return at - (at - datetime.fromtimestamp(0, at.tzinfo)) % grain

    def set(self, at: datetime) -> None:
        """Make it show `at`."""
        self.offset = at - self.wall()


@dataclass(slots=True)
class DockDevice:
    """A device whose storage is the folder `card`; `clock` None: a plain card, without a program."""

    card: Path
    serial: str | None = None
    officer: str | None = None
    clock: DeviceClock | None = None
    asked: list[str] = field(default_factory=list)
    _program: "_Program | None" = None
    _root: Path | None = None

    def plug(self, ports: Path, port: str) -> Path:
        """Into this port; the folder it is at now. It must not be in another."""
        if self.clock is not None or self.serial is not None:
            self._program = _Program(ports / f"{port}.control", self.answer)
        ports.mkdir(parents=True, exist_ok=True)
        self._root = self.card.rename(ports / port)
        return self._root

    def unplug(self) -> None:
        """Out again: the folder is where it was. Safe to repeat."""
        if self._root is not None:
            self._root.rename(self.card)
            self._root = None
        if self._program is not None:
            self._program.close()
            self._program = None

    def answer(self, question: dict[str, str]) -> dict[str, object]:
        """What the maker's program says."""
        ask = question.get("ask", "")
        self.asked.append(ask)
        if ask == "identify":
            told = {"serial": self.serial, "officer": self.officer}
            return {name: value for name, value in told.items() if value is not None}
        if ask == "clock" and self.clock is not None:
            return {"at": to_text(self.clock.shown()), "grain_ms": self.clock.grain_ms}
        if ask == "set-clock" and self.clock is not None and self.clock.can_be_set:
            self.clock.set(from_text(question["at"]))
            return {"is_set": True}
        return {"error": "unknown"}


class _Program:
    def __init__(self, path: Path, answer: Callable[[dict[str, str]], dict[str, object]]) -> None:
        class Line(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                said = answer(json.loads(self.rfile.readline(1 << 16)))
                with suppress(BrokenPipeError):
                    self.wfile.write(json.dumps(said).encode() + b"\n")

        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        self._path, self._server = path, socketserver.ThreadingUnixStreamServer(str(path), Line)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        self._path.unlink(missing_ok=True)
